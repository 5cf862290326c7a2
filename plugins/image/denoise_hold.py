"""What a job adds to a diffusers noise scheduler to steer the pipeline around it.

Owns Held, mixed in front of a scheduler class by noise.py: it begins in the middle, goes on after the batch
shrank, hands each picture its own random generator, and remembers the last model output, from which the
present clean estimate follows. Loop: one call of the network; step: what people count (two loops of Heun).
"""

import functools
import inspect
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TWO_STAGE = 2
INTERPOLATED = "sigmas_interpol"
VE = ("Euler", "Heun", "KDPM2", "LMS")


@dataclass(frozen=True)
class Seen:
    """The last loop: what the network said (B, ...), of which sample (B, ...), at which loop and timestep."""

    output: Tensor
    sample: Tensor
    loop: int
    timestep: Any


class Held:
    """Set before the pipeline is called: `generators`, one a picture; `begin`, the step to go on from;
    `given`, whether the latents handed over are taken as they are; `eta`.
    """

    generators: list[torch.Generator] | None = None
    begin = 0
    level_begin: float | None = None
    given = False
    eta: float | None = None
    seen: Seen | None = None
    whole: Tensor
    config: Any
    sigmas: Any
    alphas_cumprod: Any
    timesteps: Any
    order: int
    _course: Tensor
    _course_at = 0
    _again: int | None = None
    _loop = 0
    _first = 0
    _cut = False

    # What pipelines ask ------------------------------------------------------------------------------

    @property
    def init_noise_sigma(self) -> Any:
        if self.given:
            return 1.0
        own = self.__dict__.get("_own_init_noise_sigma")
        return own if own is not None else super().init_noise_sigma  # type: ignore[misc]

    @init_noise_sigma.setter
    def init_noise_sigma(self, value: Any) -> None:
        self.__dict__["_own_init_noise_sigma"] = value

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        """All timesteps, or the rest of them when the job goes on in the middle."""
        if self._again is not None:
            self._show(self._course[self._again - self._course_at :])
            return
        self.compute_timesteps(*args, **kwargs)
        self.whole, self._cut, self.seen = self.timesteps, False, None
        if self.level_begin is not None:
            self.begin = self._nearest(self.level_begin)
        self._loop = self._first = self._course_at = self.loop_of(self.begin)
        self._course = self.whole
        if self.begin:
            self._meet_level()
            self._set_base_begin(self._first)
            self._course = self._rest()
            self._show(self._course)

    def compute_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)  # type: ignore[misc]

    def set_begin_index(self, begin_index: int = 0) -> None:
        if self._again is not None:
            return
        self._loop = self._first = begin_index + self.loop_of(self.begin)
        self._set_base_begin(self._first)

    def _set_base_begin(self, index: int) -> None:
        base = getattr(super(), "set_begin_index", None)
        if base is not None:
            base(index)

    def hold_step(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        """`step` of the class below, with this job's generators and eta."""
        if self._cut:
            self.timesteps, self._cut = self.whole, False
        takes = step_parameters(type(self).__mro__[2])
        if "generator" in takes and self.generators:
            kwargs["generator"] = list(self.generators)
        if "eta" in takes and self.eta is not None:
            kwargs["eta"] = self.eta
        given = super().step(model_output, timestep, sample, *args, **kwargs)  # type: ignore[misc]
        self.seen = Seen(model_output, sample, self._loop, timestep)
        self._loop += 1
        return given

    # Going on from a file -----------------------------------------------------------------------------

    def begin_at(self, level: float) -> None:
        """Goes on from latents of this noise level, at the step of the schedule that lies nearest."""
        self.level_begin, self.given = level, True

    def as_own(self, latents: Tensor, space: str, level: float) -> Tensor:
        """Latents that hold noise of this level as `space` says, as this scheduler holds it."""
        if space == self.space or "flow" in (space, self.space):
            return latents
        length = (1 + level**2) ** 0.5
        return latents * length if self.space == "ve" else latents / length

    def _nearest(self, level: float) -> int:
        def distance(step: int) -> float:
            return abs(math.log(max(self.level_after(step), 1e-9) / max(level, 1e-9)))

        return min(range(self.total), key=distance)

    # Leaving and going on ----------------------------------------------------------------------------

    def keep(self, places: list[int], batch: int) -> None:
        """The pictures at these places of the batch go on: everything remembered of the others is dropped."""
        for name, value in list(vars(self).items()):
            setattr(self, name, _sliced(value, places, batch))
        if self.generators:
            self.generators = [self.generators[place] for place in places]
        self.seen, self.given, self._again = None, True, self._loop

    def _show(self, rest: Tensor) -> None:
        """Pipelines read `timesteps` before the first loop; the solvers want all of them from then on."""
        self.timesteps, self._cut = rest, True

    def _rest(self) -> Tensor:
        if not self._is_pndm:
            return self.whole[self._first :]
        rest = torch.cat([self.whole[:1], self.whole[2:]])[self.begin :]
        return torch.cat([rest[:1], rest[1:2], rest[1:]])

    def _meet_level(self) -> None:
        """A file's noise level that the new schedule does not pass exactly takes the place of the nearest."""
        sigmas = getattr(self, "sigmas", None)
        if self.level_begin is None or sigmas is None or self.order == TWO_STAGE or hasattr(self, INTERPOLATED):
            return
        place = self._first
        if abs(float(sigmas[place]) - self.level_begin) <= 1e-4 * max(self.level_begin, 1e-6):
            return
        if len(sigmas) > place + 1 and self.level_begin > float(sigmas[place + 1]):
            sigmas[place] = self.level_begin
            self.whole[place] = self._timestep_of(self.level_begin)

    def _timestep_of(self, level: float) -> float:
        if self.space == "flow":
            return level * self.config.num_train_timesteps
        table = ((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5
        place = int(torch.searchsorted(table.cpu(), torch.tensor(level)))
        return float(min(place, len(table) - 1))

    # Counting ----------------------------------------------------------------------------------------

    @property
    def _is_pndm(self) -> bool:
        return "PNDMScheduler" in type(self).__name__ and hasattr(self, "plms_timesteps")

    def loop_of(self, step: int) -> int:
        """The loop that `step` steps lie before."""
        return step * TWO_STAGE if self.order == TWO_STAGE else step

    @property
    def loop(self) -> int:
        """The last loop that ran, counted from the beginning of the whole schedule."""
        return self._loop - 1

    @property
    def share(self) -> float:
        """Of the loops of this run, those that lie behind."""
        return (self._loop - self._first) / max(1, len(self.whole) - self._first)

    @property
    def at_end(self) -> bool:
        return self.loop == len(self.whole) - 1

    @property
    def complete(self) -> bool:
        """Whether a whole step ended with the last loop."""
        if self.order == TWO_STAGE:
            return self.at_end or self.loop % TWO_STAGE == 1
        return self.at_end or not self._is_pndm or self.loop > self._first

    @property
    def done(self) -> int:
        """Whole steps that lie behind."""
        if self.order == TWO_STAGE:
            return (self.loop + 2) // TWO_STAGE
        return max(1, self.loop) if self._is_pndm else self.loop + 1

    @property
    def begun(self) -> int:
        """Whole steps of the schedule that lay before this run."""
        return self._first // TWO_STAGE if self.order == TWO_STAGE else self._first

    @property
    def total(self) -> int:
        """Steps of the whole schedule."""
        count = len(self.whole)
        if self.order == TWO_STAGE:
            return (count + 1) // TWO_STAGE
        return max(1, count - 1) if self._is_pndm else count

    # Noise levels ------------------------------------------------------------------------------------

    @property
    def space(self) -> str:
        """How latents hold noise: "ve" x0 + s n; "vp" (x0 + s n) / sqrt(1 + s^2); "flow" (1 - s) x0 + s n."""
        name = type(self).__name__
        if "FlowMatch" in name or getattr(self.config, "use_flow_sigmas", False):
            return "flow"
        return "ve" if name.startswith(VE) else "vp"

    def level_after(self, steps: int) -> float:
        """The noise level s when `steps` whole steps lie behind."""
        loop = steps + 1 if self._is_pndm and steps else self.loop_of(steps)
        if steps >= self.total:
            return 0.0
        return float(self.sigmas[loop]) if self._by_sigma else self._level_at(self.whole[loop])

    @property
    def _by_sigma(self) -> bool:
        sigmas = getattr(self, "sigmas", None)
        return isinstance(sigmas, Tensor) and sigmas.ndim == 1 and len(sigmas) > len(self.whole) - 1

    def _level_at(self, timestep: Any) -> float:
        alpha = self.alphas_cumprod[int(timestep)]
        return float(((1 - alpha) / alpha) ** 0.5)

    def clean(self) -> Tensor | None:
        """The present estimate of the finished latents (B, ...); None where this scheduler does not tell.

        From the network's output at noise level s (arXiv:2206.00927, section 2; arXiv:2202.00512, appendix D).
        """
        seen = self.seen
        kind = getattr(self.config, "prediction_type", "flow_prediction")
        if seen is None:
            return None
        level = self._level_of(seen)
        sample, output = seen.sample.float(), seen.output.float()
        if sample.shape != output.shape:
            return None
        if self.space == "flow":
            return sample - level * output
        if kind == "sample":
            return output
        unit = (1 + level**2) ** -0.5
        scaled = sample if self.space == "vp" else sample * unit
        if kind == "v_prediction":
            return unit * scaled - level * unit * output
        return (scaled - level * unit * output) / unit

    def _level_of(self, seen: Seen) -> float:
        between = getattr(self, INTERPOLATED, None)
        if between is not None and seen.loop % TWO_STAGE == 1:
            return float(between[seen.loop])
        return float(self.sigmas[seen.loop]) if self._by_sigma else self._level_at(seen.timestep)


def hold(base: type, *between: type) -> type:
    """`base` with Held in front. Named and placed as `base`, since pipelines register components by both."""

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        return Held.hold_step(self, *args, **kwargs)

    def set_timesteps(self: Any, *args: Any, **kwargs: Any) -> None:
        Held.set_timesteps(self, *args, **kwargs)

    lower: Any = type(base.__name__, (*between, base), {"__module__": base.__module__}) if between else base
    functools.update_wrapper(step, base.step)  # pipelines ask which arguments these two take
    asked = next((one for one in between if getattr(one, "takes_levels", False)), base)
    functools.update_wrapper(set_timesteps, asked.set_timesteps)
    body = {"__module__": base.__module__, "__doc__": base.__doc__, "step": step, "set_timesteps": set_timesteps}
    return type(base.__name__, (Held, lower), body)


@functools.cache
def step_parameters(base: type) -> tuple[str, ...]:
    return tuple(inspect.signature(base.step).parameters)


def _sliced(value: Any, places: list[int], batch: int) -> Any:
    """Tensors of pictures (three dimensions or more, the first of them the batch) without the pictures that left."""
    if isinstance(value, Tensor):
        if value.ndim > 2 and value.shape[0] == batch:
            return value[places]
        return value
    if isinstance(value, list):
        return [_sliced(one, places, batch) for one in value]
    return value
