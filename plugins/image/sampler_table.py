"""The samplers and noise schedules by name: what each is, and which go together. Imports nothing heavy.

Read by the params, by panels and by `noise.py`, which builds diffusers' noise schedulers from it.
prediction: what the network of a family predicts, "noise", "velocity" or "flow".
"""

from dataclasses import dataclass, field
from typing import Any

SAMPLERS = (
    "euler", "euler-a", "heun", "dpm2", "dpm2-a", "lms",
    "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m", "dpmpp-2s", "dpmpp-sde",
    "ddim", "ddpm", "pndm", "deis", "unipc", "sa-solver", "ipndm", "lcm", "tcd",
)  # fmt: skip
SCHEDULES = ("normal", "simple", "sgm-uniform", "karras", "exponential", "beta", "ays", "lu")

SPACINGS = {"normal": "linspace", "simple": "leading", "sgm-uniform": "trailing"}
"""Schedules that are spacings of the training timesteps (arXiv:2305.08891, table 2), in diffusers' words."""

SHAPES = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}
"""Schedules that are curves of the noise level itself, by the flag of diffusers that asks for each."""

SPACED = ("normal", "simple", "sgm-uniform")
CURVED = ("karras", "exponential", "beta", "ays")


@dataclass(frozen=True)
class Sampler:
    """scheduler: the class in diffusers; options: what is set in its config.

    space: how its latents hold the noise: "ve" picture + sigma * noise, "vp" both scaled to unit variance.
    eta: whether it takes `eta`; fresh: whether it draws new noise while it runs; single: whether a step needs
    nothing of the steps before it, so that going on from a file is exact.
    """

    title: str
    scheduler: str
    schedules: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    space: str = "ve"
    eta: bool = False
    fresh: bool = False
    single: bool = False


DPM = "DPMSolverMultistepScheduler"
ALL = (*SPACED, *CURVED)

NOISE: dict[str, Sampler] = {
    "euler": Sampler("Euler", "EulerDiscreteScheduler", ALL, single=True),
    "euler-a": Sampler("Euler ancestral", "EulerAncestralDiscreteScheduler", ALL, fresh=True, single=True),
    "heun": Sampler("Heun", "HeunDiscreteScheduler", ALL, single=True),
    "dpm2": Sampler("DPM2", "KDPM2DiscreteScheduler", ALL, single=True),
    "dpm2-a": Sampler("DPM2 ancestral", "KDPM2AncestralDiscreteScheduler", ALL, fresh=True, single=True),
    "lms": Sampler("LMS", "LMSDiscreteScheduler", ALL),
    "dpmpp-2m": Sampler(
        "DPM++ 2M",
        DPM,
        (*ALL, "lu"),
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint"},
        "vp",
    ),
    "dpmpp-2m-sde": Sampler(
        "DPM++ 2M SDE",
        DPM,
        (*ALL, "lu"),
        {"algorithm_type": "sde-dpmsolver++", "solver_order": 2, "solver_type": "midpoint"},
        "vp",
        fresh=True,
    ),
    "dpmpp-3m": Sampler("DPM++ 3M", DPM, (*ALL, "lu"), {"algorithm_type": "dpmsolver++", "solver_order": 3}, "vp"),
    "dpmpp-2s": Sampler(
        "DPM++ 2S",
        "DPMSolverSinglestepScheduler",
        ("normal", *CURVED),
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True, "final_sigmas_type": "zero"},
        "vp",
    ),
    "dpmpp-sde": Sampler(
        "DPM++ SDE",
        "DPMSolverSinglestepScheduler",
        ("normal", *CURVED),
        {
            "algorithm_type": "sde-dpmsolver++",
            "solver_order": 2,
            "lower_order_final": True,
            "final_sigmas_type": "zero",
        },
        "vp",
        fresh=True,
    ),
    "ddim": Sampler("DDIM", "DDIMScheduler", SPACED, {"clip_sample": False}, space="vp", eta=True, single=True),
    "ddpm": Sampler("DDPM", "DDPMScheduler", SPACED, {"clip_sample": False}, space="vp", fresh=True, single=True),
    "pndm": Sampler("PNDM", "PNDMScheduler", SPACED, {"skip_prk_steps": True}, "vp"),
    "deis": Sampler("DEIS", "DEISMultistepScheduler", ALL, {"solver_order": 2}, "vp"),
    "unipc": Sampler("UniPC", "UniPCMultistepScheduler", ALL, {"solver_order": 2}, "vp"),
    "sa-solver": Sampler(
        "SA-Solver", "SASolverScheduler", (*SPACED, "karras", "exponential", "ays"), space="vp", fresh=True
    ),
    "ipndm": Sampler("iPNDM", "EulerDiscreteScheduler", ALL),
    "lcm": Sampler("LCM", "LCMScheduler", ("normal",), space="vp", fresh=True, single=True),
    "tcd": Sampler("TCD", "TCDScheduler", ("normal",), space="vp", eta=True, fresh=True, single=True),
}
"""For networks that predict noise or velocity over a discrete diffusion."""

FLOWING = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
SHIFTED = ("normal", "karras", "exponential", "beta")
FLOW: dict[str, Sampler] = {
    "euler": Sampler("Euler", "FlowMatchEulerDiscreteScheduler", SHIFTED, space="flow", single=True),
    "euler-a": Sampler(
        "Euler ancestral",
        "FlowMatchEulerDiscreteScheduler",
        SHIFTED,
        {"stochastic_sampling": True},
        "flow",
        fresh=True,
        single=True,
    ),
    "heun": Sampler("Heun", "FlowMatchHeunDiscreteScheduler", SHIFTED, space="flow", single=True),
    "dpmpp-2m": Sampler(
        "DPM++ 2M",
        DPM,
        SHIFTED,
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", "final_sigmas_type": "zero"}
        | FLOWING,
        "flow",
    ),
    "dpmpp-3m": Sampler(
        "DPM++ 3M",
        DPM,
        SHIFTED,
        {"algorithm_type": "dpmsolver++", "solver_order": 3, "final_sigmas_type": "zero"} | FLOWING,
        "flow",
    ),
    "deis": Sampler("DEIS", "DEISMultistepScheduler", SHIFTED, {"solver_order": 2} | FLOWING, "flow"),
    "unipc": Sampler("UniPC", "UniPCMultistepScheduler", SHIFTED, {"solver_order": 2} | FLOWING, "flow"),
    "ipndm": Sampler("iPNDM", "FlowMatchEulerDiscreteScheduler", SHIFTED, space="flow"),
    "lcm": Sampler("LCM", "FlowMatchLCMScheduler", ("normal",), space="flow", fresh=True, single=True),
}
"""For rectified flows."""


def table(prediction: str) -> dict[str, Sampler]:
    return FLOW if prediction == "flow" else NOISE


def samplers_for(prediction: str) -> tuple[str, ...]:
    """The samplers that a family of this prediction can use, in the order of SAMPLERS; "auto" is not among them."""
    known = table(prediction)
    return tuple(name for name in SAMPLERS if name in known)


def schedules_for(sampler: str, prediction: str) -> tuple[str, ...]:
    """The schedules that go with `sampler` there; of "auto", those that go with every curved sampler."""
    known = table(prediction)
    allowed = known["euler"].schedules if sampler == "auto" else known[sampler].schedules if sampler in known else ()
    return tuple(name for name in SCHEDULES if name in allowed)
