"""Networks in GGUF: of every family, under both kinds of names, painted like the weights they were made of."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plugins.image import backend, backend_areas, backend_clips, containers, loading
from plugins.image.params import Generate
from plugins.image.params_clips import Clip
from plugins.image.params_more import Edit
from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.sdk.operation import ModelInfo
from tests import tiny_networks, tiny_pipelines
from tests.image_rig import QUIET, Context, Models

pytestmark = [pytest.mark.worker, *QUIET]
FAMILIES = ("sd3", "flux", "chroma", "flux2", "z-image", "qwen-image", "flux-kontext", "wan", "ltx")
NEAR = {"Q8_0": 1.0, "F16": 0.1, "BF16": 1.5, "Q4_0": 6.0}
"""Mean difference of a picture's values (0 to 255) from that of the unpacked weights that is let pass."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        tiny_pipelines.make(family, root / family)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise, "RGB").save(root / "first.png")
    return root


@pytest.fixture(scope="module")
def plain(root: Path) -> dict[str, np.ndarray]:
    """Filled by `wanted`: what the folders paint."""
    return {}


class Files(Models):
    """Models by file or folder, as the catalogue knows them."""

    def __init__(self, root: Path):
        super().__init__()
        self.catalogue = Catalogue([root], None, root / "none")

    def info(self, ref: str) -> ModelInfo:
        return self.catalogue.find(ref).require_usable().to_info()


def made(root: Path, family: str, model: Path, ctx: Context) -> np.ndarray:
    """What the family's operation makes with this model: pixels of the picture, or of a clip's last frame."""
    ctx.models = Files(root)
    asked: dict[str, Any] = {"prompt": "a red fox", "model": str(model), "steps": 2, "seed": 3}
    if family in ("wan", "ltx"):
        with pytest.MonkeyPatch.context() as patched:  # pictures before the codec
            patched.setattr(containers, "write", lambda path, kind, frames, fps: list(frames)[-1].save(path, "PNG"))
            backend_clips.Clip().run(Clip.load({**asked, "width": 64, "height": 32, "frames": 9}), ctx)
    elif family == "flux-kontext":
        values = {**asked, "width": 64, "height": 64, "picture": str(root / "first.png")}
        backend_areas.Edit().run(Edit.load(values), ctx)
    else:
        backend.Generate().run(Generate.load({**asked, "width": 64, "height": 64}), ctx)
    with Image.open(ctx.saved[0]["path"]) as picture:
        return np.asarray(picture, float)


def differs(root: Path, family: str, file: Path, plain: dict[str, np.ndarray], folder: Path) -> tuple[float, Any]:
    """Mean difference between what `file` and the family's folder paint, and what the recipe says of the weights."""
    if family not in plain:
        plain[family] = made(root, family, root / family, Context(folder, job=f"{family}-plain"))
    ctx = Context(folder, job="packed")
    found = made(root, family, file, ctx)
    assert plain[family].std() > 10, "the picture is flat: any weights would do"
    return float(np.abs(found - plain[family]).mean()), ctx.facts.get("weights")


