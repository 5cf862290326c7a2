"""What a weights file really is, judged by its content: safetensors headers read with limits, all else named.

Only the header is read, with struct and json; no tensor is loaded and nothing is executed. Imports errors only.
"""

import json
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.hub.checked_json import broken, lfs_pointer, parse_json, read_json

HEADER_LIMIT = 16 << 20
TENSOR_LIMIT = 20_000
SHARD_LIMIT = 1000
# Bits an element takes. A file with a type that is not here was written by something newer.
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
TORCH_NAMES = {
    "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64", "I8": "int8", "U8": "uint8",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "I32": "int32", "I64": "int64", "BOOL": "bool",
}  # fmt: skip
_NAME = re.compile(r"^(?!/)(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f\x7f\\]{1,512}$")
_COUNT_LIMIT = 1 << 62
PICKLE_HINT = (
    "Only safetensors are opened. Look for a safetensors version on the model's page, where such conversions are "
    "often offered as another branch, or ask its author for one."
)


@dataclass(frozen=True)
class Header:
    """What a safetensors header says. dtypes: type -> bytes; names: of all tensors; size: of the whole file.

    shapes: by the names of the tensors.
    """

    size: int
    parameters: int
    dtypes: dict[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        """The type that most bytes have, by torch's name."""
        most = max(self.dtypes, key=lambda name: self.dtypes[name], default="")
        return TORCH_NAMES.get(most, most.lower())


def read_header(path: Path) -> Header:
    """The header of a safetensors file, checked against the file's size.

    Raises StudioError that says what the file is instead: cut short, a pickle, a pointer, a web page.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise broken(path, "It is not a file.", code="not-a-file")
        with path.open("rb") as file:
            start = file.read(256)
            length = int.from_bytes(start[:8], "little")
            if len(start) < 9 or start[8:9] != b"{" or length > HEADER_LIMIT:
                raise _instead(path, start, status.st_size, length)
            file.seek(8)
            raw = file.read(length)
    except (OSError, ValueError) as error:
        raise broken(
            path, f"It cannot be read: {getattr(error, 'strerror', None) or error}.", code="unreadable"
        ) from None
    if len(raw) < length:
        raise truncated(path, 8 + length, status.st_size)
    if raw.count(b'"data_offsets"') > TENSOR_LIMIT:  # before the work of parsing them
        raise _too_many(path, raw.count(b'"data_offsets"'))
    table = _table(path, raw)
    metadata = _metadata(path, table.pop("__metadata__", {}))
    if not table:
        raise broken(path, "It holds no tensors.")
    if len(table) > TENSOR_LIMIT:
        raise _too_many(path, len(table))
    parameters, dtypes, end = _tensors(path, table)
    whole = 8 + length + end
    if status.st_size < whole:
        raise truncated(path, whole, status.st_size)
    if status.st_size > whole:
        raise broken(path, f"{status.st_size - whole:,} bytes follow its last tensor, which should not be there.")
    shapes = {name: tuple(entry["shape"]) for name, entry in table.items()}
    return Header(status.st_size, parameters, dtypes, tuple(table), metadata, shapes)


def read_shards(index: Path) -> list[tuple[Path, Header]]:
    """The files that a `*.safetensors.index.json` names, each checked. Raises StudioError.

    Names must be plain names in the index's own folder: libraries would follow `../` out of it.
    """
    weight_map = read_json(index, HEADER_LIMIT).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise broken(index, "It has no table of files (weight_map).", code="bad-index")
    wanted: dict[str, list[str]] = {}
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or not re.fullmatch(r"[\w][\w.\-]{0,199}", file):
            raise broken(index, f"It names the file {str(file)[:80]!r}, which is not a plain name.", code="unsafe")
        wanted.setdefault(file, []).append(tensor)
    if len(wanted) > SHARD_LIMIT:
        raise broken(index, f"It names {len(wanted):,} files; {SHARD_LIMIT:,} are the limit.", code="unsafe")
    missing = sorted(file for file in wanted if not (index.parent / file).exists())
    if missing:
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise StudioError(
            "Parts of this model are missing",
            f"{index.name} names files that are not in the folder: {listed}.",
            "Download the model again, completely.",
            code="missing-weights",
        )
    found: list[tuple[Path, Header]] = []
    for file, tensors in sorted(wanted.items()):
        header = read_header(index.parent / file)
        absent = set(tensors).difference(header.names)
        if absent:
            raise broken(index, f"It says that {file} holds {min(absent)!r}, which is not so.", code="bad-index")
        found.append((index.parent / file, header))
    return found


def truncated(path: Path, expected: int, size: int) -> StudioError:
    return broken(
        path, f"It is a truncated file: {size:,} bytes of at least {expected:,} are there.", code="truncated"
    )  # fmt: skip


def pickle_only(path: Path) -> StudioError:
    return StudioError(
        "These weights are in an unsafe format",
        f"{path.name} is a Python pickle, which can run any program when it is opened. It was not opened.",
        PICKLE_HINT,
        code="pickle",
    )


def _instead(path: Path, start: bytes, size: int, length: int) -> StudioError:
    """Says what a file is that does not begin like safetensors."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if size == 0:
        return broken(path, "It is empty.", code="truncated")
    if text.startswith(b"version https://git-lfs"):
        return lfs_pointer(path)
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return broken(path, "It is a web page saved under this name, not a model.", code="html")
    if start[:4] in (b"PK\x03\x04", b"7z\xbc\xaf") or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        return pickle_only(path)
    if start[:4] == b"GGUF":
        return broken(
            path, "It is a GGUF file under another name.", "Rename it, so that its name ends in .gguf.", code="gguf"
        )
    if size < 9:
        return truncated(path, 9, size)
    if length > HEADER_LIMIT and start[8:9] == b"{":
        limit = f"{HEADER_LIMIT:,} bytes are the limit"
        return broken(path, f"Its header claims to be {length:,} bytes long; {limit}.", code="unsafe")
    return broken(path, "It is not in the safetensors format.", code="not-safetensors")


def _too_many(path: Path, count: int) -> StudioError:
    return broken(path, f"It lists {count:,} tensors; {TENSOR_LIMIT:,} are the limit.", code="unsafe")


def _table(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        table = parse_json(raw)
    except ValueError as error:
        raise broken(path, f"Its header is not valid JSON: {error}.", code="not-safetensors") from None
    if not isinstance(table, dict):
        raise broken(path, "Its header is not an object.", code="not-safetensors")
    return table


def _metadata(path: Path, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise broken(path, "Its notes (metadata) are not a table of texts.", code="not-safetensors")
    return found


def _tensors(path: Path, table: dict[str, Any]) -> tuple[int, dict[str, int], int]:
    """Number of parameters, bytes by type, and where the last tensor ends, counted from the header's end."""
    parameters, dtypes = 0, {}
    places: list[tuple[int, int, str]] = []
    for name, entry in table.items():
        if not _NAME.match(name):
            raise broken(path, f"It has a tensor with the name {name[:80]!r}, which is not allowed.", code="unsafe")
        dtype, shape, offsets = _entry(path, name, entry)
        count = 1
        for length in shape:
            count *= length
            if count > _COUNT_LIMIT:
                raise broken(path, f"The tensor {name[:80]!r} is absurdly large.", code="unsafe")
        start, end = offsets
        if (count * BITS[dtype] + 7) // 8 != end - start:
            raise broken(path, f"The tensor {name[:80]!r} has {end - start:,} bytes, which does not match its shape.")
        parameters += count
        dtypes[dtype] = dtypes.get(dtype, 0) + end - start
        places.append((start, end, name))
    places.sort()
    at = 0
    for start, end, name in places:
        if start != at:
            what = "overlaps the one before it" if start < at else "leaves a gap before it"
            raise broken(path, f"The tensor {name[:80]!r} {what}.")
        at = end
    return parameters, dtypes, at


def _entry(path: Path, name: str, entry: Any) -> tuple[str, list[int], tuple[int, int]]:
    problem = broken(path, f"The description of the tensor {name[:80]!r} is not valid.")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise problem
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise broken(path, f"The tensor {name[:80]!r} is of the unknown type {str(dtype)[:40]!r}.")
    if not isinstance(shape, list) or len(shape) > 64 or not all(_natural(length) for length in shape):
        raise problem
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_natural(place) for place in offsets):
        raise problem
    if offsets[0] > offsets[1]:
        raise problem
    return dtype, shape, (offsets[0], offsets[1])


def _natural(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _COUNT_LIMIT


def pack_header(table: dict[str, Any]) -> bytes:
    """Length and header bytes as safetensors writes them; for tests and small writers."""
    raw = json.dumps(table, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw
