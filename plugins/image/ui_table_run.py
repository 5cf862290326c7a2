"""A table and the engine: queues one ordinary job per cell, follows them, cancels and retries."""

from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.panel import EventLike
from studio.kit.session import Session

from .ui_table_cells import Place, Table

PRIORITY = "batch"
PAGE = 1000
REFUSED = 3
"""Cells refused one after another until the rest is not asked for any more."""


class TableRun(QObject):
    """touched(place): a cell looks different. changed: a job began or ended; the document is another."""

    touched = Signal(object)
    changed = Signal()

    def __init__(self, session: Session, origin: str, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._origin = session, origin
        self._queueing = 0
        self._busy = False
        self.table: Table | None = None

    def set_table(self, table: Table | None) -> None:
        """Takes a table as it is, without asking for anything; one that was being queued is left as far as it is."""
        self._queueing += 1
        self.table = table
        self._busy = False
        self.changed.emit()

    @property
    def busy(self) -> bool:
        """Whether any cell is still to come."""
        return self._busy or (self.table is not None and bool(self.table.open_jobs()))

    def start(self) -> None:
        """Queues the cells that were never asked for."""
        if self.table is not None:
            self._busy = True
            self.changed.emit()
            self._session.spawn(self._queue(self.table, self._queueing))

    def cancel_all(self) -> None:
        """Cells that are finished stay."""
        self._queueing += 1
        self._busy = False
        if self.table is not None:
            # The last first: else each cancelled one lets the next begin.
            for job in reversed(self.table.open_jobs()):
                self._session.spawn(self._call("cancel", job))
        self.changed.emit()

    def cancel(self, place: Place) -> None:
        state = self.table.states[place] if self.table else None
        if state is not None and state.job and not state.ended:
            self._session.spawn(self._call("cancel", state.job))

    def retry(self, place: Place) -> None:
        """Runs a cell once more: its job where the engine still has it, else a new one."""
        table = self.table
        if table is None:
            return
        state = table.states[place]
        if state.job and state.state in ("failed", "cancelled"):
            self._session.spawn(self._again(table, place))
        elif not state.job or state.state == "gone":
            self._session.spawn(self._submit(table, place))

    def on_event(self, event: EventLike) -> None:
        place = self.table.place_of(event.job) if self.table is not None and event.job else None
        if place is None or self.table is None:
            return
        state = self.table.states[place]
        if event.kind == "job":
            before = state.state
            state.take(event.data)
            if before != state.state:
                self.changed.emit()
        elif event.kind == "progress":
            state.progress = dict(event.data)
        elif event.kind == "preview":
            state.frame = next((frame for frame in event.frames if frame), state.frame)
        else:
            return
        self.touched.emit(place)

    def attached(self) -> None:
        """The engine is there: asks what became of the jobs."""
        if self.table is not None:
            self._session.spawn(self._catch_up(self.table))

    async def _queue(self, table: Table, turn: int) -> None:
        refused = 0
        for place, state in table.states.items():
            if turn != self._queueing or refused >= REFUSED:
                break
            if not state.job:
                refused = 0 if await self._submit(table, place) else refused + 1
                if turn != self._queueing and state.job:  # everything was cancelled while this one was on its way
                    await self._call("cancel", state.job)
        if turn == self._queueing:
            self._busy = False
            self.changed.emit()

    async def _submit(self, table: Table, place: Place) -> bool:
        """False when the engine refused it; why then stands in the cell."""
        state = table.states[place]
        try:
            job = await self._session.submit(
                table.operation, state.cell.params, title=state.cell.title, origin=self._origin, priority=PRIORITY
            )
        except StudioError as error:
            state.state, state.error = "failed", error.to_dict()
            self._tell(table, place)
            return False
        table.begun(place, job)
        self._tell(table, place)
        await self._ask(table, place)  # its first events may have come before its id was known here
        return True

    def _tell(self, table: Table, place: Place) -> None:
        if table is self.table:
            self.touched.emit(place)
            self.changed.emit()

    async def _ask(self, table: Table, place: Place) -> None:
        state = table.states[place]
        try:
            state.take(await self._session.call("job", job=state.job))
        except StudioError as error:
            if error.code != "unknown-job":
                raise
            state.state = "finished" if state.path else "gone"
        self._tell(table, place)

    async def _catch_up(self, table: Table) -> None:
        page = await self._session.call("jobs", origin=self._origin, newest=True, limit=PAGE)
        known: dict[str, dict[str, Any]] = {str(job["id"]): job for job in page["jobs"]}
        for place, state in table.states.items():
            if state.job in known:
                state.take(known[state.job])
                await self._frame(table, place)
                self._tell(table, place)
            elif state.job:
                await self._ask(table, place)

    async def _frame(self, table: Table, place: Place) -> None:
        """The newest preview of a job that runs, which came while nobody listened."""
        state = table.states[place]
        if state.state == "running":
            _, frames = await self._session.call_frames("preview", job=state.job)
            state.frame = next((frame for frame in frames if frame), state.frame)

    async def _again(self, table: Table, place: Place) -> None:
        try:
            await self._session.call("retry", job=table.states[place].job)
        except StudioError as error:
            if error.code != "unknown-job":
                raise
            await self._submit(table, place)
            return
        await self._ask(table, place)

    async def _call(self, method: str, job: str) -> None:
        try:
            await self._session.call(method, job=job)
        except StudioError as error:
            if error.code != "unknown-job":
                raise
