"""A real worker process on one end of a socket pair, and the words to drive it with."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.host.discover import discover
from studio.library.writer import read_receipt
from studio.paths import Paths
from studio.wire.channel import BlockingChannel, Closed
from studio.wire.messages import Cancelled, Done, Failed, Message, Run, Stream
from tests.patience import PATIENCE_S

PROBE = Path(__file__).resolve().parent.parent / "probe_plugin"
BUNDLED = PROBE.parent.parent / "plugins"
ENDS = (Done, Failed, Cancelled)


class WorkerProcess:
    """One worker. `heard`: everything it said, in order; `closed`: set when its end of the channel is."""

    def __init__(self, base: Path, env: dict[str, str] | None = None, before: str = ""):
        """before: Python statements that run in the process before the worker's main."""
        self.paths = Paths(base / "data").prepare()
        self.library, self.output = base / "library", base / "output.txt"
        self.library.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair()
        start = ["-m", "studio.worker"]
        if before:
            code = f"import sys\n{before}\nfrom studio.worker.main import main\nsys.exit(main(sys.argv[1:]))"
            start = ["-c", code]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *start, "--fd", str(theirs.fileno()), "--data", str(self.paths.data)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        theirs.close()
        self.socket, self.channel = ours, BlockingChannel(ours)
        self.heard: list[Message] = []
        self.closed = False
        self._changed = threading.Condition()
        self._operations = discover([PROBE, BUNDLED], installed=False).operations()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def run(self, operation: str, params: dict[str, Any] | None = None, *, job: str = "", **more: Any) -> str:
        """Sends a Run and returns the job's id."""
        job = job or uuid.uuid4().hex
        found = self._operations[operation]

        def target(what: str) -> dict[str, str]:
            return {"folder": str(found.plugin.folder), "package": found.plugin.package, "target": what}

        values = {
            "operation": operation,
            "params": params or {},
            "params_target": target(found.entry.params),
            "backend": target(found.entry.backend),
            "folder": str(self.library),
            "receipt": str(self.receipt(job)),
            "recipe": {"operation": operation, "params": params or {}, "app": "atelier test"},
        }
        self.channel.send(Run(job, **{**values, **more}))
        return job

    def receipt(self, job: str) -> Path:
        return self.paths.receipts / f"{job}.json"

    def receipt_of(self, job: str) -> dict[str, Any] | None:
        return read_receipt(self.receipt(job))

    def wait(self, wanted: Callable[[list[Message]], Any], what: str = "") -> Any:
        """Waits until `wanted(everything heard)` is true and returns that; fails when the worker is gone."""
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while True:
                if found := wanted(self.heard):
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self.closed:
                    why = "the worker is gone" if self.closed else "waited too long"
                    heard = "\n".join(str(message)[:300] for message in self.heard[-20:])
                    pytest.fail(f"{why}: {what}\n{heard}\n{self.output.read_text(errors='replace')[-3000:]}")
                self._changed.wait(left)

    def hear(self, kind: type[Message], job: str = "", **fields: Any) -> Any:
        """The first message of this kind, about this job, with these values."""

        def match(heard: list[Message]) -> Message | None:
            return next((m for m in heard if _is(m, kind, job, fields)), None)

        return self.wait(match, f"{kind.__name__} {job} {fields}")

    def end(self, job: str) -> Any:
        """The job's last message."""
        return self.wait(lambda heard: next((m for m in heard if isinstance(m, ENDS) and m.job == job), None), job)

    def done(self, job: str) -> Done:
        ended = self.end(job)
        assert isinstance(ended, Done), ended
        return ended

    def failed(self, job: str) -> Failed:
        ended = self.end(job)
        assert isinstance(ended, Failed), ended
        return ended

    def cancelled(self, job: str) -> Cancelled:
        ended = self.end(job)
        assert isinstance(ended, Cancelled), ended
        return ended

    def about(self, job: str, kind: type[Message] | None = None) -> list[Any]:
        """What was heard so far of one job."""
        with self._changed:
            return [m for m in self.heard if getattr(m, "job", None) == job and isinstance(m, kind or Message)]

    def streamed(self, job: str, item: int = 0) -> str:
        """The streamed text; fails on a gap, an overlap or disorder. item: which, of several."""
        text = ""
        for message in (m for m in self.about(job, Stream) if m.item == item):
            assert message.at == len(text), f"a piece at {message.at} after {len(text)} characters"
            text += message.text
        return text

    def gone(self) -> int:
        """Waits for the end of the channel and of the process; its exit code."""
        self._reader.join(PATIENCE_S)
        assert self.closed, "the channel is still open"
        return self.process.wait(PATIENCE_S)

    def close(self) -> int:
        """Ends the channel, as an engine's death does; the exit code."""
        self.channel.close()
        return self.gone()

    def _listen(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                message = self.channel.receive()
                with self._changed:
                    self.heard.append(message)
                    self._changed.notify_all()
        with self._changed:
            self.closed = True
            self._changed.notify_all()


def _is(message: Message, kind: type[Message], job: str, fields: dict[str, Any]) -> bool:
    if not isinstance(message, kind) or (job and getattr(message, "job", None) != job):
        return False
    return all(getattr(message, name) == value for name, value in fields.items())


@contextlib.contextmanager
def worker_process(base: Path, **more: Any) -> Iterator[WorkerProcess]:
    """A worker that is gone afterwards, whatever happened."""
    worker = WorkerProcess(base, **more)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait(PATIENCE_S)
        worker.channel.close()
        worker._reader.join(PATIENCE_S)
