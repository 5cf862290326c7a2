"""Folders of whole pipelines in the catalogue: their parts, and code of their own."""

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.catalogue_rig import catalogue_of, models_folder, only, problem, weights

pytestmark = pytest.mark.unit
root = pytest.fixture(models_folder)
catalogue = pytest.fixture(catalogue_of)


def pipeline(folder: Path, **changes) -> Path:
    parts = {"unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIMScheduler"]}
    index = {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None], **parts, **changes}
    (folder / "unet").mkdir(parents=True)
    (folder / "scheduler").mkdir()
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "unet" / "config.json").write_text('{"sample_size": 8}')
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights("a", "b"))
    (folder / "scheduler" / "scheduler_config.json").write_text('{"num_train_timesteps": 1000}')
    return folder


def test_pipelines(root, catalogue):
    folder = pipeline(root / "sd")
    entry = only(catalogue)
    assert (entry.layout, entry.capability, entry.parameters, entry.problem) == ("diffusers", "text-to-image", 4, None)
    assert entry.family == "StableDiffusionPipeline" and entry.config["components"]["unet"]["sample_size"] == 8
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(weights()[:-1])
    assert problem(catalogue) == "truncated"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unet": ["os", "system"]}, "unsafe"),
        ({"unet": ["pipeline", "Evil"]}, "unsafe"),
        ({"../unet": ["diffusers", "UNet2DConditionModel"]}, "unsafe"),
        ({"vae": ["diffusers", "AutoencoderKL"]}, "missing-weights"),
        ({"_class_name": "os; system"}, "bad-config"),
        ({"_class_name": None}, "bad-config"),
        ({"_class_name": ["pipeline", "../x"]}, "bad-config"),
    ],
    ids=str,
)
def test_53_to_60_pipelines_with_code_of_their_own(root, catalogue, changes, code):
    pipeline(root / "sd", **changes)
    assert problem(catalogue) == code


def test_57_a_sampler_with_absurd_numbers_and_other_parts(root, catalogue):
    folder = pipeline(root / "sd")
    (folder / "scheduler" / "scheduler_config.json").write_text('{"num_train_timesteps": 1000000000000}')
    assert problem(catalogue) == "bad-config"
    shutil.rmtree(folder)
    pipeline(root / "sd")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    assert problem(catalogue) == "pickle"
    shutil.rmtree(folder)
    pipeline(root / "sd")
    (root.parent / "elsewhere").mkdir()
    shutil.rmtree(folder / "unet")
    (folder / "unet").symlink_to(root.parent / "elsewhere")
    assert problem(catalogue) == "link-outside"
    (folder / "model_index.json").write_text("[]")
    assert problem(catalogue) == "bad-json"
