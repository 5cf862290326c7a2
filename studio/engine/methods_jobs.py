"""Requests about jobs. One short function a method; each returns JSON."""

import dataclasses
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any

from studio.engine.admission import TITLE, priority_of, refuse_too_large
from studio.engine.asked import Asked
from studio.engine.core import Engine
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import ENDED, Job, JobState, Priority
from studio.wire.messages import Steer

PAGE = 200
MOST = 1000
ACTIVE = (JobState.STARTING, JobState.RUNNING, JobState.CANCELLING, JobState.PAUSED)


async def submit(engine: Engine, asked: Asked) -> Any:
    known = engine.queue.jobs.get(asked.text("job"))
    if known is not None:
        return {"job": known.id}
    job = await engine.admission.job(asked, engine.budget)
    await engine.tell(ev.Submitted(job.to_dict(), time.time()))
    return {"job": job.id}


async def duplicate(engine: Engine, asked: Asked) -> Any:
    job = _job(engine, asked)
    request = {
        "job": asked.text("new_job") or uuid.uuid4().hex,
        "operation": job.operation,
        "params": {**job.params, **asked.object("params")},
        "origin": job.origin,
        "priority": int(job.priority),
        "parents": list(job.parents),
    }
    return await submit(engine, Asked(request))


async def cancel(engine: Engine, asked: Asked) -> Any:
    """Of a job that has ended meanwhile, this changes nothing."""
    await engine.tell(ev.CancelAsked(_job(engine, asked).id, time.time()))
    return {}


async def steer(engine: Engine, asked: Asked) -> Any:
    """Hands `data` on to a running job. What it means is its operation's; nothing is kept of it here."""
    job = _in_state(engine, asked, {JobState.STARTING, JobState.RUNNING, JobState.PAUSED}, "Only a running job listens")
    if not job.worker:
        raise _wrong_state("Only a running job listens", job)
    engine.dispatch.tell(job.worker, job.id, Steer(job.id, asked.object("data")))
    return {}


async def preview(engine: Engine, asked: Asked) -> Any:
    """The latest pictures of a running job, for who came after they were sent."""
    live = engine.live.get(_job(engine, asked).id)
    return {"media": live.media if live else ""}, list(live.pictures) if live else []


async def pause(engine: Engine, asked: Asked) -> Any:
    job = _in_state(engine, asked, {*JobState} - ENDED - {JobState.CANCELLING}, "Only waiting and running jobs pause")
    await engine.tell(ev.PauseAsked(job.id))
    return {}


async def resume(engine: Engine, asked: Asked) -> Any:
    job = _in_state(engine, asked, {*JobState} - ENDED - {JobState.CANCELLING}, "Only a paused job can go on")
    await engine.tell(ev.ResumeAsked(job.id))
    return {}


async def retry(engine: Engine, asked: Asked) -> Any:
    states = {JobState.FAILED, JobState.CANCELLED}
    job = _in_state(engine, asked, states, "Only a failed or cancelled job can be retried")
    await engine.tell(ev.RetryAsked(job.id, time.time()))
    return {}


async def move(engine: Engine, asked: Asked) -> Any:
    job = _in_state(engine, asked, {JobState.QUEUED}, "Only a waiting job can be moved")
    before = asked.text("before")
    if before:
        _in_state(engine, Asked({"job": before}), {JobState.QUEUED}, "A job can only be put before a waiting one")
    await engine.tell(ev.Moved(job.id, before))
    return {}


async def edit(engine: Engine, asked: Asked) -> Any:
    job = _changeable(engine, asked)
    changes: dict[str, Any] = {}
    if "params" in asked:
        before = await engine.admission.check(job.operation, job.params)
        checked = await engine.admission.check(job.operation, asked.object("params"))
        refuse_too_large(checked.estimate, engine.budget)
        changes["params"] = checked.params.model_dump(mode="json")
        changes["models"], changes["memory"] = list(checked.models), checked.estimate.total
        if job.title == engine.admission.title(before.params, job.operation):
            changes["title"] = engine.admission.title(checked.params, job.operation)
    if "title" in asked:
        changes["title"] = asked.text("title")[:TITLE]
    if "priority" in asked:
        changes["priority"] = int(priority_of(asked.get("priority")))
    if "not_before" in asked:
        changes["not_before"] = asked.number("not_before")
    attempt = job.attempt
    await engine.tell(ev.Edited(job.id, changes))
    differs = any(getattr(job, key) != value for key, value in changes.items() if key != "models")
    if differs and (job.attempt != attempt or job.state in ENDED):  # it began while its new values were checked
        raise _wrong_state("Only a waiting job can be changed", job)
    return {}


