"""Stimuli of the queue and what it asks for in return. Data only; every event survives JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

from studio.jobs.state import Job


class QueueEvent:
    """Base of all events."""


class Effect:
    """Base of all effects."""


# Events -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submitted(QueueEvent):
    """A new job, as Job.to_dict(). One whose id is known already changes nothing."""

    job: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Restored(QueueEvent):
    """A job read from the journal at start. `completed`: artifacts of its receipt, if it has one."""

    job: dict[str, Any]
    completed: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CancelAsked(QueueEvent):
    job: str
    at: float


@dataclass(frozen=True, slots=True)
class PauseAsked(QueueEvent):
    job: str


@dataclass(frozen=True, slots=True)
class ResumeAsked(QueueEvent):
    job: str


@dataclass(frozen=True, slots=True)
class RetryAsked(QueueEvent):
    """Queue an ended job again, with its deaths forgotten."""

    job: str
    at: float


@dataclass(frozen=True, slots=True)
class Moved(QueueEvent):
    """Put a queued job right before another queued one; last of its class when `before` is empty."""

    job: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Edited(QueueEvent):
    """New values for a job that has not begun. changes: params, title, priority, not_before, models, memory."""

    job: str
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten(QueueEvent):
    """Drop an ended job from the history."""

    job: str


@dataclass(frozen=True, slots=True)
class Held(QueueEvent):
    """Start nothing new (True) or go on (False)."""

    held: bool


@dataclass(frozen=True, slots=True)
class WorkerReady(QueueEvent):
    worker: str
    device: str
    budget: int = 0


@dataclass(frozen=True, slots=True)
class WorkerDied(QueueEvent):
    """`reason` is a sentence ("ended by SIGSEGV"), `log` its last lines, `job` the guilty one if known."""

    worker: str
    reason: str
    at: float
    log: str = ""
    job: str = ""
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class ResidentsChanged(QueueEvent):
    worker: str
    residents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatonMoved(QueueEvent):
    worker: str
    job: str


@dataclass(frozen=True, slots=True)
class JobRunning(QueueEvent):
    job: str
    at: float


@dataclass(frozen=True, slots=True)
class JobPaused(QueueEvent):
    job: str


@dataclass(frozen=True, slots=True)
class JobResumed(QueueEvent):
    job: str


@dataclass(frozen=True, slots=True)
class JobDone(QueueEvent):
    job: str
    at: float
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobFailed(QueueEvent):
    job: str
    at: float
    error: dict[str, Any] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class JobCancelledByWorker(QueueEvent):
    job: str
    at: float
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticked(QueueEvent):
    """Wall-clock time went on; wakes jobs whose window has come."""

    at: float


# Effects ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Save(Effect):
    """Make this job's new state durable before anything after it is performed."""

    job: Job


@dataclass(frozen=True, slots=True)
class Erase(Effect):
    job: str


@dataclass(frozen=True, slots=True)
class SaveHeld(Effect):
    held: bool


@dataclass(frozen=True, slots=True)
class Start(Effect):
    worker: str
    job: Job


@dataclass(frozen=True, slots=True)
class Tell(Effect):
    """what: "cancel", "pause", "resume" or "prioritise"."""

    worker: str
    job: str
    what: str


@dataclass(frozen=True, slots=True)
class WantWorker(Effect):
    """Jobs wait and no worker of this device is there or on its way."""

    device: str


@dataclass(frozen=True, slots=True)
class Announce(Effect):
    """Tell the clients what this job has become."""

    job: Job


EVENTS: dict[str, type[QueueEvent]] = {kind.__name__: kind for kind in QueueEvent.__subclasses__()}


def to_json(event: QueueEvent) -> dict[str, Any]:
    return {"event": type(event).__name__, **asdict(event)}  # type: ignore[call-overload]


def from_json(values: dict[str, Any]) -> QueueEvent:
    values = dict(values)
    kind = EVENTS[values.pop("event")]
    if "residents" in values:
        values["residents"] = tuple(values["residents"])
    return kind(**values)
