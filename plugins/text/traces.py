"""What each stage of a chain left of one moment's candidates, for looking at it. Imports no torch.

Owns StageTrace. `chain_trace` makes them in a worker from logits, `chain_lab` in a window from a stored record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .params_sampling import SamplingParams
from .stages import StageName

ABSENT = "not in the chain"
IDLE = "does nothing with these settings"


@dataclass(frozen=True, slots=True)
class StageTrace:
    """After one stage. stage: None is the model itself, before the first.

    off: why it did nothing, empty when it acts. kept: how many tokens can be chosen. ids, probabilities: the
    likeliest of them, best first; together less than 1 where there are more.
    """

    stage: StageName | None
    off: str
    kept: int
    ids: tuple[int, ...]
    probabilities: tuple[float, ...]


def line_up(settings: SamplingParams) -> Iterator[tuple[StageName, str]]:
    """All stages with why each is off ("" when it is on): those of the chain in its order, then the others."""
    working = settings.working()
    for stage in settings.order:
        yield stage, "" if stage in working else IDLE
    for stage in StageName:
        if stage not in settings.order:
            yield stage, ABSENT
