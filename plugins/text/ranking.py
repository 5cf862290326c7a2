"""The best of a vocabulary's logits in order, and a survey of all, in a fraction of the time that sorting takes.

Owns Ranking and Survey. torch.topk of 1,024 of 150,000 takes a millisecond; guessing a floor from a sample, taking
what lies above it and sorting that takes a tenth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.errors import StudioError

BEST = 1024
"""About as many are taken at first."""

STRIDE = 64
"""Every so many logits are looked at to guess the floor."""

SEEN = 16
"""The floor is at least the so-manieth greatest of those looked at."""

EXCESS = 8
"""A guess that lets in so many times more than wanted is given up."""

LEAST = float(torch.finfo(torch.float32).min)
"""Every logit but -inf is at least this."""

DEEP = -1e4
"""In place of minus infinity where it would be multiplied by 0."""


TAME = 60.0
"""No greatest logit beyond this, above or below, is raised to a power as it is."""


class Scratch:
    """Buffers of a vocabulary's size, used again for every token: new memory costs more than what is done in it."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def like(self, logits: Tensor, name: str) -> Tensor:
        """The buffer of this name, of whatever was in it before."""
        kept = self._kept.get(name)
        if kept is None or kept.shape != logits.shape or kept.device != logits.device:
            # An ordinary tensor, which may be changed inside and outside of inference mode.
            with torch.inference_mode(False):
                kept = self._kept[name] = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
        return kept


@dataclass(frozen=True, slots=True)
class Survey:
    """Of all logits: the logarithm of the sum of their exponentials, and their entropy in nats."""

    log_total: float
    entropy: float

    @classmethod
    def of(cls, logits: Tensor, top: float, scratch: Scratch | None = None) -> "Survey":
        """logits: (V,) float32; -inf is a forbidden token; top: the greatest. Raises StudioError for NaN, infinity."""
        weights = (scratch or Scratch()).like(logits, "work")
        shift = 0.0 if abs(top) < TAME else top
        torch.exp(torch.sub(logits, shift, out=weights) if shift else logits, out=weights)
        total, product = torch.stack((weights.sum(), torch.dot(weights, logits))).tolist()
        if not (math.isfinite(top) and math.isfinite(total) and total > 0):
            raise not_numbers()
        if math.isnan(product):
            product = float(torch.dot(weights, logits.clamp(min=DEEP)))
        # H = -sum p log p = log sum exp(v) - sum p v
        log_total = math.log(total) + shift
        return cls(log_total, max(0.0, log_total - product / total))


class Ranking:
    """The best of a vocabulary: every token whose logit is at least `floor`; at LEAST, every one that is not -inf.

    Sorted when that is asked for. On the processor, wherever the logits are.
    """

    def __init__(self, taken: np.ndarray, logits: np.ndarray, floor: float):
        """taken: (n,) int64, ascending; logits: (n,) float32, theirs."""
        self.taken, self._logits, self.floor = taken, logits, floor
        self._ranked: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, logits: Tensor, count: int = 0) -> "Ranking":
        """About `count` (0: BEST) of logits (V,) float32."""
        count = count or BEST
        floor = _guess(logits, count)
        taken = _from(logits, floor)
        if taken.shape[0] > EXCESS * count and floor > LEAST:
            floor = max(LEAST, float(torch.topk(logits, count).values[-1]))
            taken = _from(logits, floor)
        return cls(taken, at(logits, taken), floor)

    def again(self, logits: Tensor, risen: Sequence[np.ndarray]) -> "Ranking":
        """After logits were changed. risen: tokens that have come above the floor since; no others have."""
        taken = _united(self.taken, *risen) if risen else self.taken
        values = at(logits, taken)
        mask = values >= self.floor
        return Ranking(taken[mask], values[mask], self.floor)

    def ranked(self) -> tuple[np.ndarray, np.ndarray]:
        """ids (n,) int64 and values (n,) float64, the greatest first, the smaller id first where equal."""
        if self._ranked is None:
            negative = -self._logits
            # Only a sort that is not stable is quick.
            order = np.argsort(negative)
            found = negative[order]
            if (found[1:] == found[:-1]).any():
                order = np.argsort(negative, kind="stable")
                found = negative[order]
            self._ranked = self.taken[order], -found.astype(np.float64)
        return self._ranked

    @property
    def top(self) -> float:
        """The greatest; NaN when there is none, as where all are NaN."""
        return float(self._logits.max()) if self.taken.shape[0] else math.nan

    def favourites(self, count: int) -> list[int]:
        """The ids of the best `count`, or as many as there are."""
        if self._ranked is not None:
            return self._ranked[0][:count].tolist()
        few = np.argpartition(-self._logits, count)[:count] if count < self.taken.shape[0] else slice(None)
        return self.taken[few][np.argsort(-self._logits[few], kind="stable")].tolist()

    def rank(self, logits: Tensor, token: int) -> int:
        """Of a token in these logits: 1 for the greatest, one more for each that is greater."""
        value = float(logits[token])
        if value < self.floor:
            return 1 + int((logits > value).sum())
        return 1 + int(np.count_nonzero(self._logits > value))


def _guess(logits: Tensor, count: int) -> float:
    """About `count` logits are at least this."""
    if count >= logits.shape[0]:
        return LEAST
    step = max(1, min(STRIDE, count // SEEN))
    return max(LEAST, float(torch.topk(logits[::step], count // step).values[-1]))


def _from(logits: Tensor, floor: float) -> np.ndarray:
    """The ids of all logits that reach the floor, ascending. numpy is several times as quick at this as torch."""
    if logits.is_cpu:
        return np.flatnonzero(logits.numpy() >= floor)
    return (logits >= floor).nonzero().view(-1).cpu().numpy()


def _united(*ids: np.ndarray) -> np.ndarray:
    """Ascending, each once; numpy's own unique takes ten times as long."""
    found = np.sort(np.concatenate(ids))
    return found[np.append(True, found[1:] != found[:-1])]


def at(logits: Tensor, ids: np.ndarray) -> np.ndarray:
    """(n,) float32: the logits of these tokens, on the processor."""
    if logits.is_cpu:
        return logits.numpy()[ids]
    return logits[torch.from_numpy(ids).to(logits.device)].cpu().numpy()


def put(logits: Tensor, ids: np.ndarray, values: np.ndarray | float) -> None:
    """Changes the logits of these tokens."""
    if logits.is_cpu:
        logits.numpy()[ids] = values
    else:
        place = torch.from_numpy(ids).to(logits.device)
        logits[place] = values if isinstance(values, float) else torch.from_numpy(values).to(logits)


def not_numbers() -> StudioError:
    return StudioError(
        "The model computed something that is no number",
        "Its scores for the next token hold NaN or infinity. The weights may be damaged, or the precision "
        "they are computed in is too small for this model.",
        "Choose another model, or load this one again.",
        code="not-finite",
    )
