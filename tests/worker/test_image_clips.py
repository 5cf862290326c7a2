"""Clips with tiny video models: the frames of bare diffusers, previews, memory that is short, and refusals."""

import contextlib
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from plugins.image import backend_clips, clip_models, containers
from plugins.image.params_clips import Animate, Clip
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, ModelInfo
from tests.image_rig import QUIET, Context, tiny

pytestmark = [pytest.mark.worker, *QUIET]
SIZES = {"wan": (32, 48, 9), "wan-image": (32, 48, 9), "ltx": (32, 64, 9)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def models(folder):
    return {family: tiny(family, folder) for family in SIZES}


def clip(family: str, **more: Any) -> Clip:
    width, height, frames = SIZES[family]
    values = {"prompt": "a fox runs", "model": family, "width": width, "height": height, "frames": frames}
    return Clip.load({**values, "steps": 2, "seed": 3, **more})


def animate(family: str, picture: Path, **more: Any) -> Animate:
    return Animate.load({**clip(family, **more).model_dump(), "picture": str(picture)})


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels, "RGB").resize((96, 144)).save(tmp_path / "first.png")
    return tmp_path / "first.png"


def run(backend: Any, params: Any, ctx: Context) -> list[np.ndarray]:
    """The clip's frames as they were handed to the file."""
    backend().run(params, ctx)
    return [np.asarray(frame) for frame in containers.read(ctx.saved[0]["path"])]


def made(loaded: Any, params: Any, ctx: Context, monkeypatch: Any) -> list[Image.Image]:
    """The pictures before any codec."""
    kept: list[Image.Image] = []

    def write(path: Path, container: str, frames: Any, fps: float) -> None:
        kept.extend(frames)
        path.write_bytes(b"clip")

    monkeypatch.setattr(containers, "write", write)
    backend = backend_clips.Animate if isinstance(params, Animate) else backend_clips.Clip
    backend().run(params, ctx)
    return kept


@pytest.mark.parametrize("family", ["wan", "ltx"])
def test_a_clip_has_the_frames_of_a_bare_diffusers_call(family, models, tmp_path, monkeypatch):
    loaded = models[family]
    width, height, frames = SIZES[family]
    found = made(loaded, clip(family), Context(tmp_path, loaded), monkeypatch)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(loaded.info.path)
    pipeline.set_progress_bar_config(disable=True)
    more = {"frame_rate": loaded.family.fps} if family == "ltx" else {}
    expected = pipeline(
        "a fox runs", negative_prompt="", width=width, height=height, num_frames=frames, num_inference_steps=2,
        guidance_scale=loaded.family.guidance, generator=torch.Generator().manual_seed(3), output_type="pil", **more,
    ).frames[0]  # fmt: skip
    assert len(found) == len(expected) == frames
    for ours, theirs in zip(found, expected, strict=True):
        assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).max() <= 1


@pytest.mark.parametrize("family", ["wan-image", "ltx"])
def test_a_picture_comes_alive(family, models, tmp_path, picture, monkeypatch):
    loaded = models[family]
    ctx = Context(tmp_path, loaded)
    found = made(loaded, animate(family, picture), ctx, monkeypatch)
    assert len(found) == 9 and found[0].size == SIZES[family][:2]
    assert ctx.boundaries == [(1, 2), (2, 2)]
    other = picture.with_name("other.png")
    Image.new("RGB", (96, 144), "red").save(other)
    again = made(loaded, animate(family, other), Context(tmp_path, loaded, job="other"), monkeypatch)
    assert any(a.tobytes() != b.tobytes() for a, b in zip(found, again, strict=True))


