"""Follows one job on a terminal: its text on standard output as it comes, the rest on standard error.

Ctrl+C cancels the job and goes on following until it has ended, so that what was made is kept and named.
"""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from studio.cli import exits, show
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.engine.client import EngineClient


@dataclass(slots=True)
class Outcome:
    """How a job ended. `text`: what it streamed. `interrupted`: by Ctrl+C here."""

    job: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    interrupted: bool = False
    pipe_closed: bool = False

    @property
    def exit_code(self) -> int:
        if self.pipe_closed:
            return exits.PIPE_CLOSED
        if self.job.get("state") == "finished":
            return exits.DONE
        if self.interrupted:
            return exits.INTERRUPTED
        return exits.of_error((self.job.get("error") or {}).get("code", ""))

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        return self.job.get("artifacts") or []


class Follower:
    """Takes a job's events. `out` gets the text when it is given; `status` the progress."""

    def __init__(self, status: show.StatusLine, out: TextIO | None):
        self._status, self._out = status, out
        self._beside = status.live and out is not None and out.isatty()
        self.outcome = Outcome()

    def take(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "job":
            live = data.get("live") or {}
            self.outcome.job = {key: value for key, value in data.items() if key != "live"}
            self._add(0, live.get("stream") or "")
            if data.get("state") == "paused":
                self._progress({"stage": "Paused"})
            elif live.get("progress"):
                self._progress(live["progress"])
            elif data.get("state") == "queued":
                self._progress({"stage": "Waiting"})
        elif kind == "progress":
            self._progress(data)
        elif kind == "stream" and not data.get("item"):  # several texts at once would be a jumble: the first is shown
            self._add(data["at"], data["text"])

    def complete(self, text: str, *others: str) -> None:
        """The whole text is known from the result: writes what has not been seen of it, then what else was written."""
        if text.startswith(self.outcome.text):
            self._add(len(self.outcome.text), text[len(self.outcome.text) :])
            for number, other in enumerate(others, 2):
                titled = f"\n\n--- {number} of {len(others) + 1} ---\n\n{other}"
                self._add(len(self.outcome.text), titled)

    def _progress(self, data: dict[str, Any]) -> None:
        if not (self._beside and self.outcome.text):
            self._status.show(show.progress_text(data))

    def _add(self, at: int, text: str) -> None:
        """The part of `text`, which begins at character `at`, that is new. A second attempt repeats the first."""
        new = text[max(0, len(self.outcome.text) - at) :]
        if not new or at > len(self.outcome.text):
            return
        self.outcome.text += new
        if self._out is None or self.outcome.pipe_closed:
            return
        if self._beside:
            self._status.clear()
        try:
            self._out.write(new)
            self._out.flush()
        except BrokenPipeError:
            self.outcome.pipe_closed = True
            swallow_output()


def swallow_output() -> None:
    """Nobody reads any more: what is still buffered must not raise at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def follow(client: "EngineClient", job: str, follower: Follower) -> Outcome:
    """Until the job has ended. Raises StudioError when the engine is lost."""
    loop = asyncio.get_running_loop()
    cancelling: list[asyncio.Task[Any]] = []
    me = asyncio.current_task()

    def stop() -> None:
        follower.outcome.interrupted = True
        if cancelling and me is not None:
            me.cancel()  # asked twice: do not wait for the job any longer
        else:
            cancelling.append(loop.create_task(client.call("cancel", job=job)))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        async for event in client.follow(job):
            follower.take(event.kind, event.data)
            if follower.outcome.pipe_closed and not cancelling:
                cancelling.append(loop.create_task(client.call("cancel", job=job)))
    except asyncio.CancelledError:
        if not follower.outcome.interrupted:
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        for task in cancelling:
            await asyncio.wait([task], timeout=2)
            if task.done() and isinstance(task.exception(), StudioError):
                pass  # it had ended by itself before the request arrived
    if follower.outcome.job.get("state") == "finished":
        follower.complete(*(result_texts(follower.outcome) or [""]))
    return follower.outcome


def result_texts(outcome: Outcome) -> list[str]:
    """The texts that were streamed, from the files they were saved in; none when the result is no text."""
    from studio.library.recipe import text_of

    skipped = (outcome.job.get("facts") or {}).get("prompt_chars") or 0
    return [text_of(artifact["path"])[skipped:] for artifact in outcome.artifacts if artifact.get("kind") == "text"]
