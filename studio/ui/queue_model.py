"""Jobs of the engine as a list for a view, a page at a time: 10,000 waiting jobs cost what is on screen.

Rows are positions in the engine's order: first the jobs on workers (`head`), then those of `states`.
Only pages that a view asked for are fetched; a job's state change marks the pages stale, and they are
fetched again at most every 100 ms.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, Qt, QTimer, Signal

from studio.ui.activity import title_of
from studio.wire.messages import Event

Fetch = Callable[..., Awaitable[dict[str, Any]]]
Index = QModelIndex
JOB = Qt.ItemDataRole.UserRole + 1
ID = Qt.ItemDataRole.UserRole + 2
PAGE = 100
REFRESH_MS = 100

HEAD = ("starting", "running", "cancelling", "paused")
WAITING = ("queued",)
HISTORY = ("finished", "failed", "cancelled")


class QueueModel(QAbstractListModel):
    """`fetch(states=…, offset=…, limit=…, newest=…)` is the engine's `jobs`; `spawn` runs a coroutine.

    `moved(job, before)`: a person has dragged a job; the row has moved already, the engine has not heard yet.
    `counted(total)`: how many rows there are, whether fetched or not.
    """

    moved = Signal(str, str)
    counted = Signal(int)

    def __init__(
        self,
        fetch: Fetch,
        spawn: Callable[[Any], Any],
        *,
        head: Sequence[str] = HEAD,
        states: Sequence[str] = WAITING,
        newest: bool = False,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._fetch, self._spawn = fetch, spawn
        self._head_states, self._states, self._newest = tuple(head), tuple(states), newest
        self._head: list[dict[str, Any]] = []
        self._rows: dict[int, dict[str, Any]] = {}
        self._total = 0
        self._where: dict[str, int] | None = None
        self._dirty: set[int] = set()
        self._pages: set[int] = {0}
        self._missing: set[int] = set()
        self._active = self._busy = self._stale = False
        self._generation = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._start)

    # What a view reads -------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex | Any = Index()) -> int:
        return 0 if parent.isValid() else len(self._head) + self._total

    def data(self, index: QModelIndex | Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        job = self.job_at(index.row())
        if role == JOB:
            if job is None:
                self._want(index.row() - len(self._head))
            return job
        if job is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        if role == ID:
            return job["id"]
        if role == Qt.ItemDataRole.DisplayRole:
            return title_of(job)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{title_of(job)}, {job.get('state')}"
        return None

    def flags(self, index: QModelIndex | Any) -> Qt.ItemFlag:
        flags = super().flags(index)
        if self._newest:
            return flags
        if not index.isValid():
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        job = self.job_at(index.row())
        if job is not None and job.get("state") == "queued":
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def job_at(self, row: int) -> dict[str, Any] | None:
        """The job of a row; None when its page is not here yet."""
        if 0 <= row < len(self._head):
            return self._head[row]
        return self._rows.get(row - len(self._head))

    def row_of(self, job: str) -> int:
        """The row of a job that was fetched, or -1."""
        if self._where is None:
            first = len(self._head)
            self._where = {str(known["id"]): first + at for at, known in self._rows.items()}
            self._where |= {str(known["id"]): at for at, known in enumerate(self._head)}
        return self._where.get(job, -1)

    @property
    def on_worker(self) -> list[dict[str, Any]]:
        """The jobs that have begun and not ended; empty for a list of others."""
        return list(self._head)

    @property
    def first_waiting(self) -> int:
        return len(self._head)

    # Fetching ----------------------------------------------------------------------------------

    def set_active(self, active: bool) -> None:
        """Only a model that is looked at asks the engine."""
        self._active = active
        if active:
            self.refresh(now=True)

    def refresh(self, *, now: bool = False) -> None:
        """What is here may no longer be true; it stays on show until the engine has answered."""
        self._stale = True
        if self._active and not self._busy and (now or not self._timer.isActive()):
            self._timer.start(0 if now else REFRESH_MS)

    def clear(self) -> None:
        """Forgets all rows."""
        self.beginResetModel()
        self._head, self._rows, self._total, self._pages, self._where = [], {}, 0, {0}, None
        self.endResetModel()
        self.counted.emit(0)

    def on_event(self, event: Event) -> None:
        """Takes an event of the bridge."""
        if not self._active:
            self._stale = True
        elif event.kind == "progress":
            row = self.row_of(event.job)
            job = self.job_at(row)
            if job is not None:
                job["live"] = {**(job.get("live") or {}), "progress": event.data}
                self._dirty.add(row)
        elif event.kind == "job":
            self._show(self.row_of(event.job), event.data)
            self.refresh()

    def flush(self) -> None:
        """Tells the views what events have changed, once a drain."""
        if self._dirty:
            self.dataChanged.emit(self.index(min(self._dirty)), self.index(max(self._dirty)))
            self._dirty.clear()

    def _show(self, row: int, job: dict[str, Any]) -> None:
        """Shows a new state at once, where the row still is; its place is put right by the refresh."""
        known = self.job_at(row)
        if known is None:
            return
        job = {**job, "live": known.get("live")}
        if row < len(self._head):
            self._head[row] = job
        else:
            self._rows[row - len(self._head)] = job
        self._dirty.add(row)

    def _want(self, at: int) -> None:
        page = at // PAGE
        if page not in self._missing:
            self._missing.add(page)
            if not self._timer.isActive() and not self._busy:
                self._timer.start(0)

    def _start(self) -> None:
        if self._busy or not self._active:
            return
        self._busy = True
        stale, self._stale = self._stale, False
        missing, self._missing = self._missing, set()
        self._spawn(self._load(stale, missing))

    async def _load(self, stale: bool, missing: set[int]) -> None:
        generation = self._generation
        try:
            if stale:
                await self._renew(missing, generation)
            else:
                for page in sorted(missing, reverse=True)[:8]:
                    reply = await self._page(page)
                    if generation == self._generation:
                        self._take_page(page, reply)
        finally:
            self._busy = False
            if self._active and (self._stale or self._missing):
                self._timer.start(REFRESH_MS if self._stale else 0)

    async def _page(self, page: int) -> dict[str, Any]:
        return await self._fetch(states=list(self._states), offset=page * PAGE, limit=PAGE, newest=self._newest)

    async def _renew(self, wanted: set[int], generation: int) -> None:
        """Fetches head and the pages in use again and puts them in place at once."""
        head: list[dict[str, Any]] = []
        if self._head_states:
            head = (await self._fetch(states=list(self._head_states), offset=0, limit=500))["jobs"]
        recent = sorted(self._pages)[-6:]
        replies = {page: await self._page(page) for page in sorted({*recent, *wanted} or {0})}
        if generation != self._generation:  # A drag has changed the order meanwhile.
            self._stale = True
            return
        total = min(reply["total"] for reply in replies.values())
        rows = {
            page * PAGE + i: job
            for page, reply in replies.items()
            for i, job in enumerate(reply["jobs"])
            if page * PAGE + i < total
        }
        self._pages = set(replies)
        self._put(head, rows, total)

    def _take_page(self, page: int, reply: dict[str, Any]) -> None:
        if reply["total"] != self._total:
            self._stale = True
        self._pages.add(page)
        rows = {page * PAGE + i: job for i, job in enumerate(reply["jobs"]) if page * PAGE + i < self._total}
        self._rows.update(rows)
        self._where = None
        if rows:
            first = len(self._head) + page * PAGE
            self.dataChanged.emit(self.index(first), self.index(first + len(rows) - 1))

    def _put(self, head: list[dict[str, Any]], rows: dict[int, dict[str, Any]], total: int) -> None:
        """New content; what is selected stays selected, by job and not by row."""
        before, after = self.rowCount(), len(head) + total
        kept = [(index, self._id_at(index.row())) for index in self.persistentIndexList()]
        if after > before:
            self.beginInsertRows(Index(), before, after - 1)
            self._total += after - before
            self.endInsertRows()
        if kept:
            self.layoutAboutToBeChanged.emit()
        self._head, self._rows, self._total = head, rows, max(before, after) - len(head)
        self._where = None
        if kept:
            moved = [self.index(row) if id and (row := self.row_of(id)) >= 0 else Index() for _, id in kept]
            self.changePersistentIndexList([index for index, _ in kept], moved)
            self.layoutChanged.emit()
        if after < before:
            self.beginRemoveRows(Index(), after, before - 1)
            self._total = total
            self.endRemoveRows()
        if after:
            self.dataChanged.emit(self.index(0), self.index(after - 1))
        self.counted.emit(after)

    def _id_at(self, row: int) -> str:
        job = self.job_at(row)
        return str(job["id"]) if job else ""

    # Order -------------------------------------------------------------------------------------

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def moveRows(self, source: Any, row: int, count: int, target: Any, to: int) -> bool:
        """What the list view calls when rows were dragged within it."""
        jobs = [self._id_at(row + i) for i in range(count)]
        done = False
        for job in filter(None, jobs):
            done = self.move_job(job, to) or done
            to = self.row_of(job) + 1
        return done

    def canDropMimeData(self, data: QMimeData, action: Any, row: int, column: int, parent: Any) -> bool:
        """Between waiting rows only."""
        return not self._newest and super().canDropMimeData(data, action, row, column, parent)

    def dropMimeData(self, data: QMimeData, action: Any, row: int, column: int, parent: Any) -> bool:
        return False  # `moveRows` has done it, or it cannot be done.

    def move_job(self, job: str, row: int) -> bool:
        """Puts a waiting job in front of the one in `row` (behind all others at the end); tells `moved`."""
        at, first = self.row_of(job), len(self._head)
        row = max(first, min(row, self.rowCount()))
        found = self.job_at(at) if at >= 0 else None
        if found is None or found.get("state") != "queued" or row in (at, at + 1):
            return False
        target = self.job_at(row)
        if target is None and row < self.rowCount():
            return False  # Its page is not here: nobody can see where that would be.
        self.beginMoveRows(Index(), at, at, Index(), row)
        self._reorder(at - first, row - first)
        self.endMoveRows()
        self._generation += 1
        self.moved.emit(job, target["id"] if target else "")
        return True

    def _reorder(self, at: int, to: int) -> None:
        job = self._rows.pop(at)
        rows = {}
        for row, known in self._rows.items():
            row -= row > at
            rows[row + (row >= to - (to > at))] = known
        rows[to - (to > at)] = job
        self._rows, self._where = rows, None
