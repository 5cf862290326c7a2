"""image.generate and image.transform: pictures from words, with a second pass when asked; a picture painted anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from studio.sdk.operation import JobContext

from .areas import paint_size
from .families import size_for
from .guides import guided
from .inversion import inverted
from .loading import Loaded, opened
from .painting import Finished, Plan, paint, plan_items
from .params import Generate as GenerateParams
from .params import Painting
from .params import Transform as TransformParams
from .pictures import read_picture
from .saving import save_picture
from .second_pass import Second
from .steps import read_start


class Generate:
    """The backend of image.generate."""

    def run(self, params: GenerateParams, ctx: JobContext) -> None:
        with opened(params, ctx) as loaded:
            width, height = _size(loaded, params, start_of(params, ctx))
            with inverted(loaded, ctx, params.inversions), guided(loaded, ctx, params, width, height) as guides:
                note_ignored(ctx, guides)
                plan = plan_of(params, ctx, guides, "text", (width, height))
                if params.hires > 1:
                    Second(params, ctx, loaded).paint(plan)
                    return
                paint(loaded, ctx, plan, lambda done: _save(ctx, params, done, loaded))


class Transform:
    """The backend of image.transform."""

    def run(self, params: TransformParams, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        start = start_of(params, ctx)
        with opened(params, ctx) as loaded:
            family = loaded.family
            if params.width or params.height or start:
                width, height = _size(loaded, params, start)
            else:
                width, height = paint_size((0, 0, *picture.size), family.native, family.multiple)
            shown = picture.resize((width, height), Image.Resampling.LANCZOS)
            with (
                inverted(loaded, ctx, params.inversions),
                guided(loaded, ctx, params, width, height, shown) as guides,
            ):
                note_ignored(ctx, guides)
                plan = plan_of(params, ctx, guides, "image", (width, height))
                plan = replace(plan, call={**plan.call, "image": shown, "strength": params.strength})
                paint(loaded, ctx, plan, lambda done: _save(ctx, params, done, loaded))


def start_of(params: Painting, ctx: JobContext) -> Path | None:
    """The file that the painting goes on from, if it goes on from any."""
    return ctx.input(params.start_latents) if params.start_latents else None


def plan_of(params: Painting, ctx: JobContext, guides: Any, use: str, size: tuple[int, int]) -> Plan:
    """What `params` asks for, at this size (width, height)."""
    return Plan(
        use=guides.use(use),
        width=size[0],
        height=size[1],
        steps=params.steps,
        guidance=params.guidance,
        sampler=params.sampler,
        schedule=params.schedule,
        eta=params.eta,
        shift=params.shift,
        clip_skip=params.clip_skip,
        items=plan_items(params, ctx.data),
        call=guides.call,
        parts=guides.parts,
        at_once=params.at_once,
        start_latents=start_of(params, ctx),
        steering=tuple(params.steering),
        regions=tuple(params.regions),
        adapters_key=guides.adapters_key,
        preview_by=params.preview_by,
    )


def note_ignored(ctx: JobContext, guides: Any) -> None:
    if guides.ignored:
        ctx.note(guides_ignored=list(guides.ignored))


def _size(loaded: Loaded, params: Any, start: Path | None) -> tuple[int, int]:
    """The size that was asked for; of nothing but a step to go on from, that step's, if it is of the first pass."""
    if start is not None and not params.width and not params.height:
        mark = read_start(start).mark
        if not mark.before:
            return mark.width, mark.height
    return size_for(loaded.family, loaded.info.config, params.width, params.height)


def _save(ctx: JobContext, params: Painting, done: Finished, loaded: Loaded) -> None:
    save_picture(ctx, done.image, params, done, loaded.info.id)
