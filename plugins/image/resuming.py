"""Lets an inpainting pipeline of diffusers go on in the middle of its steps.

Owns `resume`. These pipelines blend the old picture in after every step, with the noise that they drew first. Given
latents they would take those for the noise; so they are given none, prepare picture, mask and noise exactly as at the
beginning, and only the latents that their loop begins with are others. The pipeline object must be the caller's own.
"""

from typing import Any

from torch import Tensor

RESUMED = ("inpaint", "control-inpaint")
"""Uses that go on so."""


def resume(pipeline: Any, latents: Tensor) -> None:
    """Its next call begins with `latents`, as its loop shows them (B, ...), at the first step that its scheduler shows.

    The call must be given the seeds' generators as they were at the very beginning, and the same strength: what is
    drawn depends on both.
    """
    prepare, scheduler = pipeline.prepare_latents, pipeline.scheduler

    def prepared(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        first, *others = prepare(*args, **kwargs)
        return (latents.to(first), *others)

    def timesteps(*_args: Any, **_kwargs: Any) -> tuple[Tensor, int]:
        return scheduler.timesteps, len(scheduler.timesteps)

    pipeline.prepare_latents, pipeline.get_timesteps = prepared, timesteps
