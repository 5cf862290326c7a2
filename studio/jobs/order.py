"""What people change about waiting jobs: their order and their content. Steps of the queue machine.

Owns the positions of waiting jobs; imports no other step.
"""

from collections.abc import Callable
from typing import Any

from studio.jobs import events as ev
from studio.jobs.state import JobState, Priority, Queue


def moved(queue: Queue, event: ev.Moved, effects: list[ev.Effect]) -> None:
    """Puts a waiting job right before another, or last of its class."""
    job, before = queue.jobs.get(event.job), queue.jobs.get(event.before)
    if job is None or job is before or job.state is not JobState.QUEUED:
        return
    if event.before and (before is None or before.id in queue.blocked or before.state is not JobState.QUEUED):
        return
    queue.dequeue(job)
    job.priority = before.priority if before else job.priority
    entries = queue.waiting[job.priority]
    if before is None:
        job.position = max([float(queue.next_seq), *(entry[0] + 1 for entry in entries[-1:])])
    else:
        at = entries.index((before.position, before.seq, before.id))
        low = entries[at - 1][0] if at else before.position - 2
        job.position = (low + before.position) / 2
        if not low < job.position < before.position:
            _respace(queue, job.priority, effects)
            low = queue.jobs[entries[at - 1][2]].position if at else before.position - 2
            job.position = (low + before.position) / 2
    queue.enqueue(job)
    effects += [ev.Save(job), ev.Announce(job)]


def _respace(queue: Queue, priority: Priority, effects: list[ev.Effect]) -> None:
    """Spreads the positions of a class again, for when halving a gap has used up a float's digits."""
    entries = queue.waiting[priority]
    start = entries[0][0]
    for i, (_, seq, id) in enumerate(list(entries)):
        job = queue.jobs[id]
        job.position = start + i
        entries[i] = (job.position, seq, id)
        effects.append(ev.Save(job))


EDITABLE = frozenset({"params", "title", "priority", "not_before", "models", "memory"})


def edited(queue: Queue, event: ev.Edited, effects: list[ev.Effect]) -> None:
    """Gives a job that has not begun other values."""
    job = queue.jobs.get(event.job)
    if job is None or job.worker or job.state not in (JobState.QUEUED, JobState.PAUSED):
        return
    queue.dequeue(job)
    values = {key: value for key, value in event.changes.items() if key in EDITABLE}
    for key, value in {**values, **_typed(values)}.items():
        setattr(job, key, value)
    if job.state is JobState.QUEUED:
        queue.enqueue(job)
    effects += [ev.Save(job), ev.Announce(job)]


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, Callable[[Any], Any]] = {"priority": Priority, "models": tuple}
    return {key: kinds[key](value) for key, value in values.items() if key in kinds}
