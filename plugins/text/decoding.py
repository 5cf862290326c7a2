"""One text's way, or that of several which go on from one prompt, through a model.

Owns Sequence: it reads a prompt in chunks, from where its branch ends, then writes token by token. A step boundary
lies between any two chunks and any two tokens; between them nothing but this sequence's own cache is touched. Inside a
chunk every layer looks whether the job was cancelled, so a long chunk does not hold up a stop.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from . import caches
from .loading import Language
from .params import CHUNK
from .prefix_cache import Branch

SMALL = 128
"""A chunk on a processor: a quarter of the wait for a stop or for a more urgent job, and hardly slower."""


def chunk_of(device: torch.device) -> int:
    return min(CHUNK, SMALL) if device.type == "cpu" else CHUNK


class Sequence:
    """Rows of tokens of one length that were fed to a model, and its cache of them: one row until `spread`.

    Logits come as (rows, V) float32. alive: called inside chunks; what it raises ends the reading.
    """

    compiling = 0.0

    def __init__(
        self,
        language: Language,
        branch: Branch | None = None,
        alive: Callable[[], None] | None = None,
        fresh: Callable[[], Any] | None = None,
    ):
        """fresh: makes an empty cache where the branch has none; by default the model makes its own."""
        branch = branch or Branch()
        self._language, self._model = language, language.model
        self._device = language.model.device
        self._alive = alive
        self._rows = [list(branch.ids)]
        self._cache, self._marks = branch.cache, branch.marks
        if self._cache is None and fresh is not None:
            self._cache = fresh()
        self._sound = True
        self._next = torch.zeros((1, 1), dtype=torch.long, device=self._device)
        self._fixed: dict[str, Any] = {"use_cache": True} if language.cache else {}

    @property
    def length(self) -> int:
        return len(self._rows[0])

    @property
    def ids(self) -> list[int]:
        """What was fed in the first row."""
        return self._rows[0]

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def spreads(self) -> bool:
        """Whether `spread` is possible, now that something was read."""
        return not self._language.cache or caches.is_spread(self._cache)

    def read(self, ids: list[int], between: Callable[[int], None]) -> Tensor:
        """Feeds what is not fed yet of a prompt, calling `between` with the number of tokens read at boundaries.

        The last token goes alone, after a mark: whoever comes back to this prompt feeds the same, so that it computes
        the very same numbers.
        """
        if not self._language.cache:
            return self._feed([ids])[:, -1]
        last = len(ids) - 1
        while self.length < last:
            # The first chunk starts from nothing, so any model can take it whole.
            large = chunk_of(self._device) if self._language.chunked else CHUNK if not self.length else 1
            size = min(large, last - self.length)
            with watched(self._language.layers if size > 1 else (), self._alive):
                self._feed([ids[self.length : self.length + size]])
            if self.length < last and (size > 1 or self.length % 16 == 0):
                if self.length % CHUNK == 0:
                    self._branch().remember()
                between(self.length)
        self._branch().remember()
        return self._feed([ids[last:]])[:, -1]

    def write(self, tokens: list[int]) -> Tensor:
        """Feeds one token a row."""
        if not self._language.cache:
            return self._feed([[*row, token] for row, token in zip(self._rows, tokens, strict=True)])[:, -1]
        return self._feed([[token] for token in tokens])[:, -1]

    def spread(self, count: int) -> None:
        """Has `count` equal rows from now on; only where `spreads` says that it can."""
        if self._language.cache:
            caches.select(self._cache, [0] * count)
        self._rows = [list(self._rows[0]) for _ in range(count)]

    def select(self, rows: list[int]) -> None:
        """Goes on with these rows alone."""
        if self._language.cache:
            caches.select(self._cache, rows)
        self._rows = [self._rows[i] for i in rows]

    @property
    def takes_back(self) -> bool:
        """Whether what was fed can be taken back, now and later; known when something was read."""
        return self._cache is not None and caches.is_cut_freely(self._cache)

    def try_out(self, tokens: list[int]) -> Tensor:
        """Feeds several tokens to the only row; logits (tokens, V) after each of them."""
        return self._feed([tokens], keep=len(tokens))[0]

    def take_back(self, count: int) -> None:
        """The last `count` tokens of the only row were never fed; only where `takes_back`."""
        if count:
            del self._rows[0][-count:]
            caches.cut(self._cache, self.length)

    def branches(self, row: int = 0) -> list[Branch]:
        """What was read and written in this row, for the prefix cache; an empty one where it is not sound."""
        if not self._sound:
            return [self._repaired()]
        if len(self._rows) == 1 or self._cache is None:
            return [self._branch()]
        return [Branch(self._rows[row], caches.row(self._cache, row), list(self._marks))]

    def _branch(self) -> Branch:
        return Branch(self._rows[0], self._cache, self._marks)

    def _repaired(self) -> Branch:
        """After a chunk that ended in the middle of the model some layers hold more than others."""
        if self._cache is None or len(self._rows) > 1:
            return Branch()
        if caches.is_cut_freely(self._cache):
            return Branch(self._rows[0], caches.at(self._cache, self.length), self._marks)
        return self._branch().at(self._marks[-1].length) if self._marks else Branch()

    def _feed(self, ids: list[list[int]], keep: int = 1) -> Tensor:
        # ids: rows of one length n; logits: (rows, keep, V), the last ones. No attention mask: nothing is padded, and
        # making one costs time.
        rows, length = len(ids), len(ids[0])
        given = self._next.fill_(ids[0][0]) if rows == length == 1 else torch.tensor(ids, device=self._device)
        self._sound = False
        name = self._language.cache
        if self._language.last_only:
            self._fixed["logits_to_keep"] = keep
        if name:
            out = self._model(input_ids=given, **{name: self._cache}, **self._fixed)
            self._cache = getattr(out, name)
            for row, added in zip(self._rows, ids, strict=True):
                row += added
        else:
            out = self._model(input_ids=given, **self._fixed)
            self._rows = [list(row) for row in ids]
        self._sound = True
        return out.logits[:, -keep:].float()


@contextlib.contextmanager
def watched(layers: Iterable[Any], alive: Callable[[], None] | None) -> Iterator[None]:
    """Every layer asks whether anybody still wants the result before it computes."""
    if alive is None:
        yield
        return

    def ask(_module: Any, _given: Any) -> None:
        alive()

    hooks = [layer.register_forward_pre_hook(ask) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
