"""Finds the engine of a data folder, or starts one that outlives whoever started it."""

import asyncio
import contextlib
import os
import subprocess
import time

from studio.engine.client import EngineClient
from studio.engine.worker_process import command
from studio.errors import StudioError
from studio.paths import Paths

START_S = 30.0
POLL_S = 0.02
TAIL = 4000


async def connect(paths: Paths, *, idle_s: float | None = None) -> EngineClient:
    """A client of the running engine, or of one started now. Raises StudioError when it does not come up.

    Two who start one at the same moment end with the same engine: the second process finds the lock taken.
    """
    with contextlib.suppress(StudioError):
        return await EngineClient.connect(paths)
    process = start(paths, idle_s=idle_s)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(StudioError):
            return await EngineClient.connect(paths)
        if process.poll() not in (None, 0):
            break
        await asyncio.sleep(POLL_S)
    raise StudioError(
        "The engine does not start",
        f"It left with exit code {process.poll()}." if process.poll() is not None else "It did not answer in time.",
        f"Its log is {paths.logs / 'engine.log'}.",
        code="engine-lost",
        log=_tail(paths),
    )


def start(paths: Paths, *, idle_s: float | None = None) -> subprocess.Popen[bytes]:
    """Starts an engine process on its own: not a child that ends with this one."""
    try:
        paths.prepare()
        output = (paths.logs / "engine.out").open("wb")
    except OSError as error:
        raise StudioError(
            "The data folder cannot be used",
            f"{paths.data}: {error.strerror}.",
            "Choose another with --data.",
            code="data",
        ) from None
    argv = [*command("engine"), "--data", str(paths.data)]
    if idle_s is not None:
        argv += ["--idle", str(idle_s)]
    with output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=os.path.sep,
        )


def _tail(paths: Paths) -> str:
    try:
        return (paths.logs / "engine.out").read_bytes()[-TAIL:].decode("utf-8", "replace")
    except OSError:
        return ""
