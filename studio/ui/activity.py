"""What the machine is doing, in one line: the job on the device, how fast, how long, what waits. No Qt."""

from dataclasses import dataclass, field
from typing import Any

from studio.kit.turns import ON_WORKER
from studio.sdk.progress import brief, left_words, many
from studio.wire.messages import Event


@dataclass(slots=True)
class Activity:
    """The strip's state. `jobs`: those on a worker, as the engine described them; `live`: their last progress."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: int = 0
    held: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    latest: str = ""

    def reset(self) -> None:
        """The engine is gone: nothing that was known of it is true any more."""
        self.jobs.clear()
        self.live.clear()
        self.waiting, self.held, self.memory, self.latest = 0, False, {}, ""

    def load(self, listing: dict[str, Any]) -> None:
        """A `jobs` reply with the jobs on workers."""
        self.jobs = {str(job["id"]): job for job in listing.get("jobs", ()) if job.get("state") in ON_WORKER}
        self.live = {
            id: dict(live["progress"])
            for id, job in self.jobs.items()
            if (live := job.get("live")) and live.get("progress")
        }
        self.waiting, self.held = int(listing.get("waiting", 0)), bool(listing.get("held", False))

    def take(self, event: Event) -> bool:
        """Takes an event; whether anything shown has changed."""
        match event.kind:
            case "job":
                return self._job(event.job, event.data)
            case "progress" if event.job in self.jobs:
                self.live[event.job] = event.data
                self.latest = event.job
                return True
            case "queue":
                self.waiting, self.held = int(event.data.get("waiting", 0)), bool(event.data.get("held", False))
                return True
            case "memory":
                self.memory = event.data
                return True
        return False

    def _job(self, id: str, job: dict[str, Any]) -> bool:
        if job.get("state") in ON_WORKER:
            self.jobs[id] = job
            if job.get("state") == "starting":
                self.live.pop(id, None)
            return True
        self.live.pop(id, None)
        return self.jobs.pop(id, None) is not None

    @property
    def current(self) -> dict[str, Any] | None:
        """The job on show: the one that reported last, else the most urgent, else the oldest."""
        if self.latest in self.jobs:
            return self.jobs[self.latest]
        return min(self.jobs.values(), key=lambda job: (job.get("priority", 0), job.get("seq", 0)), default=None)

    @property
    def progress(self) -> dict[str, Any]:
        job = self.current
        return self.live.get(str(job["id"]), {}) if job else {}


def title_of(job: dict[str, Any]) -> str:
    """A name for a job: its title, else the beginning of its prompt, else the operation."""
    title = " ".join(str(job.get("title") or "")[:200].split())
    prompt = " ".join(str(job.get("params", {}).get("prompt") or "")[:400].split())
    if prompt.startswith(title):  # A title made of a prompt was cut at some length; the view cuts better.
        title = prompt[:200]
    return title or str(job.get("operation", ""))


def counted(progress: dict[str, Any]) -> str:
    """ "picture 2/4 · 14/30 · 3.2 it/s · 0:05 left", as much of it as is known."""
    done, total, rate, unit = (progress.get(key) for key in ("done", "total", "rate", "unit"))
    stage = str(progress.get("stage") or "")
    if stage:
        return f"{stage} {done:,}/{total:,}" if total and done is not None else stage
    parts = [brief(progress)]
    if rate:
        words = many(str(unit or "it"))
        parts.append(f"{rate:,.0f} {words}/s" if rate >= 100 else f"{rate:.1f} {words}/s")
    parts.append(left_words(progress))
    return " · ".join(part for part in parts if part)


def memory_words(memory: dict[str, Any]) -> str:
    """ "GPU 11.2/24 GB"; empty when unknown."""
    used, total = memory.get("used"), memory.get("total")
    if not total:
        return ""
    device = str(memory.get("device") or "cpu")
    name = "GPU" if device.startswith(("cuda", "mps")) else "RAM"
    return f"{name} {_gigabytes(used or 0)}/{_gigabytes(total)} GB"


def _gigabytes(count: int) -> str:
    value = count / 1e9
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
