"""Who gets the device, in what order, with threads that stop at every step."""

import threading
from collections.abc import Callable

import pytest

from studio.sdk.operation import JobCancelled
from studio.worker.baton import FLOOR, Baton, Turn
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit


class Job:
    """A job that makes one step each time the test lets it, and notes what becomes of it."""

    def __init__(self, baton: Baton, name: str, rank: int, steps: int, log: list[str], finish_s: float | None = None):
        """finish_s: how long it waits for a last turn when it is cancelled; what it computes then is in capitals."""
        turn = baton.enter(name, rank)
        assert turn is not None
        self.baton, self.name, self.turn, self.steps, self.log = baton, name, turn, steps, log
        self.allowed = threading.Semaphore(0)
        self.crossed = 0
        self.state = "new"
        self.finish_s = finish_s
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Job":
        self.thread.start()
        return self

    def go(self, steps: int = 10**6) -> "Job":
        self.allowed.release(steps)
        return self

    def _run(self) -> None:
        try:
            self.baton.acquire(self.turn)
            for _ in range(self.steps):
                assert self.allowed.acquire(timeout=PATIENCE_S)
                assert self.baton.holds(self.turn)
                self.log.append(self.name)
                self.baton.boundary(self.turn, lambda: None, lambda: None)
                self.crossed += 1
            self.state = "ended"
        except JobCancelled:
            self.state = "cancelled"
            if self.finish_s is not None and self.baton.last_turn(self.turn, self.finish_s):
                assert self.baton.holds(self.turn)
                self.log.append(self.name.upper())
        finally:
            self.baton.forget(self.turn)
            self.baton.release(self.turn)

    def ended(self) -> str:
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), f"{self.name} is stuck"
        return self.state


class Table:
    """A baton and what it announced."""

    def __init__(self, *, share: bool = False):
        self.log: list[str] = []
        self.moves: list[str] = []
        self.pauses: list[tuple[str, bool]] = []
        self.told = threading.Condition()
        self.baton = Baton(self._moved, self._paused, share=share)

    def _moved(self, job: str) -> None:
        with self.told:
            self.moves.append(job)
            self.told.notify_all()

    def _paused(self, job: str, paused: bool) -> None:
        with self.told:
            self.pauses.append((job, paused))
            self.told.notify_all()

    def job(self, name: str, rank: int = 0, steps: int = 3, finish_s: float | None = None) -> Job:
        return Job(self.baton, name, rank, steps, self.log, finish_s)

    def until(self, what: Callable[[], bool]) -> None:
        with self.told:
            assert self.told.wait_for(what, PATIENCE_S)

    def waiting(self, *jobs: Job) -> None:
        """Until these stand in line."""
        deadline = threading.Event()
        for _ in range(int(PATIENCE_S) * 1000):
            if all(job.turn in self.baton._waiting for job in jobs):
                return
            deadline.wait(0.001)
        pytest.fail("they never queued up")


def test_equal_ranks_are_served_in_order_of_arrival_without_interruption():
    table = Table()
    first = table.job("a").start()
    table.until(lambda: table.moves == ["a"])
    second, third = table.job("b").start().go(), table.job("c").start().go()
    table.waiting(second, third)
    first.go()
    assert [job.ended() for job in (first, second, third)] == ["ended"] * 3
    assert "".join(table.log) == "aaabbbccc"
    assert table.moves == ["a", "b", "c", ""]


def test_a_more_urgent_job_takes_the_device_at_the_next_step_and_gives_it_back():
    table = Table()
    slow = table.job("s", rank=3, steps=4).start().go(1)
    table.until(lambda: table.moves == ["s"])
    while slow.crossed < 1:
        threading.Event().wait(0.001)
    urgent = table.job("u", rank=0, steps=3).start().go()
    table.waiting(urgent)
    slow.go()
    assert slow.ended() == urgent.ended() == "ended"
    assert "".join(table.log) == "ssuuuss"
    assert table.moves == ["s", "u", "s", ""]


def test_the_interrupted_job_goes_before_a_later_one_of_its_rank():
    table = Table()
    first = table.job("a", rank=1).start()
    table.until(lambda: table.moves == ["a"])
    urgent, later = table.job("u", rank=0).start().go(), table.job("b", rank=1).start().go()
    table.waiting(urgent, later)
    first.go()
    assert {job.ended() for job in (first, urgent, later)} == {"ended"}
    assert "".join(table.log) == "auuuaabbb"


