"""JSON of strangers, read with limits: size, depth, and, in weights, duplicate names and numbers that are none.

Imports errors only.
"""

import json
import stat
from pathlib import Path
from typing import Any

from studio.errors import StudioError

LFS = b"version https://git-lfs"


def read_json(path: Path, limit: int = 4 << 20) -> dict[str, Any]:
    """A JSON object from a file of at most `limit` bytes. Raises StudioError saying what is wrong with it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise broken(path, "It is not a file.", code="not-a-file")
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise broken(
            path, f"It cannot be read: {getattr(error, 'strerror', None) or error}.", code="unreadable"
        ) from None
    if len(raw) > limit:
        raise broken(path, f"It is larger than {limit:,} bytes.", code="unsafe")
    if raw.startswith(LFS):
        raise lfs_pointer(path)
    try:
        found = parse_json(raw, strict=False)
    except ValueError as error:
        raise broken(path, f"It is not valid JSON: {error}.", code="bad-json") from None
    if not isinstance(found, dict):
        raise broken(path, f"It holds a {type(found).__name__}, not an object.", code="bad-json")
    return found


def parse_json(raw: bytes, *, strict: bool = True) -> Any:
    """The value in UTF-8 `raw`. Raises ValueError in one line; when strict also for names given twice and NaN."""
    try:
        text = raw.decode("utf-8")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant) if strict else json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError((str(error).splitlines() or [""])[0][:200]) from None


def broken(path: Path, detail: str, hint: str = "", *, code: str = "broken-model") -> StudioError:
    """An error about one file of a model."""
    return StudioError(
        f"{path.name} cannot be used", detail, hint or "Download this file again from where it came from.", code=code
    )


def lfs_pointer(path: Path) -> StudioError:
    return broken(
        path,
        "It is a Git LFS pointer: a note of where the file is, not the file.",
        "Run `git lfs pull` in the folder, or download the file itself.",
        code="lfs-pointer",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
