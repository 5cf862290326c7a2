"""The queue drawer: what runs, what waits, what was; and everything that can be done with it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.ui import queue_commands as commands
from studio.ui.queue_commands import HISTORY_COMMANDS, WAITING_COMMANDS, Command
from studio.ui.queue_editor import JobEditor
from studio.ui.queue_list import JobList, text_button
from studio.ui.queue_model import HISTORY, QueueModel
from studio.ui.session import PanelSession
from studio.wire.messages import Event

HEIGHT, LEAST = 320, 200
GAP = 12
SURE_MS = 4000
FORGET_AT_ONCE = 50


class QueueDrawer(QWidget):
    """`closed`: the person wants it away. Asks the engine only while it is visible."""

    closed = Signal()

    def __init__(self, session: PanelSession, form: Callable[..., QWidget], parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("drawer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Queue")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._session, self._held = session, False
        fetch = partial(session.call, "jobs")
        self.waiting = QueueModel(fetch, session.spawn, parent=self)
        self.history = QueueModel(fetch, session.spawn, head=(), states=HISTORY, newest=True, parent=self)
        nothing = "Nothing runs and nothing waits."
        self.waiting_list = JobList("Running and waiting", nothing, self.waiting, WAITING_COMMANDS, True)
        self.history_list = JobList("History", "Nothing has ended yet.", self.history, HISTORY_COMMANDS, False)
        self._editor = JobEditor(session, form)
        self._right = QStackedWidget()
        self._right.addWidget(self.history_list)
        self._right.addWidget(self._editor)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(GAP)
        splitter.addWidget(self.waiting_list)
        splitter.addWidget(self._right)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([600, 400])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        layout.addLayout(self._header())
        layout.addWidget(splitter, 1)
        self.setFixedHeight(HEIGHT)
        self._connect()

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        title = QLabel("Queue")
        title.setObjectName("drawerTitle")
        self.hold = text_button("Hold the queue", "Starts nothing new until it goes on; what runs is not touched")
        self.clear = text_button("Clear history", "Removes ended jobs from all lists; results stay in the library")
        close = text_button("✕", "Close (Esc)")
        close.setAccessibleName("Close the queue")
        row.addWidget(title)
        row.addStretch(1)
        for button in (self.hold, self.clear, close):
            row.addWidget(button)
        self.hold.clicked.connect(self._toggle_hold)
        self.clear.clicked.connect(self._clear_history)
        close.clicked.connect(self.closed)
        self._sure = QTimer(self, singleShot=True, interval=SURE_MS)
        self._sure.timeout.connect(self._not_sure)
        return row

    def _connect(self) -> None:
        self.waiting.moved.connect(self._moved)
        self.waiting.counted.connect(self._filled)
        self._editor.closed.connect(self._show_history)
        for jobs in (self.waiting_list, self.history_list):
            jobs.asked.connect(self._asked)
            jobs.priority_asked.connect(self._set_priority)

    # Around it ---------------------------------------------------------------------------------

    def set_tones(self, tones: dict[str, Any], operations: dict[str, str]) -> None:
        """The theme's colours and the names of the operations."""
        for jobs in (self.waiting_list, self.history_list):
            jobs.delegate.tones, jobs.delegate.operations = tones, operations
            jobs.view.viewport().update()

    def fit(self, room: int) -> None:
        """As high as it likes to be, less where the window has no more than `room` for it."""
        self.setFixedHeight(max(LEAST, min(HEIGHT, room)))

    def set_held(self, held: bool) -> None:
        if held != self._held:
            self._held = held
            self.hold.setText("Go on" if held else "Hold the queue")
            self.hold.setAccessibleName(self.hold.text())

    def on_event(self, event: Event) -> None:
        if event.kind == "queue":
            self.set_held(bool(event.data.get("held")))
        elif event.kind in ("job", "progress"):
            self.waiting.on_event(event)
            self.history.on_event(event)

    def flush(self) -> None:
        """Once a drain: lets the views know."""
        self.waiting.flush()
        self.history.flush()

    def attached(self) -> None:
        """The engine is (again) there: what is known may be old."""
        self.waiting.refresh(now=True)
        self.history.refresh(now=True)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.waiting.set_active(True)
        self.history.set_active(True)

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self.waiting.set_active(False)
        self.history.set_active(False)

    # What the person wants ---------------------------------------------------------------------

    def _asked(self, command: Command, jobs: list[dict[str, Any]]) -> None:
        if command.id in ("edit", "vary"):
            self._editor.edit(jobs[0], duplicate=command.id == "vary")
            self._right.setCurrentWidget(self._editor)
        elif command.id in ("up", "down"):
            self._step(-1 if command.id == "up" else 1, jobs)
        else:
            self._session.spawn(self._do(commands.perform(self._session.call, command, jobs)))

    def _step(self, by: int, jobs: list[dict[str, Any]]) -> None:
        """Moves the selected waiting jobs by one place; a run of them goes together."""
        for job in jobs if by < 0 else list(reversed(jobs)):
            row = self.waiting.row_of(job["id"])
            if not self.waiting.move_job(job["id"], row - 1 if by < 0 else row + 2):
                break
        current = self.waiting.row_of(jobs[0]["id"])
        self.waiting_list.view.scrollTo(self.waiting.index(current))

    def _moved(self, job: str, before: str) -> None:
        where = {"before": before} if before else {}
        self._session.spawn(self._do(self._session.call("move", job=job, **where)))

    def _set_priority(self, name: str, jobs: list[dict[str, Any]]) -> None:
        async def edit() -> None:
            for job in jobs:
                await self._session.call("edit", job=job["id"], priority=name)

        self._session.spawn(self._do(edit()))

    async def _do(self, work: Any) -> None:
        """Awaits `work`; whether it went well or not, the lists are read again."""
        try:
            await work
        finally:
            self.attached()

    def _toggle_hold(self) -> None:
        self._session.spawn(self._session.call("hold", held=not self._held))

    def _clear_history(self) -> None:
        if not self._sure.isActive():
            self._sure.start()
            self.clear.setText("Really clear?")
            return
        self._not_sure()
        self._session.spawn(self._do(self._forget_all()))

    def _not_sure(self) -> None:
        self._sure.stop()
        self.clear.setText("Clear history")

    async def _forget_all(self) -> None:
        """Page by page, as the engine has no list of ids: always the first page of what is left."""
        while True:
            reply = await self._session.call("jobs", states=list(HISTORY), offset=0, limit=FORGET_AT_ONCE)
            if not reply["jobs"]:
                return
            for job in reply["jobs"]:
                await self._session.call("forget", job=job["id"])

    def take_keyboard(self) -> None:
        """To the list of what waits; while it is empty the drawer itself has it, so that Esc closes it."""
        view = self.waiting_list.view
        (view if view.isVisible() else self).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _filled(self, total: int) -> None:
        if total and self.hasFocus():
            self.take_keyboard()

    def step_back(self) -> None:
        """Esc: puts the form away, else asks to be closed."""
        if self._right.currentWidget() is self._editor:
            self._editor.put_away()
        else:
            self.closed.emit()

    def _show_history(self) -> None:
        self._right.setCurrentWidget(self.history_list)
