"""A loaded language model, as every operation that writes has it. Owns Language, what is kept between jobs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .lexicon import Lexicon
from .prefix_cache import PrefixCache


@dataclass(slots=True)
class Language:
    """A loaded model with what the decode loop must know about it.

    context: the most tokens it can hold, None without a limit. ends: token ids after which it stops. lexicon: what
    samplers know of its tokens.
    cache: the name of forward's cache argument, "" where the whole text is read again for every token.
    chunked: whether a prompt may be read in pieces longer than one token. last_only: whether forward can
    compute the logits of the last position alone. plain: whether its cache is made by the configuration alone.
    layers: the blocks that a text passes one after another.
    prefixes: what it has read and nobody is reading now. compiled: its compiled step, once that was asked for. Both
    take `held` bytes that can be had back. movable: its weights can go to another device.
    """

    model: Any
    tokenizer: Any
    context: int | None
    vocabulary: int
    ends: frozenset[int]
    lexicon: Lexicon
    cache: str
    chunked: bool
    last_only: bool
    plain: bool = False
    layers: tuple[Any, ...] = ()
    prefixes: PrefixCache = field(default_factory=PrefixCache)
    compiled: Any = None
    movable: bool = True

    @property
    def to(self) -> Callable[[str], "Language"] | None:
        """Moves it to another device; None where its weights cannot be moved."""
        return self._moved if self.movable else None

    def _moved(self, device: str) -> "Language":
        self.reclaim(self.held())
        self.compiled = None
        self.model.to(device)
        return self

    def held(self) -> int:
        return self.prefixes.held() + (self.compiled.held() if self.compiled else 0)

    def reclaim(self, need: int) -> int:
        """Frees at least `need` bytes, if there are as many; how many it was."""
        freed = self.prefixes.reclaim(need)
        if self.compiled and freed < need:
            freed += self.compiled.held()
            self.compiled.clear()
        return freed
