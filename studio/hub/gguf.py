"""Reads the head of a GGUF file: its notes and the names, types and shapes of its tensors; no tensor is loaded.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. Every length is checked against the
file and a limit before memory is taken for it. Imports errors and this package's files only.
"""

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from studio.errors import StudioError
from studio.hub import networks
from studio.hub.checked_json import broken

HEAD_LIMIT = 64 << 20
TENSOR_LIMIT = 20_000
NOTE_LIMIT = 10_000
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# Type -> its name, and how many bytes a block of how many numbers takes (gguf's GGML_QUANT_SIZES).
TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
}  # fmt: skip


@dataclass(frozen=True)
class GgufHead:
    """architecture: as the file names it ("flux", "llama"); dtype: the type most tensors have; shapes: in torch's
    order; notes: the whole numbers that it says about its architecture, by their names there."""

    architecture: str
    dtype: str
    parameters: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)


def read_gguf(path: Path) -> GgufHead:
    """Raises StudioError when the file is not GGUF, cut short or absurd."""
    try:
        with path.open("rb") as file:
            reader = _Reader(path, file)
            if reader.take(4) != b"GGUF":
                raise broken(path, "It is not in the GGUF format.", code="not-gguf")
            version = reader.number("I")
            if version not in (2, 3):
                raise broken(path, f"It is GGUF of version {version}; 2 and 3 are read.", code="other-format")
            tensors, notes = reader.number("Q"), reader.number("Q")
            if tensors > TENSOR_LIMIT or notes > NOTE_LIMIT:
                raise broken(path, f"It lists {tensors:,} tensors and {notes:,} notes.", code="unsafe")
            kept = {}
            for _ in range(notes):
                key, kind = reader.text(), reader.number("I")
                kept[key] = reader.value(kind)
            head, end = _head(path, reader, tensors, str(kept.get("general.architecture") or ""))
            _check_end(path, reader.at, kept.get("general.alignment"), end)
            own = f"{head.architecture}."
            said = {key.removeprefix(own): value for key, value in kept.items() if key.startswith(own)}
            return replace(head, notes={key: value for key, value in said.items() if type(value) is int})
    except (OSError, ValueError) as error:
        raise broken(path, f"It cannot be read: {error}.", code="unreadable") from None


def _head(path: Path, reader: "_Reader", tensors: int, architecture: str) -> tuple[GgufHead, int]:
    """The head, and where the last tensor ends, counted from the beginning of the data."""
    shapes: dict[str, tuple[int, ...]] = {}
    amounts: dict[str, int] = {}
    end = 0
    for _ in range(tensors):
        name, axes = reader.text(), reader.number("I")
        if axes > 8:
            raise broken(path, f"The tensor {name[:80]!r} has {axes} axes.", code="unsafe")
        shape = tuple(reversed([reader.number("Q") for _ in range(axes)]))
        kind, offset = reader.number("I"), reader.number("Q")
        count = 1
        for length in shape:
            count *= length
            if count > 1 << 62:
                raise broken(path, f"The tensor {name[:80]!r} is absurdly large.", code="unsafe")
        word, block, size = TYPES.get(kind, (f"type {kind}", 1, 0))
        shapes[name] = shape
        amounts[word] = amounts.get(word, 0) + count
        end = max(end, offset + count // block * size)
    most = max(amounts, key=lambda name: amounts[name], default="")
    return GgufHead(architecture[:60], most.lower(), sum(amounts.values()), shapes), end


def _check_end(path: Path, head: int, alignment: Any, end: int) -> None:
    """Raises StudioError for a file that ends before its last tensor. head: bytes of the head."""
    step = alignment if type(alignment) is int and 0 < alignment <= 1 << 20 else 32
    expected, size = -(-head // step) * step + end, path.stat().st_size
    if size < expected:
        raise broken(
            path, f"It is a truncated file: {size:,} bytes of at least {expected:,} are there.", code="truncated"
        )


class _Reader:
    """Little-endian values from the beginning of a file, at most HEAD_LIMIT bytes of them."""

    def __init__(self, path: Path, file: BinaryIO):
        self._path, self._file, self._left = path, file, HEAD_LIMIT

    @property
    def at(self) -> int:
        """Bytes that were read."""
        return HEAD_LIMIT - self._left

    def take(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise broken(self._path, f"Its head is longer than {HEAD_LIMIT:,} bytes.", code="unsafe")
        data = self._file.read(count)
        if len(data) < count:
            raise broken(self._path, "It is a truncated file: it ends inside its head.", code="truncated")
        return data

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def text(self) -> str:
        return self.take(min(self.number("Q"), HEAD_LIMIT + 1)).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        """A note's value; lists are passed over."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY and depth < 4:
            inner, count = self.number("I"), self.number("Q")
            if inner in _SCALARS:
                self.take(min(count * struct.calcsize(_SCALARS[inner]), HEAD_LIMIT + 1))
                return None
            for _ in range(min(count, HEAD_LIMIT)):
                self.value(inner, depth + 1)
            return None
        raise broken(self._path, f"Its notes hold a value of the unknown type {kind}.", code="other-format")


def problem_of(path: Path, head: GgufHead) -> StudioError:
    """Why a GGUF file that holds no network of a known family is not read."""
    return broken(
        path,
        f"It holds {networks.instead(head.shapes, head.architecture)}.",
        "Choose the model's safetensors version.",
        code="other-format",
    )