def test_a_picture_without_a_size_keeps_its_shape(models, tmp_path, picture, monkeypatch):
    loaded = models["wan-image"]
    ctx = Context(tmp_path, loaded)
    Image.new("RGB", (640, 160), "blue").save(picture)
    seen = {}

    def shoot(loaded: Any, ctx: Any, shot: Any) -> list[Image.Image]:
        seen["size"] = (shot.width, shot.height)
        return [Image.new("RGB", (16, 16))]

    monkeypatch.setattr(backend_clips, "shoot", shoot)
    made(loaded, animate("wan-image", picture, width=0, height=0), ctx, monkeypatch)
    width, height = seen["size"]
    assert 3 < width / height < 5 and width % loaded.family.multiple == height % loaded.family.multiple == 0


@pytest.mark.parametrize("container", ["mp4", "webp"])
def test_the_same_seed_gives_the_same_bytes_and_the_file_plays(container, models, tmp_path):
    loaded = models["wan"]
    contexts = [Context(tmp_path, loaded, job=name) for name in ("one", "two", "three")]
    for ctx, seed in zip(contexts, (3, 3, 4), strict=True):
        frames = run(backend_clips.Clip, clip("wan", container=container, seed=seed), ctx)
        assert len(frames) == 9 and frames[0].shape == (48, 32, 3)
    one, two, three = (ctx.saved[0]["path"].read_bytes() for ctx in contexts)
    assert one == two and one != three
    assert contexts[0].facts["frames"] == 9 and contexts[0].facts["seed"] == 3
    assert containers.facts(contexts[0].saved[0]["path"])[2] == pytest.approx(16, rel=0.02)


def test_every_step_shows_a_moving_preview(models, tmp_path):
    import io

    for family in ("wan", "ltx"):
        ctx = Context(tmp_path, models[family], job=family)
        run(backend_clips.Clip, clip(family), ctx)
        assert ctx.boundaries == [(1, 2), (2, 2)]
        assert len(ctx.previews[0]) == 1
        with Image.open(io.BytesIO(ctx.previews[-1][0])) as shown:
            assert shown.format == "WEBP" and getattr(shown, "n_frames", 1) > 1


@pytest.mark.parametrize(("asked", "given"), [(0, 81), (1, 1), (2, 1), (8, 9), (10, 9), (1000, 1001)])
def test_frames_are_what_the_family_makes(models, asked, given):
    assert clip_models.frames_for(models["wan"], asked) == given


def test_a_corrected_number_of_frames_is_noted(models, tmp_path):
    ctx = Context(tmp_path, models["wan"])
    assert len(run(backend_clips.Clip, clip("wan", frames=7), ctx)) == 9
    assert (ctx.facts["frames"], ctx.facts["frames_asked"]) == (9, 7)


def test_one_frame_is_a_clip_too(models, tmp_path):
    ctx = Context(tmp_path, models["wan"])
    assert run(backend_clips.Clip, clip("wan", frames=1), ctx)
    assert ctx.facts["frames"] == 1


class Short:
    """A decoder that runs out of memory unless it works in tiles; `never`: not even then."""

    def __init__(self, vae: Any, monkeypatch: Any, never: bool = False):
        self.calls: list[bool] = []
        self._decode, self._vae, self._never = vae.decode, vae, never
        monkeypatch.setattr(vae, "decode", self)

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.calls.append(bool(self._vae.use_tiling))
        if self._never or not self._vae.use_tiling:
            raise torch.OutOfMemoryError("out of memory")
        return self._decode(*args, **more)


def test_a_clip_that_does_not_fit_whole_is_decoded_in_tiles(models, tmp_path, monkeypatch):
    vae = models["wan"].parts["vae"]
    short, ctx = Short(vae, monkeypatch), Context(tmp_path, models["wan"])
    assert len(run(backend_clips.Clip, clip("wan"), ctx)) == 9
    assert short.calls == [False, True] and ctx.facts["rung"] == "tiled VAE"
    assert not vae.use_tiling


def test_a_clip_that_fits_in_no_way_is_refused_with_numbers(models, tmp_path, monkeypatch):
    vae = models["ltx"].parts["vae"]
    Short(vae, monkeypatch, never=True)
    with pytest.raises(StudioError) as refused:
        run(backend_clips.Clip, clip("ltx"), Context(tmp_path, models["ltx"]))
    assert refused.value.code == "memory" and "9 frames of 32 × 64 px" in refused.value.detail
    assert "GiB" in refused.value.detail and not vae.use_tiling


