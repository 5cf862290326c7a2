"""The best of a vocabulary's logits in order, and a survey of all, in a fraction of the time that sorting takes.

Owns Ranking and Survey. torch.topk of 1,024 of 150,000 takes a millisecond; guessing a floor from a sample, taking
what lies above it and sorting that takes a tenth.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.errors import StudioError

BEST = 1024
"""About as many are taken at first."""

STRIDE = 16
"""Every so many logits are looked at to guess the floor."""

EXCESS = 8
"""A guess that lets in so many times more than wanted is given up."""

LEAST = float(torch.finfo(torch.float32).min)
"""Every logit but -inf is at least this."""

DEEP = -1e4
"""In place of minus infinity where it would be multiplied by 0."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Of all logits: the logarithm of the sum of their exponentials, and their entropy in nats."""

    log_total: float
    entropy: float

    @classmethod
    def of(cls, logits: Tensor) -> "Survey":
        """logits: (V,) float32; -inf is a forbidden token. Raises StudioError when they are no numbers."""
        # NaN when there is one; numpy is four times as fast at this as torch.
        top = float(np.max(logits.numpy()) if logits.is_cpu else logits.max())
        if not math.isfinite(top):
            raise not_numbers()
        shifted = logits - top
        weights = torch.exp(shifted)
        total, product = torch.stack((weights.sum(), torch.dot(weights, shifted))).tolist()
        if math.isnan(product):
            product = float(torch.dot(weights, shifted.clamp_(min=DEEP)))
        # H = -sum p log p = log sum exp(v) - sum p v
        return cls(top + math.log(total), max(0.0, math.log(total) - product / total))


@dataclass(frozen=True, slots=True)
class Ranking:
    """ids: (n,) long, values: (n,) float64, the greatest first, the smaller id first where equal; on the processor.

    All whose logit is at least `floor` are here; at LEAST these are all that are not -inf.
    """

    ids: Tensor
    values: Tensor
    floor: float

    @classmethod
    def of(cls, logits: Tensor, count: int = 0, floor: float = math.nan) -> "Ranking":
        """logits: (V,) float32. About `count` (0: BEST) of them, or those from `floor` on if there are any."""
        ids = _from(logits, floor)
        if not len(ids):
            count = count or BEST
            floor = _guess(logits, count)
            ids = _from(logits, floor)
            if len(ids) > EXCESS * count and floor > LEAST:
                floor = max(LEAST, float(torch.topk(logits, count).values[-1]))
                ids = _from(logits, floor)
        return cls(*_ordered(ids, logits[ids].cpu()), floor)

    def rank(self, logits: Tensor, token: int) -> int:
        """Of a token in these logits: 1 for the greatest, one more for each that is greater."""
        value = float(logits[token])
        if value < self.floor:
            return 1 + int((logits > value).sum())
        return 1 + int(torch.count_nonzero(self.values > value))


def _guess(logits: Tensor, count: int) -> float:
    """About `count` logits are at least this."""
    if count >= len(logits):
        return LEAST
    step = max(1, min(STRIDE, count // 32))
    return max(LEAST, float(torch.topk(logits[::step], count // step).values[-1]))


def _from(logits: Tensor, floor: float) -> Tensor:
    """The ids of all logits that reach the floor, ascending; none when it is NaN. On the logits' device."""
    if math.isnan(floor):
        return torch.empty(0, dtype=torch.long)
    if logits.is_cpu:
        return torch.from_numpy(np.flatnonzero(logits.numpy() >= floor))
    return (logits >= floor).nonzero().view(-1)


def _ordered(ids: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Sorts float32 values and their ids as single integers: the float's bits, made to ascend, above the id's."""
    bits = values.numpy().view(np.int32).astype(np.int64)
    # Negative floats descend as integers; this flips all their bits but the sign's. -0.0 is 0.0.
    bits = np.where(bits < 0, (bits ^ 0x7FFFFFFF) + (bits == -(2**31)), bits)
    keys = np.sort((-bits << 32) | ids.cpu().numpy())
    bits = -(keys >> 32)
    floats = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int32).view(np.float32)
    return torch.from_numpy(keys & 0xFFFFFFFF), torch.from_numpy(floats.astype(np.float64))


def not_numbers() -> StudioError:
    return StudioError(
        "The model computed something that is no number",
        "Its scores for the next token hold NaN or infinity. The weights may be damaged, or the precision "
        "they are computed in is too small for this model.",
        "Choose another model, or load this one again.",
        code="not-finite",
    )
