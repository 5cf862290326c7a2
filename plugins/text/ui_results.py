"""The results of the text panel as data: what each request has become, in words. Imports no Qt.

The engine is the truth: everything here comes from its job list and its events, so a panel that was
closed in mid-answer shows the same after it is opened again.
"""

import datetime
from dataclasses import dataclass, field
from typing import Any

from studio.kit.turns import ON_WORKER, WAITS, waiting

WAITING = frozenset({"queued", "paused"})
ENDED = frozenset({"finished", "failed", "cancelled"})

STOP_REASONS = {
    "length": "token limit reached",
    "eos": "the model ended the text",
    "stop": "a stop string came up",
    "context": "the model's context is full",
    "cancelled": "stopped",
}


@dataclass(slots=True)
class Result:
    """One request and what came of it.

    stream: the continuation as it was watched. saved: the whole file as it was read back, prompt included.
    gone: why the file cannot be shown. waits: it has begun, and a more urgent job has the device.
    local: never reached the engine (a refused request, a dropped file).
    """

    id: str
    params: dict[str, Any]
    state: str = "queued"
    created: float = 0.0
    seq: int = 0
    attempt: int = 0
    not_before: float = 0.0
    stream: str = ""
    saved: str | None = None
    gone: str = ""
    trashed: bool = False
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
    def artifact(self) -> str:
        """The id of the text file, empty when none was saved."""
        return next((str(a["id"]) for a in self.artifacts if a.get("kind", "text") == "text"), "")

    @property
    def file(self) -> str:
        return self.path or next((str(a.get("path", "")) for a in self.artifacts), "")

    @property
    def continuation(self) -> str:
        """What the model wrote: from the file where it was read back, else what was watched."""
        if self.saved is None:
            return self.stream
        count = self.facts.get("prompt_chars")
        cut = count if isinstance(count, int) and 0 <= count <= len(self.saved) else len(self.prompt)
        return self.saved[cut:] if self.saved[:cut] == self.prompt else self.saved

    @property
    def whole(self) -> str:
        """Prompt and continuation."""
        if self.saved is not None:
            return self.saved
        return self.prompt + self.stream

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
            self.stream, self.progress = "", {}
        self.attempt = attempt
        self.params = dict(job.get("params", self.params))
        self.state = str(job.get("state", self.state))
        self.created, self.seq = float(job.get("created", 0.0)), int(job.get("seq", 0))
        self.not_before = float(job.get("not_before") or 0.0)
        self.artifacts = list(job.get("artifacts", ()))
        self.facts = dict(job.get("facts", {}))
        self.error = job.get("error")
        if self.state == "queued":
            self.progress, self.saved, self.gone = {}, None, ""
        self.take_live(job.get("live"))

    def take_live(self, live: dict[str, Any] | None) -> None:
        if live:
            self.progress = dict(live.get("progress") or {})
            self.stream = str(live.get("stream") or "")

    def append(self, at: int, text: str) -> bool:
        """Adds streamed text that begins at character `at`; False when something before it is missing."""
        have = len(self.stream)
        if at > have:
            return False
        self.stream += text[have - at :]
        return True


class Results:
    """All results of one panel, oldest first. `origin`: the jobs that belong here."""

    def __init__(self, origin: str):
        self._origin = origin
        self._by_id: dict[str, Result] = {}
        self._hidden: set[str] = set()
        self._on_worker: dict[str, dict[str, Any]] = {}

    def __iter__(self):
        return iter(self.shown())

    def __len__(self) -> int:
        return len(self.shown())

    @property
    def hidden(self) -> list[str]:
        """Deleted here, and still to be forgotten by the engine."""
        return sorted(self._hidden)

    def hide(self, id: str, hidden: bool = True) -> None:
        (self._hidden.add if hidden else self._hidden.discard)(id)

    def shown(self) -> list[Result]:
        found = [result for id, result in self._by_id.items() if id not in self._hidden]
        return sorted(found, key=lambda result: (result.created, result.seq))

    def get(self, id: str) -> Result | None:
        return self._by_id.get(id)

    def by_artifact(self, ids: set[str]) -> list[Result]:
        return [result for result in self._by_id.values() if result.artifact in ids and result.artifact]

    def load(self, jobs: list[dict[str, Any]]) -> None:
        """Takes the engine's job list: adds, renews, and drops what the engine no longer knows."""
        known = {str(job["id"]) for job in jobs}
        for id in [id for id, result in self._by_id.items() if not result.local and id not in known]:
            del self._by_id[id]
        for job in jobs:
            self.take(job)

    def take(self, job: dict[str, Any]) -> Result | None:
        """The result of a job's new state; None when the job belongs elsewhere."""
        id = str(job.get("id", ""))
        result = self._by_id.get(id)
        if result is None:
            if not id or job.get("origin") != self._origin:
                return None
            result = self._by_id[id] = Result(id, {})
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

    def add(self, result: Result) -> Result:
        self._by_id[result.id] = result
        return result

    def remove(self, id: str) -> None:
        self._by_id.pop(id, None)
        self._hidden.discard(id)

    def running(self) -> list[Result]:
        return [result for result in self._by_id.values() if result.working]

    def unfinished(self) -> list[Result]:
        return [result for result in self._by_id.values() if not result.ended and not result.local]


def status(result: Result) -> str:
    """What is going on, or how it ended, in one line for a person."""
    progress, facts = result.progress, result.facts
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
            return " · ".join(part for part in (_count(progress), _rate(progress.get("rate"))) if part) or "Running"
        case "failed":
            return "Failed"
    parts = [_ending(result)]
    if isinstance(facts.get("tokens"), int):
        parts.append(plural(facts["tokens"], "token"))
    if speed := _rate(facts.get("tokens_per_second")):
        parts.append(speed)
    return " · ".join(part for part in parts if part)


def _ending(result: Result) -> str:
    if result.state == "cancelled":
        return "Stopped"
    reason = str(result.facts.get("stop_reason", ""))
    words = STOP_REASONS.get(reason, reason)
    return words[:1].upper() + words[1:] if words else "Finished"


def _stage(progress: dict[str, Any]) -> str:
    stage, done, total = str(progress["stage"]), progress.get("done"), progress.get("total")
    if total:
        return f"{stage.rstrip('…. ')} {done or 0:,} of {total:,}"
    return stage


def _count(progress: dict[str, Any]) -> str:
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int):
        return ""
    return f"{done:,} of {total:,} tokens" if total else plural(done, "token")


def _rate(rate: Any) -> str:
    if not isinstance(rate, int | float) or rate <= 0:
        return ""
    return f"{rate:,.0f} tokens/s" if rate >= 100 else f"{rate:.1f} tokens/s"


def clock(at: float) -> str:
    """A time of this day as 22:00, another with its date."""
    moment, today = datetime.datetime.fromtimestamp(at), datetime.date.today()
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment.day} {moment:%b %H:%M}"


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def about(result: Result) -> dict[str, Any]:
    """What a report on a failed request says beside the error: no prompt, as it may be private."""
    return {
        "job": result.id,
        "attempt": result.attempt,
        "prompt": f"{len(result.prompt):,} characters",
        "settings": {name: value for name, value in result.params.items() if name != "prompt"},
    }
