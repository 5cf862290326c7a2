"""Who runs next: urgency, affinity within bounds, no starvation, memory."""

import pytest

from studio.jobs import events as ev
from studio.jobs import machine, policy
from studio.jobs.invariants import check
from studio.jobs.state import Job, Priority, Queue

pytestmark = pytest.mark.unit


def queue_with(worker_budget: int = 0, residents: tuple[str, ...] = ()) -> Queue:
    queue = Queue()
    machine.handle(queue, ev.WorkerReady("w", "cpu", worker_budget))
    machine.handle(queue, ev.ResidentsChanged("w", residents))
    return queue


def submit(queue: Queue, id: str, **values) -> list[str]:
    return starts(queue, ev.Submitted(Job(id, "probe.noop", {}, **values).to_dict(), 0.0))


def starts(queue: Queue, event: ev.QueueEvent) -> list[str]:
    _, effects = machine.handle(queue, event)
    check(queue)
    return [effect.job.id for effect in effects if isinstance(effect, ev.Start)]


def test_the_more_urgent_goes_first_then_the_older():
    queue = queue_with()
    machine.handle(queue, ev.Held(True))
    for id, priority in [("train", 2), ("batch1", 1), ("batch2", 1), ("chat", 0)]:
        submit(queue, id, priority=Priority(priority))
    assert starts(queue, ev.Held(False)) == ["chat"]
    assert starts(queue, ev.JobDone("chat", 1)) == ["batch1"]
    assert starts(queue, ev.JobDone("batch1", 1)) == ["batch2"]
    assert starts(queue, ev.JobDone("batch2", 1)) == ["train"]


def test_a_more_urgent_job_joins_a_running_one_and_an_equal_one_waits():
    queue = queue_with()
    assert submit(queue, "picture", priority=Priority.BATCH) == ["picture"]
    assert submit(queue, "picture2", priority=Priority.BATCH) == []
    assert submit(queue, "chat") == ["chat"]
    assert submit(queue, "chat2") == []
    assert starts(queue, ev.JobDone("chat", 1)) == ["chat2"]


def test_what_does_not_fit_beside_the_others_waits_but_an_empty_device_takes_it():
    queue = queue_with(worker_budget=10)
    submit(queue, "picture", priority=Priority.BATCH, memory=8)
    assert submit(queue, "chat", memory=5) == []
    assert submit(queue, "small", memory=2) == ["small"]
    starts(queue, ev.JobDone("small", 1))
    assert starts(queue, ev.JobDone("picture", 1)) == ["chat"]


def test_a_job_whose_model_is_resident_is_preferred_but_never_for_ever():
    queue = queue_with(residents=("warm",))
    submit(queue, "running", models=("warm",))
    submit(queue, "cold", models=("cold",))
    order, running = [], "running"
    for i in range(policy.PATIENCE + 3):
        submit(queue, f"warm{i}", models=("warm",))
        (running,) = starts(queue, ev.JobDone(running, 1))
        order.append(running)
        if running == "cold":
            break
    assert order == [f"warm{i}" for i in range(policy.PATIENCE)] + ["cold"]


def test_a_job_whose_main_model_is_resident_is_preferred_though_its_adapters_are_not():
    queue = queue_with(residents=("warm", "lora-1"))
    submit(queue, "running", models=("warm",))
    submit(queue, "cold", models=("cold", "lora-1"))
    submit(queue, "half", models=("warm", "lora-2"))
    submit(queue, "whole", models=("warm", "lora-1"))
    assert starts(queue, ev.JobDone("running", 1)) == ["whole"]
    assert starts(queue, ev.JobDone("whole", 1)) == ["half"]
    assert starts(queue, ev.JobDone("half", 1)) == ["cold"]


def test_affinity_looks_only_so_far_ahead():
    queue = queue_with(residents=("warm",))
    submit(queue, "running")
    for i in range(policy.LOOKAHEAD):
        submit(queue, f"cold{i}", models=("cold",))
    submit(queue, "warm", models=("warm",))
    assert starts(queue, ev.JobDone("running", 1)) == ["cold0"]


def test_a_stream_of_urgent_jobs_does_not_starve_the_others():
    queue = queue_with()
    submit(queue, "chat0")
    submit(queue, "batch", priority=Priority.BATCH)
    began = []
    for i in range(1, policy.PATIENCE + 3):
        submit(queue, f"chat{i}")
        began += starts(queue, ev.JobDone(f"chat{i - 1}", 1))
        if "batch" in began:
            break
    assert "batch" in began


def test_picking_among_ten_thousand_looks_at_a_few():
    queue = queue_with()
    machine.handle(queue, ev.Held(True))
    for i in range(10_000):
        machine.handle(queue, ev.Submitted(Job(f"j{i}", "o", {}, priority=Priority.BATCH).to_dict(), 0.0))
    looked = []

    class Counting(dict):
        def __getitem__(self, key):
            looked.append(key)
            return super().__getitem__(key)

    queue.jobs = Counting(queue.jobs)
    queue.held = False
    assert policy.pick(queue, queue.workers["w"]).id == "j0"
    assert len(looked) <= policy.LOOKAHEAD


def test_a_job_that_needs_no_device_starts_beside_any_other_up_to_a_number():
    queue = queue_with()
    assert submit(queue, "chat") == ["chat"]
    assert [submit(queue, f"run{n}", device=False) for n in range(policy.BESIDE)] == [
        [f"run{n}"] for n in range(policy.BESIDE)
    ]
    assert submit(queue, "one more", device=False) == [], "so many at once"
    assert submit(queue, "chat2") == [], "the device is taken"
    assert starts(queue, ev.JobDone("chat", 1)) == ["chat2"], "those beside it keep nobody from the device"
    assert starts(queue, ev.JobDone("run0", 1)) == ["one more"]
