"""Makes the networks of the worker that it runs in refuse inputs above a size, as a full device does."""

import functools
import time
from collections.abc import Callable
from typing import Any

from studio.sdk.operation import JobContext

from .params import Limit as LimitParams

BARE: dict[str, Callable[..., Any]] = {}


class Limit:
    """The backend of short_memory.limit. Holds until it is run again."""

    def run(self, params: LimitParams, ctx: JobContext) -> None:
        from diffusers import UNet2DConditionModel
        from diffusers.models.autoencoders.vae import Decoder

        _limit(UNet2DConditionModel, params.denoise_cells, params.seconds_a_step)
        _limit(Decoder, params.decode_cells, 0.0)


def _limit(kind: Any, cells: int, seconds: float) -> None:
    import torch

    bare = BARE.setdefault(kind.__name__, kind.forward)

    @functools.wraps(bare)
    def forward(self: Any, sample: Any, *rest: Any, **more: Any) -> Any:
        if cells and sample.shape[0] * sample.shape[-1] * sample.shape[-2] > cells:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {sample.numel()} B on purpose.")
        time.sleep(seconds)
        return bare(self, sample, *rest, **more)

    kind.forward = forward if cells or seconds else bare
