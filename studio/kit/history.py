"""Undo and redo as pairs of calls, merged while a person keeps at one thing. Imports no Qt.

A step's callables put a snapshot back; they may start asynchronous work. While one of them runs, what
widgets push is ignored, so that putting a value back is not itself an edit.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIMIT = 200
MERGE_S = 1.5
Call = Callable[[], Any]


@dataclass(slots=True)
class Step:
    """title: what was done, as it reads after "Undo ". merge: steps of one key in a row become one."""

    title: str
    undo: Call
    redo: Call
    merge: str
    owner: Any
    at: float


class History:
    """What can be undone, newest last. `listeners` are called after every change."""

    def __init__(self, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic):
        self.listeners: list[Callable[[], None]] = []
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._limit, self._clock = limit, clock
        self._busy = False

    def push(self, title: str, undo: Call, redo: Call, *, merge: str = "", owner: Any = None) -> None:
        """Remembers something that has just been done.

        owner: whoever must be alive for the calls to make sense; see `drop`.
        """
        if self._busy:
            return
        now = self._clock()
        last = self._done[-1] if self._done else None
        self._undone.clear()
        if merge and last and last.merge == merge and last.owner is owner and now - last.at <= MERGE_S:
            last.redo, last.at = redo, now
        else:
            self._done.append(Step(title, undo, redo, merge, owner, now))
            del self._done[: -self._limit]
        self._tell()

    def seal(self) -> None:
        """The next step does not merge with the last."""
        if self._done:
            self._done[-1].merge = ""

    def undo(self) -> bool:
        """Takes the newest step back; False when there is none."""
        return self._move(self._done, self._undone, lambda step: step.undo)

    def redo(self) -> bool:
        return self._move(self._undone, self._done, lambda step: step.redo)

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    @property
    def undo_title(self) -> str:
        return self._done[-1].title if self._done else ""

    @property
    def redo_title(self) -> str:
        return self._undone[-1].title if self._undone else ""

    def drop(self, owner: Any) -> None:
        """Forgets the steps of `owner`, which is going away."""
        self._done = [step for step in self._done if step.owner is not owner]
        self._undone = [step for step in self._undone if step.owner is not owner]
        self._tell()

    def clear(self) -> None:
        self._done, self._undone = [], []
        self._tell()

    def _move(self, source: list[Step], target: list[Step], call: Callable[[Step], Call]) -> bool:
        if not source or self._busy:
            return False
        step = source.pop()
        target.append(step)
        step.merge = ""
        self._busy = True
        try:
            call(step)()
        finally:
            self._busy = False
            self._tell()
        return True

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()
