"""Repainting, extending, editing and enlarging through the backends, on tiny models."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from plugins.image import backend_areas, backend_upscale, upscalers
from plugins.image.families import TABLE
from plugins.image.params import Inpaint, Outpaint, Steered
from plugins.image.params_more import Edit, Tile, Upscale
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, ModelInfo
from tests.image_rig import QUIET, Context, tiny

pytestmark = [pytest.mark.worker, *QUIET]


@pytest.fixture(scope="module")
def sd15(tmp_path_factory):
    """Made for 64 px, so that an area is painted in no time."""
    loaded = tiny("sd15", tmp_path_factory.mktemp("models"))
    loaded.family = replace(loaded.family, native=64, sizes=((64, 64),))
    return loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels, "RGB")


@pytest.fixture
def files(folder):
    noise(96, 72).save(folder / "picture.png")
    mask = Image.new("L", (96, 72))
    mask.paste(255, (40, 30, 60, 50))
    mask.save(folder / "mask.png")
    return folder


def run(backend: Any, params: Any, ctx: Context) -> list[np.ndarray]:
    backend().run(params, ctx)
    return [np.asarray(Image.open(saved["path"]).convert("RGB")) for saved in ctx.saved]


def inpaint(files, **more):
    values = {"prompt": "a fox", "model": "sd15", "picture": str(files / "picture.png"), "steps": 3, "seed": 1}
    return Inpaint.load({**values, "mask": str(files / "mask.png"), **more})


def test_a_repainted_picture_differs_under_the_mask_and_nowhere_else(sd15, files, tmp_path):
    ctx = Context(tmp_path, sd15)
    (found,) = run(backend_areas.Inpaint, inpaint(files, grow=2, feather=3), ctx)
    before = np.asarray(noise(96, 72))
    changed = np.argwhere((found != before).any(axis=2))
    assert found.shape == before.shape and len(changed) > 300
    assert changed.min(axis=0).tolist() >= [30 - 6, 40 - 6] and changed.max(axis=0).tolist() <= [49 + 6, 59 + 6]


def test_the_same_seed_repaints_the_same_and_another_does_not(sd15, files, tmp_path):
    first, second, third = (
        run(backend_areas.Inpaint, inpaint(files, seed=seed), Context(tmp_path / str(n), sd15))[0]
        for n, seed in enumerate((5, 5, 6))
        if not (tmp_path / str(n)).mkdir()
    )
    assert np.array_equal(first, second) and not np.array_equal(first, third)


@pytest.mark.parametrize("fill", ["blur", "noise", "grey"])
def test_every_fill_and_the_whole_picture_work(sd15, files, tmp_path, fill):
    ctx = Context(tmp_path, sd15)
    (found,) = run(backend_areas.Inpaint, inpaint(files, fill=fill, whole=True), ctx)
    assert found.shape == (72, 96, 3)


def test_several_pictures_are_several_results(sd15, files, tmp_path):
    found = run(backend_areas.Inpaint, inpaint(files, count=2), Context(tmp_path, sd15))
    assert len(found) == 2 and not np.array_equal(found[0], found[1])


def test_extending_keeps_the_old_picture_and_paints_the_new_part(sd15, files, tmp_path):
    ctx = Context(tmp_path, sd15)
    values = {"prompt": "a fox", "model": "sd15", "picture": str(files / "picture.png"), "steps": 2, "seed": 3}
    (found,) = run(backend_areas.Outpaint, Outpaint.load({**values, "left": 16, "right": 8, "feather": 0}), ctx)
    assert found.shape == (72, 120, 3)
    assert np.array_equal(found[:, 16:112], np.asarray(noise(96, 72)))
    assert found[:, :16].std() > 0


def test_what_cannot_be_repainted_is_said(sd15, files, tmp_path):
    Image.new("L", (96, 72)).save(files / "black.png")
    Image.new("L", (50, 72), 255).save(files / "narrow.png")
    cases = {"black.png": "mask", "narrow.png": "mask", "nothing.png": "no-input"}
    for name, code in list(cases.items())[:2]:
        with pytest.raises(StudioError) as refused:
            run(backend_areas.Inpaint, inpaint(files, mask=str(files / name)), Context(tmp_path, sd15))
        assert refused.value.code == code
    with pytest.raises(StudioError) as refused:
        values = {"model": "sd15", "picture": str(files / "picture.png"), "right": 0, "seed": 1}
        run(backend_areas.Outpaint, Outpaint.load(values), Context(tmp_path, sd15))
    assert refused.value.code == "frame"


@pytest.mark.parametrize(
    "family",
    ["flux-kontext", pytest.param("qwen-image-edit", marks=pytest.mark.slow)],  # it sees a million pixels
)
def test_an_instruction_edits_a_picture(family, files, tmp_path):
    loaded = tiny(family, tmp_path)
    ctx = Context(tmp_path, loaded)
    values = {"prompt": "make it red", "model": family, "picture": str(files / "picture.png"), "steps": 2, "seed": 1}
    size = {"width": loaded.family.multiple * 4, "height": loaded.family.multiple * 4}
    (found,) = run(backend_areas.Edit, Edit.load({**values, **size}), ctx)
    assert found.shape == (size["height"], size["width"], 3) and found.std() > 0


def test_a_model_without_editing_says_so(sd15, files, tmp_path):
    values = {"prompt": "x", "model": "sd15", "picture": str(files / "picture.png"), "steps": 1, "seed": 1}
    with pytest.raises(StudioError) as refused:
        run(backend_areas.Edit, Edit.load(values), Context(tmp_path, sd15))
    assert "cannot" in refused.value.title


def upscale(files, **more):
    values = {"model": "sd15", "picture": str(files / "picture.png"), "seed": 1, "steps": 2, "refine": 0}
    return Upscale.load({**values, **more})


def test_without_anything_learned_lanczos_enlarges(sd15, files, tmp_path):
    (found,) = run(backend_upscale.Upscale, upscale(files, scale=1.5), Context(tmp_path, sd15))
    wanted = noise(96, 72).resize((144, 108), Image.Resampling.LANCZOS)
    assert np.array_equal(found, np.asarray(wanted))


def test_details_are_painted_anew_in_tiles_without_seams(sd15, files, tmp_path):
    ctx = Context(tmp_path, sd15)
    (found,) = run(backend_upscale.Upscale, upscale(files, scale=2, refine=0.5, tile=64, overlap=16), ctx)
    assert found.shape == (144, 192, 3)
    tiles = ctx.saved[0]["facts"]["tiles"]
    assert tiles == 4 * 3
    assert set(ctx.boundaries) == {(1, 1)}, "one step of half of two for each tile"
    assert list(dict.fromkeys(ctx.rounds)) == [f"tile {at}/12" for at in range(1, 13)]
    assert ctx.shares == sorted(ctx.shares) and ctx.shares[-1] == 1
    assert len(ctx.previews) == tiles and all(len(shown) == 1 for shown in ctx.previews)


def test_previews_of_a_repainted_part_keep_what_is_around_it(sd15, files, tmp_path):
    Image.new("RGB", (96, 72), (250, 10, 10)).save(files / "red.png")
    ctx = Context(tmp_path, sd15)
    run(backend_areas.Inpaint, inpaint(files, picture=str(files / "red.png"), grow=0, feather=0), ctx)
    for (frame,) in ctx.previews:
        with Image.open(io.BytesIO(frame)) as shown:
            red, green, blue = shown.convert("RGB").getpixel((4, 4))
            painted = np.asarray(shown.convert("RGB"))[: shown.height, shown.width // 2 : shown.width // 2 + 8]
        assert red > 220 and green < 50 and blue < 50
        assert painted.std() > 5, "and in the middle something else"


def test_a_part_is_painted_at_the_size_that_a_pipeline_takes_by_itself():
    """Qwen-Image-Edit's makes one of the picture's shape, whatever it is told."""
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_inpaint import calculate_dimensions

    for width, height in ((64, 64), (300, 200), (1000, 333), (97, 480), (2000, 1999)):
        size = backend_areas.part_size((5, 7, 5 + width, 7 + height), TABLE["qwen-image-edit"])
        assert size == calculate_dimensions(1024 * 1024, size[0] / size[1])[:2]


def tiles_of(ctx, count):
    return [{"picture": str(ctx.steps / f"0-{number}.png")} for number in range(1, count + 1)]


def test_an_enlargement_is_stopped_saved_dropped_and_gone_on_from_after_any_tile(sd15, files, tmp_path):
    asked = upscale(files, scale=2, refine=0.5, tile=64, overlap=16, steps=4, sampler="euler")
    whole = Context(tmp_path, sd15)
    (found,) = run(backend_upscale.Upscale, asked, whole)
    branch = asked.model_copy(update={"painted": [Tile(**one) for one in tiles_of(whole, 5)]})
    (again,) = run(backend_upscale.Upscale, branch, Context(tmp_path, sd15, job="branch"))
    assert np.array_equal(again, found)
    (other,) = run(
        backend_upscale.Upscale, branch.model_copy(update={"prompt": "a ship"}), Context(tmp_path, sd15, job="other")
    )
    assert np.array_equal(other[:40], found[:40]) and not np.array_equal(other, found)
    at = {step: [{"item": 0, "do": do}] for step, do in ((6, "save"), (12, "stop"))}
    ctx = Context(tmp_path, sd15, job="stopped", orders=at)
    first, last = run(backend_upscale.Upscale, asked, ctx)
    told = [one["facts"] for one in ctx.saved]
    assert [(fact["stopped_at"], fact.get("went_on", False)) for fact in told] == [(2, True), (4, False)]
    assert first.shape == last.shape == found.shape and not np.array_equal(first, last)
    once_more = asked.model_copy(update={"steering": [Steered(**one) for one in ctx.saved[1]["params"]["steering"]]})
    (repeated,) = run(backend_upscale.Upscale, once_more, Context(tmp_path, sd15, job="repeated"))
    assert np.array_equal(repeated, last)
    dropped = Context(tmp_path, sd15, job="dropped", orders={6: [{"item": -1, "do": "drop"}]})
    assert run(backend_upscale.Upscale, asked, dropped) == []
    cancelled = Context(tmp_path, sd15, job="cancelled", stop=14)
    with pytest.raises(JobCancelled):
        run(backend_upscale.Upscale, asked, cancelled)
    assert cancelled.saved[0]["facts"]["stopped_at"] == 4
    with pytest.raises(StudioError) as refused:
        run(backend_upscale.Upscale, branch.model_copy(update={"tile": 32}), Context(tmp_path, sd15, job="misfit"))
    assert refused.value.code == "latents"


def test_a_learned_upscaler_is_used_as_often_as_needed(sd15, files, tmp_path):
    network = upscalers.Compact(3, 8, 1, 2)
    save_file(network.state_dict(), tmp_path / "twice.safetensors")
    ctx = Context(tmp_path, sd15)
    info = ModelInfo("twice", str(tmp_path / "twice.safetensors"), "upscaler")
    loaded: dict[str, Any] = {}
    inner = ctx.models.use

    def use(ref, load, *, key=""):
        if ref != "twice":
            return inner(ref, load, key=key)
        import contextlib

        loaded[ref] = loaded.get(ref) or load(info)
        return contextlib.nullcontext(loaded[ref])

    ctx.models.use = use
    (found,) = run(backend_upscale.Upscale, upscale(files, scale=3, upscaler="twice"), ctx)
    assert found.shape == (216, 288, 3)
    assert ctx.boundaries, "tiles are steps"


def test_impossible_sizes_are_refused_with_numbers(sd15, files, tmp_path):
    Image.new("RGB", (5000, 3000)).save(files / "large.png")
    for more, words in (
        ({"picture": str(files / "large.png"), "scale": 8}, "million"),
        ({"refine": 0.5, "tile": 60}, "multiple"),
        ({"refine": 0.5, "tile": 64, "overlap": 64}, "64"),
    ):
        with pytest.raises(StudioError) as refused:
            run(backend_upscale.Upscale, upscale(files, **more), Context(tmp_path, sd15))
        assert words in refused.value.detail and refused.value.code == "size"
