"""Open files: what stands in the editor, what stood on disk, and whether somebody else has changed it there.

Owns Buffer and Buffers. Pure of Qt. A file is written beside itself and renamed, with the line ends it had; one that
changed on disk since it was read is never written over without being asked.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError

from .project import read_text

LONGEST_LINE = 100_000
Mark = tuple[int, int]


@dataclass(slots=True)
class Buffer:
    """A file in the editor. name: what it is called in tabs and to the model. place: None until it is saved.

    text: as it is edited, with plain line ends. saved: as it was last read or written. mark: of the file on disk then.
    """

    name: str
    place: Path | None = None
    text: str = ""
    saved: str = ""
    eol: str = "\n"
    mark: Mark | None = None
    cursor: int = 0

    @property
    def modified(self) -> bool:
        return self.text != self.saved

    @property
    def changed_on_disk(self) -> bool:
        """Whether the file is another than when it was read; one that is gone counts."""
        return self.place is not None and mark_of(self.place) != self.mark


@dataclass(slots=True)
class Buffers:
    """All open files in the order of their tabs."""

    open: list[Buffer] = field(default_factory=list)

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.open)

    def find(self, name: str) -> Buffer | None:
        return next((buffer for buffer in self.open if buffer.name == name), None)

    def load(self, place: Path, name: str) -> Buffer:
        """The file, opened unless it is. Raises StudioError for what cannot be edited."""
        if (known := self.find(name)) is not None:
            return known
        buffer = Buffer(name, place)
        _read(buffer, place)
        self.open.append(buffer)
        return buffer

    def reload(self, buffer: Buffer) -> None:
        """Takes what stands on disk now, and drops what was not saved."""
        if buffer.place is not None:
            _read(buffer, buffer.place)

    def make(self, name: str = "", text: str = "") -> Buffer:
        """A new one with a free name; on disk only when it is saved."""
        stem, dot, ending = (name or "untitled.py").rpartition(".")
        stem, ending = (stem, dot + ending) if dot else (ending, "")
        taken = {buffer.name for buffer in self.open}
        number = 1
        while (free := f"{stem}{'' if number == 1 else f'-{number}'}{ending}") in taken:
            number += 1
        buffer = Buffer(free, text=text)
        self.open.append(buffer)
        return buffer

    def close(self, buffer: Buffer) -> None:
        self.open.remove(buffer)

    def save(self, buffer: Buffer, place: Path | None = None, *, over: bool = False) -> None:
        """Writes it. Raises StudioError code "changed" when the file is another now, unless `over`."""
        place = place or buffer.place
        if place is None:
            raise StudioError("The file has no name yet", "Choose where it should be saved.", code="no-name")
        if not over and place == buffer.place and buffer.changed_on_disk and place.exists():
            raise StudioError(
                "The file was changed by another program",
                f"{place.name} is not what it was when it was opened.",
                "Take what is on disk, or save over it.",
                code="changed",
            )
        write(place, buffer.text.replace("\n", buffer.eol))
        buffer.place, buffer.saved, buffer.mark = place, buffer.text, mark_of(place)

    # drafts ----------------------------------------------------------------------------------

    def draft(self) -> list[dict[str, Any]]:
        """As JSON; the text only of those that are not on disk as they are."""
        return [
            {
                "name": b.name,
                "place": str(b.place) if b.place else "",
                "text": b.text if b.modified or b.place is None else None,
                "cursor": b.cursor,
            }
            for b in self.open
        ]

    def restore(self, draft: list[dict[str, Any]]) -> list[str]:
        """Opens what was open; what could not be read again is said. Unsaved text is put back over what is on disk."""
        problems: list[str] = []
        for item in draft:
            name, place, text = str(item.get("name", "")), str(item.get("place", "")), item.get("text")
            if not name or self.find(name):
                continue
            try:
                buffer = self.load(Path(place), name) if place else self.make(name)
            except StudioError as error:
                if not isinstance(text, str):
                    problems.append(str(error))
                    continue
                buffer = self.make(name)
            if isinstance(text, str):
                buffer.text = text
            buffer.cursor = int(item.get("cursor") or 0)
        return problems


def _read(buffer: Buffer, place: Path) -> None:
    raw = read_text(place)
    longest = max((len(line) for line in raw.split("\n")), default=0)
    if longest > LONGEST_LINE:
        words = f"A line of {place.name} has {longest:,} characters; up to {LONGEST_LINE:,} can be shown."
        raise StudioError("The file cannot be edited here", words, code="long-line")
    buffer.eol = "\r\n" if "\r\n" in raw else "\n"
    buffer.text = buffer.saved = raw.replace("\r\n", "\n")
    buffer.place, buffer.mark = place, mark_of(place)


def mark_of(place: Path) -> Mark | None:
    """Size and time of a file; None for one that is not there."""
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def write(place: Path, text: str) -> None:
    """Puts the text in the place of the file at once. Raises StudioError when the disk does not take it."""
    target = place.resolve()  # a link stays one
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                Path(name).chmod(target.stat().st_mode & 0o7777)
            else:
                Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StudioError("The file could not be saved", f"{place}: {error.strerror}", code="unwritable") from None


def _umask() -> int:
    known = os.umask(0)
    os.umask(known)
    return known
