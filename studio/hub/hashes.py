"""SHA-256 of model files, remembered by size and time of change. Imports errors and library.atomic only.

The memory is one JSON file shared by processes; each merges what it learned, and a lost entry costs
only the time to hash again.
"""

import hashlib
import json
import os
import threading
from pathlib import Path

from studio.errors import StudioError
from studio.library import atomic

_ENTRIES = 5000


class HashCache:
    """Remembered hashes; in memory only without a file. Safe to use from several threads."""

    def __init__(self, file: Path | None = None):
        self.file = file
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, int, str]] = _load(file) if file is not None else {}

    def sha256_of(self, path: Path) -> str:
        """The hash of the file's content as hex digits. Raises StudioError when it cannot be read."""
        path = path.absolute()
        try:
            status = path.stat()
            known = self._known.get(str(path))
            if known is not None and known[:2] == (status.st_size, status.st_mtime_ns):
                return known[2]
            digest = _digest(path)
            after = path.stat()
        except OSError as error:
            raise StudioError(
                "A model file cannot be read", f"{path}: {error.strerror or error}", code="unreadable"
            ) from None
        # A file that changed while it was read is not remembered.
        if (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
            self._remember(str(path), (status.st_size, status.st_mtime_ns, digest))
        return digest

    def _remember(self, path: str, entry: tuple[int, int, str]) -> None:
        with self._lock:
            self._known[path] = entry
            if self.file is None:
                return
            self._known = dict(list((_load(self.file) | self._known).items())[-_ENTRIES:])
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_file(self.file, json.dumps(self._known).encode("ascii"))
            except (StudioError, OSError):
                self.file = None  # a disk that refuses costs the memory, not the model


_SHARED = HashCache()


def sha256_of(path: Path, cache: HashCache | None = None) -> str:
    """The hash of one file, from `cache` or else from this process's own memory."""
    return (cache or _SHARED).sha256_of(path)


def weights_hash(folder: Path | str, cache: HashCache | None = None) -> str:
    """What identifies a model's weights: the SHA-256 of its safetensors file.

    With several files it is the SHA-256 over their sorted lines "<hash>  <relative name>", which
    `sha256sum` prints. "" when there are no safetensors. Raises StudioError when one cannot be read.
    """
    folder = Path(folder)
    files = [folder] if folder.is_file() else _weights(folder)
    if len(files) <= 1:
        return sha256_of(files[0], cache) if files else ""
    lines = [f"{sha256_of(file, cache)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def _weights(folder: Path) -> list[Path]:
    """Safetensors in `folder` and, for a pipeline, one folder below; hidden folders are not looked into."""
    found: list[Path] = []
    try:
        for entry in sorted(os.scandir(folder), key=lambda item: item.name):
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(".safetensors") and entry.is_file():
                found.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False) and (folder / "model_index.json").is_file():
                found += [path for path in sorted(Path(entry.path).iterdir()) if path.suffix.lower() == ".safetensors"]
    except OSError as error:
        raise StudioError(
            "A model folder cannot be read", f"{folder}: {error.strerror or error}", code="unreadable"
        ) from None
    return found


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(file: Path | None) -> dict[str, tuple[int, int, str]]:
    try:
        raw = json.loads(file.read_bytes()) if file is not None else {}
        return {str(path): (int(size), int(time), str(digest)) for path, (size, time, digest) in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
