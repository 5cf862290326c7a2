"""What went wrong, in words for a person, and whether the process can go on.

Owns the translation of exceptions. Looks at torch only when somebody else imported it.
"""

import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import atomic
from studio.worker import memory

FATAL_EXIT = 70
DETAIL_LIMIT = 2_000
LOG_LIMIT = 32_000

# Errors after which every further call to the device fails or lies. Words of CUDA's and HIP's messages.
STICKY = (
    "illegal memory access",
    "device-side assert",
    "unspecified launch failure",
    "misaligned address",
    "illegal instruction",
    "illegal address",
    "invalid program counter",
    "invalid address space",
    "hardware stack error",
    "launch timed out",
    "context is destroyed",
    "uncorrectable ecc",
    "uncorrectable nvlink",
    "cuda error: unknown error",
    "hip error: unknown error",
    "no cuda-capable device",
    "device is lost",
    "has fallen off the bus",
)
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory: you tried to allocate", "alloc_failed")


@dataclass(frozen=True, slots=True)
class Fault:
    """fatal: the process must leave, because the device or the process cannot be trusted any more."""

    error: StudioError
    fatal: bool = False


def explain(error: BaseException, doing: str) -> Fault:
    """The fault behind `error`, which happened while `doing` ("Running probe.noop", "Loading tales-5m")."""
    log = _log(error)
    if isinstance(error, StudioError):
        cause = error.__cause__ or error.__context__
        return Fault(error, fatal=_sticky(error) or (cause is not None and _sticky(cause)))
    if _sticky(error) or _device_is_gone(error):
        return Fault(_lost_device(error, doing, log), fatal=True)
    if is_out_of_memory(error):
        return Fault(_out_of_memory(error, doing, log))
    if isinstance(error, OSError):
        refused = atomic.refusal(error, Path(str(error.filename or "A file of this operation")), None)
        if refused is not None:
            refused.log = log
            return Fault(refused)
    if isinstance(error, SystemExit):
        detail = f"{doing}: the plugin's code asked the process to leave (exit code {error.code!r})."
        return Fault(StudioError("The plugin tried to end the worker", detail, code="plugin", log=log))
    if isinstance(error, KeyboardInterrupt):
        return Fault(StudioError("The plugin interrupted itself", f"{doing}.", code="plugin", log=log))
    kind = type(error).__name__
    said = _said(error)
    detail = f"{doing}: {kind}: {said}" if said else f"{doing}: {kind}"
    hint = "The details hold the traceback. It is an error of the plugin, not of your input."
    return Fault(StudioError("The operation failed", detail, hint, code="plugin", log=log))


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    kind = getattr(torch, "OutOfMemoryError", None)
    if isinstance(kind, type) and isinstance(error, kind):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in NO_MEMORY)


def _sticky(error: BaseException) -> bool:
    if isinstance(error, StudioError):
        return error.code == "device-lost"
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    return any(words in str(error).lower() for words in STICKY)


def _device_is_gone(error: BaseException) -> bool:
    """Asks the device itself: after a sticky error even an empty call fails."""
    torch: Any = sys.modules.get("torch")
    if not isinstance(error, RuntimeError) or torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
        return False
    except RuntimeError as second:
        return not is_out_of_memory(second)


def _lost_device(error: BaseException, doing: str, log: str) -> StudioError:
    return StudioError(
        "The graphics device stopped working",
        f"{doing}: {_said(error)}",
        "The worker is started again. If it happens often, check the driver and the device's temperature.",
        code="device-lost",
        log=log,
    )


def _out_of_memory(error: BaseException, doing: str, log: str) -> StudioError:
    state = memory.read()
    said = _said(error)
    detail = f"{doing}: {memory.words(state.used)} of {memory.words(state.total)} are in use by this worker"
    detail += f", {memory.words(state.available)} were free" if state.available else ""
    detail += f". {said}" if said else "."
    hint = "Choose a smaller model or smaller settings, or close other programs."
    return StudioError(f"Not enough memory on the {state.where}", detail, hint, code="out-of-memory", log=log)


def _said(error: BaseException) -> str:
    """The message, cut and as text that every file can hold."""
    text = str(error).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= DETAIL_LIMIT else text[:DETAIL_LIMIT] + " …"


def _log(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LOG_LIMIT else text[: LOG_LIMIT // 4] + "\n…\n" + text[-LOG_LIMIT * 3 // 4 :]