def entry(root: Path, file: Path) -> ModelInfo:
    return Catalogue([root], None, root / "none").find(str(file)).to_info()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_every_family_paints_what_its_folder_paints(
    family: str, root: Path, plain: dict[str, np.ndarray], tmp_path: Path
) -> None:
    named = tiny_networks.tensors(root / family)
    if family in tiny_networks.FIRST:
        named = tiny_networks.first_names(family, named)
        assert family == "qwen-image" or named.keys() != tiny_networks.tensors(root / family).keys()
    file = tiny_networks.write(named, tmp_path / f"{family.replace('flux-', 'flux1-')}-Q8_0.gguf")
    info = entry(root, file)
    assert (info.dtype, info.config["base"], Path(info.config["companion"]).name) == ("q8_0", family, family)
    difference, weights = differs(root, family, file, plain, tmp_path)
    assert 0 < difference < NEAR["Q8_0"]
    assert weights == {"transformer": "q8_0, GGUF"}


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_0"])
def test_numbers_of_other_kinds_are_read(kind: str, root: Path, plain: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Wan has kernels with five axes, norms and tables beside its linear layers; in BF16 all of them are packed."""
    file = tiny_networks.write(
        tiny_networks.first_names("wan", tiny_networks.tensors(root / "wan")), tmp_path / f"wan-{kind}.gguf", kind
    )
    assert entry(root, file).dtype == kind.lower()
    difference, weights = differs(root, "wan", file, plain, tmp_path)
    assert difference < NEAR[kind]
    assert weights == (None if kind == "F16" else {"transformer": f"{kind.lower()}, GGUF"})


@pytest.mark.parametrize("family", [name for name in tiny_networks.FIRST if name != "qwen-image"])
def test_the_first_authors_names_in_safetensors_give_the_folder_s_weights(
    family: str, root: Path, tmp_path: Path
) -> None:
    found = tiny_networks.tensors(root / family)
    prefixed = {f"model.diffusion_model.{name}": t for name, t in tiny_networks.first_names(family, found).items()}
    file = tiny_networks.write(prefixed, tmp_path / f"{family}.safetensors")
    network = loading.load(entry(root, file), "cpu", "float32").parts["transformer"].state_dict()
    assert found.keys() <= network.keys()
    assert all(torch.equal(network[name], value) for name, value in found.items())


def refused(info: ModelInfo) -> StudioError:
    with pytest.raises(StudioError) as caught:
        loading.load(info, "cpu", "float32")
    return caught.value


@pytest.mark.parametrize(
    ("family", "gone"), [("flux", "proj_out.weight"), ("ltx", "transformer_blocks.0.ff.net.2.bias")]
)
def test_missing_tensors_are_named(family: str, gone: str, root: Path, tmp_path: Path) -> None:
    found = tiny_networks.tensors(root / family)
    found.pop(gone)
    if family == "ltx":
        found = tiny_networks.first_names(family, found)
    error = refused(entry(root, tiny_networks.write(found, tmp_path / "a.gguf")))
    assert (error.code, gone in error.detail) == ("incomplete", True), error.detail


def test_a_network_that_is_another_one_is_refused_in_words(root: Path, tmp_path: Path) -> None:
    found = tiny_networks.tensors(root / "flux")
    more = {f"extra.{number}.weight": torch.zeros(2, 32) for number in range(40)}
    error = refused(entry(root, tiny_networks.write(found | more, tmp_path / "more.gguf")))
    assert error.code == "misfit" and "40 of its tensors have no place" in error.detail
    wide = found | {"proj_out.weight": torch.zeros(64, 64)}
    error = refused(entry(root, tiny_networks.write(wide, tmp_path / "wide.gguf")))
    assert error.code == "misfit" and "proj_out.weight is (64, 64) instead of (64, 32)" in error.detail
    deep = found | {name.replace(".0.", ".1.", 1): value for name, value in found.items() if ".0." in name}
    error = refused(entry(root, tiny_networks.write(deep, tmp_path / "deep.gguf")))
    assert error.code == "needs-folder"


def test_what_no_reader_unpacks_and_what_is_packed_otherwise_is_refused(root: Path, tmp_path: Path) -> None:
    whole = tiny_networks.write(tiny_networks.tensors(root / "flux"), tmp_path / "a.gguf")
    info = entry(root, whole)
    data = bytearray(whole.read_bytes())
    name = b"proj_out.weight"
    at = data.index(name) + len(name) + 4 + 2 * 8  # the name, two axes: then comes the type
    assert data[at] == 8
    data[at] = 24  # I8: whole numbers without a scale
    (tmp_path / "b.gguf").write_bytes(data)
    error = refused(dataclasses.replace(info, path=str(tmp_path / "b.gguf")))
    assert error.code == "packed" and "I8" in error.detail
    nf4 = {"proj_out.weight.quant_state.bitsandbytes__nf4": torch.zeros(8, dtype=torch.uint8)}
    file = tiny_networks.write(tiny_networks.tensors(root / "flux") | nf4, tmp_path / "c.safetensors")
    assert refused(entry(root, file)).code == "packed"


def test_the_second_network_of_two_is_told_by_the_file_s_name(root: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(root / "wan", tmp_path / "wan22")
    shutil.copytree(folder / "transformer", folder / "transformer_2")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"transformer_2": index["transformer"], "boundary_ratio": 0.9}
    (folder / "model_index.json").write_text(json.dumps(index))
    changed = {name: value * 0.5 for name, value in tiny_networks.tensors(root / "wan").items()}
    slots = ("transformer", "transformer_2")
    for name, slot, other in (("High-Noise", *slots), ("LowNoise", *reversed(slots))):
        file = tiny_networks.write(changed, tmp_path / f"wan2.2-{name}.safetensors")
        parts = loading.load(entry(tmp_path, file), "cpu", "float32").parts
        assert torch.equal(parts[slot].state_dict()["proj_out.weight"], changed["proj_out.weight"])
        assert torch.equal(parts[other].state_dict()["proj_out.weight"], changed["proj_out.weight"] * 2)