async def forget(engine: Engine, asked: Asked) -> Any:
    job = _in_state(engine, asked, ENDED, "Only an ended job can be removed from the history")
    await engine.tell(ev.Forgotten(job.id))
    if job.id in engine.queue.jobs:
        raise StudioError("A waiting job builds on this one", "It is needed until that has ended.", code="state")
    return {}


async def hold(engine: Engine, asked: Asked) -> Any:
    await engine.tell(ev.Held(asked.flag("held", True)))
    return {}


async def job(engine: Engine, asked: Asked) -> Any:
    return _shown(engine, _job(engine, asked))


async def jobs(engine: Engine, asked: Asked) -> Any:
    """A page of jobs: those on workers first, then waiting ones in the order they will run, then the ended."""
    try:
        states = {JobState(state) for state in asked.texts("states")} or {*JobState}
    except ValueError as error:
        raise StudioError("There is no such state", str(error), code="bad-request") from None
    origin = asked.text("origin")
    offset, limit = asked.whole("offset", 0), min(MOST, asked.whole("limit", PAGE))
    newest = asked.flag("newest", False)
    if states == {JobState.QUEUED} and not origin and not newest:
        total = engine.queue.waiting_count()
        chosen = list(islice(_waiting(engine), offset, offset + limit))
    else:
        found = [job for job in _ordered(engine, states) if not origin or job.origin == origin]
        if newest:
            found.sort(key=lambda job: -job.seq)
        total, chosen = len(found), found[offset : offset + limit]
    return {"total": total, **engine.counts(), "jobs": [_shown(engine, job) for job in chosen]}


async def fits(engine: Engine, asked: Asked) -> Any:
    checked = await engine.admission.check(asked.text("operation"), asked.object("params"), files=False)
    estimate, budget = checked.estimate, engine.budget
    verdict = "yes"
    if budget and estimate.total > budget:
        verdict = "no"
    elif budget and estimate.total > 0.8 * budget:
        verdict = "tight"
    return {"estimate": {**dataclasses.asdict(estimate), "total": estimate.total}, "budget": budget, "fits": verdict}


def _job(engine: Engine, asked: Asked) -> Job:
    job = engine.queue.jobs.get(asked.text("job"))
    if job is None:
        raise StudioError("There is no such job", asked.text("job")[:100], code="unknown-job")
    return job


def _in_state(engine: Engine, asked: Asked, states: set[JobState] | frozenset[JobState], otherwise: str) -> Job:
    job = _job(engine, asked)
    if job.state not in states:
        raise _wrong_state(otherwise, job)
    return job


def _changeable(engine: Engine, asked: Asked) -> Job:
    job = _in_state(engine, asked, {JobState.QUEUED, JobState.PAUSED}, "Only a waiting job can be changed")
    if job.worker:
        raise _wrong_state("Only a waiting job can be changed", job)
    return job


def _wrong_state(otherwise: str, job: Job) -> StudioError:
    return StudioError(otherwise, f"“{job.title or job.operation}” is {job.state}.", code="state")


def _shown(engine: Engine, job: Job) -> dict[str, Any]:
    live = engine.live.get(job.id) if job.worker else None
    return {**job.to_dict(), "live": live.to_dict()} if live else job.to_dict()


def _waiting(engine: Engine) -> Iterator[Job]:
    queue = engine.queue
    for priority in Priority:
        for _, _, id in queue.waiting[priority]:
            yield queue.jobs[id]
    for id in sorted(queue.blocked, key=lambda id: queue.jobs[id].seq):
        yield queue.jobs[id]


def _ordered(engine: Engine, states: set[JobState]) -> Iterator[Job]:
    every = engine.queue.jobs.values()
    active, ended = states.intersection(ACTIVE), states & ENDED
    if active:
        yield from (job for job in every if job.state in active)
    if JobState.QUEUED in states:
        yield from _waiting(engine)
    if ended:
        yield from sorted((job for job in every if job.state in ended), key=lambda job: (-job.ended, -job.seq))