def test_a_less_urgent_job_gets_one_step_in_a_while():
    table = Table()
    urgent = table.job("u", rank=0, steps=3 * FLOOR).start()
    table.until(lambda: table.moves == ["u"])
    slow, slowest = table.job("s", rank=2, steps=5).start().go(), table.job("t", rank=3, steps=5).start().go()
    table.waiting(slow, slowest)
    urgent.go()
    assert {job.ended() for job in (urgent, slow, slowest)} == {"ended"}
    order = "".join(table.log)
    assert order.startswith("u" * FLOOR + "stu"), order[: FLOOR + 4]
    while_urgent = order[: order.rindex("u")]
    assert 2 <= while_urgent.count("s") <= 3 and 2 <= while_urgent.count("t") <= 3
    assert "ss" not in while_urgent


def test_short_urgent_jobs_without_steps_starve_nobody():
    table = Table()
    first = table.job("u0", steps=0)
    table.baton.acquire(first.turn)
    slow = table.job("s", rank=2, steps=2).start().go()
    table.waiting(slow)
    turn = first.turn
    for i in range(1, 3 * FLOOR):
        following = table.baton.enter(f"u{i}", 0)
        assert following is not None
        waiter = threading.Thread(target=table.baton.acquire, args=(following,), daemon=True)
        waiter.start()
        while following not in table.baton._waiting:
            threading.Event().wait(0.0005)
        table.baton.forget(turn)
        table.baton.release(turn)
        waiter.join(PATIENCE_S)
        turn = following
        if "s" in table.log:
            break
    assert "s" in table.log
    table.baton.release(turn)
    assert slow.ended() == "ended"


def test_sharing_rotates_at_every_step_among_equals_only():
    table = Table(share=True)
    a = table.job("a", rank=1).start()
    table.until(lambda: table.moves == ["a"])
    b, c = table.job("b", rank=1).start().go(), table.job("c", rank=2).start().go()
    table.waiting(b, c)
    a.go()
    assert {job.ended() for job in (a, b, c)} == {"ended"}
    assert "".join(table.log) == "abababccc"


def test_a_cancelled_job_hears_it_at_its_next_step_and_at_every_later_one():
    table = Table()
    job = table.job("a").start()
    table.until(lambda: table.moves == ["a"])
    table.baton.cancel("a")
    job.go()
    assert job.ended() == "cancelled" and table.log == ["a"]
    for _ in range(3):
        with pytest.raises(JobCancelled):
            job.turn.check()


def test_a_job_is_cancelled_while_it_waits_and_never_gets_the_device():
    table = Table()
    holder = table.job("a").start()
    table.until(lambda: table.moves == ["a"])
    waiting = table.job("b").start()
    table.waiting(waiting)
    table.baton.cancel("b")
    assert waiting.ended() == "cancelled"
    holder.go()
    holder.ended()
    assert table.moves == ["a", ""]


def lost(table: Table, how: str) -> tuple[Job, Job]:
    """A job that has made a step and has the device no more, and the one that has it."""
    slow = table.job("s", rank=2, finish_s=PATIENCE_S).start().go(1)
    table.until(lambda: table.moves == ["s"])
    while slow.crossed < 1:
        threading.Event().wait(0.001)
    holder = table.job("u", rank=0 if how == "outranked" else 2, steps=2)
    if how == "outranked":
        table.waiting(holder.start())
        slow.go()
    else:
        table.baton.pause("s")
        slow.go()
        table.until(lambda: table.pauses == [("s", True)])
        holder.start()
    table.until(lambda: table.moves[-1] == "u")
    return slow, holder


@pytest.mark.parametrize("how", ["outranked", "paused"])
def test_a_cancelled_job_that_lost_the_device_finishes_before_everyone_else_and_never_beside_another(how):
    table = Table()
    slow, holder = lost(table, how)
    urgent = table.job("v", rank=0, steps=1).start().go()
    table.waiting(urgent)
    table.baton.cancel("s")
    table.waiting(slow)
    before = list(table.log)
    holder.go()
    assert [job.ended() for job in (slow, holder, urgent)] == ["cancelled", "ended", "ended"]
    # Holder and newcomer are equally urgent where the cancelled one was outranked; else the newcomer goes first.
    assert "".join(table.log[len(before) :]) == ("uSuv" if how == "outranked" else "uSvu")
    assert "S" not in before and table.log.count("S") == 1


def test_a_cancelled_job_computes_nothing_more_when_the_holder_is_in_a_long_step():
    table = Table()
    slow, holder = lost(table, "outranked")
    slow.finish_s = 0.01
    table.baton.cancel("s")
    assert slow.ended() == "cancelled" and "S" not in table.log
    holder.go()
    assert holder.ended() == "ended"
    assert "S" not in table.log and table.moves[-2:] == ["u", ""]