def test_memory_that_ends_while_denoising_is_said_in_numbers(models, tmp_path, monkeypatch):
    def forward(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(models["wan"].parts["transformer"], "forward", forward)
    with pytest.raises(StudioError) as refused:
        run(backend_clips.Clip, clip("wan"), Context(tmp_path, models["wan"]))
    assert refused.value.code == "memory" and "9 frames" in refused.value.detail


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_numbers_that_are_none_are_refused_in_words(part, models, tmp_path, monkeypatch):
    module = models["wan"].parts[part]
    method = "forward" if part == "transformer" else "decode"
    before = getattr(module, method)

    def broken(*args: Any, **more: Any) -> Any:
        return tuple(value * float("nan") for value in before(*args, **more))

    monkeypatch.setattr(module, method, broken)
    with pytest.raises(StudioError) as refused:
        run(backend_clips.Clip, clip("wan"), Context(tmp_path, models["wan"]))
    assert refused.value.code == "nan"


def test_a_cancelled_clip_leaves_nothing(models, tmp_path):
    ctx = Context(tmp_path, models["wan"], stop=1)
    with pytest.raises(JobCancelled):
        run(backend_clips.Clip, clip("wan"), ctx)
    assert ctx.saved == []


def test_a_model_for_pictures_makes_no_clip_from_words(models, tmp_path):
    with pytest.raises(StudioError, match="cannot"):
        run(backend_clips.Clip, clip("wan-image"), Context(tmp_path, models["wan-image"]))


def test_a_size_the_model_cannot_make_is_refused_with_the_nearest(models, tmp_path):
    with pytest.raises(StudioError) as refused:
        run(backend_clips.Clip, clip("wan", width=33), Context(tmp_path, models["wan"]))
    assert refused.value.code == "size"


def test_the_shift_changes_the_clip(models, tmp_path):
    contexts = [Context(tmp_path, models["wan"], job=name) for name in ("own", "same", "other")]
    frames = [
        run(backend_clips.Clip, clip("wan", shift=shift), ctx)
        for ctx, shift in zip(contexts, (None, 3.0, 9.0), strict=True)
    ]
    own, same, other = (np.stack(each) for each in frames)
    assert (own == same).all() and (own != other).any()


def test_a_lora_changes_the_clip_and_is_gone_afterwards(models, tmp_path):
    loaded = models["wan"]
    file = lora(loaded, tmp_path / "lora.safetensors")
    frames = []
    for job, loras in (("before", []), ("with", [{"model": "lora", "weight": 1.0}]), ("after", [])):
        ctx = Context(tmp_path, loaded, job=job)
        ctx.models = WithLora(ctx.models, file)
        frames.append(np.stack(run(backend_clips.Clip, clip("wan", loras=loras), ctx)))
    before, changed, after = frames
    assert (before == after).all() and (before != changed).any()


def lora(loaded: Any, path: Path) -> Path:
    """Random numbers for one layer, in the layout of diffusers."""
    layer = loaded.parts["transformer"].blocks[0].attn1.to_q
    generator = torch.Generator().manual_seed(1)
    down = torch.randn(2, layer.in_features, generator=generator)
    up = torch.randn(layer.out_features, 2, generator=generator)
    name = "transformer.blocks.0.attn1.to_q"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, path)
    return path


class WithLora:
    """The models of a job, and a LoRA beside them."""

    def __init__(self, models: Any, file: Path):
        self._models, self._file = models, file

    def use(self, ref: str, load: Any, *, key: str = "") -> Any:
        if ref == "lora":
            return contextlib.nullcontext(load(ModelInfo("lora", str(self._file), "adapter")))
        return self._models.use(ref, load, key=key)
