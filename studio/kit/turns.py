"""Whose turn it is on a device that several jobs share. Imports no Qt.

A worker computes for one job at a time, the most urgent of those it has; the others have begun and wait.
"""

from collections.abc import Iterable
from typing import Any

ON_WORKER = frozenset({"starting", "running", "cancelling"})
WAITS = "Waiting for the device; a more urgent job has it"


def waiting(jobs: Iterable[dict[str, Any]]) -> set[str]:
    """Of the engine's jobs, the ids of those that have begun and wait for a more urgent one of their worker."""
    begun = [job for job in jobs if job.get("worker") and job.get("state") in ON_WORKER and job.get("device", True)]
    first: dict[str, int] = {}
    for job in begun:
        first[job["worker"]] = min(first.get(job["worker"], urgency(job)), urgency(job))
    return {job["id"] for job in begun if job["state"] != "cancelling" and urgency(job) > first[job["worker"]]}


def urgency(job: dict[str, Any]) -> int:
    """0 is the most urgent."""
    return int(job.get("priority", 0))
