"""One batch of pictures on its way through a diffusers pipeline, watched and steered at every step.

Owns Batch. The pipeline's own callback is the step boundary: there
progress and previews go out, NaN is caught, and a picture may be stopped, dropped or saved. When pictures leave,
the pipeline call is left through Leaving, and entered again with the others where it was, no words encoded anew.
"""

import inspect
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from studio.sdk.operation import JobCancelled

from . import conditioning
from .decoding import broken, decode
from .easel import Easel
from .noise import noise_scheduler
from .plans import Wanted, without_picture
from .resuming import RESUMED, resume
from .seeds import first_noise, generator_of
from .steps import Mark

STOP, DROP, SAVE = "stop", "drop", "save"
ALL = -1
NEAR = 1e-6
ANEW = {"image": "text", "control-image": "control"}
"""Uses that begin with a picture, and the use that goes on from latents in the same way."""

PICTURES = ("image", "mask_image")
"""Arguments that are given once for each picture of the batch: of one alone, some pipelines would encode it with the
first picture's random numbers, and the others would be other pictures than alone."""


class Leaving(Exception):
    """Thrown through the pipeline at a step: the batch goes on without some pictures."""


class Batch:
    """Pictures that are painted together. run() ends when all are finished, dropped, or the job is cancelled."""

    def __init__(self, easel: Easel, items: list[Wanted]):
        self.easel, self.plan, self.loaded = easel, easel.plan, easel.loaded
        self.alive = list(items)
        self._first_items = len(items)
        self._use, self._call = self.plan.use, dict(self.plan.call)
        self._latents: Tensor | None = None
        self._given: Tensor | None = None
        self._resumed = False
        self._scheduler: Any = self._made_scheduler([self._generator(wanted) for wanted in items])
        self._done = 0
        mark = easel.start.mark if easel.start else None
        self._from = mark.first if mark else -1  # the step that the picture's very first run began at
        self._share = self._behind = mark.share if mark else 0.0

    # Running -----------------------------------------------------------------------------------------

    def run(self) -> None:
        self._begin()
        while self.alive:
            try:
                self._end(self._through())
            except Leaving:
                continue
            except JobCancelled:
                if self._done and self.plan.results and self.easel.ctx.last_turn():
                    self._save_so_far()
                raise

    def forget(self) -> None:
        """Lets go of everything on the device, after memory did not suffice."""
        self._latents = self._given = None
        self._scheduler = None

    def _generator(self, wanted: Wanted) -> torch.Generator:
        """A picture's own; where it goes on from a step, as it was there."""
        generator, start = generator_of(wanted.seed), self.easel.start
        if start is not None and start.noise is not None and start.mark.seed == wanted.seed:
            generator.set_state(start.noise)
        return generator

    def _made_scheduler(self, generators: list[torch.Generator]) -> Any:
        plan = self.plan
        made = noise_scheduler(
            self.loaded, plan.sampler, plan.schedule, eta=plan.eta, shift=plan.shift, steps=plan.steps
        )
        made.generators = generators
        return made

    def _begin(self) -> None:
        """Settles what the pipeline is entered with; without anything it draws its noise, as it does alone."""
        layout, device, start = self.easel.layout, self.loaded.device, self.easel.start
        if start is not None:
            mark = start.mark
            self._scheduler.begin_at(mark.level)
            latents = self._scheduler.as_own(start.latents.to(device, layout.dtype), mark.space, mark.level)
            self._go_on_from(torch.cat([latents] * len(self.alive)))
        elif self._use not in RESUMED and any(one.variation or one.noise is not None for one in self.alive):
            pairs = zip(self.alive, self._scheduler.generators, strict=True)
            drawn = [first_noise(layout, wanted, generator) for wanted, generator in pairs]
            self._given = layout.given(torch.cat(drawn).to(device))

    def _go_on_from(self, latents: Tensor) -> None:
        """latents: (B, ...) as the loop shows them, at the step where the scheduler is."""
        self._latents, self._resumed = latents, self._use in RESUMED
        self._given = None if self._resumed else self.easel.layout.again(latents)
        if self._use in ANEW:
            self._use, self._call = ANEW[self._use], without_picture(self._call)

    def _through(self) -> Tensor:
        """One call of the pipeline; the finished latents, as its last step showed them."""
        pipeline = self.loaded.pipeline(self._use, self._scheduler, **self.plan.parts)
        if self._resumed:
            assert self._latents is not None
            resume(pipeline, self._latents)
        pipeline(**self._arguments(pipeline))
        assert self._latents is not None
        return self._latents

    def _arguments(self, pipeline: Any) -> dict[str, Any]:
        plan, family = self.plan, self.loaded.family
        takes = inspect.signature(pipeline.__call__).parameters
        guidance = family.guidance if plan.guidance is None else plan.guidance
        # What a resumed pipeline prepares anew it draws as at the very beginning; its steps draw on where they were.
        fresh = [generator_of(wanted.seed) for wanted in self.alive] if self._resumed else self._scheduler.generators
        call: dict[str, Any] = {
            "num_inference_steps": plan.steps,
            "generator": list(fresh),
            "output_type": "latent",
            "callback_on_step_end": self._on_step,
            "callback_on_step_end_tensor_inputs": ["latents"],
        }
        own = {"width": plan.width, "height": plan.height, family.guidance_name: guidance}
        own |= {"max_area": plan.width * plan.height, "_auto_resize": False}  # Kontext would choose a size of its own
        call |= {name: value for name, value in own.items() if name in takes and value is not None}
        call |= conditioning.batch([wanted.words for wanted in self.alive])
        call |= {name: value for name, value in rest_of(self._call, self._share).items() if name in takes}
        if self._use in (*ANEW, *RESUMED):
            call |= {name: [call[name]] * len(self.alive) for name in PICTURES if isinstance(call.get(name), Image)}
        if self._given is not None:
            call["latents"] = self._given
        return call

    # At each step ------------------------------------------------------------------------------------

    @property
    def _shift(self) -> int:
        return self.plan.steps_before

    def _on_step(self, _pipeline: Any, _index: int, _timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        # Without gaps in memory, as they are read from a file: a product rounds by how its numbers lie.
        latents, scheduler, easel = values["latents"].contiguous(), self._scheduler, self.easel
        if not bool(torch.isfinite(latents).all()):
            raise broken("the latents", scheduler.done)
        if not scheduler.complete:
            easel.ctx.check()
            return {"latents": latents}
        self._latents, self._done = latents, scheduler.done
        last = scheduler.at_end
        frames = self._preview(latents, last)
        self._keep_files(latents, frames, last)
        easel.each = max(1, scheduler.total - scheduler.begun)
        easel.step(max(1, min(easel.each, scheduler.done - scheduler.begun)), self.alive, frames)
        if not last and self.plan.results:
            self._steer(latents)
        return {"latents": latents}

    def _clean(self, latents: Tensor) -> Tensor:
        estimate = self._scheduler.clean()
        return latents if estimate is None or estimate.shape != latents.shape else estimate.to(latents.dtype)

    def _preview(self, latents: Tensor, last: bool) -> dict[int, bytes]:
        previewer = self.easel.previewer
        if self.plan.shown == "none" or not previewer.due(last=last):
            return {}
        made = previewer.make(latents if last else self._clean(latents))
        found = {wanted.number: frame for wanted, frame in zip(self.alive, made, strict=True)}
        self.easel.frames |= found
        return found

    def _keep_files(self, latents: Tensor, frames: dict[int, bytes], last: bool) -> None:
        plan, scheduler = self.plan, self._scheduler
        if last or not plan.keep_steps:
            return
        level = scheduler.level_after(scheduler.done)
        for place, wanted in enumerate(self.alive):
            mark = Mark(
                self.loaded.family.id, scheduler.done + self._shift, scheduler.total + self._shift, level,
                scheduler.space, plan.width, plan.height, wanted.seed, plan.sampler, plan.schedule, self._shift,
                scheduler.begun if self._from < 0 else self._from,
            )  # fmt: skip
            noise, frame = scheduler.generators[place].get_state(), frames.get(wanted.number, b"")
            self.easel.files.write(wanted.number, latents[place : place + 1], mark, noise, frame)

    # Steering ----------------------------------------------------------------------------------------

    def _steer(self, latents: Tensor) -> None:
        """Does what was asked of pictures of this batch at this step; leaves the pipeline when some leave."""
        asked = self._asked()
        leaving = []
        for place, wanted in enumerate(self.alive):
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
        self.easel.gone |= {self.alive[place].number for place in places}
        staying = [place for place in range(len(self.alive)) if place not in places]
        batch = len(self.alive)
        self.alive = [self.alive[place] for place in staying]
        if self.alive:
            self._scheduler.keep(staying, batch)
            self._share = self._behind + (1 - self._behind) * self._scheduler.share
            self._go_on_from(latents[staying])
        raise Leaving

    # Ending ------------------------------------------------------------------------------------------

    def _end(self, latents: Tensor) -> None:
        pictures = decode(self.loaded, self.easel.layout, latents, self.easel.ctx.note)
        for place, (wanted, picture) in enumerate(zip(self.alive, pictures, strict=True)):
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
    # A step that began or ended exactly there still does, whatever the division rounds to.
    starts = [
        0.0 if gone else max(0.0, (start - share) / (1 - share) - NEAR)
        for start, gone in zip(starts, over, strict=True)
    ]
    ends = [1.0 if gone else min(1.0, (end - share) / (1 - share) + NEAR) for end, gone in zip(ends, over, strict=True)]
    scales = [0.0 if gone else scale for scale, gone in zip(scales, over, strict=True)]
    several = isinstance(call["control_guidance_end"], list)
    names = ("control_guidance_start", "control_guidance_end", "controlnet_conditioning_scale")
    return {**call, **{n: v if several else v[0] for n, v in zip(names, (starts, ends, scales), strict=True)}}


def _each(value: Any) -> list[float]:
    return list(value) if isinstance(value, list | tuple) else [float(value)]
