"""Cancel, pause, urgency and turns in a real worker process."""

from pathlib import Path

import pytest

from studio.library.recipe import text_of
from studio.wire.messages import (
    Baton,
    Cancel,
    Cancelled,
    Done,
    Pause,
    Paused,
    Prioritise,
    Progress,
    Resume,
    Resumed,
    Running,
)  # fmt: skip
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = pytest.mark.worker


@pytest.fixture
def worker(tmp_path):
    with worker_process(tmp_path) as process:
        yield process


def saved(worker: WorkerProcess, job: str) -> str:
    return text_of(worker.done(job).artifacts[0]["path"])


def stepping(worker: WorkerProcess, job: str) -> None:
    """Waits until the job has made a step."""
    worker.wait(lambda heard: [m for m in worker.about(job, Progress) if m.done], f"{job} steps")


def test_cancel_between_steps_keeps_what_the_backend_saved(worker: WorkerProcess):
    job = worker.run("probe.echo", {"text": "abc " * 1000, "chunks": 1000, "delay_ms": 5})
    stepping(worker, job)
    worker.channel.send(Cancel(job))
    cancelled = worker.cancelled(job)
    text = text_of(cancelled.artifacts[0]["path"])
    assert text and worker.streamed(job) == text and ("abc " * 1000).startswith(text)
    assert cancelled.facts["stop_reason"] == "cancelled"
    assert not worker.receipt(job).exists()
    worker.done(worker.run("probe.noop"))


def test_cancel_before_the_first_step(worker: WorkerProcess):
    job = worker.run("probe.steps", {"nap_ms": 300})
    worker.hear(Running, job)
    worker.channel.send(Cancel(job))
    assert worker.cancelled(job).artifacts == []
    assert worker.streamed(job).count(" ") <= 1


def test_cancel_in_the_line_ends_the_job_while_another_computes(worker: WorkerProcess):
    holder = worker.run("probe.steps", {"steps": 500, "delay_ms": 10})
    stepping(worker, holder)
    waiting = worker.run("probe.noop")
    worker.channel.send(Cancel(waiting))
    worker.cancelled(waiting)
    assert not worker.about(waiting, Running) and not worker.about(waiting, Baton)
    worker.channel.send(Cancel(holder))
    worker.cancelled(holder)


def test_cancel_when_another_took_the_device(worker: WorkerProcess):
    slow = worker.run("probe.steps", {"steps": 500, "delay_ms": 5}, rank=2)
    stepping(worker, slow)
    urgent = worker.run("probe.steps", {"steps": 100, "delay_ms": 5}, rank=0)
    worker.hear(Baton, urgent)
    worker.channel.send(Cancel(slow))
    assert worker.cancelled(slow).job == slow and not worker.receipt(slow).exists()
    assert worker.done(urgent).job == urgent and len(worker.streamed(urgent).split()) == 100
    ends = [m.job for m in worker.heard if type(m).__name__ in ("Cancelled", "Done")]
    assert ends == [slow, urgent], "the cancelled one waited for the device"


def test_a_cancelled_job_that_must_compute_to_save_takes_the_device_first(worker: WorkerProcess):
    """In front of the one that took it and of one that waits; what it saves is on disk before they go on."""
    slow = worker.run("probe.steps", {"steps": 500, "delay_ms": 5, "on_cancel": "turn"}, rank=2)
    stepping(worker, slow)
    urgent = worker.run("probe.steps", {"steps": 100, "delay_ms": 5}, rank=0)
    worker.hear(Baton, urgent)
    next = worker.run("probe.steps", {"steps": 2}, rank=0)
    worker.channel.send(Cancel(slow))
    cancelled = worker.cancelled(slow)
    assert cancelled.facts["turn"] is True and text_of(cancelled.artifacts[0]["path"])
    worker.done(urgent), worker.done(next)
    moves = [m.job for m in worker.heard if isinstance(m, Baton) and m.job]
    assert moves == [slow, urgent, slow, urgent, next]
    ended = worker.heard.index(cancelled)
    assert [m.job for m in worker.heard[:ended] if isinstance(m, Baton)][-1] == slow


def test_cancel_at_once_after_run(worker: WorkerProcess):
    for _ in range(30):
        job = worker.run("probe.steps", {"steps": 1000, "delay_ms": 1})
        worker.channel.send(Cancel(job))
        assert worker.cancelled(job).artifacts == [] and not worker.receipt(job).exists()
    after = worker.run("probe.noop")
    assert worker.done(after).job == after and worker.receipt(after).exists()


def test_cancel_of_what_is_unknown_or_over_changes_nothing(worker: WorkerProcess):
    job = worker.run("probe.noop")
    worker.done(job)
    for message in (Cancel(job), Cancel("nobody"), Pause(job), Resume("nobody"), Prioritise("nobody", 1)):
        worker.channel.send(message)
    after = worker.run("probe.noop")
    worker.done(after)
    assert worker.receipt(job).exists() and worker.receipt(after).exists()
    assert [m.job for m in worker.heard if isinstance(m, Done)] == [job, after]
    assert not [m for m in worker.heard if isinstance(m, Paused | Resumed | Cancelled)]