def test_a_job_that_is_cancelled_at_its_own_step_has_the_device_already():
    table = Table()
    job = table.job("a", finish_s=0).start()
    table.until(lambda: table.moves == ["a"])
    table.baton.cancel("a")
    job.go()
    assert job.ended() == "cancelled" and table.log == ["a", "A"]


def test_a_paused_job_gives_the_device_away_and_comes_back():
    table = Table()
    job = table.job("a", steps=4).start().go(1)
    table.until(lambda: table.moves == ["a"])
    while job.crossed < 1:
        threading.Event().wait(0.001)
    table.baton.pause("a")
    job.go()
    table.until(lambda: table.pauses == [("a", True)])
    other = table.job("b").start().go()
    assert other.ended() == "ended"
    assert "".join(table.log) == "aabbb"
    table.baton.resume("a")
    assert job.ended() == "ended"
    assert table.pauses == [("a", True), ("a", False)]
    assert "".join(table.log) == "aabbbaa"


def test_a_job_paused_before_it_began_waits_outside_the_line():
    table = Table()
    job = table.job("a")
    table.baton.pause("a")
    job.start().go()
    table.until(lambda: table.pauses == [("a", True)])
    assert table.job("b").start().go().ended() == "ended"
    table.baton.cancel("a")
    assert job.ended() == "cancelled" and "a" not in table.log


def test_a_paused_job_that_is_cancelled_ends():
    table = Table()
    job = table.job("a").start()
    table.until(lambda: table.moves == ["a"])
    table.baton.pause("a")
    job.go()
    table.until(lambda: table.pauses == [("a", True)])
    table.baton.cancel("a")
    assert job.ended() == "cancelled"


def test_a_new_rank_counts_from_the_next_step():
    table = Table()
    a = table.job("a", rank=1).start()
    table.until(lambda: table.moves == ["a"])
    b = table.job("b", rank=1).start().go()
    table.waiting(b)
    table.baton.prioritise("b", 0)
    a.go()
    assert a.ended() == b.ended() == "ended"
    assert "".join(table.log) == "abbbaa"


def test_nobody_interrupts_while_a_model_is_made():
    table = Table()
    a = table.job("a", rank=3)
    a.turn.pinned += 1
    a.start()
    table.until(lambda: table.moves == ["a"])
    urgent = table.job("u", rank=0).start().go()
    table.waiting(urgent)
    a.go()
    assert a.ended() == urgent.ended() == "ended"
    assert "".join(table.log) == "aaauuu"


def test_what_surrounds_the_baton_runs_around_every_handover():
    table = Table()
    seen: list[str] = []
    turn = table.baton.enter("a", 1)
    assert isinstance(turn, Turn)
    table.baton.acquire(turn)
    table.baton.boundary(turn, lambda: seen.append("leave"), lambda: seen.append("enter"))
    assert seen == [], "nobody wanted the device"
    urgent = table.job("u", rank=0, steps=1).start().go()
    table.waiting(urgent)
    table.baton.boundary(turn, lambda: seen.append("leave " + table.baton.holder), lambda: seen.append("enter"))
    assert seen == ["leave a", "enter"] and table.log == ["u"]
    table.baton.release(turn)
    urgent.ended()


def test_an_id_is_free_again_once_the_job_is_over():
    table = Table()
    turn = table.baton.enter("a", 0)
    assert turn is not None and table.baton.enter("a", 0) is None
    table.baton.forget(turn)
    assert table.baton.enter("a", 0) is not None


def test_a_job_without_the_device_pauses_and_is_cancelled_at_its_steps_and_takes_nothing():
    told: list[tuple[str, bool]] = []
    baton = Baton(lambda job: None, lambda job, paused: told.append((job, paused)))
    holder, beside = baton.enter("holder", 0), baton.enter("beside", 0)
    assert holder is not None and beside is not None
    baton.acquire(holder)
    baton.pause_here(beside)
    baton.pause("beside")
    thread = threading.Thread(target=baton.pause_here, args=(beside,), daemon=True)
    thread.start()
    while not told:
        threading.Event().wait(0.001)
    assert told == [("beside", True)] and baton.holds(holder)
    baton.resume("beside")
    thread.join(PATIENCE_S)
    assert not thread.is_alive() and told[-1] == ("beside", False)
    baton.cancel("beside")
    with pytest.raises(JobCancelled):
        baton.pause_here(beside)
    assert baton.holds(holder)
