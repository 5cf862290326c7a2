"""One batch of pictures on its way through a diffusers pipeline, watched and steered at every step.

Owns Easel (what the batches of a pass share) and Batch. The pipeline's own callback is the step boundary: there
progress and previews go out, NaN is caught, and a picture may be stopped, dropped or saved. When pictures leave,
the pipeline call is left through Leaving, and entered again with the others where it was, nothing encoded anew.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from studio.sdk.operation import JobCancelled

from . import conditioning
from .decoding import broken, decode
from .layout import Layout
from .noise import noise_scheduler
from .plans import Finished, Plan, Wanted, without_picture
from .previews import Previewer
from .seeds import first_noise, generator_of
from .steps import Mark, StepFiles

STOP, DROP, SAVE = "stop", "drop", "save"
ALL = -1
ANEW = {"image": "text", "control-image": "control"}
"""Uses that begin with a picture, and the use that goes on from latents in the same way."""

WHOLE = ("inpaint", "control-inpaint")
"""Uses whose pipelines blend the old picture in at every step; who leaves is painted on unseen."""

PICTURES = ("image", "mask_image")
"""Arguments that are given once for each picture of the batch: of one alone, some pipelines would encode it with the
first picture's random numbers, and the others would be other pictures than alone."""


class Leaving(Exception):
    """Thrown through the pipeline at a step: the batch goes on without some pictures."""


class Easel:
    """One pass of a job. gone: numbers of pictures that are finished or were dropped. frames: their last previews."""

    def __init__(self, loaded: Any, ctx: Any, plan: Plan, finished: Callable[[Finished], None], start: Any, tiny: Any):
        self.loaded, self.ctx, self.plan, self._finished, self.start = loaded, ctx, plan, finished, start
        self.layout = Layout.of(loaded, plan.width, plan.height)
        self.previewer = Previewer(loaded, self.layout, tiny=tiny)
        self.files = StepFiles(ctx.steps if plan.keep_steps else None)
        self.gone: set[int] = set()
        self.frames: dict[int, bytes] = {}
        self.counted = 0
        strength = float(plan.call.get("strength", 1.0)) if plan.use not in ("text", "control") else 1.0
        if start is not None:
            strength = 1 - start[1].step / max(1, start[1].steps)
        self.each = max(1, min(plan.steps, round(plan.steps * strength) if start else int(plan.steps * strength)))

    @property
    def total(self) -> int:
        """Steps of the whole pass, in batches as they come: a picture's steps count once for each picture."""
        return self.each * len(self.plan.items)

    def step(self, done: int, alive: int, frames: list[bytes] | None) -> None:
        """done: steps of the present batch, of `alive` pictures."""
        counted = min(self.counted + done * alive, self.total)
        self.ctx.step(counted, self.total, preview=frames)

    def shown(self) -> list[bytes]:
        most = max(wanted.number for wanted in self.plan.items)
        return [self.frames.get(number, b"") for number in range(most + 1)]

    def finish(self, wanted: Wanted, image: Any, latents: Tensor, facts: dict[str, Any]) -> None:
        self._finished(Finished(wanted.number, image, facts, latents))


