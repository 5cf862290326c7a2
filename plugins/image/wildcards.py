"""The lines that __name__ stands for: text files under <data>/wildcards. Imports no torch.

Owns finding and reading them. A name stays inside the folder; files and lists have a size limit; lines may hold
choices and other names, but never themselves. Comments begin with #. A file is read again when it has changed.
"""

import difflib
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from studio.errors import StudioError

from .choices import _WEIGHT as WEIGHT
from .choices import DEEPEST, Choice, Literal, Node, choice, literal, parse

FOLDER = "wildcards"
LARGEST = 4 * 2**20
LINES = 50_000
FILES = 5000
INSIDE = 16


@dataclass(frozen=True)
class _File:
    """Lines without comments; `plain`: their choice, where no line holds another."""

    lines: tuple[str, ...]
    plain: Choice | None


_kept: "OrderedDict[tuple[str, int, int], _File]" = OrderedDict()


class Wildcards:
    """The files of one folder as one prompt sees them; made anew for each prompt."""

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._known: dict[str, Choice] = {}
        self._open: list[str] = []
        self._names: list[str] | None = None

    def names(self) -> list[str]:
        """All there are, as they are written between the underscores."""
        if self._names is None:
            self._names = sorted(self._walk()) if self._folder and self._folder.is_dir() else []
        return self._names

    def __call__(self, name: str) -> Choice:
        """The lines of `name` as a choice; StudioError says in words why there are none."""
        name = name.strip().removesuffix(".txt")
        if name in self._known:
            return self._known[name]
        if name in self._open or len(self._open) >= INSIDE:
            chain = " → ".join([*self._open, name])
            raise _refused(f"The wildcard __{name}__ leads back to itself", chain, "Take the name out of one file.")
        self._open.append(name)
        try:
            files = [_read(path, name) for path in self._paths(name)]
            if len(files) == 1 and files[0].plain is not None:
                self._known[name] = files[0].plain
            else:
                lines = [self._line(line, name) for file in files for line in file.lines]
                self._known[name] = choice([option for option, _ in lines], [weight for _, weight in lines])
        finally:
            self._open.pop()
        return self._known[name]

    def _paths(self, name: str) -> list[Path]:
        if self._folder is None or not _allowed(name):
            raise _refused(f"__{name}__ is no name of a wildcards file", "Names stay inside the wildcards folder.")
        if "*" in name:
            found = [known for known in self.names() if fnmatchcase(known, name)]
        elif self._inside(self._folder / f"{name}.txt"):
            found = [name]
        else:
            found = [known for known in self.names() if known.casefold() == name.casefold()]
            found = found or [known for known in self.names() if known.endswith(f"/{name}")]
            if len(found) > 1:
                detail = "There are " + ", ".join(f"__{known}__" for known in found[:5]) + "."
                raise _refused(f"More than one file is called {name}", detail, "Write the folder too.")
        if not found:
            near = difflib.get_close_matches(name, self.names(), 3, 0.6)
            hint = "Did you mean " + " or ".join(f"__{known}__" for known in near) + "?" if near else ""
            hint = hint or f"Put {name}.txt, one line for each choice, into {self._folder}, or write \\__{name}__."
            raise _refused(f"There is no wildcards file {name}", "", hint)
        return [self._folder / f"{known}.txt" for known in found]

    def _inside(self, path: Path) -> bool:
        """A file in the folder itself; a link that leads out of it is none."""
        assert self._folder is not None
        try:
            return path.is_file() and path.resolve().is_relative_to(self._folder.resolve())
        except OSError:
            return False

    def _line(self, line: str, name: str) -> tuple[Node, float]:
        text, weight = _weighed(line)
        if literal(text):
            return Literal(text), weight
        inner = parse(text, self)
        if inner.problems:
            words = f"{inner.problems[0].text} (in the line “{line[:60]}”)"
            raise _refused(f"A line of the wildcards file {name} cannot be read", words)
        return inner.node, weight

    def _walk(self) -> Iterator[str]:
        assert self._folder is not None
        seen = 0
        for folder, inner, files in os.walk(self._folder):
            inner.sort()
            for file in sorted(files):
                seen += 1
                path = Path(folder) / file
                if file.endswith(".txt") and self._inside(path):
                    yield path.relative_to(self._folder).with_suffix("").as_posix()
            if seen > FILES or len(Path(folder).relative_to(self._folder).parts) > DEEPEST:
                return


def _allowed(name: str) -> bool:
    parts = name.split("/")
    return not any(letter in name for letter in "\\~:\0") and all(part.strip(". ") for part in parts)


def _weighed(line: str) -> tuple[str, float]:
    """What a line says and how often: 3::red is red three times as often."""
    weighted = WEIGHT.match(line)
    return (line[weighted.end() :].strip(), float(weighted.group(1))) if weighted else (line, 1.0)


def _read(path: Path, name: str) -> _File:
    try:
        facts = path.stat()
        key = (str(path), facts.st_mtime_ns, facts.st_size)
        if key in _kept:
            return _kept[key]
        if facts.st_size > LARGEST:
            raise _refused(
                f"The wildcards file {name} is too large",
                f"It has {facts.st_size / 2**20:.0f} MiB; at most {LARGEST // 2**20} are read.",
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        words = f"The byte at position {error.start} is no UTF-8."
        raise _refused(f"The wildcards file {name} is no text", words, "Save it as UTF-8.") from error
    except OSError as error:
        raise _refused(f"The wildcards file {name} cannot be read", error.strerror or str(error)) from error
    if "\0" in text:
        raise _refused(f"The wildcards file {name} is no text", "It holds NUL characters.")
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    lines = tuple(line[1:] if line.startswith("\\#") else line for line in lines)
    if not lines or len(lines) > LINES:
        why = "It holds no line that is not a comment." if not lines else f"It has {len(lines)} lines, at most {LINES}."
        raise _refused(f"The wildcards file {name} cannot be used", why)
    _kept[key] = _File(lines, _plain(lines))
    while len(_kept) > 32:
        _kept.popitem(last=False)
    return _kept[key]


def _plain(lines: tuple[str, ...]) -> Choice | None:
    weighed = [_weighed(line) for line in lines]
    if not all(literal(text) for text, _ in weighed):
        return None
    return choice([Literal(text) for text, _ in weighed], [weight for _, weight in weighed])


def _refused(title: str, detail: str = "", hint: str = "") -> StudioError:
    return StudioError(title, detail, hint, code="wildcard")
