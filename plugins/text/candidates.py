"""The tokens that can still be chosen, best first, and what is known of all the others without touching them.

Owns Candidates and Rest. A vocabulary has 150,000 tokens and a few hundred decide. Until something must be ranked the
candidates are the whole logits, in which single tokens may be changed. Then the best are taken out in order, and as
long as nothing was cut away the others remain as a Rest, all below the last of them. What can be decided among those
that were taken out is exact; otherwise they grow, in the end to the whole vocabulary.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .ranking import DEEP, LEAST, Ranking, Scratch, at, put
from .stages import nothing_left

GROWTH = 8

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The values (n,) float64 of some tokens, and which of those that were asked for they are, to their new values."""


class Rest:
    """The tokens that are no candidates: their values are logits / divisor, all below `floor`."""

    def __init__(self, logits: Tensor, taken: np.ndarray, floor: float, scratch: Scratch):
        """logits: (V,); taken: the ids of candidates and forbidden ones; no other logit is as great as the floor."""
        self._logits, self._floor, self._taken, self._scratch = logits, floor, [taken], scratch
        self._divisor = 1.0
        self._open: Tensor | None = None
        self._weight: tuple[float, float] | None = None

    @property
    def floor(self) -> float:
        return self._floor / self._divisor

    def divide(self, by: float) -> None:
        self._divisor *= by
        self._weight = None

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray, bool]:
        """The next best, about `count`, become candidates: their ids and values, and whether others are left."""
        found = Ranking.of(self.open, count)
        ids, values = found.ranked()
        self._taken.append(ids)
        put(self.open, ids, -math.inf)
        self._floor, self._weight = found.floor, None
        return ids, values / self._divisor, found.floor > LEAST

    @property
    def open(self) -> Tensor:
        """(V,) the logits, candidates at -inf."""
        if self._open is None:
            self._open = self._scratch.like(self._logits, "open").copy_(self._logits)
            put(self._open, np.concatenate(self._taken), -math.inf)
        return self._open

    def whole(self, ids: np.ndarray, values: np.ndarray) -> Tensor:
        """(V,) float32: the values of all tokens, these candidates among them."""
        whole = self.open / self._divisor
        put(whole, ids, values)
        return whole

    def count(self) -> int:
        open = self.open
        return int(np.count_nonzero(open.numpy() > -math.inf) if open.is_cpu else (open > -math.inf).sum())

    def weigh(self) -> tuple[float, float]:
        """log sum exp of the values, and their mean under their own softmax."""
        if self._weight is None:
            shifted = torch.sub(self.open, self._floor, out=self._work).clamp_(min=DEEP)
            if self._divisor != 1:
                shifted = shifted.div_(self._divisor).clamp_(min=DEEP)
            weights = torch.exp(shifted, out=self._scratch.like(shifted, "weights"))
            total, product = torch.stack((weights.sum(), torch.dot(weights, shifted))).tolist()
            here = self.floor
            self._weight = (here + math.log(total), here + product / total) if total else (-math.inf, 0.0)
        return self._weight

    def moments(self) -> tuple[int, float, float]:
        """How many values there are, and the sums of their distances from the floor and of those squared."""
        taken = np.concatenate(self._taken)
        apart = torch.sub(self._logits, self._floor, out=self._work)
        put(apart, taken, 0.0)
        count = apart.shape[0] - taken.shape[0]
        total, squares = torch.stack((apart.sum(), torch.dot(apart, apart))).tolist()
        if math.isinf(total):
            count -= int((apart == -math.inf).sum())
            apart.nan_to_num_(neginf=0.0)
            total, squares = torch.stack((apart.sum(), torch.dot(apart, apart))).tolist()
        return count, total / self._divisor, squares / self._divisor**2

    @property
    def _work(self) -> Tensor:
        return self._scratch.like(self._logits, "work")


