"""A folder of source files, and what of it a model is told about the file in hand.

Owns Project. Reads only; a file is read when it is looked at and again when it has changed on disk. What the model is
told comes in an order that changes least at its front, so that what it has read already need not be read again:
outlines of other files by path, then the parts edited last, oldest first, then the file itself.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import StudioError

from .symbols import outline

IGNORED = {
    ".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".idea", ".vscode", "dist", "build", "target", ".eggs", "site-packages",
}  # fmt: skip
MOST_FILES = 5000
MOST_BYTES = 2 << 20
RECENT_LINES = 30
SOURCES = {
    ".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs",
    ".rb", ".php", ".swift", ".scala", ".lua", ".r", ".jl", ".sh", ".bash", ".zsh", ".ps1", ".sql", ".html", ".css",
    ".scss", ".json", ".toml", ".yaml", ".yml", ".md", ".txt", ".ini", ".cfg", ".xml", ".tex", ".m", ".hs", ".ml",
    ".ex", ".clj",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edited:
    """A part of a file that was edited: its path in the project and its text."""

    path: str
    text: str


class Project:
    """The files below `root`; paths are relative to it, with forward slashes."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._outlines: dict[str, tuple[tuple[int, int], str]] = {}

    def files(self) -> list[str]:
        """Source files, by path, at most MOST_FILES. Links that lead out of the folder are left out."""
        found: list[str] = []
        for path in self._walk():
            found.append(path)
            if len(found) == MOST_FILES:
                break
        return sorted(found)

    def _walk(self) -> Iterator[str]:
        for place, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in IGNORED and not name.endswith(".egg-info"))
            for name in sorted(names):
                if Path(name).suffix.lower() in SOURCES or name in ("Makefile", "Dockerfile"):
                    file = Path(place, name)
                    if not file.is_symlink() or file.resolve().is_relative_to(self.root):
                        yield file.relative_to(self.root).as_posix()

    def place(self, path: str) -> Path:
        """The file itself. Raises StudioError for one outside of the folder."""
        found = (self.root / path).resolve()
        if not found.is_relative_to(self.root):
            raise StudioError("The file is not in this project", f"{path} leads out of {self.root}.", code="outside")
        return found

    def read(self, path: str) -> str:
        """The text of a file. Raises StudioError when it is no text, too large or gone."""
        return read_text(self.place(path))

    def outline(self, path: str) -> str:
        """The file's definitions; "" when it cannot be read."""
        try:
            status = self.place(path).stat()
            mark = (status.st_size, status.st_mtime_ns)
            known = self._outlines.get(path)
            if known is None or known[0] != mark:
                known = self._outlines[path] = (mark, outline(self.read(path), path))
            return known[1]
        except (OSError, StudioError):
            return ""

    def context(self, path: str, text: str, edited: Sequence[Edited], room: int) -> list[tuple[str, str]]:
        """What to tell about the rest of the project, as (path, text), at most `room` characters of it.

        text: of the file in hand as it is in the editor. edited: parts of other files, oldest first.
        """
        told: list[tuple[str, str]] = []
        for part in reversed(edited):
            if part.path != path and len(part.text) + len(part.path) <= room:
                told.insert(0, (part.path, part.text))
                room -= len(part.text) + len(part.path)
        lines: list[tuple[str, str]] = []
        for other in self.related(path, text):
            words = self.outline(other)
            if words and len(words) + len(other) <= room:
                lines.append((other, words))
                room -= len(words) + len(other)
        return sorted(lines) + told

    def related(self, path: str, text: str) -> list[str]:
        """Files that this one names: those it imports, then those in its own folder."""
        names = {part for found in IMPORT.findall(text) for part in re.split(r"[\s,./'\"]+", " ".join(found)) if part}
        known = self.files()
        imported = [other for other in known if other != path and Path(other).stem in names]
        beside = [
            other for other in known
            if other != path and other not in imported and Path(other).parent == Path(path).parent
            and Path(other).suffix == Path(path).suffix
        ]  # fmt: skip
        return imported + beside


IMPORT = re.compile(
    r"^\s*(?:from\s+([\w.]+)\s+import\s+([\w ,*()]+)|import\s+([\w., ]+)|"
    r"(?:import|export)\b[^'\"\n]*['\"]([^'\"\n]+)['\"]|#include\s*[<\"]([^>\"\n]+)[>\"]|use\s+([\w:]+)|"
    r".*\brequire\(['\"]([^'\"\n]+)['\"]\))",
    re.MULTILINE,
)


def around(text: str, line: int, lines: int = RECENT_LINES) -> str:
    """The part of a file around a line, whole lines."""
    found = text.split("\n")
    first = max(0, min(line - lines // 2, len(found) - lines))
    return "\n".join(found[first : first + lines])


def read_text(place: Path) -> str:
    """A source file as text. Raises StudioError when it is gone, too large, or holds what is no text."""
    try:
        if place.stat().st_size > MOST_BYTES:
            size = place.stat().st_size / (1 << 20)
            raise StudioError("The file is too large to edit", f"{place.name} has {size:.1f} MiB.", code="too-large")
        data = place.read_bytes()
    except OSError as error:
        raise StudioError("The file cannot be read", f"{place}: {error.strerror}", code="unreadable") from None
    if b"\0" in data:
        raise StudioError("This is no text file", f"{place.name} holds NUL bytes.", code="not-text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        words = f"{place.name} is not UTF-8: the byte at position {error.start} belongs to no character."
        raise StudioError("The file cannot be read as text", words, "Convert it to UTF-8.", code="not-text") from None
