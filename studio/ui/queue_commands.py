"""What can be done with jobs in the queue, as data, and how each is asked of the engine. No widgets."""

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Call = Callable[..., Awaitable[Any]]
Job = dict[str, Any]

WORKING = frozenset({"starting", "running"})
ENDED = frozenset({"finished", "failed", "cancelled"})
PRIORITIES = (("interactive", "Urgent"), ("batch", "Normal"), ("training", "Training"), ("maintenance", "When idle"))
NIGHT_FROM, NIGHT_UNTIL = 22, 6


@dataclass(frozen=True, slots=True)
class Command:
    """`fits`: the states in which a job can have it done. `single`: for one job at a time."""

    id: str
    title: str
    tip: str
    shortcut: str
    fits: frozenset[str]
    single: bool = False

    def allows(self, jobs: list[Job]) -> bool:
        fitting = [job for job in jobs if self.takes(job)]
        return bool(fitting) and (not self.single or len(jobs) == 1)

    def takes(self, job: Job) -> bool:
        if self.id == "edit" and job.get("worker"):
            return False
        return job.get("state") in self.fits


_waiting = frozenset({"queued"})
WAITING_COMMANDS = (
    Command("pause", "Pause", "Lets it rest; the device goes to the next job", "Space", WORKING | _waiting),
    Command("resume", "Resume", "Goes on with a paused job", "Space", frozenset({"paused"})),
    Command("cancel", "Cancel", "Ends it; what was made so far is kept", "Del", WORKING | _waiting | {"paused"}),
    Command("edit", "Edit…", "Changes the settings before it starts", "F2", _waiting | {"paused"}, single=True),
    Command("duplicate", "Duplicate", "Queues the same once more", "Ctrl+D", WORKING | _waiting | {"paused"}),
    Command(
        "vary", "With changes…", "Queues it once more with other settings", "Ctrl+Shift+D",
        WORKING | _waiting | {"paused"}, single=True,
    ),
    Command("up", "Up", "Earlier by one", "Alt+Up", _waiting),
    Command("down", "Down", "Later by one", "Alt+Down", _waiting),
    Command("tonight", "Run tonight", "Waits until 22:00", "Ctrl+T", _waiting),
    Command("now", "Run any time", "Does not wait for the night any more", "Ctrl+Shift+T", _waiting),
)  # fmt: skip
HISTORY_COMMANDS = (
    Command("retry", "Retry", "Runs the same job again", "F5", frozenset({"failed", "cancelled"})),
    Command("duplicate", "Duplicate", "Queues the same once more", "Ctrl+D", ENDED),
    Command("vary", "With changes…", "Queues it once more with other settings", "Ctrl+Shift+D", ENDED, single=True),
    Command("forget", "Remove", "Removes it from this list; results stay in the library", "Del", ENDED),
)


def shown(command: Command, jobs: list[Job]) -> bool:
    """Which of two opposite commands is on show: pause or resume, tonight or any time."""
    if command.id == "pause":
        return not jobs or any(job.get("state") != "paused" for job in jobs)
    if command.id == "resume":
        return bool(jobs) and all(job.get("state") == "paused" for job in jobs)
    timed = bool(jobs) and all(job.get("not_before") for job in jobs)
    return {"tonight": not timed, "now": timed}.get(command.id, True)


async def perform(call: Call, command: Command, jobs: list[Job], now: datetime.datetime | None = None) -> None:
    """Asks the engine for `command` on those of `jobs` it fits. Raises StudioError of the first refusal."""
    for job in (job for job in jobs if command.takes(job)):
        id = job["id"]
        match command.id:
            case "pause" | "resume" | "cancel" | "retry" | "duplicate" | "forget":
                await call(command.id, job=id)
            case "tonight":
                await call("edit", job=id, not_before=tonight(now or datetime.datetime.now()))
            case "now":
                await call("edit", job=id, not_before=0.0)


def tonight(now: datetime.datetime) -> float:
    """When the night begins, in seconds since the epoch: now if it is night, else 22:00 today."""
    if now.hour >= NIGHT_FROM or now.hour < NIGHT_UNTIL:
        return now.timestamp()
    return now.replace(hour=NIGHT_FROM, minute=0, second=0, microsecond=0).timestamp()
