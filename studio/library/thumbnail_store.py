"""Thumbnails that were made once are kept on disk, up to a bound. Everything in the folder may be deleted at any time.

A thumbnail is found by its file's name, size and time, so that nothing of a large picture need be read to find it,
and one that moves into the trash and back keeps it. Blocking, safe to use from threads.
"""

import contextlib
import hashlib
import os
import secrets
import threading
from pathlib import Path

from studio.errors import StudioError
from studio.library.thumbnails import has_picture, thumbnail
from studio.sdk.artifact import Kind

SIZES = (128, 200, 256, 320, 400, 640, 1280)
MOST_BYTES = 512 << 20
LOOKS = 256
"""Thumbnails that are made between two looks at how much there is."""


class ThumbnailStore:
    """The thumbnails below `folder`, which is made when the first is kept."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES):
        self.folder, self._most = folder, most_bytes
        self._lock = threading.Lock()
        self._made = 0

    def get(self, path: Path, kind: Kind | str, size: int = 320) -> bytes | None:
        """As `thumbnail`, from disk where it is there already. Sizes between SIZES become the next larger one."""
        if not has_picture(path, kind):
            return None
        size = next((known for known in SIZES if known >= size), SIZES[-1])
        kept = self._place(path, size)
        if kept is not None and (found := _read(kept)):
            return found
        made = thumbnail(path, kind, size)
        if made and kept is not None:
            self._keep(kept, made)
        return made

    def trim(self) -> int:
        """Deletes the oldest thumbnails until four fifths of the bound are left; how many went."""
        found: list[tuple[float, int, Path]] = []
        for top, _folders, names in os.walk(self.folder):
            for path in (Path(top, name) for name in names):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        total, gone = sum(size for _, size, _ in found), 0
        if total <= self._most:
            return 0
        for _, size, path in sorted(found):
            if total <= self._most * 4 // 5:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total, gone = total - size, gone + 1
        return gone

    def _place(self, path: Path, size: int) -> Path | None:
        try:
            status = path.stat()
        except OSError:
            raise StudioError("The file is not there", str(path), code="not-found") from None
        said = f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0{size}"
        key = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        return self.folder / key[:2] / key[2:]

    def _keep(self, place: Path, data: bytes) -> None:
        """Puts it on disk; a disk that refuses costs nothing but time later."""
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
            part.write_bytes(data)  # not synced: one that a power cut leaves short is noticed and made again
            part.replace(place)
        with self._lock:
            self._made += 1
            look = self._made % LOOKS == 1
        if look:
            self.trim()


def _read(path: Path) -> bytes:
    """What was kept; nothing when it is not there or was cut short."""
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    whole = data.endswith((b"\xff\xd9", b"IEND\xaeB`\x82"))
    return data if whole else b""
