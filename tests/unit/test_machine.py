"""The queue as a state machine: every step by hand, and random events against the invariants."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.jobs import events as ev
from studio.jobs import machine
from studio.jobs.invariants import check
from studio.jobs.state import ENDED, Job, JobState, Priority, Queue

pytestmark = pytest.mark.unit


def job(id: str, **values) -> dict:
    return Job(id, "probe.noop", {}, **values).to_dict()


class Told:
    """A queue with its effects, checked after every event."""

    def __init__(self, *workers: str, budget: int = 0):
        self.queue, self.log, self.time = Queue(), [], 0.0
        for worker in workers:
            self.tell(ev.WorkerReady(worker, "cpu", budget))

    def tell(self, event: ev.QueueEvent) -> list[ev.Effect]:
        event = ev.from_json(json.loads(json.dumps(ev.to_json(event))))
        self.queue, effects = machine.handle(self.queue, event)
        check(self.queue)
        self.log.append(event)
        return effects

    def submit(self, id: str, **values) -> list[ev.Effect]:
        self.time += 1
        return self.tell(ev.Submitted(job(id, **values), self.time))

    def state(self, id: str) -> JobState:
        return self.queue.jobs[id].state

    def started(self, effects: list[ev.Effect]) -> list[str]:
        return [effect.job.id for effect in effects if isinstance(effect, ev.Start)]


def kinds(effects: list[ev.Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def test_a_job_is_durable_before_it_is_started_or_announced():
    told = Told("w")
    effects = told.submit("a")
    assert kinds(effects) == ["Save", "Announce", "Announce", "Start"]
    assert told.state("a") is JobState.STARTING


def test_a_second_submit_of_one_id_changes_nothing():
    told = Told("w")
    told.submit("a")
    assert told.submit("a") == []


def test_the_whole_life():
    told = Told("w")
    told.submit("a")
    told.tell(ev.JobRunning("a", 2))
    assert told.state("a") is JobState.RUNNING
    effects = told.tell(ev.JobDone("a", 3, [{"id": "a-0"}], {"tokens": 5}))
    done = told.queue.jobs["a"]
    assert (done.state, done.artifacts, done.facts, done.worker) == (
        JobState.FINISHED,
        [{"id": "a-0"}],
        {"tokens": 5},
        "",
    )
    assert kinds(effects)[:2] == ["Save", "Announce"]
    assert told.tell(ev.CancelAsked("a", 4)) == []


def test_without_a_worker_one_is_wanted():
    told = Told()
    assert any(isinstance(effect, ev.WantWorker) for effect in told.submit("a"))
    assert told.started(told.tell(ev.WorkerReady("w", "cpu"))) == ["a"]


@pytest.mark.parametrize("arrived", ["queued", "starting", "running", "paused", "paused on worker"])
def test_cancel_in_every_state(arrived):
    told = Told() if arrived in ("queued", "paused") else Told("w")
    told.submit("a")
    if arrived == "paused":
        told.tell(ev.PauseAsked("a"))
    if arrived in ("running", "paused on worker"):
        told.tell(ev.JobRunning("a", 2))
    if arrived == "paused on worker":
        told.tell(ev.JobPaused("a"))
    effects = told.tell(ev.CancelAsked("a", 3))
    if arrived in ("queued", "paused"):
        assert told.state("a") is JobState.CANCELLED
        return
    assert ev.Tell("w", "a", "cancel") in effects and told.state("a") is JobState.CANCELLING
    told.tell(ev.JobCancelledByWorker("a", 4, [{"id": "a-0"}]))
    assert told.state("a") is JobState.CANCELLED and told.queue.jobs["a"].artifacts == [{"id": "a-0"}]


def test_a_result_that_was_published_wins_over_a_cancel():
    told = Told("w")
    told.submit("a")
    told.tell(ev.CancelAsked("a", 2))
    told.tell(ev.JobDone("a", 3))
    assert told.state("a") is JobState.FINISHED


def test_pause_and_resume_on_the_worker_and_in_the_queue():
    told = Told("w")
    told.submit("a")
    told.submit("b")
    assert ev.Tell("w", "a", "pause") in told.tell(ev.PauseAsked("a"))
    assert told.started(told.tell(ev.JobPaused("a"))) == ["b"]
    assert ev.Tell("w", "a", "resume") in told.tell(ev.ResumeAsked("a"))
    told.tell(ev.JobResumed("a"))
    assert told.state("a") is JobState.RUNNING
    told.submit("c")
    told.tell(ev.PauseAsked("c"))
    assert told.state("c") is JobState.PAUSED and not told.queue.waiting_count()
    told.tell(ev.ResumeAsked("c"))
    assert told.state("c") is JobState.QUEUED


def test_one_death_is_retried_two_are_quarantined_and_the_next_runs():
    told = Told("w1")
    told.submit("a")
    told.submit("b")
    told.tell(ev.WorkerDied("w1", "The worker was ended by SIGSEGV (signal 11).", 2, log="stack"))
    assert told.state("a") is JobState.QUEUED and told.queue.jobs["a"].deaths == 1
    assert told.started(told.tell(ev.WorkerReady("w2", "cpu"))) == ["a"]
    told.tell(ev.WorkerDied("w2", "The worker was ended by SIGSEGV (signal 11).", 3, log="stack"))
    dead = told.queue.jobs["a"]
    assert dead.state is JobState.FAILED and dead.quarantined
    assert "SIGSEGV" in dead.error["detail"] and dead.error["log"] == "stack"
    assert told.started(told.tell(ev.WorkerReady("w3", "cpu"))) == ["b"]
    told.tell(ev.RetryAsked("a", 4))
    assert told.state("a") is JobState.QUEUED and told.queue.jobs["a"].deaths == 0


def test_only_the_holder_of_the_device_is_blamed():
    told = Told("w")
    told.submit("slow", priority=Priority.BATCH)
    told.tell(ev.JobRunning("slow", 2))
    assert told.started(told.submit("quick")) == ["quick"]
    told.tell(ev.BatonMoved("w", "quick"))
    told.tell(ev.WorkerDied("w", "killed", 3))
    assert (told.queue.jobs["quick"].deaths, told.queue.jobs["slow"].deaths) == (1, 0)
    assert told.state("slow") is JobState.QUEUED


def test_a_wanted_death_blames_nobody_and_ends_what_was_being_cancelled():
    told = Told("w")
    told.submit("a")
    told.tell(ev.CancelAsked("a", 2))
    told.tell(ev.WorkerDied("w", "stopped", 3, wanted=True))
    assert told.state("a") is JobState.CANCELLED
    told = Told("w")
    told.submit("a")
    told.tell(ev.WorkerDied("w", "stopped", 3, wanted=True))
    assert told.state("a") is JobState.QUEUED and told.queue.jobs["a"].deaths == 0


def test_a_job_paused_on_a_worker_outlives_it():
    told = Told("w")
    told.submit("a")
    told.tell(ev.JobRunning("a", 2))
    told.tell(ev.JobPaused("a"))
    told.tell(ev.WorkerDied("w", "killed", 3))
    assert told.state("a") is JobState.PAUSED
    told.tell(ev.ResumeAsked("a"))
    assert told.state("a") is JobState.QUEUED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("queued", "queued"),
        ("starting", "queued"),
        ("running", "queued"),
        ("paused", "paused"),
        ("cancelling", "cancelled"),
        ("finished", "finished"),
        ("failed", "failed"),
    ],
)
def test_a_restart_loses_no_job(before, after):
    told = Told()
    worker = "gone" if before in ("starting", "running", "cancelling", "paused") else ""
    told.tell(ev.Restored(job("a", seq=7, state=JobState(before), worker=worker, position=7.0)))
    assert told.state("a") == after and told.queue.next_seq == 8


@pytest.mark.parametrize("before", ["queued", "starting", "running", "paused", "cancelling"])
def test_a_job_with_a_receipt_never_runs_again(before):
    told = Told("w")
    effects = told.tell(ev.Restored(job("a", seq=1, state=JobState(before)), {"artifacts": [{"id": "a-0"}], "at": 5}))
    assert told.state("a") is JobState.FINISHED and not told.started(effects)
    assert told.queue.jobs["a"].artifacts == [{"id": "a-0"}]


def test_dependencies_wait_then_run_or_fail():
    told = Told("w")
    told.submit("a")
    told.submit("b", depends_on=("a",))
    told.submit("c", depends_on=("b",))
    assert told.queue.blocked == {"b", "c"}
    assert told.started(told.tell(ev.JobDone("a", 5))) == ["b"]
    told.tell(ev.JobFailed("b", 6, {"title": "no"}))
    assert told.state("c") is JobState.FAILED and told.queue.jobs["c"].error["code"] == "dependency"
    told.submit("d", depends_on=("c",))
    assert told.state("d") is JobState.FAILED


def test_a_time_window_is_waited_for():
    told = Told("w")
    told.submit("night", not_before=100.0)
    assert told.state("night") is JobState.QUEUED and not told.started(told.tell(ev.Ticked(99)))
    assert told.started(told.tell(ev.Ticked(100))) == ["night"]


def order(told: Told) -> list[str]:
    return [id for priority in Priority for _, _, id in told.queue.waiting[priority]]


def test_moving_gives_the_order_asked_for_however_often():
    told = Told()
    for id in "abcd":
        told.submit(id)
    told.tell(ev.Moved("d", "b"))
    assert order(told) == ["a", "d", "b", "c"]
    told.tell(ev.Moved("a"))
    assert order(told) == ["d", "b", "c", "a"]
    for _ in range(200):
        told.tell(ev.Moved("c", "b"))
        assert order(told)[1:3] == ["c", "b"]
        told.tell(ev.Moved("b", "c"))
        assert order(told)[1:3] == ["b", "c"]
    told.submit("low", priority=Priority.BATCH)
    told.tell(ev.Moved("low", "d"))
    assert order(told)[0] == "low" and told.queue.jobs["low"].priority is Priority.INTERACTIVE


def test_only_what_has_not_begun_is_edited():
    told = Told()
    told.submit("a")
    told.tell(ev.Edited("a", {"params": {"x": 1}, "priority": 1, "state": "finished"}))
    edited = told.queue.jobs["a"]
    assert (edited.params, edited.priority, edited.state) == ({"x": 1}, Priority.BATCH, JobState.QUEUED)
    told.tell(ev.WorkerReady("w", "cpu"))
    told.tell(ev.Edited("a", {"params": {}}))
    assert edited.params == {"x": 1}


def test_a_held_queue_starts_nothing_until_it_goes_on():
    told = Told("w")
    told.tell(ev.Held(True))
    assert not told.started(told.submit("a"))
    assert told.started(told.tell(ev.Held(False))) == ["a"]


def test_only_ended_jobs_are_forgotten():
    told = Told()
    told.submit("a")
    assert told.tell(ev.Forgotten("a"))[:1] != [ev.Erase("a")]
    told.tell(ev.CancelAsked("a", 2))
    assert ev.Erase("a") in told.tell(ev.Forgotten("a"))


def test_what_a_waiting_job_builds_on_is_not_forgotten():
    told = Told("w")
    told.submit("a")
    told.submit("c")
    told.submit("b", depends_on=("a", "c"))
    told.tell(ev.JobDone("a", 5))
    assert told.tell(ev.Forgotten("a")) == [] and "a" in told.queue.jobs
    assert told.started(told.tell(ev.JobDone("c", 6))) == ["b"]
    told.tell(ev.JobDone("b", 7))
    assert ev.Erase("a") in told.tell(ev.Forgotten("a"))


def test_a_receipt_outweighs_whatever_the_journal_says():
    told = Told("w")
    told.tell(ev.Ticked(50))
    told.tell(ev.Restored(job("a", seq=1, state=JobState.FAILED, quarantined=True), {"artifacts": [{"id": "a-1"}]}))
    assert told.state("a") is JobState.FINISHED and told.queue.jobs["a"].artifacts == [{"id": "a-1"}]
    told.tell(ev.Restored(job("b", seq=2, state=JobState.CANCELLING)))
    assert told.state("b") is JobState.CANCELLED and told.queue.jobs["b"].ended == 50


ids = st.integers(0, 12).map(lambda i: f"j{i}")
workers = st.sampled_from(["w0", "w1"])
at = st.floats(0, 1e6)
submitted = st.builds(
    lambda id, priority, models, depends, when, at: ev.Submitted(
        job(id, priority=priority, models=models, depends_on=depends, not_before=when, memory=3), at
    ),
    ids,
    st.sampled_from(Priority),
    st.sampled_from([(), ("m",), ("m", "n")]),
    st.lists(ids, max_size=2).map(tuple),
    st.sampled_from([0.0, 0.0, 5e5]),
    at,
)
anything = st.one_of(
    submitted,
    submitted,
    st.builds(ev.CancelAsked, ids, at),
    st.builds(ev.PauseAsked, ids),
    st.builds(ev.ResumeAsked, ids),
    st.builds(ev.RetryAsked, ids, at),
    st.builds(ev.Moved, ids, st.one_of(st.just(""), ids)),
    st.builds(ev.Edited, ids, st.fixed_dictionaries({"priority": st.integers(0, 3), "not_before": st.just(0.0)})),
    st.builds(ev.Forgotten, ids),
    st.builds(ev.Held, st.booleans()),
    st.builds(ev.WorkerDied, workers, st.just("died"), at, wanted=st.booleans()),
    st.builds(ev.JobRunning, ids, at),
    st.builds(ev.JobPaused, ids),
    st.builds(ev.JobResumed, ids),
    st.builds(ev.JobDone, ids, at),
    st.builds(ev.JobFailed, ids, at),
    st.builds(ev.JobCancelledByWorker, ids, at),
    st.builds(ev.ResidentsChanged, workers, st.just(("m",))),
    st.builds(ev.Ticked, at),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=80))
def test_no_order_of_events_breaks_an_invariant_or_loses_a_job(events):
    told, expected = Told(), set()
    for event in events:
        if not told.queue.workers:
            told.tell(ev.WorkerReady("w0", "cpu", 5))
            told.tell(ev.WorkerReady("w1", "cpu"))
        if isinstance(event, ev.Submitted):
            expected.add(event.job["id"])
        if isinstance(event, ev.Forgotten) and event.job in told.queue.jobs:
            state = told.state(event.job)
            needed = any(event.job in j.depends_on for j in told.queue.jobs.values() if j.state not in ENDED)
            told.tell(event)
            assert not needed or event.job in told.queue.jobs
            if event.job not in told.queue.jobs:
                assert state in (JobState.FINISHED, JobState.FAILED, JobState.CANCELLED)
                expected.discard(event.job)
            continue
        told.tell(event)
        assert set(told.queue.jobs) == expected
    replayed = Queue()
    for event in told.log:
        machine.handle(replayed, event)
    assert {id: j.to_dict() for id, j in replayed.jobs.items()} == {
        id: j.to_dict() for id, j in told.queue.jobs.items()
    }


def test_an_unknown_event_is_an_error():
    with pytest.raises(TypeError):
        machine.handle(Queue(), ev.QueueEvent())
