"""What must hold of the queue after every event. Tests run it always; the engine in debug runs."""

from studio.jobs.state import ENDED, ON_WORKER, JobState, Queue


def check(queue: Queue) -> None:
    """Raises AssertionError naming the broken invariant."""
    listed: list[str] = []
    for priority, entries in queue.waiting.items():
        assert entries == sorted(entries), f"waiting[{priority}] is out of order"
        for position, seq, id in entries:
            job = queue.jobs[id]
            assert (job.priority, job.position, job.seq) == (priority, position, seq), f"stale entry for {id}"
            listed.append(id)
    listed += queue.blocked
    assert len(listed) == len(set(listed)), "a job waits twice"
    queued = {id for id, job in queue.jobs.items() if job.state is JobState.QUEUED}
    assert set(listed) == queued, f"lists and states differ: {set(listed) ^ queued}"
    placed: dict[str, str] = {}
    for worker in queue.workers.values():
        for id in worker.running:
            assert id not in placed, f"{id} is on two workers"
            placed[id] = worker.id
        assert not worker.baton or worker.baton in worker.running, f"{worker.id}: the baton's holder is gone"
    for id, job in queue.jobs.items():
        assert job.id == id
        assert job.worker == placed.get(id, ""), f"{id} says worker {job.worker!r}"
        if job.state in ON_WORKER:
            assert job.worker, f"{id} is {job.state} without a worker"
        if job.state in ENDED or job.state is JobState.QUEUED:
            assert not job.worker, f"{id} is {job.state} on a worker"
        if job.quarantined:
            assert job.state is JobState.FAILED, f"{id} is quarantined but {job.state}"
        assert job.seq < queue.next_seq
