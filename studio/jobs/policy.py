"""Who runs next. Pure functions of the queue.

A worker may hold several jobs of different urgency: a more urgent one is started beside a running one
and takes the device at its next step. Nothing starves: a class that was passed over PATIENCE times goes
first once, and a job that affinity skipped PATIENCE times is not skipped again. Counting turns instead
of seconds makes the order independent of the clock. A job that needs no device waits for nobody who has it.
"""

from itertools import islice

from studio.jobs.state import Job, Priority, Queue, Worker

LOOKAHEAD = 16
PATIENCE = 8
TOGETHER = 3
BESIDE = 4
"""Jobs on one worker that compute, and that need no device."""


def pick(queue: Queue, worker: Worker) -> Job | None:
    """The job to start on `worker` now, or None."""
    if queue.held or not worker.ready:
        return None
    active = queue.active(worker)
    computing = [job.priority for job in active if job.device]
    busiest = min(computing, default=None)
    beside = len(active) - len(computing) < BESIDE
    for priority in _classes(queue):
        free = len(computing) < TOGETHER and (busiest is None or priority < busiest)
        job = _best(queue, worker, priority, active, device=free, beside=beside) if free or beside else None
        if job is not None:
            return job
    return None


def served(queue: Queue, job: Job) -> None:
    """Keeps the counts that prevent starvation; called when `job` is started."""
    for priority in Priority:
        if priority > job.priority and queue.waiting[priority]:
            queue.passed[priority] += 1
    queue.passed[job.priority] = 0
    for _, _, id in islice(queue.waiting[job.priority], LOOKAHEAD):
        other = queue.jobs[id]
        if (other.position, other.seq) >= (job.position, job.seq):
            break
        other.skipped += 1


def _classes(queue: Queue) -> list[Priority]:
    """Priorities in the order they are served: overdue classes first, then by urgency."""
    return sorted(Priority, key=lambda p: (queue.passed[p] < PATIENCE, p))


def _best(
    queue: Queue, worker: Worker, priority: Priority, active: list[Job], *, device: bool, beside: bool
) -> Job | None:
    """device, beside: whether a job that needs the device, or one that does not, may start."""
    ahead = (queue.jobs[id] for _, _, id in islice(queue.waiting[priority], LOOKAHEAD))
    fitting = [job for job in ahead if (device if job.device else beside) and _fits(job, worker, active)]
    if not fitting:
        return None
    head = fitting[0]
    if head.skipped >= PATIENCE:
        return head
    return _at_hand(fitting, worker) or head


def _at_hand(fitting: list[Job], worker: Worker) -> Job | None:
    """The first whose models are all resident, else the first whose main model is: that one is much larger than
    the adapters and control networks which come after it."""
    known = [job for job in fitting if job.models and job.models[0] in worker.residents]
    return next((job for job in known if worker.residents.issuperset(job.models)), known[0] if known else None)


def _fits(job: Job, worker: Worker, active: list[Job]) -> bool:
    """Whether it fits beside the active jobs. An empty worker takes anything: it was checked at submission."""
    if not active or not worker.budget:
        return True
    return job.memory + sum(other.memory for other in active) <= worker.budget
