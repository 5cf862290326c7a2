"""image.clip, image.animate and image.travel: clips from words, from a picture, and between prompts."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from studio.sdk.artifact import Kind
from studio.sdk.operation import JobCancelled, JobContext

from . import containers, travel
from .areas import paint_size
from .clip_models import Shot, frames_for, shoot
from .conditioning import Words, encode
from .families import size_for
from .guides import Guides, guided
from .loading import Loaded, opened
from .painting import Finished, Place, Plan, Wanted, paint
from .params_clips import Animate as AnimateParams
from .params_clips import Clip as ClipParams
from .params_clips import Clips
from .params_clips import Travel as TravelParams
from .pictures import read_picture

FPS = 16


class Clip:
    """The backend of image.clip."""

    def run(self, params: ClipParams, ctx: JobContext) -> None:
        with opened(params, ctx) as loaded:
            size = size_for(loaded.family, loaded.info.config, params.width, params.height)
            _make(params, ctx, loaded, "video", size, None)


class Animate:
    """The backend of image.animate."""

    def run(self, params: AnimateParams, ctx: JobContext) -> None:
        picture = read_picture(ctx.input(params.picture))
        with opened(params, ctx) as loaded:
            family = loaded.family
            if params.width or params.height:
                size = size_for(family, loaded.info.config, params.width, params.height)
            else:
                size = paint_size((0, 0, *picture.size), family.native, family.multiple)
            _make(params, ctx, loaded, "image-video", size, picture)


def _make(
    params: Clips, ctx: JobContext, loaded: Loaded, use: str, size: tuple[int, int], picture: Image.Image | None
) -> None:
    width, height = size
    frames = frames_for(loaded, params.frames)
    fps = params.fps or loaded.family.fps or FPS
    seed = params.seed or 0
    with guided(loaded, ctx, params, width, height) as guides:
        words = encode(
            loaded, params.prompt, params.negative, guidance=params.guidance, adapters_key=guides.adapters_key, ctx=ctx
        )
        shot = Shot(use, width, height, frames, fps, params.steps, params.guidance, params.shift, seed, words, picture)
        made = shoot(loaded, ctx, shot)
    facts: dict[str, Any] = {"frames": len(made), "fps": fps, "width": width, "height": height, "seed": seed}
    if params.frames and params.frames != len(made):
        facts["frames_asked"] = params.frames
    _note_ignored(ctx, guides, words)
    ctx.stage("Writing the clip")
    save_clip(ctx, params.container, iter(made), fps, facts)


class Travel:
    """The backend of image.travel."""

    def run(self, params: TravelParams, ctx: JobContext) -> None:
        with opened(params, ctx) as loaded, tempfile.TemporaryDirectory() as folder:
            size = size_for(loaded.family, loaded.info.config, params.width, params.height)
            try:
                self._paint(params, ctx, loaded, size, Path(folder))
            except JobCancelled:
                if any(Path(folder).iterdir()):
                    _save_travel(params, ctx, size, Path(folder))
                raise
            ctx.stage("Writing the clip")
            _save_travel(params, ctx, size, Path(folder))

    def _paint(
        self, params: TravelParams, ctx: JobContext, loaded: Loaded, size: tuple[int, int], folder: Path
    ) -> None:
        """Hundreds of pictures need not be in memory together: they lie in `folder` until the clip is written."""

        def finished(done: Finished) -> None:
            done.image.save(folder / f"{done.number:06}.png", compress_level=1)

        with guided(loaded, ctx, params, *size) as guides:
            plan = Plan(
                use=guides.use("text"),
                width=size[0],
                height=size[1],
                steps=params.steps,
                guidance=params.guidance,
                sampler=params.sampler,
                schedule=params.schedule,
                clip_skip=params.clip_skip,
                items=wanted(params, loaded, guides, ctx),
                call=guides.call,
                parts=guides.parts,
                at_once=params.at_once,
                adapters_key=guides.adapters_key,
                keep_steps=False,
                place=Place(name="frame"),
                shown="newest",
                results=False,
            )
            paint(loaded, ctx, plan, finished)


def wanted(params: TravelParams, loaded: Loaded, guides: Guides, ctx: JobContext) -> tuple[Wanted, ...]:
    """The pictures of the way, as painting wants them: mixed words, and noise between two seeds."""
    stops = params.stops
    told = [
        encode(
            loaded, stop.prompt, params.negative, guidance=params.guidance, clip_skip=params.clip_skip,
            adapters_key=guides.adapters_key, ctx=ctx,
        )
        for stop in stops
    ]  # fmt: skip
    _note_ignored(ctx, guides, *told)
    found = []
    for number, at in enumerate(travel.way(params)):
        first, second = (travel.seed_of(stops[place], params) for place in (at.first, at.second))
        words = travel.mixed((told[at.first], told[at.second]), at.share)
        leaning = at.share if first != second else 0.0
        found.append(Wanted(number, stops[at.first].prompt, params.negative, first, second, leaning, words))
    return tuple(found)


def _save_travel(params: TravelParams, ctx: JobContext, size: tuple[int, int], folder: Path) -> None:
    made, whole = len(list(folder.iterdir())), len(travel.way(params))
    facts: dict[str, Any] = {"frames": made, "fps": params.fps, "width": size[0], "height": size[1]}
    facts["seed"] = params.seed or 0
    facts["prompt"] = " → ".join(stop.prompt.strip() for stop in params.stops if stop.prompt.strip())
    if made < whole:
        facts["frames_asked"] = whole
    save_clip(ctx, params.container, _kept(folder), params.fps, facts)


def _kept(folder: Path) -> Iterator[Image.Image]:
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as picture:
            yield picture.convert("RGB")


def _note_ignored(ctx: JobContext, guides: Guides, *words: Words) -> None:
    ignored = [said for each in (guides, *words) for said in each.ignored]
    if ignored:
        ctx.note(ignored=list(dict.fromkeys(ignored)))


def save_clip(ctx: JobContext, container: str, frames: Iterator[Any], fps: float, facts: dict[str, Any]) -> None:
    """Writes the clip with its recipe."""

    def write(path: Path) -> None:
        containers.write(path, container, frames, fps)

    ctx.note(**facts)
    ctx.save_file(f".{container}", Kind.VIDEO, write, media=containers.MEDIA[container])
