"""Finding model folders below a folder, in bounded time: where they are and whether they changed. Reads no file
but a repository's `refs/main`.

A folder is a pipeline, a model, or a collection of lone files. Models are not looked into, except for the
checkpoints a training run leaves in its folder. Imports hub.inspect only.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from studio.hub.inspect import MODEL_PICKLES, STANDARD, TOKENIZERS, WEIGHTS
from studio.hub.pipeline import INDEX

DEPTH = 6
FOLDER_LIMIT = 20_000
FILE_LIMIT = 5_000
_CHECKPOINT = re.compile(r"^checkpoint-\d+$")

Mark = tuple[str, int, int, str]  # name, size, time of change in ns, where a link leads


@dataclass
class Place:
    """A folder with something in it. names: its files; marks: what changes when a file does."""

    path: Path
    identity: str
    kind: Literal["model", "pipeline", "collection"]
    names: frozenset[str]
    marks: tuple[Mark, ...]


@dataclass
class Walk:
    """One pass below `root`. `problem` says in words why it is not complete, if it is not."""

    root: Path
    problem: OSError | None = None
    cut: bool = False
    _left: int = FOLDER_LIMIT
    _followed: set[str] = field(default_factory=set)

    def places(self) -> Iterator[Place]:
        self._real = os.path.realpath(self.root)
        yield from self._folder(self.root, "", 0)

    def _folder(self, folder: Path, identity: str, depth: int) -> Iterator[Place]:
        self._left -= 1
        if self._left < 0:
            self.cut = True
            return
        try:
            files, folders = _listing(folder)
        except OSError as error:
            if depth == 0:
                self.problem = error
            return
        if folder.name.startswith("models--") and "snapshots" in folders:
            yield from self._snapshots(folder, identity)
            return
        names = frozenset(files)
        kind = _kind(names)
        if kind is not None:
            marks = _marks(files.values())
            if kind == "pipeline":
                marks += tuple(mark for name in sorted(folders) for mark in _marks_below(folders[name]))
            own = identity or ("" if kind == "collection" else folder.name)
            yield Place(folder, own, kind, names, marks)
        if kind == "pipeline" or depth >= DEPTH:
            return
        for name in sorted(folders):
            if kind == "model" and not _CHECKPOINT.match(name):
                continue
            if self._enters(folders[name]):
                yield from self._folder(folder / name, f"{identity}/{name}" if identity else name, depth + 1)

    def _snapshots(self, repository: Path, identity: str) -> Iterator[Place]:
        """The revisions of a repository in the hub's cache; the one called main has the plain name."""
        name = repository.name.removeprefix("models--").replace("--", "/")
        above = identity.rpartition("/")[0]
        plain = f"{above}/{name}" if above else name
        try:
            revisions = sorted(
                _listing(repository / "snapshots")[1].values(), key=lambda item: -item.stat().st_mtime_ns
            )
            head = _head(repository / "refs" / "main")
        except OSError:
            return
        revisions.sort(key=lambda item: item.name != head)
        for number, revision in enumerate(revisions):
            own = plain if number == 0 else f"{plain}@{revision.name[:8]}"
            yield from self._folder(Path(revision.path), own, DEPTH)

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        """Whether to look into a folder: a link is followed once, and never to where the walk is anyway."""
        if not entry.is_symlink():
            return True
        real = os.path.realpath(entry.path)
        inside = (real + os.sep).startswith(self._real + os.sep) or (self._real + os.sep).startswith(real + os.sep)
        if inside or real in self._followed:
            return False
        self._followed.add(real)
        return True


def place_of(path: Path) -> Place | None:
    """The one folder `path` as a place, without looking below it."""
    found = next(Walk(path).places(), None)
    return found if found is not None and found.path == path else None


def _listing(folder: Path) -> tuple[dict[str, os.DirEntry[str]], dict[str, os.DirEntry[str]]]:
    files: dict[str, os.DirEntry[str]] = {}
    folders: dict[str, os.DirEntry[str]] = {}
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= FILE_LIMIT:
                break
            if entry.name.startswith("."):
                continue
            try:
                # A folder under a file's name is listed as a file, so that it is named as broken.
                weights = STANDARD.match(entry.name) is not None
                target = folders if entry.is_dir() and not weights else files
                target[entry.name] = entry
            except OSError:
                continue
    return files, folders


def _kind(names: frozenset[str]) -> Literal["model", "pipeline", "collection"] | None:
    if INDEX in names:
        return "pipeline"
    weights = [name for name in names if WEIGHTS.search(name) or MODEL_PICKLES.match(name)]
    if "config.json" in names or "adapter_config.json" in names:
        return "model"
    if any(STANDARD.match(name) or name.startswith("pytorch_model") for name in weights) or (
        "model.safetensors.index.json" in names
    ):
        return "model"
    if weights and any(name in names for name in TOKENIZERS):
        return "model"
    return "collection" if weights or any(name.lower().endswith(".gguf") for name in names) else None


def _marks(entries: Iterable[os.DirEntry[str]]) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for entry in entries:
        link = ""
        try:
            link = str(Path(entry.path).readlink()) if entry.is_symlink() else ""
            status = entry.stat()
            marks.append((entry.name, status.st_size, status.st_mtime_ns, link))
        except OSError:
            marks.append((entry.name, -1, 0, link))
    marks.sort()
    return tuple(marks)


def _marks_below(folder: os.DirEntry[str]) -> tuple[Mark, ...]:
    try:
        marks = _marks(_listing(Path(folder.path))[0].values())
        return tuple((f"{folder.name}/{name}", size, time, link) for name, size, time, link in marks)
    except OSError:
        return ((folder.name, -1, 0, ""),)


def _head(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")[:100].strip()
    except (OSError, ValueError):
        return ""
