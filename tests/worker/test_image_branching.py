"""Going on from a step of any painting: with the same settings the rest is the same, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers.models.controlnets.controlnet import ControlNetModel
from PIL import Image

from plugins.image import backend, backend_areas
from plugins.image.loading import Loaded
from plugins.image.params import Generate, Inpaint, Outpaint, Transform
from plugins.image.params_more import Edit
from plugins.image.steps import read_start
from studio.errors import StudioError
from tests.guides_rig import resident
from tests.image_rig import QUIET, Context, painted, plan, same, tiny
from tests.worker.test_image_guides import unet_control

pytestmark = [pytest.mark.worker, *QUIET]
SIDE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def sd(folder: Path) -> Loaded:
    """Made for 64 px, so that a part of a picture is painted in no time."""
    loaded = tiny("sd15", folder)
    loaded.family = replace(loaded.family, native=SIDE, sizes=((SIDE, SIDE),))
    return loaded


def repainting(**more: Any) -> dict[str, Any]:
    picture = Image.linear_gradient("L").convert("RGB").resize((SIDE, SIDE))
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (16, 16, 48, 56))
    return {"image": picture, "mask_image": mask, "strength": 0.8, **more}


def branched(loaded: Loaded, folder: Path, step: int, **more: Any) -> tuple[Any, Any, Context]:
    """A painting of seed 7, and what goes on from one of its steps."""
    whole = Context(folder, loaded, job="whole")
    rest = Context(folder, loaded, job="rest")
    first = painted(loaded, whole, plan(7, **more))[0]
    return first, painted(loaded, rest, plan(7, **more, start_latents=whole.steps / f"0-{step}.safetensors"))[0], rest


@pytest.mark.parametrize("sampler", ["euler", "euler-a", "ddim", "heun", "lcm"])
def test_a_repainting_goes_on_with_the_known_pixels_and_the_noise_it_had(
    sampler: str, sd: Loaded, tmp_path: Path
) -> None:
    """The samplers that draw fresh noise at every step go on with their own noise too."""
    first, again, rest = branched(sd, tmp_path, 3, use="inpaint", call=repainting(), sampler=sampler, steps=5)
    assert same(first.image, again.image)
    assert rest.boundaries == [(1, 2), (2, 2)]
    other = painted(
        sd, Context(tmp_path, job="other"),
        plan(7, use="inpaint", call=repainting(), sampler=sampler, steps=5, prompt="a blue ship",
             start_latents=tmp_path / "steps" / "whole" / "0-3.safetensors"),
    )[0]  # fmt: skip
    assert not same(first.image, other.image)


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux", "flux-kontext", "flux2", "z-image", "qwen-image"])
def test_every_family_goes_on_with_a_repainting(family: str, folder: Path, tmp_path: Path) -> None:
    loaded = tiny(family, folder)
    first, again, _ = branched(loaded, tmp_path, 3, use="inpaint", call=repainting())
    assert same(first.image, again.image)


@pytest.mark.parametrize("use", ["control", "control-image", "control-inpaint"])
def test_a_control_that_begins_and_ends_in_between_acts_in_the_same_steps(
    use: str, folder: Path, tmp_path: Path
) -> None:
    loaded = resident("sd15", folder / "controlled")
    call: dict[str, Any] = {"control_guidance_start": 0.25, "control_guidance_end": 0.75}
    call["controlnet_conditioning_scale"] = 0.9
    shown = Image.radial_gradient("L").convert("RGB").resize((SIDE, SIDE))
    call |= {"image": shown} if use == "control" else repainting(control_image=shown)
    if use == "control-image":
        del call["mask_image"]
    parts = {"controlnet": _control(loaded, folder / use)}
    for step in (2, 4):
        first, again, _ = branched(
            loaded, tmp_path / str(step), step, use=use, call=call, parts=parts, sampler="euler", steps=5
        )
        assert same(first.image, again.image)


def _control(loaded: Loaded, folder: Path) -> Any:
    return ControlNetModel.from_pretrained(unet_control(loaded, folder)).eval()


def operations(files: Path) -> dict[str, tuple[Any, Any]]:
    """Each operation that leaves steps, with a request."""
    picture = np.random.default_rng(0).integers(0, 256, (72, 96, 3), dtype=np.uint8)
    Image.fromarray(picture, "RGB").save(files / "picture.png")
    mask = Image.new("L", (96, 72))
    mask.paste(255, (40, 30, 60, 50))
    mask.save(files / "mask.png")
    values = {"prompt": "a fox", "model": "sd15", "steps": 5, "seed": 9, "sampler": "euler"}
    given = {**values, "picture": str(files / "picture.png")}
    return {
        "generate": (backend.Generate, Generate.load(values)),
        "second pass": (backend.Generate, Generate.load({**values, "hires": 1.5, "hires_strength": 0.8})),
        "transform": (backend.Transform, Transform.load({**given, "strength": 0.8})),
        "inpaint": (
            backend_areas.Inpaint,
            Inpaint.load({**given, "mask": str(files / "mask.png"), "fill": "noise", "grow": 2, "feather": 3}),
        ),
        "outpaint": (backend_areas.Outpaint, Outpaint.load({**given, "right": 16, "strength": 0.9})),
    }


@pytest.mark.parametrize(
    ("operation", "step"),
    [("generate", 2), ("transform", 3), ("inpaint", 3), ("outpaint", 2), ("second pass", 3), ("second pass", 8)],
)
def test_an_operation_that_goes_on_from_its_own_step_makes_the_same_file(
    operation: str, step: int, sd: Loaded, tmp_path: Path
) -> None:
    """Crop, mask and blend are those of the request; only where painting begins is another."""
    kind, params = operations(tmp_path)[operation]
    whole, rest = Context(tmp_path, sd, job="whole"), Context(tmp_path, sd, job="rest")
    kind().run(params, whole)
    start = whole.steps / f"0-{step}.safetensors"
    kind().run(params.model_copy(update={"start_latents": str(start)}), rest)
    first, again = (Image.open(ctx.saved[0]["path"]) for ctx in (whole, rest))
    assert same(first, again)
    assert len(rest.boundaries) < len(whole.boundaries) and rest.shares[-1] == 1
    # A branch of the branch, from a step that came after it.
    later = Context(tmp_path, sd, job="later")
    last = max(rest.steps.glob("*.safetensors"), key=lambda path: int(path.stem.partition("-")[2]))
    assert read_start(last).mark.first == read_start(start).mark.first or operation == "second pass"
    kind().run(params.model_copy(update={"start_latents": str(last)}), later)
    assert same(first, Image.open(later.saved[0]["path"]))


def test_an_edit_goes_on_from_a_step(folder: Path, tmp_path: Path) -> None:
    loaded = tiny("flux-kontext", folder)
    Image.linear_gradient("L").convert("RGB").resize((SIDE, SIDE)).save(tmp_path / "picture.png")
    values = {"prompt": "red", "model": "flux-kontext", "picture": str(tmp_path / "picture.png"), "steps": 4, "seed": 3}
    params = Edit.load({**values, "width": SIDE, "height": SIDE})
    whole, rest = Context(tmp_path, loaded, job="whole"), Context(tmp_path, loaded, job="rest")
    backend_areas.Edit().run(params, whole)
    start = str(whole.steps / "0-2.safetensors")
    backend_areas.Edit().run(params.model_copy(update={"start_latents": start}), rest)
    assert same(*(Image.open(ctx.saved[0]["path"]) for ctx in (whole, rest)))


def test_a_repainting_of_another_size_is_refused(sd: Loaded, tmp_path: Path) -> None:
    kind, params = operations(tmp_path)["inpaint"]
    whole = Context(tmp_path, sd, job="whole")
    kind().run(params, whole)
    start = str(whole.steps / "0-3.safetensors")
    close = params.model_copy(update={"start_latents": start, "context": 0})
    with pytest.raises(StudioError) as refused:
        kind().run(close, Context(tmp_path, sd, job="close"))
    assert refused.value.code == "latents" and "px" in refused.value.detail
