"""The chain over a handful of stored candidates in plain Python, for a window that has neither torch nor the model.

Every stage computes what it does in `chain`, as if the stored tokens were all there are; a test holds the two
together. Imports no torch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .chain_shape import MOST, dynamic_temperature, temperature
from .history import History
from .marks import TokenMarks
from .params_sampling import SamplingParams
from .records import TokenRecord
from .stages import StageName, nothing_left
from .traces import StageTrace, line_up

Scores = list[tuple[int, float]]
"""Tokens and their values, the greatest first, the smaller id where equal."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the stages need: as `Chain` and `Moment` there."""

    settings: SamplingParams
    marks: TokenMarks
    history: History
    chance: float
    mu: float


def trace(
    ids: Sequence[int],
    values: Sequence[float],
    settings: SamplingParams,
    marks: TokenMarks,
    prompt: Sequence[int] = (),
    text: Sequence[int] = (),
    *,
    chance: float = 0.0,
    mu: float | None = None,
) -> list[StageTrace]:
    """As `chain_trace.trace`. values: logits or logarithms of probabilities. Raises StudioError when none is left."""
    mu = 2 * settings.mirostat_tau if mu is None else mu
    setup = Setup(settings, marks, History(settings, marks, prompt, text), chance, mu)
    scores = _ranked(dict(zip(ids, values, strict=True)), "")
    found = [_seen(scores, None, "")]
    for stage, off in line_up(settings):
        if not off:
            scores = STEPS[stage](scores, setup)
        found.append(_seen(scores, stage, off))
    return found


def stored(record: TokenRecord) -> tuple[list[int], list[float], float]:
    """A record's tokens and the logarithms of their probabilities, best first, and what these have together.

    The less they have, the less can be told of stages that look at all tokens.
    """
    others = [other for other in record.likeliest_before() if other.before > -math.inf]
    return [o.token for o in others], [o.before for o in others], min(1.0, sum(math.exp(o.before) for o in others))


def pick(last: StageTrace, settings: SamplingParams, uniform: float) -> int:
    """The token that a uniform number in [0, 1) would have chosen of what the last stage left."""
    reached = 0.0
    for token, probability in zip(last.ids, last.probabilities, strict=True):
        reached += probability
        if settings.greedy or uniform < reached:
            return token
    return last.ids[-1]


def _ranked(values: dict[int, float], stage: str) -> Scores:
    scores = sorted(((token, value) for token, value in values.items() if value > -math.inf), key=_place)
    if not scores:
        raise nothing_left(stage)
    return scores


def _place(score: tuple[int, float]) -> tuple[float, int]:
    return -score[1], score[0]


def _log_total(scores: Scores) -> float:
    top = scores[0][1]
    return top + math.log(sum(math.exp(value - top) for _, value in scores))


def _entropy(scores: Scores) -> float:
    log_total = _log_total(scores)
    return max(0.0, sum(math.exp(value - log_total) * (log_total - value) for _, value in scores))


def _seen(scores: Scores, stage: StageName | None, off: str) -> StageTrace:
    log_total = _log_total(scores)
    chances = tuple(math.exp(value - log_total) for _, value in scores)
    return StageTrace(stage, off, len(scores), tuple(token for token, _ in scores), chances)


def _from(scores: Scores, threshold: float) -> Scores:
    return [score for score in scores if score[1] >= threshold] or scores[:1]


def _penalties(scores: Scores, setup: Setup) -> Scores:
    settings, tally, values = setup.settings, setup.history.tally, dict(scores)
    for token, count in zip(tally.ids, tally.counts, strict=True) if tally is not None else ():
        if token in values:
            value, factor = values[token], settings.repetition_penalty
            value = value / factor if value > 0 else value * factor
            values[token] = value - settings.presence_penalty - settings.frequency_penalty * count
    return _ranked(values, StageName.PENALTIES)


def _dry(scores: Scores, setup: Setup) -> Scores:
    settings, values = setup.settings, dict(scores)
    for token, length in setup.history.repeats(settings.dry_length).items():
        if token in values:
            beyond = length - settings.dry_length
            # Beyond this the power would overflow, and its bound was reached long ago.
            large = beyond * math.log(settings.dry_base) > 100
            values[token] -= MOST if large else min(MOST, settings.dry_multiplier * settings.dry_base**beyond)
    return _ranked(values, StageName.DRY)


def _no_repeat(scores: Scores, setup: Setup) -> Scores:
    banned = setup.history.banned()
    return _ranked({token: value for token, value in scores if token not in banned}, StageName.NO_REPEAT)


def _bias(scores: Scores, setup: Setup) -> Scores:
    bias = setup.marks.bias
    return _ranked({token: value + bias.get(token, 0.0) for token, value in scores}, StageName.BIAS)


def _top_n_sigma(scores: Scores, setup: Setup) -> Scores:
    mean = sum(value for _, value in scores) / len(scores)
    deviation = math.sqrt(sum((value - mean) ** 2 for _, value in scores) / len(scores))
    return _from(scores, scores[0][1] - setup.settings.top_n_sigma * deviation)


def _top_k(scores: Scores, setup: Setup) -> Scores:
    return scores[: setup.settings.top_k]


def _top_p(scores: Scores, setup: Setup) -> Scores:
    log_total, reached = _log_total(scores), 0.0
    for kept, (_, value) in enumerate(scores, 1):
        reached += math.exp(value - log_total)
        if reached >= setup.settings.top_p:
            return scores[:kept]
    return scores


def _min_p(scores: Scores, setup: Setup) -> Scores:
    return _from(scores, scores[0][1] + math.log(setup.settings.min_p))


def _typical_p(scores: Scores, setup: Setup) -> Scores:
    log_total, entropy, reached = _log_total(scores), _entropy(scores), 0.0
    apart = {token: abs(log_total - value - entropy) for token, value in scores}
    for token, value in sorted(scores, key=lambda score: apart[score[0]]):
        reached += math.exp(value - log_total)
        if reached >= setup.settings.typical_p:
            return [score for score in scores if apart[score[0]] <= apart[token]]
    return scores


def _xtc(scores: Scores, setup: Setup) -> Scores:
    settings, log_total = setup.settings, _log_total(scores)
    above = sum(math.exp(value - log_total) >= settings.xtc_threshold for _, value in scores)
    if setup.chance >= settings.xtc_probability or above < 2:
        return scores
    return [score for score in scores[: above - 1] if score[0] in setup.marks.protected] + scores[above - 1 :]


def _temperature(scores: Scores, setup: Setup) -> Scores:
    settings = setup.settings
    if settings.greedy:
        return scores
    heat, span = temperature(settings.temperature), settings.dynamic_range
    if span:
        heat = dynamic_temperature(
            settings.temperature, span, settings.dynamic_exponent, _entropy(scores), len(scores)
        )
    return [(token, value / heat) for token, value in scores]


def _mirostat(scores: Scores, setup: Setup) -> Scores:
    return _from(scores, _log_total(scores) - setup.mu * math.log(2))


STEPS: dict[StageName, Callable[[Scores, Setup], Scores]] = {
    StageName.PENALTIES: _penalties,
    StageName.DRY: _dry,
    StageName.NO_REPEAT: _no_repeat,
    StageName.BIAS: _bias,
    StageName.TOP_N_SIGMA: _top_n_sigma,
    StageName.TOP_K: _top_k,
    StageName.TYPICAL_P: _typical_p,
    StageName.TOP_P: _top_p,
    StageName.MIN_P: _min_p,
    StageName.XTC: _xtc,
    StageName.TEMPERATURE: _temperature,
    StageName.MIROSTAT: _mirostat,
}
