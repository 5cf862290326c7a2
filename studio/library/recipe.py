"""Recipes inside files: how they are embedded, read back and taken out again.

A text ends in an HTML comment that holds the recipe as one line of JSON; a PNG has it in an iTXt chunk; any
other file has it in a small file beside it. Which of them applies is decided by content, never by name.
Imports sdk and errors only; no imaging library is needed to put a chunk into a PNG.
"""

import contextlib
import json
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from studio.errors import StudioError
from studio.library import atomic
from studio.sdk.artifact import Recipe

OPEN = "\n\n<!-- atelier:recipe\n"
CLOSE = "\n-->\n"
KEYWORD = b"atelier"
BESIDE = ".recipe.json"
PNG = b"\x89PNG\r\n\x1a\n"
LIMIT = 64 << 20
# What editors do to a file without touching its text: other line ends, blanks at the end.
_TOUCHED = re.compile(rb"\r?\n\r?\n<!-- atelier:recipe\r?\n(\{[^<>\r\n]*\})[ \t]*\r?\n-->\s*\Z")


def embed_text(text: str, recipe: Recipe) -> str:
    """`text` followed by its recipe. text_of() gives back exactly `text`, whatever it holds."""
    return text + OPEN + _line(recipe) + CLOSE


def embed_png(path: Path, recipe: Recipe) -> None:
    """Puts the recipe into the PNG file at `path`, replacing one that is there; pixels are not touched."""
    atomic.write_file(path, png_with(path.read_bytes(), recipe))


def write_beside(path: Path, recipe: Recipe) -> None:
    """Writes the recipe of `path` into the file beside it. Raises FileExistsError when there is one."""
    atomic.write_once(beside(path), _line(recipe).encode("ascii"))


def beside(path: Path) -> Path:
    return path.with_name(path.name + BESIDE)


def read_recipe(path: Path | str) -> Recipe:
    """The recipe of a file. Raises StudioError with code "no-recipe", or "not-found" without a file."""
    path = Path(path)
    with _opened(path) as file:
        if file.read(len(PNG)) == PNG:
            raw = _from_png(file)
        else:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LIMIT))
            tail = file.read(LIMIT)
            split = _split(tail)
            raw = tail[split[1] : split[2]] if split else _from_beside(path)
    if raw is None:
        raise StudioError(
            "This file has no recipe",
            f"{path.name} was not made here, or its recipe was taken out.",
            code="no-recipe",
        )
    return _parse(raw, path)


def text_of(path: Path | str) -> str:
    """The text of a file without its recipe, exactly as it was saved."""
    return read_text(Path(path))[0]


def read_text(path: Path) -> tuple[str, Recipe | None]:
    """Text and recipe with one read; None when there is no recipe that can be read.

    Bytes that others made invalid come out as replacement characters.
    """
    with _opened(path) as file:
        data = file.read()
    split = _split(data)
    if split is None:
        return data.decode("utf-8", "replace"), None
    try:
        recipe = _parse(data[split[1] : split[2]], path)
    except StudioError:
        recipe = None  # the text is worth having without it
    return data[: split[0]].decode("utf-8", "replace"), recipe


def png_with(data: bytes, recipe: Recipe) -> bytes:
    """A copy of the PNG `data` with the recipe in it. Raises StudioError when `data` is not a whole PNG."""
    chunks = _chunks(data)
    if chunks is None:
        raise StudioError("This is not a whole PNG picture", "It is cut short or damaged.", code="broken-picture")
    body = KEYWORD + b"\x00\x00\x00\x00\x00" + _line(recipe).encode("ascii")
    added = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    out, placed = [PNG], False
    for kind, start, end in chunks:
        if kind == b"iTXt" and data[start + 8 : end].startswith(KEYWORD + b"\x00"):
            continue
        if kind in (b"IDAT", b"IEND") and not placed:
            out.append(added)
            placed = True
        out.append(data[start:end])
    return b"".join(out)


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values; what JSON cannot hold becomes None (not a number) or its text."""
    return _plain(recipe.model_dump(mode="python"))


def _line(recipe: Recipe) -> str:
    line = json.dumps(to_json(recipe), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":  # they only occur inside strings, where an escape means the same
        line = line.replace(character, f"\\u{ord(character):04x}")
    return line


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):  # a number of an array library
        return _plain(value.item())
    return str(value)


def _parse(raw: bytes, path: Path) -> Recipe:
    try:
        return Recipe.model_validate(json.loads(raw))
    except (ValueError, RecursionError, ValidationError) as error:
        detail = f"The recipe in {path.name} is damaged: {str(error).splitlines()[0]}"
        raise StudioError("This file's recipe cannot be read", detail, code="no-recipe") from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise StudioError("The file is not there", str(path), code="not-found") from None
    except (OSError, ValueError) as error:
        raise StudioError(
            "The file cannot be read", f"{path}: {getattr(error, 'strerror', None) or error}", code="unreadable"
        ) from None


def _split(data: bytes) -> tuple[int, int, int] | None:
    """End of the text, start and end of the recipe's JSON; None without a recipe at the end."""
    if data.endswith(CLOSE.encode()):
        start = data.rfind(OPEN.encode())
        if start >= 0:
            first, last = start + len(OPEN), len(data) - len(CLOSE)
            if data[first : first + 1] == b"{" and b"\n" not in data[first:last]:
                return start, first, last
    # Only the end is searched: the pattern would look at every blank line of a long text.
    found = data.rfind(b"<!-- atelier:recipe")
    if found < 0:
        return None
    base = max(0, found - 4)
    match = _TOUCHED.search(data, base)
    return (match.start(), match.start(1), match.end(1)) if match else None


def _from_beside(path: Path) -> bytes | None:
    try:
        file = beside(path)
        return file.read_bytes() if file.stat().st_size <= LIMIT else None
    except (OSError, ValueError):
        return None


def _from_png(file: BinaryIO) -> bytes | None:
    """The recipe's JSON; pictures are passed over, not read. b"" when it is there but damaged."""
    file.seek(len(PNG))
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        length = int.from_bytes(head[:4], "big")
        if head[4:] != b"iTXt" or length > LIMIT:
            file.seek(length + 4, os.SEEK_CUR)
            continue
        body = file.read(length)
        file.seek(4, os.SEEK_CUR)
        if body.startswith(KEYWORD + b"\x00"):
            return _unpacked(body[len(KEYWORD) + 1 :])
    return None


def _unpacked(body: bytes) -> bytes:
    """The text of an iTXt chunk after its keyword: flag, method, language, translation, text."""
    text = body[2:].split(b"\x00", 2)[-1]
    if body[:1] != b"\x01":
        return text
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(text, LIMIT)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else text


def _chunks(data: bytes) -> list[tuple[bytes, int, int]] | None:
    """(kind, start, end) of each chunk; None when the data is no PNG that ends in IEND."""
    found: list[tuple[bytes, int, int]] = []
    at = len(PNG)
    while data.startswith(PNG) and at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return None
        found.append((data[at + 4 : at + 8], at, end))
        if found[-1][0] == b"IEND":
            return found
        at = end
    return None
