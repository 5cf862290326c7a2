"""Who computes on the device: one job at a time, handed over at step boundaries.

Owns Turn (one job's place in line) and Baton. Knows no messages, torch or plugins.
The more urgent rank (smaller number) goes first; equal ranks are served in order of arrival and do not
interrupt each other; a less urgent job that watched FLOOR steps of others gets one step. A cancelled job that has
something to finish goes before all of them, once.
"""

import threading
from collections.abc import Callable

from studio.sdk.operation import JobCancelled

FLOOR = 64


class Turn:
    """A job's place in line. Changed by Baton under its lock only; `pinned` by the job's own thread.

    pinned: the device must not change hands now (a model is being constructed).
    paused_seen: whether the job has been told to its watchers as paused.
    last: it is cancelled and wants the device once more, to finish what it saves.
    """

    def __init__(self, job: str, rank: int, order: int):
        self.job, self.rank, self.order = job, rank, order
        self.cancelled = self.cancel_raised = False
        self.paused = self.paused_seen = self.last = False
        self.pinned = 0
        self.passed = 0
        self.served = 0

    def check(self) -> None:
        """Raises JobCancelled when the job is cancelled; never waits."""
        if self.cancelled:
            self.cancel_raised = True
            raise JobCancelled


class Baton:
    """The right to compute.

    moved(job): called in order whenever the baton goes to another job, "" when nobody wants it.
    paused(job, bool): called when a job has really stopped, and when it is going on.
    Both are called with the lock held and must not call back. share: equal ranks rotate at every step.
    """

    def __init__(self, moved: Callable[[str], None], paused: Callable[[str, bool], None], *, share: bool = False):
        self._moved, self._paused, self._share = moved, paused, share
        self._changed = threading.Condition()
        self._turns: dict[str, Turn] = {}
        self._waiting: list[Turn] = []
        self._holder: Turn | None = None
        self._announced = ""
        self._arrivals = 0
        self._grants = 0

    # What the engine asks for; from any thread -------------------------------------------------------

    def enter(self, job: str, rank: int) -> Turn | None:
        """A place in line for a new job; None when the job has one already."""
        with self._changed:
            if job in self._turns:
                return None
            self._arrivals += 1
            turn = self._turns[job] = Turn(job, rank, self._arrivals)
            return turn

    def cancel(self, job: str) -> None:
        self._set(job, "cancelled", True)

    def pause(self, job: str) -> None:
        self._set(job, "paused", True)

    def resume(self, job: str) -> None:
        self._set(job, "paused", False)

    def prioritise(self, job: str, rank: int) -> None:
        self._set(job, "rank", rank)

    def _set(self, job: str, name: str, value: bool | int) -> None:
        with self._changed:
            turn = self._turns.get(job)
            if turn is not None:
                setattr(turn, name, value)
                self._grant()
                self._changed.notify_all()

    @property
    def holder(self) -> str:
        with self._changed:
            return self._holder.job if self._holder else ""

    @property
    def jobs(self) -> list[str]:
        with self._changed:
            return list(self._turns)

    # What a job's thread calls -----------------------------------------------------------------------

    def acquire(self, turn: Turn) -> None:
        """Waits for the baton. Raises JobCancelled, also while waiting."""
        with self._changed:
            self._obtain(turn)

    def last_turn(self, turn: Turn, wait_s: float) -> bool:
        """A cancelled job's, which may have lost the device before it heard of that: once more the right to compute.

        Goes before everyone else at the holder's next step. False when no step ended in time: then nothing may be
        computed any more.
        """
        with self._changed:
            if self._holder is turn:
                return True
            turn.last = True
            self._waiting.append(turn)
            self._grant()
            if self._changed.wait_for(lambda: self._holder is turn, wait_s):
                return True
            turn.last = False
            self._waiting.remove(turn)
            return False

    def forget(self, turn: Turn) -> None:
        """The job is about to say that it ended: its id is free for another attempt from now on."""
        with self._changed:
            self._turns.pop(turn.job, None)

    def release(self, turn: Turn) -> None:
        """The job is over: gives up the baton, if it has it."""
        with self._changed:
            if self._holder is turn:
                self._count(turn)
                self._holder = None
                self._grant()

    def pause_here(self, turn: Turn) -> None:
        """A step boundary of a job that needs no device: waits while it is paused. Raises JobCancelled."""
        with self._changed:
            while True:
                turn.check()
                if turn.paused != turn.paused_seen:
                    turn.paused_seen = turn.paused
                    self._paused(turn.job, turn.paused)
                if not turn.paused:
                    return
                self._changed.wait()

    def holds(self, turn: Turn) -> bool:
        with self._changed:
            return self._holder is turn

    def boundary(self, turn: Turn, before: Callable[[], None], after: Callable[[], None]) -> None:
        """One step boundary of the holder: hands the device over where another should have it, and waits.

        `before` runs just before the baton is given up, `after` when it has come back. Raises JobCancelled,
        with the baton still held when the job was cancelled at its step, without it when it was waiting.
        """
        with self._changed:
            turn.check()
            self._count(turn)
            if turn.pinned or not self._should_yield(turn):
                return
        before()
        with self._changed:
            if self._holder is turn:
                self._holder = None
            self._obtain(turn)
        after()

    # Inside, lock held -------------------------------------------------------------------------------

    def _obtain(self, turn: Turn) -> None:
        self._waiting.append(turn)
        try:
            self._grant()
            while True:
                turn.check()
                if turn.paused != turn.paused_seen:
                    self._tell_paused(turn)
                if self._holder is turn:
                    return
                self._changed.wait()
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            self._grant()

    def _tell_paused(self, turn: Turn) -> None:
        """Gives the device away first when it was granted just before the pause was asked for."""
        if turn.paused and self._holder is turn:
            self._holder = None
            self._waiting.append(turn)
            self._grant()
        turn.paused_seen = turn.paused
        self._paused(turn.job, turn.paused)

    def _count(self, turn: Turn) -> None:
        """A step of `turn` went by for everyone less urgent who waits."""
        for other in self._waiting:
            if other.rank > turn.rank and not other.paused:
                other.passed += 1

    def _eligible(self) -> list[Turn]:
        return [turn for turn in self._waiting if turn.last or not (turn.paused or turn.cancelled)]

    def _should_yield(self, turn: Turn) -> bool:
        if turn.paused:
            return True
        return any(
            other.last or other.rank < turn.rank or other.passed >= FLOOR or (self._share and other.rank == turn.rank)
            for other in self._eligible()
        )

    def _grant(self) -> None:
        """Gives a free baton to whoever should have it, and says where the device went."""
        if self._holder is None:
            found = self._choose(self._eligible())
            if found is not None:
                self._grants += 1
                found.served = self._grants
                for other in self._waiting:
                    if other.rank == found.rank:
                        other.passed = 0
                self._waiting.remove(found)
                self._holder = found
                self._changed.notify_all()
        job = self._holder.job if self._holder else ""
        if job != self._announced:
            self._announced = job
            self._moved(job)

    def _choose(self, waiting: list[Turn]) -> Turn | None:
        last = [turn for turn in waiting if turn.last]
        overdue = [turn for turn in waiting if turn.passed >= FLOOR]
        return min(last or overdue or waiting, key=self._order, default=None)

    def _order(self, turn: Turn) -> tuple[int, int, int]:
        return turn.rank, turn.served if self._share else 0, turn.order
