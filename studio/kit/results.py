"""What a panel asked for and what became of it, as data. Imports no Qt.

The engine is the truth: everything here comes from its job list and its events, so a panel that was closed
in the middle of a job shows the same after it is opened again. A panel adds what its own results hold.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from studio.kit.turns import ON_WORKER, WAITS, waiting
from studio.sdk.progress import left_words, place

WAITING = frozenset({"queued", "paused"})
ENDED = frozenset({"finished", "failed", "cancelled"})


@dataclass
class JobResult:
    """One request and what came of it.

    waits: it has begun, and a more urgent job has the device. local: never reached the engine (a refused
    request, a dropped file). path: of the file, where the engine does not know it.
    """

    id: str
    params: dict[str, Any]
    state: str = "queued"
    created: float = 0.0
    seq: int = 0
    operation: str = ""
    attempt: int = 0
    not_before: float = 0.0
    waits: bool = False
    local: bool = False
    path: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @property
    def prompt(self) -> str:
        return str(self.params.get("prompt", ""))

    @property
    def file(self) -> str:
        return self.path or next((str(a.get("path", "")) for a in self.artifacts), "")

    @property
    def seed(self) -> int | None:
        seed = self.params.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def working(self) -> bool:
        return self.state in ON_WORKER

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def update(self, job: dict[str, Any]) -> None:
        """Takes a job's new state from the engine."""
        attempt = int(job.get("attempt", 0))
        if attempt != self.attempt and self.attempt:
            self.progress = {}
            self.begun_anew()
        self.attempt = attempt
        self.params = dict(job.get("params", self.params))
        self.operation = str(job.get("operation", self.operation))
        self.state = str(job.get("state", self.state))
        self.created, self.seq = float(job.get("created", 0.0)), int(job.get("seq", 0))
        self.not_before = float(job.get("not_before") or 0.0)
        self.artifacts = list(job.get("artifacts", ()))
        self.facts = dict(job.get("facts", {}))
        self.error = job.get("error")
        if self.state == "queued":
            self.progress = {}
            self.queued_again()
        self.take_live(job.get("live"))

    def begun_anew(self) -> None:
        """Another attempt runs: what the last one showed is not shown any more."""

    def queued_again(self) -> None:
        """It waits, perhaps once more: what was read of its file is not its result any more."""

    def take_live(self, live: dict[str, Any] | None) -> None:
        if live:
            self.progress = dict(live.get("progress") or {})


R = TypeVar("R", bound=JobResult)


class JobResults(Generic[R]):
    """All results of one panel, oldest first. `origin`: the jobs that belong here; `make` makes one of an id."""

    def __init__(self, origin: str, make: Callable[[str, dict[str, Any]], R]):
        self._origin, self.make = origin, make
        self._by_id: dict[str, R] = {}
        self._hidden: set[str] = set()
        self._on_worker: dict[str, dict[str, Any]] = {}

    def __iter__(self) -> Iterator[R]:
        return iter(self.shown())

    def __len__(self) -> int:
        return len(self.shown())

    @property
    def hidden(self) -> list[str]:
        """Deleted here, and still to be forgotten by the engine."""
        return sorted(self._hidden)

    def hide(self, id: str, hidden: bool = True) -> None:
        (self._hidden.add if hidden else self._hidden.discard)(id)

    def shown(self) -> list[R]:
        found = [result for id, result in self._by_id.items() if id not in self._hidden]
        return sorted(found, key=lambda result: (result.created, result.seq))

    def get(self, id: str) -> R | None:
        return self._by_id.get(id)

    def load(self, jobs: list[dict[str, Any]]) -> None:
        """Takes the engine's job list: adds, renews, and drops what the engine no longer knows."""
        known = {str(job["id"]) for job in jobs}
        for id in [id for id, result in self._by_id.items() if not result.local and id not in known]:
            del self._by_id[id]
        for job in jobs:
            self.take(job)

    def take(self, job: dict[str, Any]) -> R | None:
        """The result of a job's new state; None when the job belongs elsewhere."""
        id = str(job.get("id", ""))
        result = self._by_id.get(id)
        if result is None:
            if not id or job.get("origin") != self._origin:
                return None
            result = self._by_id[id] = self.make(id, {})
        result.local = False
        result.update(job)
        return result

    def note(self, job: dict[str, Any]) -> list[str]:
        """Any job's new state, also another panel's. Returns the results that now wait for the device, or no longer."""
        id = str(job.get("id", ""))
        before = self._on_worker.pop(id, None)
        if job.get("state") in ON_WORKER:
            self._on_worker[id] = job
        elif before is None:
            return []
        if before is not None and before.get("state") == job.get("state"):
            return []
        waits = waiting(self._on_worker.values())
        changed = [known for known, result in self._by_id.items() if result.waits != (known in waits)]
        for known in changed:
            self._by_id[known].waits = known in waits
        return changed

    def forget_turns(self) -> None:
        """The engine is another: who had the device is not known any more."""
        self._on_worker.clear()
        for result in self._by_id.values():
            result.waits = False

    def add(self, result: R) -> R:
        self._by_id[result.id] = result
        return result

    def remove(self, id: str) -> None:
        self._by_id.pop(id, None)
        self._hidden.discard(id)

    def running(self) -> list[R]:
        return [result for result in self._by_id.values() if result.working]

    def unfinished(self) -> list[R]:
        return [result for result in self._by_id.values() if not result.ended and not result.local]


def state_words(result: JobResult, running: str) -> str:
    """What is going on, for a person; `running`: how far it is, in the panel's own words. Empty when it has ended."""
    progress = result.progress
    if result.waits and result.state in ("starting", "running"):
        return WAITS
    if result.state in ("starting", "running") and progress.get("stage"):
        return _stage(progress)
    match result.state:
        case "queued":
            return f"Waiting until {clock(result.not_before)}" if result.not_before else "Waiting in the queue"
        case "paused":
            return "Paused"
        case "starting":
            return "Starting"
        case "cancelling":
            return "Stopping; what was made so far is kept"
        case "running":
            return running or "Running"
        case "failed":
            return "Failed"
    return ""


def _stage(progress: dict[str, Any]) -> str:
    stage, done, total = str(progress["stage"]), progress.get("done"), progress.get("total")
    if total:
        return f"{stage.rstrip('…. ')} {done or 0:,} of {total:,}"
    return stage


def going(progress: dict[str, Any]) -> str:
    """ "Picture 2 of 4 · step 8 of 30 · 2.0 it/s · 0:11 left", as much of it as is known."""
    at = place(progress)
    rate = rate_words(progress.get("rate"), str(progress.get("unit") or "it"))
    return " · ".join(part for part in (at[:1].upper() + at[1:], rate, left_words(progress)) if part)


def rate_words(rate: Any, unit: str) -> str:
    if not isinstance(rate, int | float) or rate <= 0:
        return ""
    return f"{rate:,.0f} {unit}/s" if rate >= 100 else f"{rate:.1f} {unit}/s"


def clock(at: float) -> str:
    """A time of this day as 22:00, another with its date."""
    moment, today = datetime.datetime.fromtimestamp(at), datetime.date.today()
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment.day} {moment:%b %H:%M}"


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def about(result: JobResult) -> dict[str, Any]:
    """What a report on a failed request says beside the error: no prompt, as it may be private."""
    private = ("prompt", "negative", "expanded")
    return {
        "job": result.id,
        "attempt": result.attempt,
        "prompt": f"{len(result.prompt):,} characters",
        "settings": {name: value for name, value in result.params.items() if name not in private},
    }
