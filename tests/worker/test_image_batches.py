"""A picture of a batch that begins with another picture is the one that its own seed makes alone, in every family."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plugins.image.backend import Generate
from plugins.image.params import Generate as GenerateParams
from tests.image_rig import QUIET, Context, painted, plan, tiny

pytestmark = [pytest.mark.worker, *QUIET]
ROUNDING = 3
"""Levels: sums of another batch round differently."""


def apart(first: Image.Image, second: Image.Image) -> int:
    return max(abs(a - b) for a, b in zip(first.tobytes(), second.tobytes(), strict=True))


@pytest.mark.parametrize(
    ("family", "use"),
    [
        ("sd15", "image"),
        ("sd15", "inpaint"),
        ("flux", "image"),
        *(
            pytest.param(family, use, marks=pytest.mark.slow)
            for family in ("sdxl", "sd3", "flux", "z-image", "qwen-image")
            for use in ("image", "inpaint")
            if (family, use) != ("flux", "image")
        ),
    ],
)
def test_the_picture_that_it_begins_with_is_seen_with_its_own_random_numbers(
    family: str, use: str, tmp_path: Path
) -> None:
    loaded = tiny(family, tmp_path)
    call: dict[str, Any] = {"image": Image.linear_gradient("L").convert("RGB").resize((64, 64)), "strength": 0.7}
    if use == "inpaint":
        call["mask_image"] = Image.new("L", (64, 64))
        call["mask_image"].paste(255, (16, 16, 48, 48))
    three = painted(loaded, Context(tmp_path), plan(5, 6, 7, use=use, call=call, at_once=3))
    (alone,) = painted(loaded, Context(tmp_path, job="alone"), plan(6, use=use, call=call))
    assert apart(three[1].image, alone.image) <= ROUNDING
    assert apart(three[0].image, alone.image) > ROUNDING


@pytest.mark.parametrize("by", ["lanczos", "latent"])
def test_a_second_pass_too(by: str, tmp_path: Path) -> None:
    loaded = tiny("sd15", tmp_path)

    def made(job: str, **more: Any) -> list[Image.Image]:
        ctx = Context(tmp_path, loaded, job=job)
        values = {"model": "sd15", "prompt": "a fox", "steps": 3, "width": 64, "height": 64}
        Generate().run(GenerateParams(**{**values, "hires": 1.5, "hires_by": by, **more}), ctx)  # type: ignore[arg-type]
        return [Image.open(one["path"]).convert("RGB") for one in ctx.saved]

    batch, alone = made("batch", seed=5, count=3, at_once=3), made("alone", seed=6)
    assert apart(batch[1], alone[0]) <= ROUNDING