class Batch:
    """Pictures that are painted together. run() ends when all are finished, dropped, or the job is cancelled."""

    def __init__(self, easel: Easel, items: list[Wanted]):
        self.easel, self.plan, self.loaded = easel, easel.plan, easel.loaded
        self.alive, self.unseen = list(items), set()
        self._first_items = len(items)
        self._use, self._call = self.plan.use, dict(self.plan.call)
        self._latents: Tensor | None = None
        self._generators = [generator_of(wanted.seed) for wanted in items]
        self._scheduler: Any = self._made_scheduler()
        self._done = 0
        mark = easel.start[1] if easel.start else None
        self._share = self._begun = mark.step / max(1, mark.steps) if mark else 0.0

    # Running -----------------------------------------------------------------------------------------

    def run(self) -> None:
        self._latents = self._begin()
        while self.alive:
            try:
                self._end(self._through())
            except Leaving:
                continue
            except JobCancelled:
                if self._done and self.easel.ctx.last_turn():
                    self._save_so_far()
                raise
        self.easel.counted += self.easel.each * self._first_items

    def forget(self) -> None:
        """Lets go of everything on the device, after memory did not suffice."""
        self._latents = None
        self._scheduler = None

    def _made_scheduler(self) -> Any:
        plan = self.plan
        made = noise_scheduler(
            self.loaded, plan.sampler, plan.schedule, eta=plan.eta, shift=plan.shift, steps=plan.steps
        )
        made.generators = self._generators
        return made

    def _begin(self) -> Tensor | None:
        """The latents to begin with; None lets the pipeline draw them, as it does alone."""
        layout, device = self.easel.layout, self.loaded.device
        if self.easel.start is not None:
            latents, mark = self.easel.start
            self._scheduler.begin_at(mark.level)
            latents = self._scheduler.as_own(latents.to(device, layout.dtype), mark.space, mark.level)
            return layout.again(torch.cat([latents] * len(self.alive)))
        if not any(wanted.variation or wanted.noise is not None for wanted in self.alive) or self._use in WHOLE:
            return None
        drawn = [first_noise(layout, wanted, one) for wanted, one in zip(self.alive, self._generators, strict=True)]
        return layout.given(torch.cat(drawn).to(device))

    def _through(self) -> Tensor:
        """One call of the pipeline; the finished latents, as its last step showed them."""
        pipeline = self.loaded.pipeline(self._use, self._scheduler, **self.plan.parts)
        pipeline(**self._arguments(pipeline))
        assert self._latents is not None
        return self._latents

    def _arguments(self, pipeline: Any) -> dict[str, Any]:
        plan, family = self.plan, self.loaded.family
        takes = inspect.signature(pipeline.__call__).parameters
        guidance = family.guidance if plan.guidance is None else plan.guidance
        call: dict[str, Any] = {
            "num_inference_steps": plan.steps,
            "generator": list(self._scheduler.generators),
            "output_type": "latent",
            "callback_on_step_end": self._on_step,
            "callback_on_step_end_tensor_inputs": ["latents"],
        }
        own = {"width": plan.width, "height": plan.height, family.guidance_name: guidance}
        call |= {name: value for name, value in own.items() if name in takes and value is not None}
        call |= conditioning.batch([wanted.words for wanted in self.alive])
        call |= {name: value for name, value in rest_of(self._call, self._share).items() if name in takes}
        if self._use in (*ANEW, *WHOLE):
            call |= {name: [call[name]] * len(self.alive) for name in PICTURES if isinstance(call.get(name), Image)}
        if self._latents is not None:
            call["latents"] = self._latents
        return call

    # At each step ------------------------------------------------------------------------------------

    @property
    def _shift(self) -> int:
        return self.plan.steps_before

    def _on_step(self, _pipeline: Any, _index: int, _timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        latents, scheduler, easel = values["latents"], self._scheduler, self.easel
        if not bool(torch.isfinite(latents).all()):
            raise broken("the latents", scheduler.done)
        if not scheduler.complete:
            easel.ctx.check()
            return {}
        self._latents, self._done = latents, scheduler.done
        last = scheduler.at_end
        frames = self._preview(latents, last)
        self._keep_files(latents, frames, last)
        ran = max(1, min(easel.each, scheduler.done - (scheduler.total - easel.each)))
        easel.step(ran, self._first_items, easel.shown() if frames else None)
        if not last:
            self._steer(latents)
        return {}

    def _clean(self, latents: Tensor) -> Tensor:
        estimate = self._scheduler.clean()
        return latents if estimate is None or estimate.shape != latents.shape else estimate.to(latents.dtype)

    def _preview(self, latents: Tensor, last: bool) -> dict[int, bytes]:
        previewer = self.easel.previewer
        if not previewer.due(last=last):
            return {}
        made = previewer.make(latents if last else self._clean(latents))
        found = {wanted.number: frame for wanted, frame in zip(self.alive, made, strict=True)}
        self.easel.frames |= {number: frame for number, frame in found.items() if number not in self.unseen}
        return found

    def _keep_files(self, latents: Tensor, frames: dict[int, bytes], last: bool) -> None:
        plan, scheduler = self.plan, self._scheduler
        if last or not plan.keep_steps or self._use in WHOLE:
            return
        level = scheduler.level_after(scheduler.done)
        for place, wanted in enumerate(self.alive):
            mark = Mark(
                self.loaded.family.id, scheduler.done + self._shift, scheduler.total + self._shift, level,
                scheduler.space, plan.width, plan.height, wanted.seed, plan.sampler, plan.schedule,
            )  # fmt: skip
            self.easel.files.write(wanted.number, latents[place : place + 1], mark, frames.get(wanted.number, b""))

    # Steering ----------------------------------------------------------------------------------------

    def _steer(self, latents: Tensor) -> None:
        """Does what was asked of pictures of this batch at this step; leaves the pipeline when some leave."""
        asked = self._asked()
        leaving = []
        for place, wanted in enumerate(self.alive):
            if wanted.number in self.unseen:
                continue
            do = asked.get(wanted.number, "")
            if do in (STOP, SAVE):
                went_on = {"went_on": True} if do == SAVE else {}
                self._save(place, latents, {"stopped_at": self._done + self._shift, **went_on})
            if do in (STOP, DROP):
                leaving.append(place)
        if leaving:
            self._leave(leaving, latents)

    def _asked(self) -> dict[int, str]:
        """What to do with which picture, from the recipe and from people; pictures not begun yet are left out."""
        step, asked = self._done + self._shift, {}
        here = {wanted.number for wanted in self.alive}
        for order in self.easel.ctx.steering():
            item, do = int(order.get("item", ALL)), str(order.get("do", ""))
            numbers = [wanted.number for wanted in self.plan.items] if item == ALL else [item]
            asked |= {number: do for number in numbers if do in (STOP, DROP, SAVE)}
        self.easel.gone |= {number for number, do in asked.items() if do != SAVE and number not in here}
        return asked | {one.item: one.do for one in self.plan.steering if one.step == step and one.item in here}

    def _leave(self, places: list[int], latents: Tensor) -> None:
        left = {self.alive[place].number for place in places}
        self.easel.gone |= left
        self.unseen |= left
        staying = [place for place, wanted in enumerate(self.alive) if wanted.number not in self.unseen]
        if self._use in WHOLE and staying:
            return
        batch = len(self.alive)
        self.alive = [self.alive[place] for place in staying]
        if self.alive:
            self._scheduler.keep(staying, batch)
            self._latents = self.easel.layout.again(latents[staying])
            self._share = self._begun + (1 - self._begun) * self._scheduler.share
            self._go_on_from_latents()
        raise Leaving

    def _go_on_from_latents(self) -> None:
        if self._use in ANEW:
            self._use, self._call = ANEW[self._use], without_picture(self._call)

    # Ending ------------------------------------------------------------------------------------------

    def _end(self, latents: Tensor) -> None:
        seen = [place for place, wanted in enumerate(self.alive) if wanted.number not in self.unseen]
        chosen = latents[seen] if len(seen) < len(self.alive) else latents
        pictures = decode(self.loaded, self.easel.layout, chosen, self.easel.ctx.note)
        for place, picture in zip(seen, pictures, strict=True):
            wanted = self.alive[place]
            self.easel.finish(wanted, picture, latents[place : place + 1], self._facts(wanted))
            self.easel.gone.add(wanted.number)
        self.alive = []

    def _save(self, place: int, latents: Tensor, facts: dict[str, Any]) -> None:
        """Decodes and hands over one picture as it is now."""
        clean = self._clean(latents)[place : place + 1]
        wanted = self.alive[place]
        picture = decode(self.loaded, self.easel.layout, clean, self.easel.ctx.note)[0]
        self.easel.finish(wanted, picture, clean, {**self._facts(wanted), **facts})

    def _save_so_far(self) -> None:
        """The job was cancelled: what there is of each picture is kept, once a step was done."""
        if self._latents is None:
            return
        for place, wanted in enumerate(self.alive):
            if wanted.number not in self.easel.gone:
                self._save(place, self._latents, {"stopped_at": self._done + self._shift})

    def _facts(self, wanted: Wanted) -> dict[str, Any]:
        plan = self.plan
        guidance = self.loaded.family.guidance if plan.guidance is None else plan.guidance
        facts: dict[str, Any] = {
            "number": wanted.number, "seed": wanted.seed, "prompt": wanted.prompt, "width": plan.width,
            "height": plan.height, "steps": plan.steps, "guidance": guidance, "sampler": plan.sampler,
            "noise_scheduler": type(self._scheduler).__name__,
        }  # fmt: skip
        if self._first_items > 1:
            facts["painted_together"] = self._first_items
        if wanted.variation:
            facts |= {"variation_seed": wanted.variation_seed, "variation": wanted.variation}
        return facts


def rest_of(call: dict[str, Any], share: float) -> dict[str, Any]:
    """Arguments for the rest of the steps, when `share` of them lie behind: ControlNets count from where it begins."""
    if share <= 0 or "control_guidance_end" not in call:
        return call
    starts, ends = _each(call.get("control_guidance_start", 0.0)), _each(call["control_guidance_end"])
    scales = _each(call.get("controlnet_conditioning_scale", 1.0))
    over = [end <= share for end in ends]
    starts = [
        0.0 if gone else max(0.0, (start - share) / (1 - share)) for start, gone in zip(starts, over, strict=True)
    ]
    ends = [1.0 if gone else (end - share) / (1 - share) for end, gone in zip(ends, over, strict=True)]
    scales = [0.0 if gone else scale for scale, gone in zip(scales, over, strict=True)]
    several = isinstance(call["control_guidance_end"], list)
    names = ("control_guidance_start", "control_guidance_end", "controlnet_conditioning_scale")
    return {**call, **{n: v if several else v[0] for n, v in zip(names, (starts, ends, scales), strict=True)}}


def _each(value: Any) -> list[float]:
    return list(value) if isinstance(value, list | tuple) else [float(value)]
