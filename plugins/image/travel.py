"""The way of a travel: which two stops each picture lies between, how far, and what the model is told there.

Prompts are mixed as embeddings, linearly; noise is mixed on the sphere by painting's variation seeds, so that each
picture is painted from noise as strong as any (Shoemake 1985, "Animating Rotation with Quaternion Curves").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .conditioning import Words, batch
from .params_clips import Stop, Travel


@dataclass(frozen=True, slots=True)
class Between:
    """A picture of the clip: `share` of the way from stop `first` to stop `second`, 0 at the first."""

    first: int
    second: int
    share: float


def way(params: Travel) -> list[Between]:
    """Every picture of the clip. The last stop is shown once; a loop ends just before the first one comes again."""
    count = len(params.stops)
    legs = [(i, i + 1) for i in range(count - 1)] + ([(count - 1, 0)] if params.loop else [])
    found = [
        Between(first, second, eased(step / params.stops[first].frames, params.ease))
        for first, second in legs
        for step in range(params.stops[first].frames)
    ]
    return found if params.loop else [*found, Between(count - 1, count - 1, 0.0)]


def eased(share: float, how: str) -> float:
    """smooth: 3t²-2t³, still at both ends."""
    return share * share * (3 - 2 * share) if how == "smooth" else share


def seed_of(stop: Stop, params: Travel) -> int:
    return stop.seed if stop.seed is not None else params.seed or 0


def mixed(words: Sequence[Words], share: float) -> Words:
    """Words `share` of the way from the first to the second of two, all tensors with batch dimension 1.

    At 0 they say just what the first alone would say in a batch with the second.
    """
    first, second = words
    call = {}
    for name, value in batch([first, second]).items():
        if isinstance(value, list):
            call[name] = [_lerp(*_as_long(value[0], value[1]), share)]
        elif value.is_floating_point():
            call[name] = _lerp(value[:1], value[1:2], share)
        else:  # a mask: what either sees
            call[name] = torch.maximum(value[:1], value[1:2])
    return Words(call, tuple(dict.fromkeys((*first.ignored, *second.ignored))), first.filler)


def _lerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    return first if share == 0 else torch.lerp(first, second, share)


def _as_long(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two sequences (L, D), the shorter one lengthened with zeros."""
    longest = max(len(first), len(second))
    grown = [torch.cat([each, each.new_zeros(longest - len(each), *each.shape[1:])]) for each in (first, second)]
    return grown[0], grown[1]
