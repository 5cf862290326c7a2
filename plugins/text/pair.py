"""Two texts in step: the one that is written, and the same words after a negative prompt, for guidance.

Owns Guide (what is asked) and Pair, which stands in for one Sequence and costs two.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .decoding import Sequence
from .guidance import guided
from .prefix_cache import Branch


@dataclass(frozen=True, slots=True)
class Guide:
    """Away from what `ids`, the negative prompt, would give, by `scale`: 1 changes nothing."""

    ids: tuple[int, ...]
    scale: float


class Pair:
    """Two sequences as one, with guided logits. Each of the two has a cache of its own."""

    compiling = 0.0


    def __init__(self, fed: Sequence, against: Sequence, guide: Guide, between: Callable[[int], None]):
        """between: as with `Sequence.read`, for the reading of the negative prompt."""
        self._fed, self._against, self._guide, self._between = fed, against, guide, between

    @property
    def count(self) -> int:
        return self._fed.count

    @property
    def spreads(self) -> bool:
        return self._fed.spreads and self._against.spreads

    def read(self, ids: list[int], between: Callable[[int], None]) -> Tensor:
        negative = self._against.read(list(self._guide.ids), self._between)
        between(self._fed.length)
        return self._guided(self._fed.read(ids, between), negative)

    def write(self, tokens: list[int]) -> Tensor:
        return self._guided(self._fed.write(tokens), self._against.write(tokens))

    @property
    def takes_back(self) -> bool:
        return self._fed.takes_back and self._against.takes_back

    def try_out(self, tokens: list[int]) -> Tensor:
        return self._guided(self._fed.try_out(tokens), self._against.try_out(tokens))

    def take_back(self, count: int) -> None:
        self._fed.take_back(count)
        self._against.take_back(count)

    def spread(self, count: int) -> None:
        self._fed.spread(count)
        self._against.spread(count)

    def select(self, rows: list[int]) -> None:
        self._fed.select(rows)
        self._against.select(rows)

    def branches(self, row: int = 0) -> list[Branch]:
        return [*self._fed.branches(row), *self._against.branches(row)]

    def _guided(self, logits: Tensor, negative: Tensor) -> Tensor:
        return guided(logits, negative, self._guide.scale)
