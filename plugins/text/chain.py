"""The chain: the stages that are on, in the order of the settings, over one moment's candidates.

Owns Chain. What a stage computes stands in chain_penalties, chain_filters and chain_shape; here each is applied
until it is decided: where tokens that are no candidates yet could matter, the candidates grow first.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from . import chain_filters as filters
from . import chain_penalties as penalties
from . import chain_shape as shape
from .candidates import Candidates
from .history import History
from .marks import TokenMarks
from .params_sampling import SamplingParams
from .stages import StageName


@dataclass(slots=True)
class Moment:
    """What the stages need beside the settings. chance: XTC's drawn number; mu: what Mirostat learned, in bits."""

    history: History
    chance: float = 0.0
    mu: float = math.inf


class Chain:
    """One request's stages."""

    def __init__(self, settings: SamplingParams, marks: TokenMarks):
        self.settings = settings
        self.stages = settings.working()
        self._biased, self._bias = _pairs(marks.bias)
        self._protected = np.array(sorted(marks.protected), np.int64)

    def run(self, candidates: Candidates, moment: Moment) -> Candidates:
        """Changes the candidates and gives them back, ranked; at temperature 0 one is left.

        Raises StudioError when a stage forbids all.
        """
        for stage in self.stages:
            self.step(stage, candidates, moment)
        if self.settings.greedy:
            candidates.rank().cut(1)
        return candidates.rank()

    def step(self, stage: StageName, candidates: Candidates, moment: Moment) -> None:
        STEPS[stage](self, candidates, moment)

    def _penalties(self, candidates: Candidates, moment: Moment) -> None:
        tally, settings = moment.history.tally, self.settings
        if tally is None or not tally.ids:
            return
        weights = settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty
        # Copied at once: an array whose memory another shares cannot grow.
        ids, counts = np.frombuffer(tally.ids, np.int64).copy(), np.frombuffer(tally.counts, np.float64).copy()
        candidates.edit(ids, lambda v, at: penalties.penalise(v, counts[at], *weights), StageName.PENALTIES)

    def _dry(self, candidates: Candidates, moment: Moment) -> None:
        settings = self.settings
        ids, lengths = _pairs(moment.history.repeats(settings.dry_length))
        if len(ids):
            weights = settings.dry_multiplier, settings.dry_base, settings.dry_length
            candidates.edit(ids, lambda v, at: penalties.dry(v, lengths[at], *weights), StageName.DRY)

    def _no_repeat(self, candidates: Candidates, moment: Moment) -> None:
        banned = moment.history.banned()
        if banned:
            ids = np.fromiter(banned, np.int64, len(banned))
            candidates.edit(ids, lambda v, at: penalties.forbid(v), StageName.NO_REPEAT)

    def _add_bias(self, candidates: Candidates, moment: Moment) -> None:
        if len(self._biased):
            candidates.edit(self._biased, lambda v, at: penalties.bias(v, self._bias[at]), StageName.BIAS)

    def _top_k(self, candidates: Candidates, moment: Moment) -> None:
        _cut(candidates, lambda c: filters.top_k(c.values, self.settings.top_k))

    def _top_p(self, candidates: Candidates, moment: Moment) -> None:
        _cut(candidates, lambda c: filters.top_p(c.probabilities(), self.settings.top_p))

    def _min_p(self, candidates: Candidates, moment: Moment) -> None:
        _cut(candidates, lambda c: filters.min_p(c.values, self.settings.min_p))

    def _top_n_sigma(self, candidates: Candidates, moment: Moment) -> None:
        deviation = candidates.deviation()
        _cut(candidates, lambda c: filters.top_n_sigma(c.values, deviation, self.settings.top_n_sigma))

    def _mirostat(self, candidates: Candidates, moment: Moment) -> None:
        _cut(candidates, lambda c: filters.mirostat(c.values, c.log_total(), moment.mu))

    def _typical_p(self, candidates: Candidates, moment: Moment) -> None:
        entropy, log_total = candidates.entropy(), candidates.log_total()
        while True:
            mask, farthest = filters.typical_p(candidates.values, log_total, entropy, self.settings.typical_p)
            # Whatever is no candidate is less likely than the floor, and farther from the entropy than that.
            if candidates.rest is None or farthest < log_total - candidates.rest.floor - entropy:
                return candidates.keep(mask, close=True)
            candidates.grow()

    def _xtc(self, candidates: Candidates, moment: Moment) -> None:
        settings = self.settings
        if moment.chance >= settings.xtc_probability:
            return
        while True:
            above = int(np.count_nonzero(candidates.probabilities() >= settings.xtc_threshold))
            if candidates.rest is None or above < len(candidates.values):
                break
            candidates.grow()
        if above >= 2:
            protected = np.isin(candidates.ids[:above], self._protected)
            candidates.keep(filters.xtc(len(candidates.ids), above, protected), close=False)

    def _temperature(self, candidates: Candidates, moment: Moment) -> None:
        settings = self.settings
        if settings.greedy:
            return
        heat = shape.temperature(settings.temperature)
        if settings.dynamic_range:
            heat = shape.dynamic_temperature(
                settings.temperature,
                settings.dynamic_range,
                settings.dynamic_exponent,
                candidates.entropy(),
                candidates.count(),
            )
        candidates.divide(heat)


def _cut(candidates: Candidates, count: Callable[[Candidates], int]) -> None:
    """Keeps the first `count`, once one of the candidates is among those that go."""
    while True:
        kept = count(candidates.rank())
        if candidates.rest is None or kept < len(candidates.values):
            return candidates.cut(kept)
        candidates.grow()


def _pairs(values: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Ids (n,) and values (n,) float64."""
    count = len(values)
    return np.fromiter(values, np.int64, count), np.fromiter(values.values(), np.float64, count)


STEPS: dict[StageName, Callable[[Chain, Candidates, Moment], None]] = {
    StageName.PENALTIES: Chain._penalties,
    StageName.DRY: Chain._dry,
    StageName.NO_REPEAT: Chain._no_repeat,
    StageName.BIAS: Chain._add_bias,
    StageName.TOP_N_SIGMA: Chain._top_n_sigma,
    StageName.TOP_K: Chain._top_k,
    StageName.TYPICAL_P: Chain._typical_p,
    StageName.TOP_P: Chain._top_p,
    StageName.MIN_P: Chain._min_p,
    StageName.XTC: Chain._xtc,
    StageName.TEMPERATURE: Chain._temperature,
    StageName.MIROSTAT: Chain._mirostat,
}
