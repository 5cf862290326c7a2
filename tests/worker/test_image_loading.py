"""Every family is loaded from its folder as parts that pipelines share; broken folders are refused in words."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from plugins.image import families, loading, quantised
from plugins.image.family_table import CLASSES, FLUX2_DEV, QWEN_EDIT_PLUS, TABLE, WAN_IMAGE
from plugins.image.params import Generate
from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.sdk.operation import ModelInfo
from tests import tiny_pipelines
from tests.tiny_pipelines import MAKERS, copied, make

pytestmark = [
    pytest.mark.worker,
    # diffusers' Euler scheduler gives NumPy a tensor.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),  # by its Chroma itself
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    return {family: make(family, root / family) for family in MAKERS}


def info(folder: Path, name: str = "") -> ModelInfo:
    """The catalogue's word on one folder or file."""
    found = Catalogue([folder.parent], None, folder / "none").find(str(folder)).to_info()
    return ModelInfo(**{**{key: getattr(found, key) for key in found.__slots__}, "id": name or found.id})


def refused(folder: Path, **more: Any) -> StudioError:
    """What loading says, even where the catalogue would have said it before."""
    config = {"_class_name": "StableDiffusionPipeline"}
    with pytest.raises(StudioError) as caught:
        loading.load(ModelInfo("m", str(folder), "text-to-image", config=config), "cpu", "float32", **more)
    assert caught.value.title and caught.value.detail
    return caught.value


@pytest.mark.parametrize("family", MAKERS)
def test_every_family_loads_and_its_pipelines_share_the_weights(family: str, folders: dict[str, Path]) -> None:
    model = info(folders[family])
    loaded = loading.load(model, "cpu", "float32")
    assert loaded.family.id == family.replace("wan-image", "wan")
    assert loaded.scheduler_class in ("PNDMScheduler",) or hasattr(diffusers, loaded.scheduler_class)
    network = loaded.parts[loaded.family.network]
    assert not network.training and not any(p.requires_grad for p in loaded.parameters())
    seen: list[Any] = []
    for use in loaded.family.uses:
        if use.startswith("control"):
            continue
        pipeline = loaded.pipeline(use, loaded.make_scheduler())
        assert type(pipeline).__name__ == loaded.family.pipelines[use]
        for name, part in loaded.parts.items():
            if isinstance(part, torch.nn.Module):
                assert getattr(pipeline, name) is part
        assert getattr(pipeline, "safety_checker", None) is None
        assert pipeline._progress_bar_config == {"disable": True}
        assert all(pipeline.scheduler is not other.scheduler for other in seen)
        seen.append(pipeline)


def test_the_same_family_is_made_twice_the_same(tmp_path: Path, folders: dict[str, Path]) -> None:
    again = make("sdxl", tmp_path / "sdxl")
    for path in sorted(again.rglob("*.safetensors")):
        assert path.read_bytes() == (folders["sdxl"] / path.relative_to(again)).read_bytes()


def test_a_loaded_model_paints_as_a_bare_pipeline_does(folders: dict[str, Path]) -> None:
    asked: dict[str, Any] = {"prompt": "a red fox", "num_inference_steps": 2, "width": 64, "height": 64}
    bare = diffusers.StableDiffusionXLPipeline.from_pretrained(folders["sdxl"], local_files_only=True)
    bare.set_progress_bar_config(disable=True)
    wanted = bare(**asked, output_type="pt", generator=torch.Generator().manual_seed(1)).images
    loaded = loading.load(info(folders["sdxl"]), "cpu", "float32")
    ours = loaded.pipeline("text", loaded.make_scheduler())
    assert torch.equal(ours(**asked, output_type="pt", generator=torch.Generator().manual_seed(1)).images, wanted)


