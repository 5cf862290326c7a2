"""Copies of the files that operations read, named by their content: `input:<sha256><suffix>`.

A result stays repeatable when the file it was made from is changed, moved or deleted. Imports errors and
this package's files only.
"""

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from studio.errors import StudioError
from studio.library import atomic
from studio.library.names import slug

MARK = "input:"
NAMED = "named"
MOST = 2 << 30
LONGEST_TITLE = 80
_NAME = re.compile(r"^input:([0-9a-f]{64})(\.[a-z0-9]{1,12})?$")
_SUFFIX = re.compile(r"^\.[a-z0-9]{1,12}$")


def keep(folder: Path, data: bytes, suffix: str) -> str:
    """Keeps `data` below `folder` and gives its name. Content that is there already is not written again."""
    suffix = suffix.lower()
    if not _SUFFIX.match(suffix):
        suffix = ""
    name = f"{MARK}{hashlib.sha256(data).hexdigest()}{suffix}"
    path = place(folder, name)
    if not path.is_file():
        with atomic.explained(path, len(data)):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            atomic.write_once(path, data)
        except FileExistsError:
            pass  # another request brought the same content
    return name


def under_name(folder: Path, name: str, title: str) -> Path:
    """A copy of a kept file, called by what people call it: `named/<beginning of the hash>/<title><suffix>`."""
    kept = place(folder, name)
    path = folder / NAMED / kept.stem[:16] / f"{slug(title, 'input', LONGEST_TITLE)}{kept.suffix}"
    if not path.is_file():
        with atomic.explained(path, None):
            path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another request brought the same one
            atomic.write_once(path, kept.read_bytes())
    return path


def keep_file(folder: Path, path: Path) -> str:
    """Keeps a copy of the file at `path`. Raises StudioError when it is no ordinary file that can be read."""
    try:
        # Neither a pipe nor a device may hold up whoever reads it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StudioError("The input file cannot be read", f"{path}: {reason}.", code="no-input") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise StudioError("The input is no file", str(path), "Choose a file.", code="no-input")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > MOST:
            raise StudioError(
                "The input file is too large",
                f"{path.name} has {status.st_size / (1 << 30):.1f} GiB; {MOST >> 30} GiB are the limit.",
                code="no-input",
            )
        if status.st_size == 0:
            raise StudioError("The input file is empty", str(path), "Choose another file.", code="no-input")
        return keep(folder, file.read(), path.suffix)


def locate(folder: Path, value: str) -> Path:
    """The file of an input's name, or of a plain absolute path. Raises StudioError code "no-input"."""
    if not value:
        raise StudioError("An input file is missing", "None was chosen.", "Choose a file.", code="no-input")
    path = place(folder, value) if value.startswith(MARK) else Path(value)
    if not path.is_file():
        raise StudioError(
            "An input file is gone",
            f"{path} is not there.",
            "Give the file to the operation again.",
            code="no-input",
        )
    return path


def place(folder: Path, name: str) -> Path:
    """Where the file of an input's name lies, whether it is there or not. Raises StudioError for no such name."""
    found = _NAME.match(name)
    if found is None:
        raise StudioError("This is no name of an input file", name[:120], code="no-input")
    return folder / found[1][:2] / f"{found[1]}{found[2] or ''}"
