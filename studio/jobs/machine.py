"""The queue as a pure state machine: `handle(queue, event)` changes the queue and returns effects.

No clock, thread, socket, file or Qt. Effects are to be performed in order: a Save is durable before
what follows it happens. What is not a legal step from the present state changes nothing.
"""

from collections.abc import Callable
from typing import Any

from studio.jobs import events as ev
from studio.jobs import order, policy
from studio.jobs.state import ENDED, ON_WORKER, Job, JobState, Queue, Worker

DEATHS_TO_QUARANTINE = 2
Effects = list[ev.Effect]


def handle(queue: Queue, event: ev.QueueEvent) -> tuple[Queue, Effects]:
    """Takes one event. Raises TypeError for an event it does not know."""
    effects: Effects = []
    queue.now = max(queue.now, getattr(event, "at", queue.now))
    try:
        step = STEPS[type(event)]
    except KeyError:
        raise TypeError(f"no step for {event!r}") from None
    step(queue, event, effects)
    _schedule(queue, effects)
    return queue, effects


def _schedule(queue: Queue, effects: Effects) -> None:
    started = True
    while started:
        started = False
        for worker in queue.workers.values():
            job = policy.pick(queue, worker)
            if job is not None:
                _start(queue, worker, job, effects)
                started = True
    if not queue.workers and not queue.held and any(queue.waiting.values()):
        effects.append(ev.WantWorker("auto"))


def _start(queue: Queue, worker: Worker, job: Job, effects: Effects) -> None:
    policy.served(queue, job)
    queue.dequeue(job)
    job.state, job.worker, job.skipped = JobState.STARTING, worker.id, 0
    job.attempt += 1
    worker.running.add(job.id)
    # Not saved: a restart puts what was starting or running back where it waited.
    _changed(job, effects, save=False)
    effects.append(ev.Start(worker.id, job))


def _changed(job: Job, effects: Effects, *, save: bool = True) -> None:
    if save:
        effects.append(ev.Save(job))
    effects.append(ev.Announce(job))


def _end(queue: Queue, job: Job, state: JobState, at: float, effects: Effects) -> None:
    """Ends a job, frees its worker and settles the jobs that build on it."""
    queue.dequeue(job)
    _release(queue, job)
    job.state, job.ended = state, at
    _changed(job, effects)
    for needed in job.depends_on:
        building = queue.dependants.get(needed, set())
        building.discard(job.id)
        if not building:
            queue.dependants.pop(needed, None)
    # They stay known as dependants until they end themselves: what they build on must not be forgotten.
    for id in sorted(queue.dependants.get(job.id, ())):
        dependant = queue.jobs[id]
        if dependant.state is not JobState.QUEUED:
            continue
        if state is JobState.FINISHED:
            queue.dequeue(dependant)
            queue.enqueue(dependant)
        else:
            dependant.error = {
                "title": "A job this one builds on did not finish",
                "detail": f"{job.title or job.operation} was {state}.",
                "code": "dependency",
            }
            _end(queue, dependant, JobState.FAILED, at, effects)


def _release(queue: Queue, job: Job) -> None:
    worker = queue.workers.get(job.worker)
    if worker:
        worker.running.discard(job.id)
        if worker.baton == job.id:
            worker.baton = ""
    job.worker = ""


def _requeue(queue: Queue, job: Job, effects: Effects) -> None:
    _release(queue, job)
    job.state = JobState.QUEUED
    queue.enqueue(job)
    _changed(job, effects)


def _admit(queue: Queue, job: Job) -> None:
    queue.jobs[job.id] = job
    queue.next_seq = max(queue.next_seq, job.seq + 1)
    if job.state not in ENDED:
        for needed in job.depends_on:
            queue.dependants.setdefault(needed, set()).add(job.id)
    if job.state is JobState.QUEUED:
        queue.enqueue(job)


# Steps: one function an event ----------------------------------------------------------------------


