"""What a backend is given: the worker's side of sdk.operation.JobContext.

Owns WorkerContext, one per run of a job, used by that job's thread only.
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from studio.library import inputs, writer
from studio.sdk.artifact import Artifact, Kind, Recipe
from studio.sdk.operation import Round
from studio.wire.messages import Progress, Run, Saved
from studio.worker import provenance
from studio.worker.baton import Baton, Turn
from studio.worker.devices import Device
from studio.worker.models import JobModels
from studio.worker.outbox import Outbox
from studio.worker.provenance import Hashes

STEM = 200
WINDOW = 64
LAST_TURN_S = 6.0
"""How long a cancelled job waits for another's step to end: well within the engine's patience with a cancel."""


class WorkerContext:
    """One job's context. `artifacts` and `facts`: what it has saved and noted so far."""

    def __init__(
        self,
        run: Run,
        turn: Turn,
        baton: Baton,
        outbox: Outbox,
        device: Device,
        models: JobModels,
        hashes: Hashes,
        steered: "SimpleQueue[dict[str, Any]] | None" = None,
    ):
        self.job, self.device, self.dtype = run.job, device.name, device.dtype
        self.models = models
        self.data = Path(run.data) if run.data else Path(run.receipt).parent.parent
        self.steps = self.data / "steps" / run.job
        self._steered = steered or SimpleQueue()
        self.artifacts: list[Artifact] = []
        self.facts: dict[str, Any] = {}
        self._turn, self._baton, self._outbox, self._hashes = turn, baton, outbox, hashes
        self._folder = Path(run.folder)
        self._recipe = Recipe.model_validate({**run.recipe, "operation": run.operation, "job": run.job})
        self._around: list[_Around] = []
        self._computes = run.device
        self._speed, self._pace = _Speed(), _Speed()
        self._last, self._steps = (0, 0), 0
        self._numbers = 0

    def step(
        self,
        done: int,
        total: int | None = None,
        *,
        rate: float | None = None,
        unit: str = "it",
        preview: bytes | Sequence[bytes] | None = None,
        round: Round | None = None,
        work: tuple[float, float] | None = None,
    ) -> None:
        measured = self._speed.at(self._through(done, round)) if rate is None else float(rate)
        if measured is not None and not math.isfinite(measured):
            measured = None
        message = Progress(self.job, int(done), None if total is None else int(total), measured, unit)
        self._tell_whole(message, round, work)
        pictures = [preview] if isinstance(preview, bytes | bytearray | memoryview) else preview or ()
        self._outbox.progress(message, [bytes(picture) for picture in pictures])
        self.check()

    def _through(self, done: int, round: Round | None) -> int:
        """Steps that were done through all rounds, of which one may have been left before its end."""
        at = round.at if round else 0
        before, self._last = self._last, (at, done)
        if at != before[0]:
            self._steps += done
        else:
            self._steps = self._steps + done - before[1] if done >= before[1] else done
        return self._steps

    def _tell_whole(self, message: Progress, round: Round | None, work: tuple[float, float] | None) -> None:
        """What a job of several rounds says of the whole of it."""
        if round is not None and round.of > 1:
            message.round, message.rounds, message.name = round.at, round.of, round.name
            if work is None and message.total:
                behind = (round.at - 1) * message.total + message.done
                work = behind, round.of * message.total - behind
        if work is not None and all(map(math.isfinite, work)) and sum(work) > 0:
            message.share = min(1.0, max(0.0, work[0] / sum(work)))
            pace = self._pace.at(work[0])
            message.left = max(0.0, work[1]) / pace if pace else None

    def check(self) -> None:
        if not self._computes:
            self._baton.pause_here(self._turn)
            return
        began = time.monotonic()
        self._baton.boundary(self._turn, self._leave_all, self._enter_all)
        waited = time.monotonic() - began
        self._speed.waited += waited
        self._pace.waited += waited

    def alive(self) -> None:
        self._turn.check()

    def last_turn(self) -> bool:
        if self._baton.holds(self._turn):
            return True
        if not self._baton.last_turn(self._turn, LAST_TURN_S):
            return False
        self._enter_all()
        return True

    def steering(self) -> list[dict[str, Any]]:
        found = []
        with contextlib.suppress(Empty):
            while True:
                found.append(self._steered.get_nowait())
        return found

    def input(self, value: str) -> Path:
        return inputs.locate(self.data / "inputs", value)

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        self._turn.check()
        self._outbox.progress(Progress(self.job, int(done or 0), total, None, "", str(title)))

    def stream(self, text: str, item: int = 0) -> None:
        self._outbox.stream(self.job, str(text), item)

    def note(self, **facts: Any) -> None:
        self.facts.update(provenance.plain(facts))

    def save_text(
        self, text: str, *, media: str = "text/markdown", params: dict[str, Any] | None = None
    ) -> Artifact:
        recipe = self._complete()
        recipe = recipe.model_copy(update={"params": {**recipe.params, **provenance.plain(params or {})}})
        return self._keep(writer.publish_text(self._folder, recipe, text, stem=self._stem(), media=media), {})

    def save_file(
        self,
        suffix: str,
        kind: Kind,
        write: Callable[[Path], None],
        *,
        media: str,
        params: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Artifact:
        recipe = self._complete()
        told = provenance.plain(facts or {})
        own = {"params": {**recipe.params, **provenance.plain(params or {})}, "facts": {**recipe.facts, **told}}
        recipe = recipe.model_copy(update=own)
        made = writer.publish_file(self._folder, recipe, suffix, Kind(kind), media, write, stem=self._stem())
        return self._keep(made, told)

    @contextlib.contextmanager
    def around_baton(self, enter: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        """Runs `enter` now and `leave` at the end too, so that shared modules are as they were."""
        bracket = _Around(enter, leave)
        self._around.append(bracket)
        try:
            bracket.go_in()
            yield
        finally:
            self._around.remove(bracket)
            bracket.go_out()  # did so already if the job was cancelled while another had the device

    def _leave_all(self) -> None:
        for bracket in reversed(self._around):
            bracket.go_out()

    def _enter_all(self) -> None:
        for bracket in self._around:
            bracket.go_in()

    def _complete(self) -> Recipe:
        used = provenance.uses(self.models.used, self._hashes, self._wait_for_hash)
        name = f"{self.job}-{self._numbers + 1}"
        return provenance.complete(self._recipe, self.device, self.dtype, used, self.facts, name)

    def _wait_for_hash(self) -> bool:
        """Keeps the watchdog informed. A job that was told to stop saves without the hash, at once."""
        if self._turn.cancel_raised:
            return False
        self._turn.check()
        self._outbox.progress(Progress(self.job, stage="Reading the model's files for the recipe"))
        return True

    def _stem(self) -> str:
        """What the file is named for: the job's title, its prompt, else the operation."""
        extra = self._recipe.model_extra or {}
        for words in (extra.get("title"), self._recipe.params.get("prompt"), self._recipe.operation):
            if isinstance(words, str) and words.strip():
                return words.strip()[:STEM]
        return "result"

    def _keep(self, artifact: Artifact, facts: dict[str, Any]) -> Artifact:
        """The writer may have taken a later number, where an earlier attempt had left a file."""
        self._numbers = int(artifact.id.rpartition("-")[2])
        self.artifacts.append(artifact)
        self._outbox.send(Saved(self.job, artifact.model_dump(mode="json"), facts))
        return artifact


class _Around:
    """A bracket that is entered and left in turn, however the job ends."""

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]):
        self._enter, self._leave, self._inside = enter, leave, False

    def go_in(self) -> None:
        self._enter()
        self._inside = True

    def go_out(self) -> None:
        if self._inside:
            self._inside = False
            self._leave()


class _Speed:
    """Units, or shares, per second over the last steps, without the time that other jobs had the device."""

    def __init__(self) -> None:
        self.waited = 0.0
        self._seen: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def at(self, done: float) -> float | None:
        now = time.monotonic() - self.waited
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, done))
        since, first = self._seen[0]
        return (done - first) / (now - since) if now > since and done > first else None
