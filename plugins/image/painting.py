"""Carries out the plan of a painting, batch by batch.

Owns `paint`. The plan is data (plans.py); one batch is denoise.py's; memory that does not suffice halves the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from . import conditioning
from .decoding import free, out_of_memory, room
from .denoise import Batch
from .easel import Easel
from .layout import Layout
from .plans import Finished, Place, Plan, Wanted, plan_items
from .previews import preview_decoder
from .regional import region_words, regional
from .steps import Start, check_start, read_start

__all__ = ["Finished", "Place", "Plan", "Wanted", "paint", "plan_items"]

CPU_PIXELS = 1024 * 1024
"""Pixels that a processor paints together when nobody says how many pictures."""

BYTES_A_PIXEL = 1400
"""Working memory of a graphics card for one pixel of a large UNet in halves, with guidance; measured by others
at 1024 x 1024 px as about 1.4 GiB a picture."""


def paint(loaded: Any, ctx: JobContext, plan: Plan, finished: Callable[[Finished], None]) -> int:
    """Paints the plan's pictures; `finished` is told each as soon as it is decoded. How many rounds it took.

    Raises StudioError in words; JobCancelled after `finished` was given what there is of the pictures in work.
    """
    _check(plan)
    plan = _at_least_one_step(plan)
    start: Start | None = None
    if plan.start_latents is not None:
        start = read_start(plan.start_latents)
        check_start(start.mark, start.latents, loaded.family, Layout.of(loaded, plan.width, plan.height))
    todo = _with_words(loaded, ctx, plan)
    with torch.no_grad(), _regions(loaded, ctx, plan, todo), preview_decoder(loaded, ctx, plan.preview_by) as tiny:
        easel = Easel(loaded, ctx, plan, finished, start, tiny)
        size = _at_once(loaded, plan, len(todo))
        while todo:
            together = _together(todo, size)
            easel.round += 1
            easel.rounds = easel.round + _rounds(todo[len(together) :], size)
            batch = Batch(easel, together)
            size = _painted(batch, easel, together, size)
            todo = [wanted for wanted in todo if wanted.number not in easel.gone]
    return easel.round


def _painted(batch: Batch, easel: Easel, together: list[Wanted], size: int) -> int:
    """Runs one batch; the size of the next. Smaller when memory did not suffice, and the pictures stay to do."""
    short = ""
    try:
        batch.run()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        short = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not short:
        return size
    batch.forget()
    free()
    if len(together) == 1:
        plan = easel.plan
        raise StudioError(
            "Memory does not suffice to paint this",
            f"One picture of {plan.width:,} × {plan.height:,} px, alone, is too much. {room()} ({short})",
            "Choose a smaller size, or unload other models.",
            code="memory",
        )
    half = max(1, len(together) // 2)
    easel.round -= 1  # it begins again with fewer
    easel.ctx.note(rung=f"{half} at once")
    return half


def _at_least_one_step(plan: Plan) -> Plan:
    """So little strength that no step would be left of the plan's is taken as one step's."""
    strength = plan.call.get("strength")
    if strength is None or int(plan.steps * strength) >= 1:
        return plan
    return replace(plan, call={**plan.call, "strength": min(1.0, (1 + 1e-9) / plan.steps)})


def _check(plan: Plan) -> None:
    if plan.steps < 1:
        raise StudioError("Nothing is painted in 0 steps", "", "Ask for at least one step.", code="steps")
    if not plan.items:
        raise StudioError("There is nothing to paint", "The prompt expands to no picture.", code="empty")


def _with_words(loaded: Any, ctx: JobContext, plan: Plan) -> list[Wanted]:
    if not plan.place.before:
        ctx.stage("Reading the prompt")
    found, ignored = [], []
    for wanted in plan.items:
        words = wanted.words or conditioning.encode(
            loaded,
            wanted.prompt,
            wanted.negative,
            guidance=plan.guidance,
            clip_skip=plan.clip_skip,
            adapters_key=plan.adapters_key,
            ctx=ctx,
            picture=plan.call.get("image") if plan.use == "edit" else None,
        )
        ignored += [said for said in words.ignored if said not in ignored]
        found.append(replace(wanted, words=words))
    if ignored:
        ctx.note(ignored=ignored)
    return found


def _regions(loaded: Any, ctx: JobContext, plan: Plan, items: list[Wanted]) -> Any:
    words = region_words(loaded, plan.regions, clip_skip=plan.clip_skip, adapters_key=plan.adapters_key, ctx=ctx)
    guided = any("negative_prompt_embeds" in wanted.words.call for wanted in items)
    return regional(loaded, ctx, plan.regions, words, plan.width, plan.height, guided=guided)


def _together(items: list[Wanted], size: int) -> list[Wanted]:
    """The next pictures that share a batch: words of another length would make them other pictures than alone."""

    def same() -> Iterator[Wanted]:
        for wanted in items[:size]:
            if wanted.words.shape != items[0].words.shape:
                return
            yield wanted

    return list(same())


def _rounds(items: list[Wanted], size: int) -> int:
    """How many batches they come to."""
    count = 0
    while items:
        items = items[len(_together(items, size)) :]
        count += 1
    return count


def _at_once(loaded: Any, plan: Plan, count: int) -> int:
    if plan.at_once:
        return min(plan.at_once, count)
    pixels = plan.width * plan.height
    if str(loaded.device).startswith("cuda") and torch.cuda.is_available():
        left = torch.cuda.mem_get_info()[0]
        scale = torch.finfo(loaded.dtype).bits / 16
        return max(1, min(count, int(left * 0.8 / (pixels * BYTES_A_PIXEL * scale))))
    return max(1, min(count, CPU_PIXELS // pixels))
