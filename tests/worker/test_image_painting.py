"""Painting with every family: the same pixels as diffusers alone, noise by seed, steps, variations, refusals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from plugins.image.loading import Loaded
from plugins.image.painting import Wanted
from plugins.image.steps import read_start
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests.image_rig import QUIET, Context, painted, plan, same, tiny

pytestmark = [pytest.mark.worker, *QUIET]
FAMILIES = ("sd15", "sdxl", "sd3", "flux", "flux2", "z-image", "qwen-image")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Loaded]:
    return {}


def model(models: dict[str, Loaded], folder: Path, family: str) -> Loaded:
    if family not in models:
        models[family] = tiny(family, folder)
    return models[family]


@pytest.fixture(scope="module")
def sd(models: dict[str, Loaded], folder: Path) -> Loaded:
    return model(models, folder, "sd15")


def bare(loaded: Loaded, prompt: str, seeds: list[int], **more: Any) -> Any:
    """What diffusers paints from the same folder, called as its documentation does."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(loaded.info.path)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    count = len(seeds)
    return pipeline(
        prompt=[prompt], generator=generators, num_images_per_prompt=count, width=64, height=64, **more
    ).images


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_paints_the_pixels_of_a_bare_diffusers_call(
    family: str, models: dict[str, Loaded], folder: Path, tmp_path: Path
) -> None:
    loaded = model(models, folder, family)
    done = painted(loaded, Context(tmp_path), plan(5, 6))
    more: dict[str, Any] = {"num_inference_steps": 4}
    if family in ("sd3", "z-image"):
        more["guidance_scale"] = loaded.family.guidance  # of the makers; the pipelines have another
    if family == "qwen-image":
        more["negative_prompt"] = " "
    expected = bare(loaded, "a red fox", [5, 6], **more)
    assert [done.number for done in done] == [0, 1]
    assert all(same(one.image, theirs) for one, theirs in zip(done, expected, strict=True))


def test_a_picture_has_the_same_noise_in_any_batch(sd: Loaded, tmp_path: Path) -> None:
    wanted = plan(1, 2, 3, sampler="euler-a")
    together = painted(sd, Context(tmp_path), wanted)
    alone = painted(sd, Context(tmp_path), replace(wanted, at_once=1))
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one.latents, other.latents, atol=1e-4)


