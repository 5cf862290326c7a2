"""Connects to the engine of a data folder, and starts it when none runs. Imports wire, paths and the client only.

The engine is a process of its own session: it outlives whoever started it. Two starters may race; the lock
lets one engine live and both connect to it.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from studio.engine.client import EngineClient
from studio.errors import StudioError
from studio.paths import Paths

PATIENCE_S = 60.0
POLL_S = 0.02
ABSENT = (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError)
LOG_TAIL = 4000


async def connect(paths: Paths, *, arguments: Sequence[str] = ()) -> EngineClient:
    """A client of the engine of `paths`, which is started with `arguments` when none runs.

    Raises StudioError "no-engine" with the end of its log when it cannot be started.
    """
    client, _ = await _attach(paths)
    if client is not None:
        return client
    try:
        paths.prepare()
    except OSError as error:
        raise StudioError("The data folder cannot be used", f"{paths.data}: {error}", code="no-engine") from None
    deadline = time.monotonic() + PATIENCE_S
    engine: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        if engine is None or engine.poll() == 0:
            # One that left with 0 met an engine that was there; if that is leaving, another is needed.
            engine = start(paths, arguments)
        elif engine.poll() is not None:
            raise StudioError(
                "The engine could not be started",
                f"It ended with {_ending(engine.returncode)}.",
                f"Its log is {_output(paths)}.",
                code="no-engine",
                log=_tail(paths),
            )
        await asyncio.sleep(POLL_S)
        client, pid = await _attach(paths)
        if client is not None:
            if pid != engine.pid:  # another starter was faster; ours must not come up later, when that one has left
                with contextlib.suppress(ProcessLookupError):
                    engine.terminate()
            return client
    raise StudioError("The engine does not answer", f"Nobody answered within {PATIENCE_S:.0f} s.", code="no-engine")


def start(paths: Paths, arguments: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Starts an engine on its own; it leaves at once, with 0, where one runs already."""
    command = [sys.executable, "--engine"] if getattr(sys, "frozen", False) else [sys.executable, "-m", "studio.engine"]
    with _output(paths).open("ab") as output:
        process = subprocess.Popen(
            [*command, "--data", str(paths.data), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=_environment(),
            cwd=_home(),
        )
    # Somebody has to collect its exit code; it may well outlive this process.
    threading.Thread(target=process.wait, name=f"engine-{process.pid}", daemon=True).start()
    return process


async def _attach(paths: Paths) -> tuple[EngineClient | None, int]:
    """A client that has been answered, and by which process; None when no engine is there, or one that is leaving."""
    try:
        client = await EngineClient.connect(paths)
    except ABSENT:
        return None, 0
    try:
        said = await client.call("hello", client="launch", version="")
    except StudioError as error:
        await client.close()
        if error.code != "engine-lost":
            raise
        return None, 0
    return client, int(said["pid"])


def _environment() -> dict[str, str]:
    """The same, with folders that mean the same from any present folder."""
    plugins = os.environ.get("ATELIER_PLUGINS", "").split(os.pathsep)
    whole = os.pathsep.join(str(Path(folder).absolute()) for folder in plugins if folder)
    return {**os.environ, **({"ATELIER_PLUGINS": whole} if whole else {})}


def _home() -> str | None:
    """A folder that will not be unmounted under a process that lives long; None keeps the present one."""
    # `python -m studio.engine` from a checkout that is not installed finds its package in the present folder.
    package = Path(__file__).resolve().parents[2]
    return str(package) if os.access(package, os.R_OK | os.X_OK) else None


def _output(paths: Paths) -> Path:
    return paths.logs / "engine-output.log"


def _tail(paths: Paths) -> str:
    with contextlib.suppress(OSError):
        return _output(paths).read_bytes()[-LOG_TAIL:].decode("utf-8", "replace")
    return ""


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
