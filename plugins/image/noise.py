"""The noise scheduler of one job: diffusers' own, with the sampler and the noise schedule that were asked for.

Owns what the names in sampler_table.py mean. "auto" is the model's own scheduler config, untouched.
"""

from typing import Any

import numpy as np
import torch

from studio.errors import StudioError

from .denoise_hold import Held, hold
from .sampler_table import DPM, SHAPES, SPACINGS, Sampler, samplers_for, schedules_for, table

PRIVATE = "_"
FLAGS = (*SHAPES.values(), "use_lu_lambdas")
TCD_ETA = 0.3
"""What the authors of TCD sample with (arXiv:2402.19159, section 4.2)."""


def noise_scheduler(
    loaded: Any, sampler: str, schedule: str, *, eta: float | None = None, shift: float | None = None, steps: int = 0
) -> Any:
    """A scheduler for one run of a pipeline. Raises StudioError code "sampler" for what does not go together."""
    family, config = loaded.family, _plain(loaded.scheduler_config)
    known = table(family.prediction)
    if sampler == "auto" and schedule != "auto":
        sampler = _own_or_euler(loaded.scheduler_class, schedule, known)
    chosen, options = known.get(sampler), {}
    name = loaded.scheduler_class
    if sampler != "auto":
        if chosen is None:
            raise _refused(family, f"The sampler {sampler}", "Samplers", samplers_for(family.prediction))
        name, options = chosen.scheduler, dict(chosen.options)
    own = sampler if sampler != "auto" else _name_of(loaded.scheduler_class, known)
    if schedule != "auto":
        if schedule not in _schedules(own, name, known):
            offered = schedules_for(own, family.prediction)
            raise _refused(family, f"The noise schedule {schedule} with {own}", "Schedules", offered)
        options |= _schedule_options(schedule, family.prediction)
    if shift is not None:
        options |= _shifted(family, shift)
    if name in ("LCMScheduler", "TCDScheduler") and steps:
        options["original_inference_steps"] = max(steps, int(config.get("original_inference_steps") or 50))
    made = _made(name, config, options, own, schedule, family)
    made.eta = _eta(family, own, known.get(own), eta)
    return made


def _made(name: str, config: dict[str, Any], options: dict[str, Any], own: str, schedule: str, family: Any) -> Any:
    import diffusers

    base = getattr(diffusers, name, None)
    if base is None:
        raise StudioError(
            "The model's sampler is not known", f"Its config names {name!r}.", "Choose a sampler.", code="sampler"
        )
    between = _between(name, own, schedule, family)
    made = hold(base, *between)
    scheduler = made.from_config(_fitting(config, options, made, name))
    if isinstance(scheduler, Flowing):
        scheduler.curve = _flow_curve(config, options, schedule)
    return scheduler


def _between(name: str, own: str, schedule: str, family: Any) -> tuple[type, ...]:
    """What stands between Held and the class of diffusers."""
    between: list[type] = []
    if own == "ipndm":
        between.append(Adams)
    if family.prediction == "flow" and name not in ("FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"):
        between.append(Flowing)
    if family.prediction != "flow" and schedule in (*SHAPES, "ays"):
        if schedule == "ays":
            between.append(AlignedXl if family.id == "sdxl" else Aligned)
        if name == "EulerAncestralDiscreteScheduler":
            between.append(_curved(schedule))
        elif name in ("DEISMultistepScheduler", "SASolverScheduler"):
            between.append(ToTheEnd)
    return tuple(between)


def _fitting(config: dict[str, Any], options: dict[str, Any], made: Any, name: str) -> dict[str, Any]:
    """The model's values that this class knows, and the options over them."""
    same = config.get("_class_name") == name
    defaults = () if same else config.get("_use_default_values") or ()
    known = made._get_init_keys(made)
    kept = {key: value for key, value in config.items() if key in known and key not in defaults}
    if any(flag in options or options.get("timestep_spacing") for flag in FLAGS):
        kept = {key: value for key, value in kept.items() if key not in FLAGS}
    if options.get("use_flow_sigmas"):
        kept.pop("use_dynamic_shifting", None)
    return {**kept, **{key: value for key, value in options.items() if key in known}}