class Candidates:
    """Tokens and their values, and the Rest (None when nothing else can be chosen any more).

    After `rank`: ids: (n,) int64, distinct; values: (n,) float64, greatest first, the smaller id first where equal.
    They are numpy's, whose small steps take half of torch's time; what is done to all logits, torch does.
    """

    def __init__(self, logits: Tensor, first: Ranking, scratch: Scratch | None = None):
        """logits: (V,) float32, never changed here; first: their best; scratch: this object's alone, while it lives."""
        self.ids, self.values = np.empty(0, np.int64), np.empty(0)
        self.rest: Rest | None = None
        self._logits: Tensor | None = logits
        self._first, self._scratch = first, scratch or Scratch()
        self._edited = False
        self._forbidden: list[np.ndarray] = []
        self._risen: list[np.ndarray] = []
        self._log_total: float | None = None
        self._edited_by = ""

    @classmethod
    def of(cls, logits: Tensor) -> "Candidates":
        return cls(logits, Ranking.of(logits))

    @classmethod
    def stored(cls, ids: np.ndarray, values: np.ndarray) -> "Candidates":
        """These alone, as if there were no others. ids: (n,) distinct, values: (n,) float64, in any order."""
        found = cls.__new__(cls)
        found._logits = found._log_total = found.rest = None
        found._edited_by = ""
        found.ids, found.values = ids, values
        found._sort()
        return found

    def edit(self, ids: np.ndarray, change: Change, stage: str) -> None:
        """New values for these tokens, if they can still be chosen; -inf forbids one. ids: (n,) distinct."""
        self._edited_by, self._log_total = stage, None
        if self._logits is None and self.rest is None:
            self._edit_few(ids, change)
            return
        if self._logits is None:
            self._pour()
        assert self._logits is not None
        if not self._edited:
            self._logits, self._edited = self._scratch.like(self._logits, "whole").copy_(self._logits), True
        before = at(self._logits, ids).astype(np.float64)
        values = change(before, np.arange(len(ids)))
        put(self._logits, ids, values)
        self._note(ids, before, values)

    def rank(self) -> "Candidates":
        """Takes the best out of the whole where that has not been done. Raises StudioError when none is left."""
        if self._logits is not None:
            logits, best, self._logits = self._logits, self._first, None
            if self._edited:
                best = best.again(logits, self._risen)
                best = best if best.taken.shape[0] or best.floor == LEAST else Ranking.of(logits)
            self.ids, self.values = best.ranked()
            if best.floor > LEAST:
                self.rest = Rest(logits, np.concatenate((best.taken, *self._forbidden)), best.floor, self._scratch)
        if not len(self.values):
            raise nothing_left(self._edited_by)
        return self

    def grow(self) -> None:
        """Takes in several times as many as there are, while there are others. What all weigh together stays."""
        if self.rest is not None:
            ids, values, more = self.rest.take(GROWTH * len(self.ids))
            self.ids, self.values = np.concatenate((self.ids, ids)), np.concatenate((self.values, values))
            if not more:
                self.rest = None

    def divide(self, by: float) -> None:
        """All values, those of the Rest too, divided by a positive number."""
        self.values, self._log_total = self.rank().values / by, None
        if self.rest is not None:
            self.rest.divide(by)

    def cut(self, count: int) -> None:
        """Only the best `count` are left, and no Rest."""
        if self.rest is not None or count < len(self.values):
            self.ids, self.values = self.ids[:count], self.values[:count]
            self.rest = self._log_total = None

    def keep(self, mask: np.ndarray, *, close: bool) -> None:
        """Only those that the mask (n,) says; close: and no Rest."""
        self.ids, self.values, self._log_total = self.ids[mask], self.values[mask], None
        if close:
            self.rest = None

    def log_total(self) -> float:
        """log sum exp of all values, the Rest's too."""
        if self._log_total is None:
            values = self.rank().values
            top = float(values[0])
            self._log_total = top + math.log(float(np.exp(values - top).sum()))
            if self.rest is not None:
                self._log_total = float(np.logaddexp(self._log_total, self.rest.weigh()[0]))
        return self._log_total

    def probabilities(self) -> np.ndarray:
        """(n,) their sum is 1 together with the Rest's."""
        return np.exp(self.rank().values - self.log_total())

    def entropy(self) -> float:
        """In nats, of all of them."""
        log_total = self.log_total()
        mean = float(np.dot(self.probabilities(), self.values))
        if self.rest is not None:
            log_mass, level = self.rest.weigh()
            mean += math.exp(log_mass - log_total) * level
        return max(0.0, log_total - mean)

    def count(self) -> int:
        """How many tokens can be chosen."""
        return len(self.rank().values) + (self.rest.count() if self.rest is not None else 0)

    def deviation(self) -> float:
        """The standard deviation of all values, over their number."""
        values = self.rank().values
        if self.rest is None:
            return float(values.std())
        count, total, squares = self.rest.moments()
        apart = values - self.rest.floor
        count, total = count + len(values), total + float(apart.sum())
        return math.sqrt(max(0.0, (squares + float(np.dot(apart, apart))) / count - (total / count) ** 2))

    def _note(self, ids: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        """Remembers which tokens are forbidden from now on, and which have come among the best."""
        floor = self._first.floor
        if float(after.min()) == -math.inf:
            self._forbidden.append(ids[(after == -math.inf) & (before > -math.inf)])
        if float(after.max()) >= floor:
            self._risen.append(ids[(after >= floor) & (before < floor)])

    def _pour(self) -> None:
        """Back to a whole, of which the best are those that they were."""
        assert self.rest is not None
        self._logits, self._edited = self.rest.whole(self.ids, self.values), True
        order = np.argsort(self.ids)
        self._first = Ranking(self.ids[order], self.values[order].astype(np.float32), self.rest.floor)
        self.rest, self._forbidden, self._risen = None, [], []

    def _edit_few(self, ids: np.ndarray, change: Change) -> None:
        order = np.argsort(ids)
        place = np.minimum(np.searchsorted(ids, self.ids, sorter=order), len(ids) - 1)
        there = ids[order[place]] == self.ids
        # Never in place: the old values may be someone else's.
        self.values = self.values.copy()
        self.values[there] = change(self.values[there], order[place[there]])
        self._sort()

    def _sort(self) -> None:
        """By value, by id where equal; forbidden ones go."""
        order = np.lexsort((self.ids, -self.values))
        order = order[: np.count_nonzero(self.values > -math.inf)]
        self.ids, self.values = self.ids[order], self.values[order]
