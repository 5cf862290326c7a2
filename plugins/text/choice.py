"""The choice itself: one uniform number picks a candidate, and a record is made of how it came about.

Not torch.multinomial: a number of the request's own generator is looked up in the cumulative weights in float64, so
no other job is disturbed and a seed means the same on every device.
"""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .candidates import Candidates
from .ranking import Ranking, Survey, at, not_numbers
from .records import MOST, Alternative, TokenRecord

AFTER = 9
"""So many of a record's alternatives are the likeliest after the chain, if it left as many."""


@dataclass(slots=True)
class Choice:
    """The next token. last: a grammar is complete with it, and nothing can follow."""

    token: int
    record: TokenRecord
    last: bool = False


def pick(weights: np.ndarray, uniform: float, total: float | None = None) -> int | None:
    """The index that `uniform` in [0, 1) falls on. weights: (n,) float64, not negative, in any scale.

    total: what they add up to together with others that come after them; None is returned when it falls on those.
    """
    reached = weights.cumsum()
    own = float(reached[-1])
    if not (math.isfinite(own) and own > 0):
        raise not_numbers()
    index = int(np.searchsorted(reached, uniform * (own if total is None else total), side="right"))
    if index < len(weights):
        return index
    # Rounding may reach the total itself; then it is the last one with any weight.
    return None if total is not None else int(np.searchsorted(reached, own))


def draw(candidates: Candidates, uniform: float) -> int:
    """The place of the candidate that is chosen. They are in order from the best down; they grow where they must."""
    top = float(candidates.rank().values[0])
    total = math.exp(candidates.log_total() - top)
    while candidates.rest is not None:
        index = pick(np.exp(candidates.values - top), uniform, total)
        if index is not None:
            return index
        candidates.grow()
    index = pick(np.exp(candidates.values - top), uniform)
    assert index is not None
    return index


def record(logits: Tensor, whole: Survey, raw: Ranking, candidates: Candidates, place: int) -> TokenRecord:
    """Of the candidate at `place` that was chosen. logits: (V,) before the chain; whole, raw: what was read of them."""
    token, log_total = int(candidates.ids[place]), candidates.log_total()
    ids = candidates.ids[:MOST].tolist()
    after = dict(zip(ids, (candidates.values[:MOST] - log_total).tolist(), strict=True))
    after[token] = float(candidates.values[place]) - log_total
    shown = list(dict.fromkeys((*ids[:AFTER], token, *raw.favourites(MOST))))[:MOST]
    before = (at(logits, np.array(shown)).astype(np.float64) - whole.log_total).tolist()
    others = (Alternative(id, one, after.get(id, -math.inf)) for id, one in zip(shown, before, strict=True))
    return TokenRecord(
        token=token,
        rank=raw.rank(logits, token),
        before=before[shown.index(token)],
        after=after[token],
        entropy=whole.entropy,
        survivors=candidates.count(),
        alternatives=tuple(others),
    )
