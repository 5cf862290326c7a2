"""The second, larger pass of image.generate: each picture of the first is enlarged and its details painted anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from studio.sdk.operation import JobContext

from .families import size_for
from .guides import guided
from .layout import pixels_a_latent
from .painting import Finished, Place, Plan, Wanted, paint
from .saving import save_picture
from .steps import read_start

LATENT = ("sd15", "sd2", "sdxl")
"""Families whose image-to-image pipelines take latents in place of a picture."""


class Second:
    """Both passes of one job. A picture that was stopped in the first pass is saved as it was.

    Both can be gone on from: from a step of the second one, the first is not painted again.
    """

    def __init__(self, params: Any, ctx: JobContext, loaded: Any):
        self._params, self._ctx, self._loaded = params, ctx, loaded

    def paint(self, first: Plan) -> None:
        params, ctx = self._params, self._ctx
        if params.hires_by == "latent" and self._loaded.family.id not in LATENT:
            ctx.note(hires=f"{self._loaded.family.title} takes no latents here: its pixels were enlarged.")
        size = self._larger(first)
        if first.start_latents is not None and read_start(first.start_latents).mark.before:
            # What the enlarged picture was like is in the latents.
            blank = Image.new("RGB", size)
            self._paint_second(first, first.items[0], blank, blank, Place(), first.start_latents)
            return
        steps, count = self._steps, len(first.items)
        share = max(1, min(steps, int(steps * params.hires_strength)))
        each = share * size[0] * size[1]  # the work of one picture
        name = "pass" if count == 1 else "round"
        made: list[Finished] = []
        first = replace(first, place=Place(0, each * count, 0, count, name))
        before = paint(self._loaded, ctx, first, lambda done: self._after_first(done, made))
        for at, done in enumerate(made):
            wanted = next(item for item in first.items if item.number == done.number)
            behind = first.steps * first.width * first.height * count + each * at
            place = Place(behind, each * (len(made) - at - 1), before + at, len(made) - at - 1, name)
            self._paint_second(first, wanted, *self._enlarged(done, *size), place)

    @property
    def _steps(self) -> int:
        return self._params.hires_steps or self._params.steps

    def _paint_second(
        self,
        first: Plan,
        wanted: Wanted,
        picture: Image.Image,
        given: Image.Image | Tensor,
        place: Place,
        start: Path | None = None,
    ) -> None:
        """picture: the enlarged one, for the guides. given: the same, or its latents, to begin with."""
        width, height = picture.size
        with guided(self._loaded, self._ctx, self._params, width, height, picture) as guides:
            plan = replace(
                first,
                use=guides.use("image"),
                width=width,
                height=height,
                steps=self._steps,
                items=(wanted,),
                call={**guides.call, "image": given, "strength": self._params.hires_strength},
                parts=guides.parts,
                start_latents=start,
                steering=tuple(replace_item(first.steering, wanted.number)),
                steps_before=first.steps,
                place=place,
            )
            paint(self._loaded, self._ctx, plan, self._save)

    def _larger(self, first: Plan) -> tuple[int, int]:
        """The larger size, as near to what was asked as the model can paint."""
        step = self._loaded.family.multiple
        sides = [max(step, round(side * self._params.hires / step) * step) for side in (first.width, first.height)]
        return size_for(self._loaded.family, self._loaded.info.config, *sides)

    def _after_first(self, done: Finished, made: list[Finished]) -> None:
        if "stopped_at" in done.facts:
            self._save(done)
        else:
            made.append(done)

    def _enlarged(self, done: Finished, width: int, height: int) -> tuple[Image.Image, Image.Image | Tensor]:
        """The picture at its new size for the guides, and what the pipeline is given."""
        picture = done.image.resize((width, height), Image.Resampling.LANCZOS)
        if self._params.hires_by != "latent" or done.latents is None or self._loaded.family.id not in LATENT:
            return picture, picture
        scale = pixels_a_latent(self._loaded.parts["vae"])
        size = (height // scale, width // scale)
        return picture, interpolate(done.latents.float(), size, mode="bicubic").to(done.latents.dtype)

    def _save(self, done: Finished) -> None:
        save_picture(self._ctx, done.image, self._params, done, self._loaded.info.id)


def replace_item(steering: Any, number: int) -> list[Any]:
    return [steered for steered in steering if steered.item == number]