def test_every_step_is_told_once_and_kept_to_go_on_from(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    painted(sd, ctx, plan(1, 2, sampler="heun", at_once=1))
    assert ctx.boundaries == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2
    assert ctx.rounds == ["picture 1/2"] * 4 + ["picture 2/2"] * 4 and ctx.shares == [at / 8 for at in range(1, 9)]
    names = sorted(path.name for path in ctx.steps.glob("*.safetensors"))
    assert names == [f"{number}-{step}.safetensors" for number in (0, 1) for step in (1, 2, 3)]
    assert (ctx.steps / "0-1.jpg").read_bytes()[:2] == b"\xff\xd8"
    mark = read_start(ctx.steps / "1-2.safetensors").mark
    assert (mark.family, mark.step, mark.steps, mark.seed, mark.sampler) == ("sd15", 2, 4, 2, "heun")


@pytest.mark.parametrize("sampler", ["euler", "ddim", "heun", "dpm2"])
@pytest.mark.parametrize("step", [1, 3])
def test_going_on_from_a_step_with_the_same_settings_gives_the_same_picture(
    sampler: str, step: int, sd: Loaded, tmp_path: Path
) -> None:
    ctx = Context(tmp_path)
    whole = painted(sd, ctx, plan(7, sampler=sampler))[0]
    start = ctx.steps / f"0-{step}.safetensors"
    rest = Context(tmp_path, job="rest")
    branch = painted(sd, rest, plan(7, sampler=sampler, start_latents=start))[0]
    assert same(whole.image, branch.image)
    assert rest.boundaries[-1] == (4 - step, 4 - step)
    other = painted(sd, Context(tmp_path, job="other"), plan(7, sampler=sampler, start_latents=start, prompt="blue"))[0]
    assert not same(whole.image, other.image)


@pytest.mark.parametrize("family", ["sdxl", "flux", "flux2", "z-image", "qwen-image"])
def test_every_family_goes_on_from_a_step(family: str, models: dict[str, Loaded], folder: Path, tmp_path: Path) -> None:
    loaded, ctx = model(models, folder, family), Context(tmp_path)
    whole = painted(loaded, ctx, plan(7))[0]
    start = ctx.steps / "0-2.safetensors"
    branch = painted(loaded, Context(tmp_path, job="rest"), plan(7, start_latents=start))[0]
    assert same(whole.image, branch.image)


def test_another_sampler_goes_on_from_a_step(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    painted(sd, ctx, plan(7, sampler="euler"))
    start = ctx.steps / "0-2.safetensors"
    for sampler in ("dpmpp-2m", "unipc", "pndm", "lcm", "dpmpp-sde", "ipndm"):
        done = painted(sd, Context(tmp_path, job=sampler), plan(7, sampler=sampler, steps=8, start_latents=start))[0]
        assert torch.isfinite(done.latents).all()


def test_a_step_of_another_family_or_size_is_refused_in_words(
    sd: Loaded, models: dict[str, Loaded], folder: Path, tmp_path: Path
) -> None:
    ctx = Context(tmp_path)
    painted(sd, ctx, plan(7))
    start = ctx.steps / "0-2.safetensors"
    with pytest.raises(StudioError, match="sd15") as refused:
        painted(model(models, folder, "sdxl"), Context(tmp_path), plan(7, start_latents=start))
    assert refused.value.code == "latents"
    with pytest.raises(StudioError, match="64 × 64"):
        painted(sd, Context(tmp_path), plan(7, start_latents=start, width=128))
    (tmp_path / "text.safetensors").write_text("not latents")
    with pytest.raises(StudioError, match="nothing to go on"):
        painted(sd, Context(tmp_path), plan(7, start_latents=tmp_path / "text.safetensors"))


@pytest.mark.parametrize("family", ["sd15", "flux", "qwen-image", "flux2"])
def test_a_variation_leans_from_one_seed_to_the_other(
    family: str, models: dict[str, Loaded], folder: Path, tmp_path: Path
) -> None:
    loaded = model(models, folder, family)

    def at(share: float, seed: int = 3, lean: int | None = 9) -> torch.Tensor:
        wanted = (Wanted(0, "a fox", "", seed, lean, share),)
        return painted(loaded, Context(tmp_path), plan(items=wanted, keep_steps=False))[0].latents

    first, second = at(0.0), at(0.0, seed=9)
    assert torch.allclose(at(1.0), second, atol=1e-4)
    assert torch.allclose(at(1e-9), first, atol=1e-4)
    half = at(0.5)
    assert not torch.allclose(half, first, atol=1e-2)
    assert not torch.allclose(half, second, atol=1e-2)


def test_no_steps_and_no_pictures_are_refused(sd: Loaded, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="0 steps"):
        painted(sd, Context(tmp_path), plan(1, steps=0))
    with pytest.raises(StudioError, match="nothing to paint"):
        painted(sd, Context(tmp_path), plan(items=()))


def test_what_there_is_of_a_cancelled_picture_is_kept(sd: Loaded, tmp_path: Path) -> None:
    done = []
    ctx = Context(tmp_path, stop=2)
    from plugins.image.painting import paint

    with pytest.raises(JobCancelled):
        paint(sd, ctx, plan(1, 2), done.append)
    assert [(one.number, one.facts["stopped_at"]) for one in done] == [(0, 2), (1, 2)]


def test_previews_show_every_picture_within_their_share_of_time(sd: Loaded, tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    painted(sd, ctx, plan(1, 2, 3, steps=12))
    assert len(ctx.previews) >= 2
    assert all(len(frames) == 3 and all(frame[:2] == b"\xff\xd8" for frame in frames) for frames in ctx.previews)
