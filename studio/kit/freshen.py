"""Cards are brought up to date a few at a time, so that a burst of events never holds the window."""

from collections.abc import Callable
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

MS = 33
BUDGET_S = 0.005


class Freshener(QObject):
    """`refresh(id)` is called within a thirtieth of a second after `touch(id)`, once for many touches."""

    def __init__(self, refresh: Callable[[str], None], parent: QObject | None = None):
        super().__init__(parent)
        self._refresh = refresh
        self._stale: dict[str, None] = {}
        self._soon = QTimer(self, interval=MS, singleShot=True)
        self._soon.timeout.connect(self.flush)

    def __len__(self) -> int:
        return len(self._stale)

    def touch(self, id: str, *, now: bool = False) -> None:
        """now: as soon as the window has its turn. Never here: twenty jobs that end at once would hold it."""
        self._stale[id] = None
        if now or not self._soon.isActive():
            self._soon.start(1 if now else MS)

    def drop(self, id: str) -> None:
        self._stale.pop(id, None)

    def flush(self) -> None:
        """The oldest first, and as many as fit in some milliseconds: the rest after the window had its turn."""
        began = perf_counter()
        while self._stale:
            id = next(iter(self._stale))
            del self._stale[id]
            self._refresh(id)
            if self._stale and perf_counter() - began > BUDGET_S:
                self._soon.start(1)
                return
        self._soon.stop()