def _schedule_options(schedule: str, prediction: str) -> dict[str, Any]:
    if prediction == "flow":
        return {SHAPES[schedule]: True} if schedule in SHAPES else {}
    if schedule in SPACINGS:
        return {"timestep_spacing": SPACINGS[schedule]}
    flag = "use_lu_lambdas" if schedule == "lu" else SHAPES.get(schedule, "use_exponential_sigmas")
    return {flag: True, "timestep_spacing": "linspace"}  # curves span all of the model's levels


def _flow_curve(config: dict[str, Any], options: dict[str, Any], schedule: str) -> Any:
    """diffusers' flow scheduler, from which the solvers that are not made for flows take their noise levels."""
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler as Curve

    values = _fitting(config, options, Curve, Curve.__name__)
    if schedule in SHAPES:
        values = {key: value for key, value in values.items() if key not in FLAGS} | {SHAPES[schedule]: True}
    return Curve.from_config(values)


def _shifted(family: Any, shift: float) -> dict[str, Any]:
    if family.prediction != "flow":
        raise StudioError(
            "This model has no shift",
            f"{family.title} is no flow model; its noise schedule is not shifted.",
            "Leave the shift empty.",
            code="sampler",
        )
    return {"shift": shift, "use_dynamic_shifting": False}


def _eta(family: Any, own: str, sampler: Sampler | None, eta: float | None) -> float | None:
    if eta and (sampler is None or not sampler.eta):
        knows = ", ".join(name for name, one in table(family.prediction).items() if one.eta) or "none here"
        raise StudioError(
            f"The sampler {own} takes no eta", f"Samplers that do: {knows}.", "Leave eta empty.", code="sampler"
        )
    return TCD_ETA if eta is None and own == "tcd" else eta


def _own_or_euler(scheduler_class: str, schedule: str, known: dict[str, Sampler]) -> str:
    """The model's own sampler where the schedule goes with it; else Euler's, which takes most of them."""
    own = _name_of(scheduler_class, known)
    return "auto" if schedule in _schedules(own, scheduler_class, known) else "euler"


def _name_of(scheduler_class: str, known: dict[str, Sampler]) -> str:
    """The name of the model's own scheduler in the table; Euler's where it has none."""
    return next((name for name, sampler in known.items() if sampler.scheduler == scheduler_class), "euler")


def _schedules(own: str, name: str, known: dict[str, Sampler]) -> tuple[str, ...]:
    return known[own].schedules if own in known and known[own].scheduler == name else ()


def _refused(family: Any, what: str, which: str, offered: tuple[str, ...]) -> StudioError:
    names = ", ".join(offered) or "its own"
    return StudioError(
        f"{what} does not go with {family.title}", f"{which} that do: {names}.", "Choose one of these.", code="sampler"
    )


def _plain(config: Any) -> dict[str, Any]:
    return dict(config.items())


class Aligned:
    """AYS noise levels for SD 1.5, interpolated log-linearly (Align Your Steps, arXiv:2404.14507)."""

    levels = "StableDiffusionSigmas"

    def _convert_to_exponential(self, in_sigmas: Any, num_inference_steps: int) -> np.ndarray:
        from diffusers.schedulers.scheduling_utils import AysSchedules

        table = np.array(AysSchedules[self.levels][:-1])
        places = np.linspace(0, 1, num_inference_steps)
        return np.exp(np.interp(places, np.linspace(0, 1, len(table)), np.log(table)))


class AlignedXl(Aligned):
    levels = "StableDiffusionXLSigmas"


