"""What a new engine does with what an old one left: jobs, receipts, half-written files.

Owns the reading of receipts. A receipt is the point after which a job is finished, whatever the journal says.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import JobState
from studio.library import atomic, writer

log = logging.getLogger(__name__)


def receipt_path(receipts: Path, job: str) -> Path:
    return receipts / f"{job}.json"


def read_receipt(receipts: Path, job: str) -> dict[str, Any] | None:
    """The receipt of a job, or None. One that the disk damaged still says that the job is finished."""
    path = receipt_path(receipts, job)
    try:
        return writer.read_receipt(path)
    except StudioError as error:
        log.warning("%s", error)
        return {"job": job, "artifacts": [], "facts": {"receipt": str(error)}, "at": path.stat().st_mtime}


def restored(jobs: Iterable[dict[str, Any]], meta: dict[str, str], receipts: Path, now: float) -> list[ev.QueueEvent]:
    """The events that bring back the queue of the journal."""
    there = {path.stem for path in receipts.glob("*.json")}
    found: list[ev.QueueEvent] = []
    if meta.get("held") == "1":
        found.append(ev.Held(True))
    for job in jobs:
        id = str(job.get("id"))
        pending = id in there and job.get("state") != JobState.FINISHED
        found.append(ev.Restored(job, read_receipt(receipts, id) if pending else None))
    found.append(ev.Ticked(now))
    return found


def sweep_receipts(receipts: Path, known: Iterable[str]) -> None:
    """Removes receipts of jobs that the journal has forgotten, and what a killed worker left of one."""
    atomic.sweep(receipts, depth=0)
    kept = set(known)
    for path in receipts.glob("*.json"):
        if path.stem not in kept:
            path.unlink(missing_ok=True)
