"""Runs code that nobody has read: shut in where the system can do that, limited everywhere, heard while it runs.

Owns Limits, Isolation, Outcome and `run`. The walls are `jail`'s, or bubblewrap's where the system lets only that
make them; where there are neither, `isolation` says NONE, and whoever asks must be asked first.
"""

import contextlib
import functools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from studio.errors import StudioError

from . import jail

JAIL = Path(jail.__file__)
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives")
GIVEN = "/given"
POLL_S = 0.05
PROBE_S = 20.0
MIB = 1 << 20


class Isolation(StrEnum):
    """What keeps the code from the network, the home folder and other processes."""

    NAMESPACES = "namespaces"
    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of the clock and of the processor, bytes of memory a process, of a file, of all files and of output,
    and how many processes at once."""

    wall_s: float = 20.0
    cpu_s: int = 15
    memory: int = 1024 * MIB
    file: int = 16 * MIB
    room: int = 64 * MIB
    output: int = MIB
    processes: int = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """code: the exit status, 128 + n after signal n. reason: "" when it ended by itself, else why it was stopped."""

    code: int
    reason: str
    seconds: float
    output: str
    isolation: Isolation

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.reason


def run(
    command: Sequence[str],
    folder: Path,
    limits: Limits,
    walls: Isolation,
    tell: Callable[[str], None] = lambda text: None,
    check: Callable[[], None] = lambda: None,
) -> Outcome:
    """Runs `command` in a copy of `folder` (in `folder` itself without walls) until it ends or breaks a limit.

    folder: readable by everybody, for behind walls the code is nobody; see `scratch`. tell: called with output as it
    comes, errors among it, at most `limits.output` bytes. check: called some twenty times a second; what it raises
    ends the code and passes through. Raises StudioError when the walls cannot be built.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        _argv(command, folder, limits, walls),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=_environment(),
        cwd="/",
    )
    heard = _Output(limits.output, tell)
    try:
        reason = _follow(process, heard, began + limits.wall_s, check)
        if reason:
            _end(process)
        code = process.wait()
    finally:
        _end(process)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    heard.finish()
    if code == jail.FAILED and heard.text.startswith("The sandbox could not be built"):
        raise StudioError("The code was not run", heard.text.strip(), code="sandbox")
    seconds = time.monotonic() - began
    code = code if code >= 0 else 128 - code
    return Outcome(code, reason or _limit_of(code, limits), seconds, heard.text, walls)


@contextlib.contextmanager
def scratch(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder of its own that holds `files` (path inside it: text), gone afterwards; whoever runs in it can read it.

    Raises StudioError for a path that leads out of it.
    """
    with tempfile.TemporaryDirectory(prefix="run-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        for path, text in files.items():
            place = (folder / path).resolve()
            if not place.is_relative_to(folder) or place == folder:
                words = f"The file name {path!r} leads out of its folder."
                raise StudioError("The code was not run", words, code="path")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        yield folder


def _follow(process: "subprocess.Popen[bytes]", heard: "_Output", until: float, check: Callable[[], None]) -> str:
    """Hears the code to its end; the reason when it must be stopped before."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            check()
            if time.monotonic() > until:
                return "It took longer than it may."
            if ready.select(POLL_S):
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    return ""
                if not heard.push(data):
                    return "It wrote more than is shown."
            elif process.poll() is not None:
                return ""  # something it left behind holds the pipe


def _limit_of(code: int, limits: Limits) -> str:
    if code == 128 + signal.SIGXCPU:
        return f"It used more than {limits.cpu_s} s of the processor."
    return ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends the whole group, also when its first member has ended; the walls end with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


class _Output:
    """What was heard, as text, up to a number of bytes."""

    def __init__(self, most: int, tell: Callable[[str], None]):
        self._left, self._tell = most, tell
        self._rest = b""
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def push(self, data: bytes) -> bool:
        """Whether there is room for more."""
        data, self._left = data[: self._left], self._left - len(data)
        whole = self._rest + data
        # A character may be cut in two between two reads.
        keep = next((n for n in (1, 2, 3) if len(whole) >= n and whole[-n] >= 0xC0), 0)
        self._rest = whole[len(whole) - keep :] if keep else b""
        self._say(whole[: len(whole) - keep])
        return self._left > 0

    def finish(self) -> None:
        rest, self._rest = self._rest, b""
        self._say(rest)

    def _say(self, data: bytes) -> None:
        if data:
            text = data.decode("utf-8", "replace").replace("\r\n", "\n")
            self._texts.append(text)
            self._tell(text)


def interpreter() -> str:
    """The Python that runs code here; "" where there is none (a packaged application on a machine without one)."""
    if getattr(sys, "frozen", False):
        return shutil.which("python3") or ""
    return sys.executable


@functools.cache
def isolation() -> Isolation:
    """The best walls that this machine lets us build, found by building them once."""
    if not sys.platform.startswith("linux") or not interpreter():
        return Isolation.NONE
    for walls in (Isolation.NAMESPACES, Isolation.BUBBLEWRAP):
        if walls == Isolation.BUBBLEWRAP and shutil.which("bwrap") is None:
            continue
        argv = _argv([interpreter(), "-I", "-S", "-c", "print(7)"], JAIL.parent, Limits(), walls)
        try:
            tried = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S, check=False, env=_environment()
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0 and tried.stdout == b"7\n":
            return walls
    return Isolation.NONE


def _argv(command: Sequence[str], folder: Path, limits: Limits, walls: Isolation) -> list[str]:
    plan: dict[str, Any] = {
        "command": list(command),
        "environment": {**_environment(), "HOME": "/tmp" if walls != Isolation.NONE else str(folder)},
        "folder": str(folder),
        "limits": {"CPU": limits.cpu_s, "AS": limits.memory, "FSIZE": limits.file, "CORE": 0, "NOFILE": 256},
        "isolate": walls == Isolation.NAMESPACES,
        "system": _system(),
        "room": limits.room,
    }
    if walls != Isolation.NONE:  # without walls all that this person runs would count
        plan["limits"]["NPROC"] = limits.processes
    start = [interpreter(), "-I", "-S"]
    if walls != Isolation.BUBBLEWRAP:
        return [*start, str(JAIL), json.dumps(plan)]
    plan |= {"folder": GIVEN, "copy": jail.HERE}
    return [*_bubblewrap(folder, limits), *start, "/jail.py", json.dumps(plan)]


def _bubblewrap(folder: Path, limits: Limits) -> list[str]:
    argv = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for place in (jail.HERE, "/tmp"):
        argv += ["--size", str(limits.room), "--tmpfs", place]
    for path in map(Path, _system()):  # behind them: an interpreter may live below /tmp
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            argv += ["--ro-bind", str(path), str(path)]
    argv += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", str(folder), GIVEN, "--ro-bind", str(JAIL), "/jail.py"]
    return [*argv, "--chdir", "/"]


def _system() -> list[str]:
    """What programs need to run at all: the system's and the interpreter's folders."""
    own = () if getattr(sys, "frozen", False) else (sys.base_prefix, sys.prefix)
    return [name for name in dict.fromkeys((*SYSTEM, *own)) if not name.startswith("/usr/")]


def _environment() -> dict[str, str]:
    """Nothing of the person's: no tokens, no paths, no names."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp"}