def test_a_backend_that_swallows_every_exception_is_cancelled_all_the_same(worker: WorkerProcess):
    job = worker.run("probe.swallow", {"steps": 100_000})
    stepping(worker, job)
    worker.channel.send(Cancel(job))
    assert worker.cancelled(job).artifacts == [] and not worker.receipt(job).exists()


def test_a_backend_that_swallows_the_cancel_and_returns_was_cancelled(worker: WorkerProcess):
    job = worker.run("probe.steps", {"steps": 100_000, "delay_ms": 1, "on_cancel": "swallow"})
    stepping(worker, job)
    worker.channel.send(Cancel(job))
    worker.cancelled(job)
    assert not worker.receipt(job).exists()


def test_pause_frees_the_device_and_resume_continues_with_the_same_result(worker: WorkerProcess):
    alone = saved(worker, worker.run("probe.steps", {"steps": 60, "seed": 5}))
    job = worker.run("probe.steps", {"steps": 60, "delay_ms": 5, "seed": 5})
    stepping(worker, job)
    worker.channel.send(Pause(job))
    worker.hear(Paused, job)
    steps = len(worker.streamed(job))
    worker.done(worker.run("probe.noop"))
    assert len(worker.streamed(job)) == steps, "a paused job went on"
    worker.channel.send(Resume(job))
    worker.hear(Resumed, job)
    assert saved(worker, job) == alone


def test_a_paused_job_can_be_cancelled(worker: WorkerProcess):
    job = worker.run("probe.steps", {"steps": 1000, "delay_ms": 2})
    stepping(worker, job)
    worker.channel.send(Pause(job))
    worker.hear(Paused, job)
    worker.channel.send(Cancel(job))
    assert worker.cancelled(job).job == job and not worker.receipt(job).exists()
    assert not worker.about(job, Resumed), "it went on to be cancelled"


def test_a_more_urgent_job_goes_between_two_steps_and_neither_result_changes(worker: WorkerProcess):
    plan = [(2, 7, 150), (1, 8, 40), (0, 9, 10)]
    alone = [saved(worker, worker.run("probe.steps", {"steps": n, "seed": seed})) for _, seed, n in plan]
    jobs = []
    for rank, seed, steps in plan:
        jobs.append(worker.run("probe.steps", {"steps": steps, "seed": seed, "delay_ms": 5}, rank=rank))
        stepping(worker, jobs[-1])
    assert [saved(worker, job) for job in jobs] == alone
    slow, middle, urgent = jobs
    moves = [m.job for m in worker.heard if isinstance(m, Baton) and m.job in jobs]
    first = [moves.index(job) for job in jobs]
    assert first == sorted(first)
    assert moves[-2:] == [middle, slow] and moves[moves.index(urgent) + 1] == middle
    ends = [i for i, m in enumerate(worker.heard) if type(m).__name__ == "Done" and m.job in jobs]
    assert [worker.heard[i].job for i in ends] == [urgent, middle, slow]


def test_prioritise_lets_a_waiting_job_pass(worker: WorkerProcess):
    slow = worker.run("probe.steps", {"steps": 400, "delay_ms": 5}, rank=1)
    stepping(worker, slow)
    other = worker.run("probe.steps", {"steps": 3}, rank=1)
    worker.channel.send(Prioritise(other, 0))
    worker.done(other)
    assert not worker.about(slow, Done), "the urgent job came last"
    worker.channel.send(Cancel(slow))
    worker.cancelled(slow)
    assert [m.job for m in worker.heard if isinstance(m, Baton) and m.job][:2] == [slow, other]


@pytest.mark.parametrize("share", ["0", "1"])
def test_equals_take_turns_only_where_sharing_is_on(tmp_path: Path, share):
    with worker_process(tmp_path, env={"ATELIER_SHARE_STEPS": share}) as worker:
        seeds = (3, 4, 5)
        alone = [saved(worker, worker.run("probe.steps", {"steps": 30, "seed": seed})) for seed in seeds]
        worker.hear(Baton, job="")
        jobs = [worker.run("probe.steps", {"steps": 30, "seed": seed, "delay_ms": 2}) for seed in seeds]
        assert [saved(worker, job) for job in jobs] == alone
        moves = [m.job for m in worker.heard if isinstance(m, Baton) and m.job in jobs]
        assert moves == jobs if share == "0" else len(moves) > 60


def test_what_a_job_sets_on_shared_modules_is_never_seen_by_another(tmp_path: Path):
    with worker_process(tmp_path, env={"ATELIER_SHARE_STEPS": "1"}) as worker:
        jobs = [worker.run("probe.adapter", {"steps": 30, "delay_ms": 1}, rank=rank) for rank in (2, 1, 1, 1)]
        stopped = worker.run("probe.adapter", {"steps": 10_000, "delay_ms": 1}, rank=2)
        assert [saved(worker, job) for job in jobs] == [""] * 4
        worker.channel.send(Cancel(stopped))
        worker.cancelled(stopped)
        assert saved(worker, worker.run("probe.adapter", {"steps": 1})) == ""
