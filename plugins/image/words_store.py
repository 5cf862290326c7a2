"""Embeddings of prompts that a resident model keeps between jobs, within a number of bytes."""

from collections import OrderedDict
from typing import Any

from torch import Tensor

KEPT_BYTES = 256 * 2**20

Value = Tensor | list[Tensor]
Tensors = dict[str, Value]


class Store:
    """The last embeddings by text, within KEPT_BYTES. Those given out are never written to."""

    def __init__(self, most: int = KEPT_BYTES):
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[Any, Tensors] = OrderedDict()

    def get(self, key: Any) -> Tensors | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Any, value: Tensors) -> None:
        self._kept[key] = value
        self._bytes += _size(value)
        while self._bytes > self._most and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(value: Tensors) -> int:
    tensors = [one for each in value.values() for one in (each if isinstance(each, list) else [each])]
    return sum(tensor.nbytes for tensor in tensors)