def test_a_picture_is_animated_without_the_library_that_mends_text(folders: dict[str, Path]) -> None:
    loaded = loading.load(info(folders["wan-image"]), "cpu", "float32")
    pipeline = loaded.pipeline("image-video", loaded.make_scheduler())
    asked: dict[str, Any] = {"prompt": "a fox", "width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 1}
    assert pipeline(image=Image.new("RGB", (32, 32), "red"), **asked, output_type="np").frames.shape == (
        1,
        5,
        32,
        32,
        3,
    )


def test_a_model_with_its_second_text_encoder_alone_loads(tmp_path: Path, folders: dict[str, Path]) -> None:
    """The layout of the starter model."""
    folder = copied(folders["sdxl"], tmp_path / "starter", without=("text_encoder", "tokenizer"))
    loaded = loading.load(info(folder), "cpu", "float32")
    assert loaded.parts["text_encoder"] is None and loaded.parts["tokenizer"] is None
    assert loaded.pipeline("text", loaded.make_scheduler()).text_encoder_2 is loaded.parts["text_encoder_2"]


def test_the_table_names_classes_that_diffusers_has() -> None:
    named = {*CLASSES, *FLUX2_DEV.values(), *QWEN_EDIT_PLUS.values(), *WAN_IMAGE.values()}
    for family in TABLE.values():
        named |= {*family.pipelines.values(), *filter(None, [family.control_class])}
    assert [name for name in sorted(named) if getattr(diffusers, name, None) is None] == []


def test_half_precision_keeps_the_autoencoder_of_xl_whole(folders: dict[str, Path]) -> None:
    loaded = loading.load(info(folders["sdxl"]), "cpu", "float16")
    assert loaded.parts["vae"].dtype == torch.float32
    assert loaded.parts["unet"].dtype == loaded.parts["text_encoder"].dtype == torch.float16
    assert loading.load(info(folders["sd15"]), "cpu", "bfloat16").parts["vae"].dtype == torch.bfloat16


def test_the_worker_can_weigh_and_move_it(folders: dict[str, Path]) -> None:
    from studio.worker.models import weigh

    loaded = loading.load(info(folders["sd15"]), "cpu", "float32")
    parts = [part for part in loaded.parts.values() if isinstance(part, torch.nn.Module)]
    least = sum(p.numel() * 4 for part in parts for p in part.parameters())
    assert weigh(loaded) >= least > 0
    assert loaded.to("cpu") is loaded


def test_opened_keeps_one_for_each_type_and_quantisation(folders: dict[str, Path]) -> None:
    asked: list[tuple[str, str]] = []

    class Models:
        @contextmanager
        def use(self, ref: str, load: Any, *, key: str = "") -> Any:
            asked.append((ref, key))
            yield load(info(folders["sd15"]))

    class Context:
        models, device, dtype, stages = Models(), "cpu", "float32", []

        def stage(self, title: str) -> None:
            self.stages.append(title)

    with loading.opened(Generate(model="sd15"), Context()) as loaded:
        assert loaded.family.id == "sd15"
    assert asked == [("sd15", "image-float32-none")] and Context.stages == ["Loading sd15"]


def test_a_use_the_family_has_not_is_refused(folders: dict[str, Path]) -> None:
    loaded = loading.load(info(folders["ltx"]), "cpu", "float32")
    with pytest.raises(StudioError) as caught:
        loaded.pipeline("inpaint", loaded.make_scheduler())
    assert caught.value.code == "use" and "image-video" in caught.value.detail


def test_parts_of_the_job_take_their_place(folders: dict[str, Path]) -> None:
    loaded = loading.load(info(folders["sd15"]), "cpu", "float32")
    with pytest.raises(StudioError) as caught:
        loaded.pipeline("control", loaded.make_scheduler())
    assert caught.value.code == "missing-parts" and "controlnet" in caught.value.detail
    net = diffusers.ControlNetModel.from_unet(loaded.parts["unet"])
    assert loaded.pipeline("control", loaded.make_scheduler(), controlnet=net).controlnet is net


@pytest.mark.parametrize(
    ("installed", "bits", "said"),
    [((), "int4", "neither bitsandbytes nor torchao"), (("torchao",), "int4", "mslk")],
)  # fmt: skip
def test_quantised_weights_are_refused_where_nothing_makes_them(
    installed: tuple[str, ...], bits: str, said: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "quantisers", lambda: installed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    error = refused(folders["sd15"], quantised=bits)
    assert error.code == "quantised" and said in error.detail and "nstall" in error.hint


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "of bitsandbytes, which is not installed"),
        ({"quant_method": "torchao", "quant_type": {"default": {}}}, "of torchao, which is not installed"),
        ({"quant_method": "quanto", "weights_dtype": "int8"}, "'quanto', which is not read"),
        ({"bits": 3}, "'None', which is not read"),
        (7, "'None', which is not read"),
    ],
)
def test_weights_stored_in_fewer_bits_in_a_way_that_cannot_be_read_are_refused(
    config: Any, said: str, tmp_path: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "quantisers", lambda: ())
    folder = shutil.copytree(folders["sd15"], tmp_path / "packed")
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": config}))
    error = refused(folder)
    assert error.code == "quantised" and "part unet" in error.detail and said in error.detail
    assert ("atelier-studio[quantised]" in error.hint) == ("installed" in said)


