"""The library's folder on disk: what is in it, what killed processes left, and the trash inside it.

Never follows links, never overwrites. Imports errors and this package's files only.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from studio.errors import StudioError
from studio.library import atomic
from studio.library.items import TRASH, is_listed, is_trashed, live_path, stamp_of
from studio.library.recipe import BESIDE, beside

DEPTH = 5


@dataclass
class Listing:
    """stamps: relative path -> stamp of each result. unread: folders that could not be looked into."""

    there: bool = True
    stamps: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def listing(folder: Path) -> Listing:
    """What lies in the library, trash included. A folder that is away has `there` False."""
    found = Listing()
    _list(folder, "", 0, found)
    return found


def sweep(folder: Path) -> list[Path]:
    """Removes what killed processes left half done; nobody may be writing to the library meanwhile.

    A recipe without its file goes after the file if that was moved, else it is removed.
    """
    removed = atomic.sweep(folder, DEPTH)
    for side in [path for path in folder.rglob(f"*{BESIDE}") if not path.is_symlink()]:
        file = side.with_name(side.name.removesuffix(BESIDE))
        if os.path.lexists(file):
            continue
        path = file.relative_to(folder).as_posix()
        other = folder / (live_path(path) if is_trashed(path) else f"{TRASH}/{path}")
        with contextlib.suppress(OSError):
            if other.is_file() and not beside(other).exists():
                side.rename(beside(other))
            else:
                side.unlink()
                removed.append(side)
    return removed


def move_to_trash(folder: Path, path: str) -> str:
    """Moves a result into the trash. Returns its new path. Raises StudioError, FileNotFoundError."""
    return _move(folder, path, f"{TRASH}/{path}")


def move_back(folder: Path, path: str) -> str:
    """Moves a result out of the trash, under another name when its own was taken meanwhile."""
    return _move(folder, path, live_path(path))


def delete(folder: Path, path: str) -> None:
    """Deletes a file of the trash for good, with its recipe."""
    if not is_trashed(path):
        raise ValueError(f"{path} is not in the trash")
    file = inside(folder, path)
    with atomic.explained(file, None):
        file.unlink(missing_ok=True)
        beside(file).unlink(missing_ok=True)


def clear_trash(folder: Path) -> None:
    """Removes what else lies in the trash: files that are no results, and empty folders."""
    trash = folder / TRASH
    if trash.is_symlink():
        return
    for top, folders, files in os.walk(trash, topdown=False):
        for name in files:
            with atomic.explained(Path(top, name), None):
                Path(top, name).unlink(missing_ok=True)
        for name in folders:
            with contextlib.suppress(OSError):
                Path(top, name).rmdir()


def inside(folder: Path, path: str) -> Path:
    """The file at the relative `path`. Raises StudioError when that would lead out of the library."""
    parts = Path(path).parts
    above = [folder.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
    if not parts or Path(path).is_absolute() or ".." in parts or any(parent.is_symlink() for parent in above):
        raise StudioError("This file is not in the library", path, code="outside")
    return folder / path


def _move(folder: Path, path: str, target: str) -> str:
    source = inside(folder, path)
    if not source.is_file():
        raise FileNotFoundError(source)
    base = inside(folder, target)
    above = [parent for parent in reversed(base.parents) if parent.is_relative_to(folder)]
    for parent in above:
        atomic.make_folder(parent)
    for number in range(1, 10_000):
        file = base if number == 1 else base.with_name(f"{base.stem} ({number}){base.suffix}")
        if os.path.lexists(file) or os.path.lexists(beside(file)):
            continue
        try:
            # The recipe first: alone it is harmless, and sweep() puts it back to its file.
            if beside(source).is_file():
                atomic.move_once(beside(source), beside(file))
            atomic.move_once(source, file)
        except FileExistsError:
            continue
        return file.relative_to(folder).as_posix()
    raise StudioError("The file cannot be moved", f"{base.parent} holds too many files of this name.", code="name")


def _list(folder: Path, below: str, depth: int, found: Listing) -> None:
    try:
        with os.scandir(folder) as opened:
            entries = {entry.name: entry for entry in opened}
    except OSError:
        if depth == 0:
            found.there = False
        found.unread.append(below)
        return
    for name, entry in entries.items():
        path = f"{below}/{name}" if below else name
        try:
            path.encode()
            if entry.is_symlink():
                continue
            if entry.is_dir():
                if depth < DEPTH and (not name.startswith(".") or path == TRASH):
                    _list(Path(entry.path), path, depth + 1, found)
            elif is_listed(name, entries) and entry.is_file():
                side = entries.get(name + BESIDE)
                found.stamps[path] = stamp_of(entry.stat(), side.stat() if side else None)
        except (OSError, UnicodeEncodeError):
            continue  # gone meanwhile, or a name that is no text
