"""The chain taken apart: what is left after each stage, from logits or from stored candidates."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .candidates import Candidates
from .chain import Chain, Moment
from .history import History
from .marks import TokenMarks
from .params_sampling import SamplingParams
from .stages import StageName
from .traces import StageTrace, line_up

Stored = tuple[Sequence[int], Sequence[float]]
"""Token ids and their logits or log-probabilities, as if there were no others."""


def trace(
    scores: Tensor | Stored,
    settings: SamplingParams,
    marks: TokenMarks,
    prompt: Sequence[int] = (),
    text: Sequence[int] = (),
    *,
    chance: float = 0.0,
    mu: float | None = None,
    most: int = 64,
) -> list[StageTrace]:
    """The model's own distribution and what each stage makes of it, those that are off included.

    scores: logits (V,), or stored candidates. chance: XTC's drawn number, at 0 it acts. mu: Mirostat's at this place,
    None as at the beginning. most: so many tokens are told. At temperature 0 the first of those that the last stage
    left is taken. Raises StudioError when a stage forbids every token.
    """
    candidates = Candidates.of(scores) if isinstance(scores, Tensor) else _stored(scores)
    moment = Moment(History(settings, marks, prompt, text), chance, 2 * settings.mirostat_tau if mu is None else mu)
    chain = Chain(settings, marks)
    found = [_seen(candidates, None, "", most)]
    for stage, off in line_up(settings):
        if not off:
            chain.step(stage, candidates, moment)
        found.append(_seen(candidates, stage, off, most))
    return found


def _stored(stored: Stored) -> Candidates:
    ids, values = stored
    return Candidates.stored(np.array(list(ids), np.int64), np.array(list(values), np.float64))


def _seen(candidates: Candidates, stage: StageName | None, off: str, most: int) -> StageTrace:
    probabilities = candidates.probabilities()[:most].tolist()
    ids = candidates.ids[:most].tolist()
    return StageTrace(stage, off, candidates.count(), tuple(ids), tuple(probabilities))