def test_broken_folders_are_refused_in_words(tmp_path: Path, folders: dict[str, Path]) -> None:
    good = folders["sd15"]
    unet = Path("unet") / "diffusion_pytorch_model.safetensors"

    cut = shutil.copytree(good, tmp_path / "cut")
    (cut / unet).write_bytes((cut / unet).read_bytes()[:-1000])
    assert refused(cut).code == "truncated"

    from safetensors.torch import load_file, save_file

    for part, file in (("unet", unet), ("text_encoder", Path("text_encoder") / "model.safetensors")):
        lacking = shutil.copytree(good, tmp_path / f"lacking-{part}")
        tensors = load_file(lacking / file)
        del tensors[sorted(tensors)[0]]
        save_file(tensors, lacking / file, metadata={"format": "pt"})
        error = refused(lacking)
        assert error.code == "incomplete" and part in error.detail

    gone = shutil.copytree(good, tmp_path / "gone")
    shutil.rmtree(gone / "vae")
    assert refused(gone).code == "missing-parts"

    pickled = shutil.copytree(good, tmp_path / "pickled")
    (pickled / unet).rename(pickled / "unet" / "diffusion_pytorch_model.bin")
    assert refused(pickled).code == "no-weights"

    assert refused(tmp_path / "nowhere").code == "model-missing"


@pytest.mark.parametrize(
    ("part", "entry"),
    [
        ("unet", ["pipeline", "MyUNet"]),
        ("unet", ["diffusers", "StableDiffusionPipeline"]),
        ("text_encoder", ["transformers", "AutoModel"]),
        ("scheduler", ["diffusers", "UNet2DConditionModel"]),
    ],
)
def test_classes_that_no_pipeline_is_made_of_are_refused(
    part: str, entry: list[str], tmp_path: Path, folders: dict[str, Path]
) -> None:
    folder = shutil.copytree(folders["sd15"], tmp_path / "odd")
    index = json.loads((folder / "model_index.json").read_text())
    index[part] = entry
    (folder / "model_index.json").write_text(json.dumps(index))
    if part == "scheduler":
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        config["_class_name"] = entry[1]
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    assert refused(folder).code in ("unknown-architecture", "bad-config")


def test_code_beside_the_weights_is_not_run(tmp_path: Path, folders: dict[str, Path]) -> None:
    folder = shutil.copytree(folders["sd15"], tmp_path / "evil")
    path = folder / "text_encoder" / "config.json"
    config = json.loads(path.read_text())
    config["auto_map"] = {"AutoModel": "evil.Model"}
    config["_attn_implementation"] = "someone/evil-kernel"
    path.write_text(json.dumps(config))
    (folder / "text_encoder" / "evil.py").write_text("raise SystemExit('code of a model folder was run')\n")
    loaded = loading.load(info(folder), "cpu", "float32")
    assert loaded.parts["text_encoder"].config._attn_implementation == "sdpa"


def test_one_precision_of_several_is_read(tmp_path: Path, folders: dict[str, Path]) -> None:
    folder = shutil.copytree(folders["sd15"], tmp_path / "fp16")
    for path in list(folder.glob("*/*.safetensors")):
        path.rename(path.with_name(path.stem + ".fp16.safetensors"))
    assert loading.load(info(folder), "cpu", "float32").family.id == "sd15"


def test_families_offered_for_the_starter_size(folders: dict[str, Path]) -> None:
    model = info(folders["sdxl"])
    family = families.of_model(model)
    assert families.size_for(family, model.config, 0, 0) == (64, 64)
    assert tiny_pipelines.MAKERS.keys() <= set(TABLE) | {"wan-image"}
