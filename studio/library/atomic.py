"""Files that are there whole or not at all: whatever happens, whenever the process is killed.

Every write goes to a temporary file in the target's folder, is synced, takes its name in one step, and the
folder is synced. Owns the errors of a disk that refuses. Imports the standard library and errors only.
"""

import contextlib
import errno
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.errors import StudioError

PARTIAL = re.compile(r"^\..*\.partial-[0-9a-f]{16}(\.[^.]*)?$", re.DOTALL)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
# What a file system without hard links (FAT, some network shares) answers to link().
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL}
_BLOCK = 1 << 20


def write_file(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, replacing what was there. Raises StudioError when the disk refuses."""
    with explained(path, len(data)), _partial(path) as partial:
        _fill(partial, data)
        partial.replace(path)
        _sync_folder(path.parent)


def write_once(path: Path, data: bytes) -> None:
    """Writes `data` to `path`. Raises FileExistsError, and changes nothing, when something is there."""
    with explained(path, len(data)), _partial(path) as partial:
        _fill(partial, data)
        _name_once(partial, path)


def create_small(path: Path, data: bytes) -> None:
    """Writes a few bytes under a new name with one wait for the disk instead of the two of `write_once`.

    For files whose reader can tell half of one from a whole one: a kill in between may leave half of it.
    Raises FileExistsError, and changes nothing, when something is there.
    """
    with explained(path, len(data)):
        handle = _created(path)
        try:
            _write_all(handle, data)
            _sync_folder(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(handle)


def replace_via(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a temporary file of the same suffix, then gives it the name `path`."""
    with explained(path, None), _partial(path, suffix=True) as partial:
        write(partial)
        _sync_file(partial)
        partial.replace(path)
        _sync_folder(path.parent)


def create_via(path: Path, write: Callable[[Path], None]) -> None:
    """Like replace_via, but raises FileExistsError, and changes nothing, when something has the name."""
    with staged(path) as partial:
        write(partial)
        publish_once(partial, path)


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to. What still has that name at the end is removed.

    Publish with publish_once(). A disk that refuses becomes a StudioError here.
    """
    with explained(path, None), _partial(path, suffix=True) as partial:
        yield partial


def publish_once(partial: Path, path: Path) -> None:
    """Gives the finished file `partial` the name `path`; FileExistsError when something has that name."""
    _sync_file(partial)
    _name_once(partial, path)


def move_once(source: Path, target: Path) -> None:
    """Renames within one file system. Raises FileExistsError, and changes nothing, when `target` exists."""
    with explained(target, None):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)
        _sync_folder(target.parent)
        _sync_folder(source.parent)


def make_folder(folder: Path) -> None:
    """Creates `folder` inside its existing parent, durably. Raises StudioError when the disk refuses."""
    if folder.is_dir():
        return
    with explained(folder, None):
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def sweep(folder: Path, depth: int = 4) -> list[Path]:
    """Removes temporary files that killed processes left below `folder`; nobody may be writing there.

    Returns what was removed. A folder or file that cannot be read or removed is left alone.
    """
    removed: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return removed
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if depth > 0:
                removed += sweep(Path(entry.path), depth - 1)
        elif PARTIAL.match(entry.name):
            with contextlib.suppress(OSError):
                Path(entry.path).unlink()
                removed.append(Path(entry.path))
    return removed


def refusal(error: OSError, path: Path, size: int | None) -> StudioError | None:
    """The error for a person when `error` says that the disk refuses; None when it says something else."""
    if error.errno in _FULL:
        need = "The file" if size is None else f"It needs {size:,} bytes, which"
        return StudioError(
            "The disk is full",
            f"{path} could not be written. {need} does not fit: {os.strerror(error.errno or 0)}.",
            "Free some space, or choose another folder in the settings, then try again.",
            code="disk-full",
        )
    if error.errno in _REFUSED:
        return StudioError(
            "The folder cannot be written",
            f"{path} could not be written{'' if size is None else f' ({size:,} bytes)'}: {os.strerror(error.errno)}.",
            "Make the folder writable, or choose another one in the settings.",
            code="read-only",
        )
    return None


@contextlib.contextmanager
def explained(path: Path, size: int | None) -> Iterator[None]:
    """Turns an OSError about writing `path` into the StudioError for a person; others pass through."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        found = refusal(error, path, size)
        if found is not None:
            raise found from error
        # A writer's own trouble with another file passes through: it is not about this folder.
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not path.parent.is_dir():
            raise StudioError(
                "The folder is not there",
                f"{path.parent} was removed, or the drive it is on was taken out.",
                "Bring it back, or choose another folder in the settings.",
                code="no-folder",
            ) from error
        if error.errno == errno.EIO:
            raise StudioError("The disk reports an error", f"{path}: {error.strerror}.", code="disk-error") from error
        raise


@contextlib.contextmanager
def _partial(path: Path, *, suffix: bool = False) -> Iterator[Path]:
    """A fresh temporary name beside `path`; whatever still has that name at the end is removed.

    It ends in the suffix of `path` only when asked: a search for `*.json` must not find half a file.
    """
    # The name is cut so that the longest legal file name still has a legal temporary one.
    stem = os.fsdecode(os.fsencode(path.name)[:180])
    ending = path.suffix if suffix and len(os.fsencode(path.suffix)) <= 16 else ""
    partial = path.parent / f".{stem}.partial-{secrets.token_hex(8)}{ending}"
    try:
        yield partial
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _fill(partial: Path, data: bytes) -> None:
    handle = _created(partial)
    try:
        _write_all(handle, data)
    finally:
        os.close(handle)


def _created(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666)


def _write_all(handle: int, data: bytes) -> None:
    """Writes and syncs; a nearly full disk takes a part first and refuses the rest."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view[:_BLOCK]) :]
    os.fsync(handle)


def _name_once(partial: Path, path: Path) -> None:
    """Names the file durably; when that cannot be made sure of, the name is taken back."""
    _link_or_rename(partial, path)
    try:
        _sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _link_or_rename(partial: Path, path: Path) -> None:
    if sys.platform == "win32":
        partial.rename(path)  # refuses an existing target there
        return
    try:
        os.link(partial, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without hard links the check and the rename are two steps. Still never half a file.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        partial.rename(path)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Makes a new name in `folder` durable, where the system knows such a thing."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF):
            raise
    finally:
        os.close(handle)
