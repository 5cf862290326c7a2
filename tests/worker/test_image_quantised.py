"""Weights in fewer bits, in a real worker that has bitsandbytes and torchao: made while loading, and stored so."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from plugins.image import estimate
from plugins.image.params import Generate
from studio.hub.catalogue import Catalogue
from studio.hub.entry import ModelEntry
from studio.library.recipe import read_recipe
from studio.wire.messages import Hello
from tests import quantised_rig, tiny_networks
from tests.image_rig import QUIET, tiny
from tests.worker.test_image_adapters import TARGETS, bare, trained
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = [
    pytest.mark.worker,
    *QUIET,
    pytest.mark.skipif(quantised_rig.place() is None, reason="bitsandbytes and torchao are not installed"),
]
NEAR = {"int8": 1.0, "nf4": 6.0}
"""Mean difference of a picture's values (0 to 255) from that of the same weights unpacked that is let pass."""
ROOT = Path(__file__).resolve().parents[2]


class Rig:
    """A worker, and the models it knows. `painted` remembers: a test asks for what another has asked before."""

    def __init__(self, worker: WorkerProcess, models: Path):
        self.worker, self.models = worker, models
        found = Catalogue([models], None, models / "none").scan()
        self.entries: dict[str, ModelEntry] = {entry.id: entry for entry in found}
        self._painted: dict[str, Any] = {}

    def ask(self, model: str, bits: str = "none", **more: Any) -> str:
        known = {name: dataclasses.asdict(entry.to_info()) for name, entry in self.entries.items()}
        asked = {"prompt": "a red fox", "width": 64, "height": 64, "steps": 2, "seed": 3, **more}
        return self.worker.run("image.generate", {"model": model, "quantised": bits, **asked}, models=known)

    def forget(self, model: str, bits: str) -> None:
        self._painted.pop(repr((model, bits, {})))

    def painted(self, model: str, bits: str = "none", **more: Any) -> tuple[np.ndarray[Any, Any], dict[str, str]]:
        """Pixels, and what the recipe says of the weights."""
        key = repr((model, bits, more))
        if key not in self._painted:
            (artifact,) = self.worker.done(self.ask(model, bits, **more)).artifacts
            with Image.open(artifact["path"]) as picture:
                pixels = np.asarray(picture, float)
            self._painted[key] = pixels, dict(read_recipe(artifact["path"]).facts.get("weights", {}))
        return self._painted[key]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    base = tmp_path_factory.mktemp("quantised")
    models = base / "models"
    for family, part, kind in (
        ("flux", "transformer", diffusers.FluxPipeline), ("sd15", "unet", diffusers.StableDiffusionPipeline)
    ):  # fmt: skip
        loaded = tiny(family, models)
        _, state = trained(loaded.parts[part], TARGETS, 1)
        kind.save_lora_weights(models, **{f"{part}_lora_layers": bare(state)}, weight_name=f"{family}-ink.safetensors")
    biased = load_file(models / "flux-ink.safetensors")
    biased |= {
        name.replace("weight", "bias"): torch.zeros(value.shape[0])
        for name, value in biased.items()
        if ".lora_B." in name
    }
    save_file(biased, models / "flux-biased.safetensors")
    tiny_networks.network(models / "flux", models / "net.safetensors")
    tiny_networks.network(models / "flux", models / "net-q8.gguf")
    path = os.pathsep.join(filter(None, (quantised_rig.place(), str(ROOT))))
    before = f"from pathlib import Path; from tests.quantised_rig import write; write(Path({str(models)!r}))"
    with worker_process(base, env={"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, before=before) as worker:
        worker.hear(Hello)
        yield Rig(worker, models)


def mean(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize(
    ("model", "bits", "way", "library"),
    [
        ("flux", "int8", "int8", "torchao"),
        ("flux", "int4", "nf4", "bitsandbytes"),
        ("sd15", "int8", "int8", "torchao"),
        ("sd15", "int4", "nf4", "bitsandbytes"),
        ("net.safetensors", "int8", "int8", "torchao"),
        ("net.safetensors", "int4", "nf4", "bitsandbytes"),
    ],
)
def test_weights_are_packed_while_they_are_loaded(model: str, bits: str, way: str, library: str, rig: Rig) -> None:
    plain, nothing = rig.painted(model)
    found, weights = rig.painted(model, bits)
    assert nothing == {} and plain.std() > 10
    assert 0 < mean(found, plain) < NEAR[way]
    parts = {"unet", "text_encoder"} if model == "sd15" else {"transformer", "text_encoder", "text_encoder_2"}
    assert weights.keys() == parts
    assert all(how.startswith(f"{way}, {library} ") for how in weights.values()), weights


@pytest.mark.parametrize("name", quantised_rig.STORED)
def test_weights_that_are_packed_on_disk_are_read_as_they_are(name: str, rig: Rig) -> None:
    library, bits = quantised_rig.STORED[name]
    way = {"int4": "nf4"}.get(bits, bits)
    plain, entry = rig.entries["flux"], rig.entries[name]
    assert (entry.problem, entry.dtype, entry.parameters) == (None, way, plain.parameters)
    found, weights = rig.painted(name)
    assert 0 < mean(found, rig.painted("flux")[0]) < NEAR[way]
    if library == ("torchao" if bits == "int8" else "bitsandbytes"):  # what is made here, too
        assert np.array_equal(found, rig.painted("flux", bits)[0])
    assert set(weights) == {"transformer", "text_encoder", "text_encoder_2"}
    assert all(how.startswith(f"{way}, {library} ") for how in weights.values()), weights
    refused = rig.worker.failed(rig.ask(name, "int8")).error
    assert refused["code"] == "quantised" and "stored in fewer bits already" in refused["detail"]


def test_packed_weights_are_weighed_as_what_they_take(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    sizes = json.loads((rig.models / "sizes.json").read_text())
    for name, least in (("nf4", 0.3), ("eight", 0.3), ("ao8", 0.3)):
        assert least * sizes["flux"] < sizes[name] < 0.75 * sizes["flux"]
        told = estimate.generate(Generate(model=name), lambda ref: rig.entries[ref].to_info()).weights
        assert sizes[name] * 0.9 < told < sizes["flux"]
    assert sizes["nf4"] < sizes["eight"]


@pytest.mark.parametrize(("model", "bits"), [("flux", "int8"), ("flux", "int4"), ("eight", "none"), ("sd15", "int4")])
def test_a_lora_acts_on_packed_weights_as_on_plain_ones_and_leaves_no_trace(model: str, bits: str, rig: Rig) -> None:
    family = "sd15" if model == "sd15" else "flux"
    ink = {"loras": [{"model": f"{family}-ink.safetensors", "weight": 1.5}]}
    plain, inked = rig.painted(family)[0], rig.painted(family, **ink)[0]
    before, found = rig.painted(model, bits)[0], rig.painted(model, bits, **ink)[0]
    assert mean(inked, plain) > 0.5 and mean(found, before) > 0.5
    alike = np.corrcoef((found - before).ravel(), (inked - plain).ravel())[0, 1]
    assert alike > 0.5 and mean(found, inked) < (1.5 * NEAR["nf4"] if bits == "int4" else NEAR["int8"])
    rig.forget(model, bits)
    assert np.array_equal(rig.painted(model, bits)[0], before)


def test_a_lora_that_packed_weights_cannot_take_is_refused_in_words(rig: Rig) -> None:
    before = rig.painted("ao8")[0]
    refused = rig.worker.failed(rig.ask("ao8", loras=[{"model": "flux-biased.safetensors"}])).error
    assert refused["code"] == "lora-quantised" and "int8, torchao" in refused["detail"]
    rig.forget("ao8", "none")
    assert np.array_equal(rig.painted("ao8")[0], before)


def test_the_text_encoders_beside_a_network_in_gguf_are_packed(rig: Rig) -> None:
    found, weights = rig.painted("net-q8.gguf")
    assert weights == {"transformer": "q8_0, GGUF"} and mean(found, rig.painted("flux")[0]) < NEAR["int8"]
    _, weights = rig.painted("net-q8.gguf", "int8")
    assert weights.pop("transformer") == "q8_0, GGUF"
    assert [how.split()[:2] for how in weights.values()] == [["int8,", "torchao"]] * 2
