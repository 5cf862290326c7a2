"""One engine a data folder, and no worker of a dead engine beside a living one."""

import contextlib
import fcntl
import logging
import os
import signal
import time
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
REAP_S = 20.0


def hold(path: Path) -> IO[bytes] | None:
    """The lock, held until the process ends or the file is closed; None when another engine has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def reap_workers(runtime: Path) -> None:
    """Ends workers of an engine that is gone, and waits until each is: only then may jobs run again.

    A worker holds a lock on `worker-<pid>.lock` for life, so a file that can be locked is a dead one's,
    and a process id that the system gave to somebody else is never killed.
    """
    for path in runtime.glob("worker-*.lock"):
        deadline = time.monotonic() + REAP_S
        while not _free(path):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.stem.partition("-")[2]), signal.SIGKILL)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the worker of {path.name} does not end")
            time.sleep(0.01)
        path.unlink(missing_ok=True)


def _free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
