"""Probe operations that end or block the process, or raise. No torch."""

import ctypes
import errno
import os
import signal
import time
from pathlib import Path

from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, JobContext

from . import params as p

SIGNALS = {
    "kill": signal.SIGKILL,
    "ill": signal.SIGILL,
    "abrt": signal.SIGABRT,
    "term": signal.SIGTERM,
}


def die(how: str) -> None:
    if how == "segv":
        ctypes.string_at(0)
    elif how in SIGNALS:
        os.kill(os.getpid(), SIGNALS[how])
        time.sleep(60)
    elif how.startswith("exit"):
        os._exit(int(how.removeprefix("exit")))
    elif how == "hang":
        time.sleep(100_000)
    elif how == "spin_nostep":
        while True:
            pass
    elif how == "ignore_term":
        ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.c_void_p(1))
        time.sleep(100_000)


class Die:
    def run(self, params: p.Die, ctx: JobContext) -> None:
        marker = Path(params.once_marker) if params.once_marker else None
        behave = marker is not None and marker.exists()
        for done in range(params.steps + 1):
            if done == params.at_step and not behave:
                if marker:
                    marker.write_text("died here once", encoding="utf-8")
                print(f"probe.die: {params.how} at step {done}", flush=True)
                die(params.how)
            if params.delay_ms:
                time.sleep(params.delay_ms / 1000)
            ctx.step(done, params.steps)
        ctx.save_text("survived")


class Throw:
    def run(self, params: p.Throw, ctx: JobContext) -> None:
        ctx.step(1, 2)
        errors: dict[str, BaseException] = {
            "error": ValueError(params.message),
            "studio": StudioError("Refused on purpose", params.message, "Nothing to do.", code="probe"),
            "exit": SystemExit(3),
            "keyboard": KeyboardInterrupt(),
            "memory": MemoryError(),
            "base": BaseException(params.message),
            "disk": OSError(errno.ENOSPC, "No space left on device", "/somewhere"),
            "long": ValueError("\ud800" + "x" * 5_000_000),
            "cancelled": JobCancelled(),
        }
        raise errors[params.how]


class Swallow:
    """Takes every Exception for granted, as some loops do. A cancel must still get through."""

    def run(self, params: p.Swallow, ctx: JobContext) -> None:
        for done in range(params.steps):
            try:
                time.sleep(params.delay_ms / 1000)
                ctx.step(done, params.steps)
            except Exception:  # noqa: BLE001 - the very habit it stands for
                continue
