"""image.upscale: larger by a learned upscaler or Lanczos, then details painted anew, tile by tile."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from studio.errors import StudioError
from studio.sdk.operation import JobContext, ModelInfo

from . import upscalers
from .guides import guided
from .loading import Loaded, opened
from .painting import Finished, Plan, Wanted, paint
from .params_more import Upscale as Params
from .parts_of_job import Part
from .pictures import MOST_PIXELS, read_picture
from .saving import save_picture
from .tiles import Mosaic, boxes

TILE = 256
SEEN = 16
PREVIEW = 320


class Upscale:
    """The backend of image.upscale."""

    def run(self, params: Params, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        size = target_size(picture.size, params.scale)
        larger = enlarged(picture, size, params, ctx)
        facts: dict[str, Any] = {"from": f"{picture.width} × {picture.height}", "to": f"{size[0]} × {size[1]}"}
        title = ""
        if params.refine > 0:
            with opened(params, ctx) as loaded:
                larger, count = refined(larger, params, ctx, loaded)
                title = loaded.info.id
                facts["tiles"] = count
        save_picture(ctx, larger, params, Finished(0, larger, {"seed": params.seed, **facts}), title)


def target_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height times `scale`. Raises StudioError when that is more than pictures may have."""
    width, height = (max(1, round(side * scale)) for side in size)
    if width * height > MOST_PIXELS:
        raise StudioError(
            "The picture would become too large",
            f"{size[0]:,} × {size[1]:,} px enlarged {scale:g} times has {width * height / 1e6:,.0f} million pixels; "
            f"{MOST_PIXELS / 1e6:,.0f} million are the limit.",
            "Choose a smaller scale.",
            code="size",
        )
    return width, height


def enlarged(picture: Image.Image, size: tuple[int, int], params: Params, ctx: JobContext) -> Image.Image:
    """The picture at `size`: as often through the learned upscaler as needed, the rest by Lanczos."""
    if params.upscaler:

        def load(info: ModelInfo) -> upscalers.Upscaler:
            ctx.stage(f"Loading {info.id}")
            return upscalers.load(Path(info.path), ctx.device, ctx.dtype)

        with ctx.models.use(params.upscaler, load, key=f"upscaler-{ctx.dtype}") as upscaler:
            while picture.width < size[0]:
                picture = _through(upscaler, picture, ctx)
                if upscaler.scale == 1:
                    break
    return picture.resize(size, Image.Resampling.LANCZOS) if picture.size != size else picture


def _through(upscaler: upscalers.Upscaler, picture: Image.Image, ctx: JobContext) -> Image.Image:
    values = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255

    def stepped(done: int, total: int) -> None:
        ctx.step(done, total, unit="tile")

    made = upscalers.enlarge(upscaler, values, TILE, SEEN, stepped)
    if not torch.isfinite(made).all():
        raise StudioError(
            "The upscaler gave no numbers", "Its result is not finite.", "Choose another upscaler.", code="nan"
        )
    return Image.fromarray((made * 255).round().byte().permute(1, 2, 0).numpy(), "RGB")


def refined(picture: Image.Image, params: Params, ctx: JobContext, loaded: Loaded) -> tuple[Image.Image, int]:
    """The picture with its details painted anew, and in how many tiles."""
    family = loaded.family
    multiple = family.multiple
    tile = params.tile or family.native
    if tile % multiple:
        raise StudioError(
            "A tile of this size cannot be painted",
            f"{tile} px is no multiple of {multiple}, which {family.title} needs.",
            f"Choose {tile // multiple * multiple or multiple} or {tile // multiple * multiple + multiple}.",
            code="size",
        )
    overlap = params.overlap or tile // 4
    if overlap >= tile:
        raise StudioError("Tiles cannot overlap by more than they are", f"{overlap} of {tile} px.", code="size")
    padded = _padded(picture, multiple)
    places = list(boxes(*padded.size, (tile, tile), overlap))
    mosaic = Mosaic.of(*padded.size, overlap)
    steps = max(1, min(params.steps, int(params.steps * params.refine)))
    whole = steps * len(places)
    canvas = padded.copy()
    with guided(loaded, ctx, params, tile, tile, padded) as guides:
        for number, box in enumerate(places):
            part: Any = Part(ctx, number * steps, whole, previews=False)
            plan = _plan(params, loaded, guides, padded.crop(box), number)
            made: list[Image.Image] = []
            paint(loaded, part, plan, lambda done, made=made: made.append(done.image))
            mosaic.lay(made[0], box)
            canvas.paste(made[0], box[:2])
            ctx.step((number + 1) * steps, whole, preview=[_small(canvas)])
    result = mosaic.picture().crop((0, 0, *picture.size))
    return result, len(places)


def _plan(params: Params, loaded: Loaded, guides: Any, tile: Image.Image, number: int) -> Plan:
    seed = ((params.seed or 0) + number) % 2**32
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
    )


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