def _submitted(queue: Queue, event: ev.Submitted, effects: Effects) -> None:
    job = Job.from_dict(event.job)
    if job.id in queue.jobs:
        return
    job.seq, job.state, job.created = queue.next_seq, JobState.QUEUED, event.at
    job.position = float(job.seq)
    _admit(queue, job)
    _changed(job, effects)
    for needed in job.depends_on:
        other = queue.jobs.get(needed)
        if other is None or other.state in (JobState.FAILED, JobState.CANCELLED):
            job.error = {"title": "A job this one builds on did not finish", "detail": needed, "code": "dependency"}
            _end(queue, job, JobState.FAILED, event.at, effects)
            return


def _restored(queue: Queue, event: ev.Restored, effects: Effects) -> None:
    job = Job.from_dict(event.job)
    before = (job.state, job.worker)
    if job.state is not JobState.FINISHED and event.completed is not None:
        job.state, job.quarantined = JobState.FINISHED, False
        job.artifacts = list(event.completed.get("artifacts", []))
        job.facts = dict(event.completed.get("facts", {}))
        job.ended = float(event.completed.get("at", 0.0))
        job.error = None
    elif job.state is JobState.CANCELLING:
        job.state, job.ended = JobState.CANCELLED, queue.now
    elif job.state in ON_WORKER:
        job.state = JobState.QUEUED
    job.worker = ""
    _admit(queue, job)
    if before != (job.state, job.worker):
        _changed(job, effects)


