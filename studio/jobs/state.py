"""What a job is and what the queue knows. Data only: no clock, thread, socket or file.

Times are seconds: `created` and its kin come from events and are only shown; order comes from `seq`
and `position`, so a clock that jumps changes nothing.
"""

import bisect
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from typing import Any


class Priority(IntEnum):
    """Smaller is more urgent."""

    INTERACTIVE = 0
    BATCH = 1
    TRAINING = 2
    MAINTENANCE = 3


class JobState(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


ON_WORKER = frozenset({JobState.STARTING, JobState.RUNNING, JobState.CANCELLING})
ENDED = frozenset({JobState.FINISHED, JobState.FAILED, JobState.CANCELLED})


@dataclass(slots=True)
class Job:
    """One request. A paused job may sit on a worker (`worker` set) or wait in the queue (`worker` empty)."""

    id: str
    operation: str
    params: dict[str, Any]
    seq: int = 0
    state: JobState = JobState.QUEUED
    priority: Priority = Priority.INTERACTIVE
    position: float = 0.0
    title: str = ""
    origin: str = ""
    models: tuple[str, ...] = ()
    memory: int = 0
    parents: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    not_before: float = 0.0
    device: bool = True
    worker: str = ""
    attempt: int = 0
    deaths: int = 0
    skipped: int = 0
    quarantined: bool = False
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    error: dict[str, Any] | None = None
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Job":
        known = {f.name for f in fields(cls)}
        job = cls(**{key: value for key, value in values.items() if key in known})
        job.state, job.priority = JobState(job.state), Priority(job.priority)
        job.models, job.parents, job.depends_on = tuple(job.models), tuple(job.parents), tuple(job.depends_on)
        return job


@dataclass(slots=True)
class Worker:
    """A generation worker of one device. `budget`: bytes it may use, 0 when unknown."""

    id: str
    device: str
    ready: bool = False
    budget: int = 0
    running: set[str] = field(default_factory=set)
    residents: set[str] = field(default_factory=set)
    baton: str = ""


@dataclass(slots=True)
class Queue:
    """The whole state. Changed in place by `machine.handle` and by nothing else.

    waiting: per priority, (position, seq, id) of the queued jobs that could start, in order.
    blocked: ids of queued jobs whose time or dependencies have not come.
    passed: per priority, how often a more urgent class was served while this one waited.
    dependants: job id -> ids of unfinished jobs that need it.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    waiting: dict[Priority, list[tuple[float, int, str]]] = field(default_factory=lambda: {p: [] for p in Priority})
    blocked: set[str] = field(default_factory=set)
    passed: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    next_seq: int = 1
    held: bool = False
    now: float = 0.0
    dependants: dict[str, set[str]] = field(default_factory=dict)

    def active(self, worker: Worker) -> list[Job]:
        """Jobs of this worker that want the device; those paused on it do not."""
        return [job for id in worker.running if (job := self.jobs[id]).state is not JobState.PAUSED]

    def ready(self, job: Job) -> bool:
        """Whether its time has come and everything it builds on is finished."""
        if job.not_before > self.now:
            return False
        return all(needed in self.jobs and self.jobs[needed].state is JobState.FINISHED for needed in job.depends_on)

    def enqueue(self, job: Job) -> None:
        """Puts a queued job where the policy looks for it, or aside until it is ready."""
        if self.ready(job):
            bisect.insort(self.waiting[job.priority], (job.position, job.seq, job.id))
        else:
            self.blocked.add(job.id)

    def dequeue(self, job: Job) -> None:
        self.blocked.discard(job.id)
        entries = self.waiting[job.priority]
        at = bisect.bisect_left(entries, (job.position, job.seq, job.id))
        if at < len(entries) and entries[at][2] == job.id:
            del entries[at]

    def waiting_count(self) -> int:
        return sum(map(len, self.waiting.values())) + len(self.blocked)
