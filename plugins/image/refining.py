"""The details of an enlarged picture painted anew, tile by tile: what of it is watched, stopped and gone on from.

Owns Refinement. A tile is a step of it: after each the picture as it is so far is shown, the tile is kept below the
job's steps, and what people asked for is done. A branch is given the tiles that are painted already.
"""

import io
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from studio.errors import StudioError
from studio.sdk.operation import JobContext, Round

from .areas import Box
from .guides import Guides, guided
from .loading import Loaded
from .painting import Place, Plan, Wanted, paint
from .params_more import Upscale as Params
from .pictures import read_picture
from .steps import StepFiles
from .tiles import Mosaic, boxes

PREVIEW = 320


@dataclass
class Refinement:
    """Of one `picture`, enlarged already. boxes: where its tiles lie. done: how many of them are painted."""

    picture: Image.Image
    params: Params
    ctx: JobContext
    loaded: Loaded
    done: int = 0

    def __post_init__(self) -> None:
        family, params = self.loaded.family, self.params
        self.side = params.tile or family.native
        if self.side % family.multiple:
            raise _uneven(self.side, family)
        self.overlap = params.overlap or self.side // 4
        if self.overlap >= self.side:
            said = f"{self.overlap} of {self.side} px."
            raise StudioError("Tiles cannot overlap by more than they are", said, code="size")
        self._ground = _padded(self.picture, family.multiple)
        self._shown = self._ground.copy()
        self.boxes = list(boxes(*self._ground.size, (self.side, self.side), self.overlap))
        self._mosaic = Mosaic.of(*self._ground.size, self.overlap)
        self._files = StepFiles(self.ctx.steps)
        self._heeded = 0  # the tile after which what the recipe asks for was done

    @property
    def complete(self) -> bool:
        return self.done == len(self.boxes)

    def go_on_from(self, tiles: list[Image.Image]) -> None:
        """Takes tiles that another job has painted. Raises StudioError code "latents" for those of another picture."""
        for tile in tiles:
            if self.complete or tile.size != _size(self.boxes[self.done]):
                raise StudioError(
                    "Painting cannot go on from these tiles",
                    f"They were painted in another size or for another picture than this of {self.picture.width:,} × "
                    f"{self.picture.height:,} px.",
                    "Leave the settings of size and tiles as they were.",
                    code="latents",
                )
            self._lay(tile)

    def run(self) -> str:
        """Paints tile after tile, and shows the whole after each, until all are or people want it otherwise.

        What they want then: "stop" or "drop"; "save" is wanted before it goes on; "" when all are painted.
        """
        with guided(self.loaded, self.ctx, self.params, self.side, self.side, self._ground) as guides:
            while not self.complete:
                if asked := self._asked():
                    return asked
                self._paint_next(guides)
        return ""

    def _paint_next(self, guides: Guides) -> None:
        number, count = self.done, len(self.boxes)
        made: list[Image.Image] = []
        plan = self._plan(guides, self._ground.crop(self.boxes[number]), number)
        paint(self.loaded, self.ctx, plan, lambda done: made.append(done.image))
        self._lay(made[0])
        steps, at = self._steps, Round(number + 1, count, "tile")
        work = plan.place.behind + steps * plan.width * plan.height, plan.place.ahead
        self.ctx.step(steps, steps, preview=[_small(self._shown)], round=at, work=work)

    @property
    def _steps(self) -> int:
        """Of a tile, as the pipelines count what strength leaves: flow models' round up."""
        steps, left = self.params.steps, self.params.steps * self.params.refine
        return max(1, steps - int(steps - left) if self.loaded.family.prediction == "flow" else int(left))

    def _asked(self) -> str:
        """What is to be done with the picture as it is now: "stop", "drop" or "save"; mostly nothing."""
        orders = [str(order.get("do", "")) for order in self.ctx.steering()]
        if self._heeded < self.done:
            orders += [one.do for one in self.params.steering if one.step == self.done]
        self._heeded = self.done
        return next((order for order in orders if order != "save"), "save" if orders else "")

    def so_far(self) -> Image.Image:
        """The picture with the tiles that are painted; the rest of it is only enlarged."""
        mosaic = self._mosaic if self.complete else deepcopy(self._mosaic)
        for box in self.boxes[self.done :]:
            mosaic.lay(self._ground.crop(box), box)
        return mosaic.picture().crop((0, 0, *self.picture.size))

    def _lay(self, tile: Image.Image) -> None:
        self._mosaic.lay(tile, self.boxes[self.done])
        self._shown.paste(tile, self.boxes[self.done][:2])
        self.done += 1
        if not self.complete:
            self._files.write_tile(self.done, tile, _small(self._shown))

    def _plan(self, guides: Guides, tile: Image.Image, number: int) -> Plan:
        params, count = self.params, len(self.boxes)
        seed, each = ((params.seed or 0) + number) % 2**32, self._steps * tile.width * tile.height
        return Plan(
            use=guides.use("image"),
            width=tile.width,
            height=tile.height,
            steps=params.steps,
            guidance=params.guidance,
            sampler=params.sampler,
            schedule=params.schedule,
            items=(Wanted(0, params.prompt, params.negative, seed),),
            call={**guides.call, "image": tile, "strength": params.refine},
            parts=guides.parts,
            adapters_key=guides.adapters_key,
            keep_steps=False,
            place=Place(each * number, each * (count - number - 1), number, count - number - 1, "tile"),
            shown="none",
            results=False,
        )


def kept_tiles(params: Params, ctx: JobContext) -> list[Image.Image]:
    return [read_picture(ctx.input(tile.picture), "tile to go on from") for tile in params.painted]


def _uneven(side: int, family: Any) -> StudioError:
    low = side // family.multiple * family.multiple
    return StudioError(
        "A tile of this size cannot be painted",
        f"{side} px is no multiple of {family.multiple}, which {family.title} needs.",
        f"Choose {low or family.multiple} or {low + family.multiple}.",
        code="size",
    )


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _padded(picture: Image.Image, multiple: int) -> Image.Image:
    """The picture with its last rows and columns repeated until its sides are multiples."""
    width, height = (-(-side // multiple) * multiple for side in picture.size)
    if (width, height) == picture.size:
        return picture
    grown = np.pad(np.asarray(picture), ((0, height - picture.height), (0, width - picture.width), (0, 0)), mode="edge")
    return Image.fromarray(grown, "RGB")


def _small(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((PREVIEW, PREVIEW))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=80)
    return data.getvalue()
