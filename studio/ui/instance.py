"""One window per data folder: a second start hands its files to the first and leaves. No Qt.

The holder of a file lock is the window; it listens on a socket beside it. POSIX today: where there is
no `fcntl`, every start opens a window of its own, and the engine they share keeps them consistent.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import StudioError

log = logging.getLogger(__name__)
ANSWER_S = 5.0
LIMIT = 1 << 20


class Instance:
    """The right to be the window. `acquire` first; then `listen` in the event loop."""

    def __init__(self, runtime: Path):
        self._lock_file, self._socket_file = runtime / "window.lock", runtime / "window.sock"
        self._lock: int | None = None
        self._server: asyncio.Server | None = None

    def acquire(self) -> bool:
        """Whether this process is the window now. Raises OSError when the folder cannot be written."""
        try:
            import fcntl
        except ImportError:
            return True
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def hand_over(self, files: list[str]) -> None:
        """Gives `files` to the window that is open and brings it to the front.

        Raises StudioError when it does not answer within some seconds.
        """
        deadline = time.monotonic() + ANSWER_S
        message = json.dumps({"files": files}).encode() + b"\n"
        while time.monotonic() < deadline:
            # The window may have the lock and not listen yet, so a refusal is tried again.
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(max(0.1, deadline - time.monotonic()))
                sock.connect(str(self._socket_file))
                sock.sendall(message)
                if sock.recv(16).startswith(b"ok"):
                    return
            time.sleep(0.05)
        raise StudioError(
            "Atelier is open already and does not answer",
            f"A window holds {self._lock_file} and did not take the files within {ANSWER_S:.0f} s.",
            "Close that window, or end its process, and start again.",
            code="instance",
        )

    async def listen(self, on_files: Callable[[list[str]], Any]) -> None:
        """Calls `on_files` with what later starts hand over."""
        if self._lock is None:
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.LimitOverrunError):
                files = _files(await asyncio.wait_for(reader.readline(), ANSWER_S))
                writer.write(b"ok\n")
                await writer.drain()
                on_files(files)
            writer.close()

        self._socket_file.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(serve, str(self._socket_file), limit=LIMIT)
        self._socket_file.chmod(0o600)

    def release(self) -> None:
        """Stops listening and gives the right away."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket_file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _files(line: bytes) -> list[str]:
    """The paths in a message. Raises ValueError on anything else."""
    message = json.loads(line)
    files = message.get("files") if isinstance(message, dict) else None
    if not isinstance(files, list):
        raise ValueError("no files")
    return [str(path) for path in files]
