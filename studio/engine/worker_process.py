"""One worker process: how it is started, heard, stopped, and what is said when it is gone."""

import asyncio
import collections
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from studio.paths import Paths
from studio.wire.channel import AsyncChannel, Closed, WireError
from studio.wire.messages import Hello, Message, Shutdown, Unknown

log = logging.getLogger(__name__)
TAIL_LINES = 200
TAIL_BYTES = 64 * 1024
LOG_BYTES = 2_000_000
LEAVE_S = 5.0
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONUNBUFFERED": "1",
}
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")


def command(kind: str) -> list[str]:
    """How this installation starts a process of its own: `worker` or `engine`."""
    if getattr(sys, "frozen", False):
        return [sys.executable, f"--{kind}"]
    return [sys.executable, "-m", f"studio.{kind}"]


class WorkerProcess:
    """A child process and the channel to it.

    on_message is called for each message after Hello, on_ready once with Hello, on_gone once with a
    sentence and the last lines of output, after every message that it sent was handed over.
    """

    def __init__(
        self,
        paths: Paths,
        argv: Sequence[str],
        on_ready: Callable[["WorkerProcess", Hello], None],
        on_message: Callable[["WorkerProcess", Message], None],
        on_gone: Callable[["WorkerProcess", str, str], None],
    ):
        self.id = uuid.uuid4().hex[:8]
        self.hello: Hello | None = None
        self.pid = 0
        self.reason = ""
        self.blamed = ""
        self.wanted = False
        self._paths, self._argv = paths, list(argv)
        self._on_ready, self._on_message, self._on_gone = on_ready, on_message, on_gone
        self._tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        self._tail_bytes = 0
        self._process: asyncio.subprocess.Process | None = None
        self._channel: AsyncChannel | None = None
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._life = asyncio.get_running_loop().create_task(self._live(), name=f"worker-{self.id}")

    def send(self, message: Message) -> None:
        """A message to a worker that is going is lost; its jobs are settled when it is gone."""
        if self._channel is not None:
            with contextlib.suppress(Closed):
                self._channel.send(message)

    def kill(self, reason: str, *, job: str = "", wanted: bool = False) -> None:
        """Ends it now. `reason` is the sentence told; `job` the one to blame."""
        if self._process is not None and self._process.returncode is None:
            if not self.reason:  # a kill takes a moment; the first reason is the reason
                self.reason, self.blamed, self.wanted = reason, job, wanted or self.wanted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Asks it to leave, then makes it."""
        self.wanted = True
        self.send(Shutdown())
        if self._life is not None:
            done, _ = await asyncio.wait([self._life], timeout=LEAVE_S)
            if not done:
                self.kill("stopped", wanted=True)
                await self._life

    async def _live(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key not in SECRETS}
        environment |= {**OFFLINE, "ATELIER_DATA": str(self._paths.data)}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                "--fd",
                str(theirs.fileno()),
                "--data",
                str(self._paths.data),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            ours.close()
            theirs.close()
            self._on_gone(self, f"The worker could not be started: {error}.", "")
            return
        theirs.close()
        self.pid = self._process.pid
        self._channel = await AsyncChannel.over(ours)
        output = asyncio.create_task(self._collect(self._process), name=f"worker-{self.id}-output")
        try:
            await self._listen(self._channel)
        except Exception:  # a mistake here must not leave a worker that nobody hears
            log.exception("what a worker said could not be taken")
            self.kill("The engine failed on what the worker said, and stopped it.")
        code = await self._ended(self._process)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(output, 1.0)  # a grandchild may hold the pipe open
        await self._channel.close()
        self._paths.runtime.joinpath(f"worker-{self.pid}.lock").unlink(missing_ok=True)
        self._on_gone(self, self.reason or describe_exit(code), "\n".join(self._tail))

    async def _listen(self, channel: AsyncChannel) -> None:
        while True:
            try:
                message = await channel.receive()
            except Closed:
                return
            except (WireError, Unknown) as error:
                self.kill(f"The worker said something that is no message ({error}) and was stopped.")
                return
            if isinstance(message, Hello):
                self.hello = message
                self._on_ready(self, message)
            else:
                self._on_message(self, message)

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        try:
            return await asyncio.wait_for(process.wait(), LEAVE_S)
        except TimeoutError:
            self.kill(self.reason or "The worker closed its channel and was stopped.")
            return await process.wait()

    async def _collect(self, process: asyncio.subprocess.Process) -> None:
        """Keeps the last lines and writes a capped log, whatever bytes come and however many."""
        assert process.stdout is not None
        written = 0
        rest = b""
        path = self._paths.logs / f"worker-{self.id}.log"
        try:
            file = path.open("wb")
        except OSError as error:
            log.info("no log of the worker: %s", error)
            file = None
        try:
            while data := await process.stdout.read(1 << 16):
                if file is not None and written < LOG_BYTES:
                    file.write(data[: LOG_BYTES - written])
                    file.flush()
                    written += len(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._keep(line)
                if len(rest) > TAIL_BYTES:
                    rest = rest[-TAIL_BYTES:]
            if rest:
                self._keep(rest)
        except OSError as error:
            log.info("the worker's output ended: %s", error)
        finally:
            if file is not None:
                file.close()

    def _keep(self, line: bytes) -> None:
        if len(self._tail) == TAIL_LINES:
            self._tail_bytes -= len(self._tail[0])
        text = line[-4096:].decode("utf-8", "replace")
        self._tail.append(text)
        self._tail_bytes += len(text)
        while self._tail_bytes > TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())


def describe_exit(code: int) -> str:
    """The end of a worker in the middle of its work, as a sentence."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "a signal"
        return f"The worker was ended by {name} (signal {-code})."
    if code == -signal.SIGKILL:
        return "The worker was ended by SIGKILL (signal 9), as the system does when memory runs out."
    if code == 70:
        return "The worker left because the device is no longer usable (exit code 70)."
    return f"The worker left with exit code {code} in the middle of the job."


def prune_logs(folder: Path, keep: int = 20) -> None:
    """Removes all but the newest worker logs."""
    logs = sorted(folder.glob("worker-*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in logs[keep:]:
        old.unlink(missing_ok=True)