class ToTheEnd:
    """Solvers that stop at the last level of a curve go down to the model's lowest, so that no noise is left."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)  # type: ignore[misc]
        lowest = float(((1 - self.alphas_cumprod[0]) / self.alphas_cumprod[0]) ** 0.5)  # type: ignore[attr-defined]
        self.sigmas[-1] = min(lowest, float(self.sigmas[-2]) * 0.99)  # type: ignore[attr-defined]


def _curved(schedule: str) -> type:
    """For Euler ancestral, which knows no curves: those of Euler with the same config."""

    class Curved:
        def set_timesteps(self: Any, *args: Any, **kwargs: Any) -> None:
            from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

            super().set_timesteps(*args, **kwargs)  # type: ignore[misc]
            between = [one for one in type(self).__mro__ if one in (Aligned, AlignedXl)][:1]
            curve: Any = type("Curve", (*between, EulerDiscreteScheduler), {})
            known = curve._get_init_keys(curve)
            values = {key: value for key, value in self.config.items() if key in known}
            values |= {SHAPES.get(schedule, "use_exponential_sigmas"): True}
            source = curve.from_config(values)
            source.set_timesteps(*args, **kwargs)
            self.sigmas, self.timesteps = source.sigmas, source.timesteps

    return Curved


class Flowing:
    """A solver on the noise levels of a rectified flow. curve: the scheduler that says which."""

    curve: Any
    takes_levels = True

    def set_timesteps(
        self: Any, num_inference_steps: Any = None, device: Any = None, sigmas: Any = None, mu: Any = None, **more: Any
    ) -> None:
        curve = self.curve
        mu = mu if curve.config.use_dynamic_shifting else None
        curve.set_timesteps(num_inference_steps, device, sigmas=sigmas, mu=mu, **more)
        levels, times = curve.sigmas.cpu().clone(), curve.timesteps
        super().set_timesteps(len(times), device)  # type: ignore[misc]
        if type(self).__name__ != "FlowMatchHeunDiscreteScheduler":
            # The solvers work with log((1 - s) / s): it is finite just below 1 and above 0.
            levels[0] = min(float(levels[0]), 1 - 1e-6)
            levels[-1] = 0.0 if type(self).__name__ == DPM else min(1e-3, float(levels[-2]) / 2)
            self.sigmas, self.timesteps = levels, times
            return
        self.sigmas = torch.cat([levels[:1], levels[1:-1].repeat_interleave(2), levels[-1:]])
        self.timesteps = torch.cat([times[:1], times[1:].repeat_interleave(2)])


class Adams:
    """iPNDM: Adams-Bashforth on the direction, up to the fourth order (arXiv:2204.13902, appendix; over Euler)."""

    WEIGHTS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)  # type: ignore[misc]
        self.directions: list[torch.Tensor] = []

    def step(
        self: Any, model_output: Any, timestep: Any, sample: Any, generator: Any = None, return_dict: bool = True
    ) -> Any:
        if self.step_index is None:
            self._init_step_index(timestep)
        place: Any = self.step_index
        level, following = self.sigmas[place], self.sigmas[place + 1]
        self.directions = [self._direction(model_output.float(), sample.float(), level), *self.directions][:4]
        weights = self.WEIGHTS[len(self.directions) - 1]
        mean: Any = sum(weight * one for weight, one in zip(weights, self.directions, strict=True))
        moved = (sample.float() + (following - level) * mean).to(model_output.dtype)
        self._step_index += 1
        return (moved,)

    def _direction(self: Any, output: Any, sample: Any, level: Any) -> Any:
        """d x / d s, in the flow or in the variance-exploding form."""
        kind = getattr(self.config, "prediction_type", "flow")
        if kind in ("flow", "epsilon"):
            return output
        if kind == "sample":
            return (sample - output) / level
        clean = sample / (level**2 + 1) - output * level / (level**2 + 1) ** 0.5
        return (sample - clean) / level


__all__ = ["Held", "noise_scheduler"]
