"""Writing with a compiled model: fixed shapes, fused kernels, and a warm-up that is shown.

Owns Compiled, which belongs to a resident Language, and StaticSequence, which stands in for one Sequence. The cache has
a fixed size, so that every step is the same computation; it is kept for the next text of this size and wound back to
what the two have in common. Prompts are read without compilation: every length would be another shape. No CUDA graphs:
they belong to one thread, and every job has its own.
"""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers import StaticCache
from transformers.cache_utils import StaticLayer

from studio.errors import StudioError

from . import caches, decoding
from .feeding import Alone
from .loading import Language
from .prefix_cache import Branch, common

Alive = Callable[[], None]

SMALLEST = 256
COMPILERS = ("c++", "g++", "clang++", "cl")
SHAPES = 64
"""So many sizes and models may be compiled in one process; by default torch gives up silently after eight."""


@dataclass(slots=True)
class Slot:
    """A cache of a fixed size and the ids that were fed into it."""

    cache: StaticCache
    ids: list[int] = field(default_factory=list)


class Compiled:
    """One model's compiled step, and a cache for each size in which texts were written."""

    def __init__(self, model: Any, backend: str = "inductor"):
        self._model, self._backend = model, backend
        self._step: Callable[..., Any] | None = None
        self._warm: set[int] = set()
        self._slots: dict[int, Slot] = {}
        self._lock = threading.Lock()

    def take(self, size: int) -> Slot:
        """The cache of this size, the caller's alone. Raises StudioError code "compile" where it cannot be."""
        with self._lock:
            slot = self._slots.pop(size, None)
        if slot is not None:
            return slot
        self._require()
        cache = StaticCache(config=self._model.config, max_cache_len=size)
        if not all(type(layer) is StaticLayer for layer in cache.layers):
            raise _refusal(
                "it has layers with a sliding window or recurrent ones, whose caches cannot be wound back",
                "Write with this model without compiling.",
            )
        return Slot(cache)

    def give(self, size: int, slot: Slot) -> None:
        with self._lock:
            self._slots[size] = slot

    def is_warm(self, size: int) -> bool:
        return size in self._warm

    def step(self, size: int, **given: Any) -> Any:
        """One compiled forward pass; the first of a size compiles it."""
        if size in self._warm and self._step is not None:
            return self._step(**given)
        # Not at the top: they are as large as torch itself, for a mode that few ask for.
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor.exc import InductorError

        if self._step is None:
            torch._dynamo.config.recompile_limit = max(SHAPES, torch._dynamo.config.recompile_limit)
            self._step = torch.compile(self._model.forward, dynamic=False, backend=self._backend)
        try:
            out = self._step(**given)
        except (TorchDynamoException, InductorError) as error:
            words = " ".join(str(error).split())[:300]
            raise _refusal(f"the compiler failed: {words}", "Write without compiling.") from error
        self._warm.add(size)
        return out

    def held(self) -> int:
        with self._lock:
            return caches.size(*(slot.cache for slot in self._slots.values()))

    def clear(self) -> None:
        with self._lock:
            self._slots.clear()

    def _require(self) -> None:
        if self._backend != "inductor":
            return
        if self._model.device.type == "cpu" and not any(shutil.which(name) for name in COMPILERS):
            raise _refusal(
                f"there is no C++ compiler here ({', '.join(COMPILERS)})", "Install one, or write without compiling."
            )
        if self._model.device.type == "cuda" and find_spec("triton") is None:
            raise _refusal("triton is not installed", "Install it, or write without compiling.")


def compiled_of(language: Language) -> Compiled:
    """The one of a resident model, made when it is asked for first."""
    if language.compiled is None:
        language.compiled = Compiled(language.model)
    return language.compiled


def size_for(tokens: int, context: int | None) -> int:
    """The size of cache for so many tokens: a power of two, so that few are compiled, or the model's whole context."""
    size = max(SMALLEST, 1 << (tokens - 1).bit_length())
    return size if context is None else min(size, context)


class StaticSequence(Alone):
    """One row of a fixed size. begun: told before the first compiled step of a size, which is slow.

    compiling: seconds that the first step took where it was compiled, 0 where it had been.
    """

    def __init__(self, language: Language, compiled: Compiled, size: int, alive: Alive, begun: Callable[[], None]):
        self._language, self._compiled, self._size = language, compiled, size
        self._alive, self._begun = alive, begun
        self._slot = compiled.take(size)
        self._next = torch.zeros((1, 1), dtype=torch.long, device=language.model.device)
        self.compiling = 0.0

    @property
    def length(self) -> int:
        return len(self._slot.ids)

    def wind_back(self, ids: list[int]) -> int:
        """To what this prompt has in common with what is there, without its last token; how many tokens that is.

        To be called first: after a chunk that ended in the middle some layers hold more than others.
        """
        same = min(common(self._slot.ids, ids), len(ids) - 1)
        del self._slot.ids[same:]
        for layer in self._slot.cache.layers:
            if isinstance(layer, StaticLayer) and layer.is_initialized:
                layer.cumulative_length.fill_(same)
        return same

    def read(self, ids: list[int], between: Callable[[int], None]) -> Tensor:
        last = len(ids) - 1
        while self.length < last:
            part = ids[self.length : min(self.length + decoding.chunk_of(self._next.device), last)]
            with decoding.watched(self._language.layers, self._alive):
                self._forward(self._language.model, torch.tensor([part], device=self._next.device))
            self._slot.ids += part
            if self.length < last:
                between(self.length)
        return self.write([ids[last]])

    def write(self, tokens: list[int]) -> Tensor:
        cold = not self._compiled.is_warm(self._size)
        if cold:
            self._begun()
        began = time.perf_counter()
        logits = self._forward(self._step, self._next.fill_(tokens[0]))
        self._slot.ids += tokens
        if cold:
            self.compiling = time.perf_counter() - began
        return logits

    def branches(self, row: int = 0) -> list[Branch]:
        """None: what was read is kept where the compiled step finds it."""
        self._compiled.give(self._size, self._slot)
        return []

    def _step(self, **given: Any) -> Any:
        return self._compiled.step(self._size, **given)

    def _forward(self, forward: Callable[..., Any], ids: Tensor) -> Tensor:
        # ids: (1, n); logits: (1, V), the last ones.
        last_only = {"logits_to_keep": 1} if self._language.last_only else {}
        out = forward(input_ids=ids, past_key_values=self._slot.cache, use_cache=True, **last_only)
        return out.logits[:, -1].float()


def _refusal(why: str, hint: str) -> StudioError:
    return StudioError("This model cannot be compiled here", f"It was asked for, but {why}.", hint, code="compile")
