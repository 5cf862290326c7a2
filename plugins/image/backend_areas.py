"""image.inpaint, image.outpaint and image.edit: a part of a picture is painted, or the picture by a sentence."""

from dataclasses import replace
from typing import Any

from PIL import Image

from studio.sdk.operation import JobContext

from .areas import Area, Box, around, extended, grown, paint_size, softened, wide
from .backend import note_ignored, plan_of
from .families import Family, size_for
from .guides import guided
from .inversion import inverted
from .loading import Loaded, opened
from .painting import Finished, paint
from .params import Inpaint as InpaintParams
from .params import Outpaint as OutpaintParams
from .params import Painting
from .params_more import Edit as EditParams
from .pictures import read_mask, read_picture
from .saving import save_picture

SETTLED = 12
"""Times after which a shape that is rounded again and again stays; seven were the most among 200,000."""


class Inpaint:
    """The backend of image.inpaint."""

    def run(self, params: InpaintParams, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        mask = read_mask(ctx.input(params.mask), picture.size)
        blend = softened(grown(mask, params.grow), params.feather)
        box = around(blend, params.context)
        with opened(params, ctx) as loaded:
            family = loaded.family
            if params.whole:
                box = (0, 0, *picture.size)
            else:
                box = wide(box, picture.size, min(family.native // 2, *picture.size))
            area = Area(picture, blend, box, part_size(box, family), params.fill)
            _paint_area(params, ctx, loaded, area, params.strength)


class Outpaint:
    """The backend of image.outpaint."""

    def run(self, params: OutpaintParams, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        margins = (params.left, params.top, params.right, params.bottom)
        larger, new = extended(picture, margins, params.fill)
        blend = softened(new, params.feather)
        with opened(params, ctx) as loaded:
            family = loaded.family
            box = wide(around(blend, family.native // 2), larger.size, min(family.native, *larger.size))
            _paint_area(params, ctx, loaded, Area(larger, blend, box, part_size(box, family)), params.strength)


class Edit:
    """The backend of image.edit."""

    def run(self, params: EditParams, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        with opened(params, ctx) as loaded:
            family = loaded.family
            if params.width or params.height:
                size = size_for(family, loaded.info.config, params.width, params.height)
            else:
                size = paint_size((0, 0, *picture.size), family.native, family.multiple)
            call = {"image": picture.resize(size, Image.Resampling.LANCZOS)}
            _paint(params, ctx, loaded, "edit", size, call, picture)


def part_size(box: Box, family: Family) -> tuple[int, int]:
    """At which size a part is painted. Qwen-Image-Edit's pipeline takes none: near a million pixels, in steps of 32."""
    if family.id == "qwen-image-edit":
        size = paint_size(box, 1024, 32)
        for _ in range(SETTLED):  # it asks the rounded picture for its shape
            size = paint_size((0, 0, *size), 1024, 32)
        return size
    return paint_size(box, family.native, family.multiple)


def _paint_area(params: Any, ctx: JobContext, loaded: Loaded, area: Area, strength: float) -> None:
    shown = area.shown()
    call = {"image": shown, "mask_image": area.mask(), "strength": strength}
    _paint(params, ctx, loaded, "inpaint", area.size, call, shown, area)


def _paint(
    params: Painting,
    ctx: JobContext,
    loaded: Loaded,
    use: str,
    size: tuple[int, int],
    call: dict[str, Any],
    picture: Image.Image,
    area: Area | None = None,
) -> None:
    """Paints at `size`; what was painted is the result, or a part of the picture of `area`."""
    width, height = size

    def finished(done: Finished) -> None:
        whole = area.put_back(done.image) if area else done.image
        save_picture(ctx, whole, params, replace(done, image=whole), loaded.info.id)

    with (
        inverted(loaded, ctx, params.inversions),
        guided(loaded, ctx, params, width, height, picture) as guides,
    ):
        note_ignored(ctx, guides)
        plan = plan_of(params, ctx, guides, use, size)
        plan = replace(plan, call={**call, **plan.call}, framed=area.framing() if area else None)
        paint(loaded, ctx, plan, finished)