def _cancel_asked(queue: Queue, event: ev.CancelAsked, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is None or job.state in ENDED or job.state is JobState.CANCELLING:
        return
    if not job.worker:
        _end(queue, job, JobState.CANCELLED, event.at, effects)
        return
    job.state = JobState.CANCELLING
    _changed(job, effects)
    effects.append(ev.Tell(job.worker, job.id, "cancel"))


def _pause_asked(queue: Queue, event: ev.PauseAsked, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is None:
        return
    if job.state is JobState.QUEUED:
        queue.dequeue(job)
        job.state = JobState.PAUSED
        _changed(job, effects)
    elif job.state in (JobState.STARTING, JobState.RUNNING):
        effects.append(ev.Tell(job.worker, job.id, "pause"))


def _resume_asked(queue: Queue, event: ev.ResumeAsked, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is None or job.state is not JobState.PAUSED:
        return
    if job.worker:
        effects.append(ev.Tell(job.worker, job.id, "resume"))
    else:
        _requeue(queue, job, effects)


def _retry_asked(queue: Queue, event: ev.RetryAsked, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is None or job.state not in (JobState.FAILED, JobState.CANCELLED):
        return
    job.deaths, job.quarantined, job.error, job.artifacts = 0, False, None, []
    job.seq = queue.next_seq
    job.position, job.state, job.ended = float(job.seq), JobState.QUEUED, 0.0
    _admit(queue, job)
    _changed(job, effects)


def _forgotten(queue: Queue, event: ev.Forgotten, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is not None and job.state in ENDED and not queue.dependants.get(job.id):
        del queue.jobs[job.id]
        effects.append(ev.Erase(job.id))


def _held(queue: Queue, event: ev.Held, effects: Effects) -> None:
    queue.held = event.held
    effects.append(ev.SaveHeld(event.held))


def _worker_ready(queue: Queue, event: ev.WorkerReady, effects: Effects) -> None:
    queue.workers[event.worker] = Worker(event.worker, event.device, ready=True, budget=event.budget)


def _worker_died(queue: Queue, event: ev.WorkerDied, effects: Effects) -> None:
    worker = queue.workers.pop(event.worker, None)
    if worker is None:
        return
    guilty = _guilty(queue, worker, event)
    for id in sorted(worker.running, key=lambda id: queue.jobs[id].seq):
        job = queue.jobs[id]
        if job.state is JobState.CANCELLING:
            _end(queue, job, JobState.CANCELLED, event.at, effects)
        elif job.state is JobState.PAUSED:
            _release(queue, job)
            _changed(job, effects)
        elif id in guilty and not event.wanted:
            _died_under(queue, job, event, effects)
        else:
            _requeue(queue, job, effects)


def _guilty(queue: Queue, worker: Worker, event: ev.WorkerDied) -> set[str]:
    """The job that had the device; every active one when nobody can say."""
    if event.job in worker.running:
        return {event.job}
    if worker.baton in worker.running:
        return {worker.baton}
    return {job.id for job in queue.active(worker)}


def _died_under(queue: Queue, job: Job, event: ev.WorkerDied, effects: Effects) -> None:
    job.deaths += 1
    twice = job.deaths >= DEATHS_TO_QUARANTINE
    job.error = {
        "title": "The worker process died twice while running this" if twice else "The worker process died",
        "detail": event.reason,
        "hint": "It will not run again by itself. Change its settings or retry it."
        if twice
        else "It is tried once more.",
        "code": "worker-died",
        "log": event.log,
    }
    if twice:
        job.quarantined = True
        _end(queue, job, JobState.FAILED, event.at, effects)
    else:
        _requeue(queue, job, effects)


def _residents_changed(queue: Queue, event: ev.ResidentsChanged, effects: Effects) -> None:
    worker = queue.workers.get(event.worker)
    if worker:
        worker.residents = set(event.residents)


def _baton_moved(queue: Queue, event: ev.BatonMoved, effects: Effects) -> None:
    worker = queue.workers.get(event.worker)
    if worker:
        worker.baton = event.job


def _job_running(queue: Queue, event: ev.JobRunning, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is not None and job.state is JobState.STARTING:
        job.state, job.started = JobState.RUNNING, event.at
        _changed(job, effects, save=False)


def _job_paused(queue: Queue, event: ev.JobPaused, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is not None and job.state in (JobState.STARTING, JobState.RUNNING):
        job.state = JobState.PAUSED
        _changed(job, effects)


def _job_resumed(queue: Queue, event: ev.JobResumed, effects: Effects) -> None:
    job = queue.jobs.get(event.job)
    if job is not None and job.state is JobState.PAUSED and job.worker:
        job.state = JobState.RUNNING
        _changed(job, effects)


def _on_worker(queue: Queue, id: str) -> Job | None:
    job = queue.jobs.get(id)
    return job if job is not None and job.worker else None


def _job_done(queue: Queue, event: ev.JobDone, effects: Effects) -> None:
    """The receipt is on disk: finished, even when a cancel was on its way."""
    job = _on_worker(queue, event.job)
    if job is not None:
        job.artifacts, job.facts, job.error = list(event.artifacts), dict(event.facts), None
        _end(queue, job, JobState.FINISHED, event.at, effects)


def _job_failed(queue: Queue, event: ev.JobFailed, effects: Effects) -> None:
    job = _on_worker(queue, event.job)
    if job is not None:
        job.artifacts, job.error = list(event.artifacts), dict(event.error)
        cancelled = job.state is JobState.CANCELLING
        _end(queue, job, JobState.CANCELLED if cancelled else JobState.FAILED, event.at, effects)


def _job_cancelled(queue: Queue, event: ev.JobCancelledByWorker, effects: Effects) -> None:
    job = _on_worker(queue, event.job)
    if job is not None:
        job.artifacts, job.facts = list(event.artifacts), dict(event.facts)
        _end(queue, job, JobState.CANCELLED, event.at, effects)


def _ticked(queue: Queue, event: ev.Ticked, effects: Effects) -> None:
    for id in sorted(queue.blocked):
        job = queue.jobs[id]
        if queue.ready(job):
            queue.dequeue(job)
            queue.enqueue(job)


STEPS: dict[type[ev.QueueEvent], Callable[[Queue, Any, Effects], None]] = {
    ev.Submitted: _submitted,
    ev.Restored: _restored,
    ev.CancelAsked: _cancel_asked,
    ev.PauseAsked: _pause_asked,
    ev.ResumeAsked: _resume_asked,
    ev.RetryAsked: _retry_asked,
    ev.Moved: order.moved,
    ev.Edited: order.edited,
    ev.Forgotten: _forgotten,
    ev.Held: _held,
    ev.WorkerReady: _worker_ready,
    ev.WorkerDied: _worker_died,
    ev.ResidentsChanged: _residents_changed,
    ev.BatonMoved: _baton_moved,
    ev.JobRunning: _job_running,
    ev.JobPaused: _job_paused,
    ev.JobResumed: _job_resumed,
    ev.JobDone: _job_done,
    ev.JobFailed: _job_failed,
    ev.JobCancelledByWorker: _job_cancelled,
    ev.Ticked: _ticked,
}
