"""What a model keeps of the tokens it has read, as things to copy, cut back, multiply and weigh.

Knows the cache classes of transformers by what their layers do to their tensors. Full attention puts new tensors in
the place of old ones, so a copy may share them and can be cut anywhere. A sliding window forgets, so it is cut only
while it still holds everything; recurrent layers write into their tensors, so a copy needs its own and cannot be cut.
What cannot be cut is remembered in a Mark. A class that is not known is copied whole and never cut.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import cache_utils as hf

from .few_bits import FewBits

KNOWN = (hf.DynamicCache,)
CUT = (hf.DynamicLayer, hf.DynamicIndexedLayer, hf.DummyLayer, FewBits)
REPLACED = (*CUT, hf.DynamicSlidingWindowLayer)


@dataclass(frozen=True, slots=True)
class Mark:
    """The state after `length` tokens of all that cannot be cut back to it: by layer, or the cache as a whole."""

    length: int
    layers: dict[int, Any] = field(default_factory=dict)
    whole: Any = None


def is_cut_freely(cache: Any) -> bool:
    """Whether it can go back to any length, now and later."""
    return type(cache) in KNOWN and all(type(layer) in CUT for layer in cache.layers)


def is_cut_now(cache: Any) -> bool:
    """Whether it can go back to any length as long as it stays as it is: windows are not full yet."""
    return type(cache) in KNOWN and all(type(layer) in CUT or _holds_all(layer) for layer in cache.layers)


def is_spread(cache: Any) -> bool:
    """Whether several texts can be written from it at once."""
    return type(cache) in KNOWN


def mark(cache: Any, length: int) -> Mark:
    """Remembers the present state, which is that after `length` tokens."""
    if type(cache) not in KNOWN:
        return Mark(length, whole=copy.deepcopy(cache))
    return Mark(length, {i: _copied(layer) for i, layer in enumerate(cache.layers) if type(layer) not in CUT})


def at(cache: Any, length: int, mark: Mark | None = None) -> Any:
    """A cache of its own as `cache` was after `length` tokens; it shares tensors where nobody writes into them.

    mark: needed where `cache` cannot be cut, and then taken at this very length.
    """
    if mark is not None and mark.whole is not None:
        return copy.deepcopy(mark.whole)
    made = copy.copy(cache)
    kept = mark.layers if mark is not None else {}
    made.layers = [_copied(kept.get(i, layer)) for i, layer in enumerate(cache.layers)]
    for i, layer in enumerate(made.layers):
        if i not in kept:
            _cut(layer, length)
    return made


def cut(cache: Any, length: int) -> None:
    """Goes back to its first `length` tokens; only where `is_cut_now`."""
    for layer in cache.layers:
        _cut(layer, length)


def row(cache: Any, index: int) -> Any:
    """A cache of its own with one of the rows."""
    made = copy.copy(cache)
    made.layers = [_copied(layer) for layer in cache.layers]
    select(made, [index])
    return made


def select(cache: Any, rows: Iterable[int]) -> None:
    """Has these rows from now on, some of them perhaps several times."""
    cache.reorder_cache(torch.tensor(list(rows), dtype=torch.long))


def size(*things: Any) -> int:
    """Bytes of all tensors in these, each storage counted once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _tensors(list(things))}
    return sum(storages.values())


def _holds_all(layer: Any) -> bool:
    return type(layer) is hf.DynamicSlidingWindowLayer and layer.cumulative_length < layer.sliding_window


def _copied(layer: Any) -> Any:
    return copy.copy(layer) if type(layer) in REPLACED else copy.deepcopy(layer)


def _cut(layer: Any, length: int) -> None:
    """Leaves the first `length` tokens; a layer that holds no more stays as it is."""
    if isinstance(layer, hf.DynamicLayer) and layer.get_seq_length() > length:
        layer.crop(length - layer.get_seq_length())


def _tensors(thing: Any, seen: set[int] | None = None) -> Iterator[Tensor]:
    """All that can be found, through containers and objects; no object is entered twice."""
    seen = set() if seen is None else seen
    if isinstance(thing, Tensor):
        yield thing
        return
    if isinstance(thing, str | int | float | torch.dtype | torch.device | type | None) or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        inside: Any = thing.values()
    elif isinstance(thing, list | tuple):
        inside = thing
    elif isinstance(thing, Mark):
        inside = (thing.layers, thing.whole)
    else:
        inside = getattr(thing, "__dict__", {}).values()
    for part in inside:
        yield from _tensors(part, seen)
