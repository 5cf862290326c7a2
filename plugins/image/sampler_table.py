"""The samplers and noise schedules by name: what each is, and which go together. Imports nothing.

Read by the params, by panels and by `noise.py`, which builds diffusers' noise schedulers from it.
"""

SAMPLERS = (
    "euler", "euler-a", "heun", "dpm2", "dpm2-a", "lms",
    "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-3m", "dpmpp-2s", "dpmpp-sde",
    "ddim", "ddpm", "pndm", "deis", "unipc", "sa-solver", "ipndm", "lcm", "tcd",
)  # fmt: skip
SCHEDULES = ("normal", "simple", "sgm-uniform", "karras", "exponential", "beta", "ays", "lu")
