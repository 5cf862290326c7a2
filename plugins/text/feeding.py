"""What all ways of feeding tokens to a model have in common: the protocol between the loop and them."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from .prefix_cache import Branch


class Feeding(Protocol):
    """Rows of tokens of one length, one until `spread`. Logits come as (rows, V) float32."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        ...

    @property
    def spreads(self) -> bool:
        """Whether `spread` and `select` are possible, now that something was read."""
        ...

    @property
    def takes_back(self) -> bool:
        """Whether `try_out` and `take_back` are possible, now that something was read and later."""
        ...

    @property
    def compiling(self) -> float:
        """Seconds that went into compiling so far."""
        ...

    def read(self, ids: list[int], between: Callable[[int], None]) -> Tensor:
        """Feeds what is not fed yet of a prompt, calling `between` with the number of tokens read at boundaries."""
        ...

    def write(self, tokens: list[int]) -> Tensor:
        """Feeds one token a row."""
        ...

    def spread(self, count: int) -> None:
        """Has `count` equal rows from now on."""
        ...

    def select(self, rows: list[int]) -> None:
        """Goes on with these rows alone."""
        ...

    def try_out(self, tokens: list[int]) -> Tensor:
        """Feeds several tokens to the only row; logits (tokens, V) after each of them."""
        ...

    def take_back(self, count: int) -> None:
        """The last `count` tokens of the only row were never fed."""
        ...

    def branches(self, row: int = 0) -> list[Branch]:
        """What was read and written in this row, for the prefix cache; empty ones where it is not sound."""
        ...


class Alone:
    """One row that only goes on: what the protocol allows elsewhere is never asked of it."""

    count, spreads, takes_back = 1, False, False

    def spread(self, count: int) -> None:
        raise NotImplementedError

    def select(self, rows: list[int]) -> None:
        raise NotImplementedError

    def try_out(self, tokens: list[int]) -> Tensor:
        raise NotImplementedError

    def take_back(self, count: int) -> None:
        raise NotImplementedError
