"""image.upscale: larger by a learned upscaler or Lanczos, then details painted anew, tile by tile."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, JobContext, ModelInfo

from . import upscalers
from .loading import opened
from .painting import Finished
from .params_more import Upscale as Params
from .pictures import MOST_PIXELS, read_picture
from .refining import Refinement, kept_tiles
from .saving import save_picture

TILE = 256
SEEN = 16


class Upscale:
    """The backend of image.upscale."""

    def run(self, params: Params, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        size = target_size(picture.size, params.scale)
        larger = enlarged(picture, size, params, ctx)
        facts: dict[str, Any] = {"from": f"{picture.width} × {picture.height}", "to": f"{size[0]} × {size[1]}"}
        facts["seed"] = params.seed
        if params.refine <= 0:
            save_picture(ctx, larger, params, Finished(0, larger, facts), "")
            return
        with opened(params, ctx) as loaded:
            work = Refinement(larger, params, ctx, loaded)

            def save(**more: Any) -> None:
                image = work.so_far()
                told = {**facts, "number": 0, "tiles": len(work.boxes), **more}
                save_picture(ctx, image, params, Finished(0, image, told), loaded.info.id)

            work.go_on_from(kept_tiles(params, ctx))
            try:
                while (asked := work.run()) == "save":
                    save(stopped_at=work.done, went_on=True)
            except JobCancelled:
                if work.done:
                    save(stopped_at=work.done)
                raise
            if asked != "drop":
                save(**({"stopped_at": work.done} if asked else {}))


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
