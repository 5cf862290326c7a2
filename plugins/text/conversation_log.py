"""One conversation's file: one line of JSON an event, only ever appended to, synced before `append` returns.

Owns EventLog. What a killed process or a full disk leaves half written is one unreadable line, which is counted and
passed over; everything before and after it stays. Imports the standard library, errors and the library's files.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import atomic

try:
    import fcntl
except ImportError:  # Windows: renaming over an open file fails there, so nothing can be appended to a replaced one
    fcntl = None

VERSION = 1
MOST = 1 << 29


@dataclass(frozen=True, slots=True)
class Lines:
    """What a file holds. events: in order. unreadable: lines that are none. torn: whether the last one was cut off.

    size: of the file in bytes.
    """

    header: dict[str, Any]
    events: list[dict[str, Any]]
    unreadable: int
    torn: bool
    size: int


class EventLog:
    """The file at `path`. Events that could not be written are written with the next one."""

    def __init__(self, path: Path):
        self.path = path
        self._unwritten: list[dict[str, Any]] = []

    def create(self, header: dict[str, Any]) -> None:
        """Raises FileExistsError when there is one."""
        atomic.write_once(self.path, _line({"v": VERSION, **header}))

    def append(self, event: dict[str, Any]) -> None:
        """On disk before this returns. Raises StudioError when the disk refuses; the file is then as it was."""
        self._unwritten.append({"t": round(time.time(), 3), **event})
        data = b"".join(map(_line, self._unwritten))
        with atomic.explained(self.path, len(data)), self._held():
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
            try:
                _append(handle, data)
            finally:
                os.close(handle)
        self._unwritten.clear()

    def read(self) -> Lines:
        """Raises StudioError when the file is gone, far too large, or of a newer version."""
        try:
            if self.path.stat().st_size > MOST:
                raise StudioError("The conversation's file is too large", str(self.path), code="too-large")
            data = self.path.read_bytes()
        except OSError as error:
            raise StudioError(
                "The conversation cannot be read", f"{self.path}: {error.strerror}.", code="no-conversation"
            ) from None
        found = _read(data)
        if isinstance(version := found.header.get("v"), int) and version > VERSION:
            raise StudioError(
                "This conversation comes from a newer version",
                f"{self.path} is of version {version}; this application knows up to {VERSION}.",
                "Update the application to read it.",
                code="newer",
            )
        return found

    def rewrite(self, header: dict[str, Any], events: Iterable[dict[str, Any]], size: int) -> bool:
        """Replaces the file at once; False, and nothing done, when it has grown beyond `size` meanwhile."""
        data = b"".join(map(_line, [{"v": VERSION, **header}, *events]))
        with atomic.explained(self.path, len(data)), self._held():
            if self.path.stat().st_size != size or self._unwritten:
                return False
            atomic.write_file(self.path, data)
        return True

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Nobody else appends to or replaces a conversation of this folder meanwhile."""
        with (self.path.parent / ".lock").open("ab") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _append(handle: int, data: bytes) -> None:
    before = os.fstat(handle).st_size
    if before:
        os.lseek(handle, before - 1, os.SEEK_SET)
        if os.read(handle, 1) != b"\n":
            data = b"\n" + data  # behind half a line
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, before)
        raise


def _line(value: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half of a character
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _read(data: bytes) -> Lines:
    lines = data.split(b"\n")
    last = lines.pop()
    read = [_event(line) for line in lines if line.strip()]
    final = _event(last) if last.strip() else None
    torn = bool(last.strip()) and final is None
    read += [final] if final is not None else []
    events = [event for event in read if event is not None]
    header = events.pop(0) if events and "v" in events[0] else {}
    return Lines(header, events, sum(event is None for event in read) + torn, torn, len(data))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
