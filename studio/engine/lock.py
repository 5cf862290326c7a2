"""Locks that the system takes back when their holder is gone: one engine a data folder, no worker of an old one.

Owns EngineLock and the ending of orphaned workers. POSIX only; imports paths and errors.
"""

import contextlib
import logging
import os
import re
import signal
import time
from pathlib import Path
from typing import IO

from studio.errors import StudioError
from studio.paths import Paths

try:
    import fcntl
except ImportError:  # Windows: the socket's port will be the lock there
    fcntl = None

log = logging.getLogger(__name__)
WORKER_LOCK = re.compile(r"^worker-(\d+)\.lock$")
ORPHAN_LIMIT_S = 20.0
POLL_S = 0.01


class EngineLock:
    """Held for the life of an engine."""

    def __init__(self, paths: Paths):
        self.file = paths.runtime / "engine.lock"
        self._held: IO[bytes] | None = None

    def acquire(self) -> bool:
        """False when another engine holds it; `holder` then says which."""
        handle = self.file.open("a+b")
        if not _lock(handle):
            handle.close()
            return False
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
        handle.flush()
        self._held = handle
        return True

    def holder(self) -> int:
        """The process that wrote itself into the lock last; 0 when nobody did."""
        try:
            return int(self.file.read_bytes() or b"0")
        except (OSError, ValueError):
            return 0

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def end_orphans(runtime: Path) -> list[int]:
    """Ends the workers that an engine left behind and waits until they are gone. Blocking.

    A worker holds a lock for life, so a held lock is a live worker, whatever its process id means by now.
    Raises StudioError when one will not go: nothing may run beside it.
    """
    ended = []
    for file in sorted(runtime.glob("worker-*.lock")):
        found = WORKER_LOCK.match(file.name)
        if not found:
            continue
        pid = int(found[1])
        if not _gone(file, pid):
            ended.append(pid)
        file.unlink(missing_ok=True)
    return ended


def _gone(file: Path, pid: int) -> bool:
    """Whether the worker had gone by itself; after this it has in any case."""
    deadline = time.monotonic() + ORPHAN_LIMIT_S
    by_itself = True
    while True:
        try:
            with file.open("r+b") as handle:
                if _lock(handle):
                    return by_itself
        except FileNotFoundError:
            return by_itself
        if by_itself:
            log.warning("ending worker %d of an engine that is gone", pid)
            by_itself = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise StudioError(
                "A worker of an earlier engine does not end",
                f"Process {pid} still holds {file}.",
                "End that process, then start again.",
                code="orphan",
            )
        time.sleep(POLL_S)


def _lock(handle: IO[bytes]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
