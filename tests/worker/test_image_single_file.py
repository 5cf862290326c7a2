"""Models out of one file: the same weights as from the folder, nothing fetched, and refusals in words."""

import dataclasses
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from plugins.image import clip_words, loading
from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.sdk.operation import ModelInfo
from tests import tiny_checkpoints, tiny_networks
from tests.tiny_pipelines import make

pytestmark = [
    pytest.mark.worker,
    # diffusers' Euler scheduler gives NumPy a tensor.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]
NETWORKS = ("sd3", "flux", "flux2", "z-image", "qwen-image", "wan", "ltx")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for family in ("sd15", "sdxl", *NETWORKS):
        make(family, root / family)
    return root


def entry(root: Path, file: Path) -> ModelInfo:
    """The file as a job gets it, with the folders in `root` beside it."""
    return Catalogue([root], None, root / "none").find(str(file)).require_usable().to_info()


def refused(info: ModelInfo, quantised: str = "none") -> StudioError:
    with pytest.raises(StudioError) as caught:
        loading.load(info, "cpu", "float32", quantised)
    assert caught.value.title and caught.value.detail
    return caught.value


def same_weights(ours: Any, theirs: Any, names: tuple[str, ...]) -> bool:
    return all(
        torch.equal(value, theirs.parts[name].state_dict()[key])
        for name in names
        for key, value in ours.parts[name].state_dict().items()
    )


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_checkpoint_is_the_folder_it_was_made_of(family: str, root: Path, tmp_path: Path) -> None:
    file = tiny_checkpoints.single_file(root / family, tmp_path / f"{family}.safetensors")
    loaded = loading.load(entry(root, file), "cpu", "float32")
    folder = loading.load(entry(root, root / family), "cpu", "float32")
    encoders = ("text_encoder", "text_encoder_2") if family == "sdxl" else ("text_encoder",)
    assert loaded.family.id == family
    assert same_weights(loaded, folder, ("unet", "vae", *encoders))
    asked: dict[str, Any] = {"prompt": "a fox", "num_inference_steps": 2, "width": 64, "height": 64}
    pictures = [
        model.pipeline("text", folder.make_scheduler())(
            **asked, generator=torch.Generator().manual_seed(2), output_type="pt"
        ).images
        for model in (loaded, folder)
    ]
    assert torch.equal(*pictures)


@pytest.mark.parametrize("family", NETWORKS)
def test_a_network_takes_the_rest_from_a_folder_of_its_family(family: str, root: Path, tmp_path: Path) -> None:
    file = tiny_networks.network(root / family, tmp_path / f"{family}.safetensors")
    loaded = loading.load(entry(root, file), "cpu", "float32")
    folder = loading.load(entry(root, root / family), "cpu", "float32")
    assert loaded.family.id == family
    assert same_weights(loaded, folder, ("transformer", "vae", "text_encoder"))
    assert loaded.scheduler_config == folder.scheduler_config
    loaded.pipeline(loaded.family.uses[0], loaded.make_scheduler())


def test_without_a_folder_of_its_family_a_network_is_refused(root: Path, tmp_path: Path) -> None:
    file = tiny_networks.network(root / "flux", tmp_path / "alone" / "flux.safetensors")
    found = Catalogue([file.parent], None, tmp_path / "none").scan()[0]
    assert found.problem is not None and found.problem["code"] == "needs-folder"
    error = refused(found.to_info())
    assert error.code == "needs-folder" and "Flux 1" in error.detail


def test_missing_tensors_are_named(root: Path, tmp_path: Path) -> None:
    file = tiny_checkpoints.single_file(
        root / "sd15", tmp_path / "a.safetensors", without="model.diffusion_model.middle_block.2.in_layers.2"
    )
    error = refused(entry(root, file))
    assert error.code == "incomplete" and "mid_block.resnets.1.conv1.weight" in error.detail
    tensors = load_file(root / "flux" / "transformer" / "diffusion_pytorch_model.safetensors")
    del tensors["proj_out.weight"]
    save_file(tensors, tmp_path / "b.safetensors")
    error = refused(entry(root, tmp_path / "b.safetensors"))
    assert error.code == "incomplete" and "proj_out.weight" in error.detail


def test_a_part_that_is_not_in_the_checkpoint_comes_from_a_folder_or_is_refused(root: Path, tmp_path: Path) -> None:
    for part in ("cond_stage_model", "first_stage_model"):
        file = tiny_checkpoints.single_file(root / "sd15", tmp_path / f"{part}.safetensors", without=part)
        info = entry(root, file)
        folder = loading.load(entry(root, root / "sd15"), "cpu", "float32")
        assert same_weights(loading.load(info, "cpu", "float32"), folder, ("unet", "vae", "text_encoder"))
        alone = {key: value for key, value in info.config.items() if key != "companion"}
        assert refused(dataclasses.replace(info, config=alone)).code == "incomplete"


def test_a_checkpoint_with_a_vocabulary_of_its_own_needs_the_folder_that_has_it(root: Path, tmp_path: Path) -> None:
    file = tiny_checkpoints.single_file(root / "sd15", tmp_path / "a.safetensors")
    info = entry(root, file)
    alone = {key: value for key, value in info.config.items() if key != "companion"}
    error = refused(dataclasses.replace(info, config=alone))
    assert error.code == "no-tokenizer" and "514" in error.detail


def test_clip_s_own_tokenizer_comes_with_the_application() -> None:
    tokenizer = clip_words.tokenizer()
    assert len(tokenizer) == clip_words.SIZE
    # The numbers that OpenAI's tokenizer gives.
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert clip_words.tokenizer("!").pad_token_id == 0
    assert tokenizer.model_max_length == 77


def test_damaged_and_foreign_files_are_refused(root: Path, tmp_path: Path) -> None:
    whole = tiny_checkpoints.single_file(root / "sd15", tmp_path / "a.safetensors")
    info = entry(root, whole)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:-5000])
    found = Catalogue([root], None, root / "none").find(str(cut))
    assert found.problem is not None and found.problem["code"] == "truncated"
    assert refused(dataclasses.replace(info, path=str(cut))).code == "truncated"
    word = tiny_checkpoints.learned_word(tmp_path / "word.safetensors")
    assert refused(dataclasses.replace(info, path=str(word))).code in ("incomplete", "model-load")
    assert refused(entry(root, word)).code == "family"
    other = tiny_checkpoints.single_file(root / "sdxl", tmp_path / "xl.safetensors")
    assert refused(dataclasses.replace(info, path=str(other))).code in ("incomplete", "model-load")


def test_numbers_with_scales_of_their_own_are_refused(root: Path, tmp_path: Path) -> None:
    tensors = load_file(root / "flux" / "transformer" / "diffusion_pytorch_model.safetensors")
    tensors["proj_out.scale_weight"] = torch.ones(1)
    save_file(tensors, tmp_path / "fp8.safetensors")
    assert refused(entry(root, tmp_path / "fp8.safetensors")).code == "packed"


def test_a_file_is_not_quantised_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "require", lambda quantised: None)
    file = tiny_checkpoints.single_file(root / "sd15", tmp_path / "a.safetensors")
    assert refused(entry(root, file), "int8").code == "quantised"


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3", "flux"])
@pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning")
def test_the_tiny_controlnets_are_known_and_load(family: str, root: Path, tmp_path: Path) -> None:
    folder = tiny_checkpoints.controlnet(root / family, tmp_path / "net")
    info = entry(root, folder)
    assert (info.capability, info.config["base"]) == ("controlnet", family)
    kind: Any = getattr(diffusers, info.family)
    assert kind.from_pretrained(folder, local_files_only=True).config["_class_name"] == info.family
