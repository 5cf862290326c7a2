"""The queue drawer: what runs, what waits, what was; and everything that can be done with it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QItemSelection, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.ui import queue_commands as commands
from studio.ui.queue_commands import HISTORY_COMMANDS, PRIORITIES, WAITING_COMMANDS, Command
from studio.ui.queue_editor import JobEditor
from studio.ui.queue_model import HISTORY, QueueModel
from studio.ui.queue_rows import JobDelegate
from studio.ui.session import PanelSession
from studio.wire.messages import Event

HEIGHT = 320
GAP = 12
SURE_MS = 4000
FORGET_AT_ONCE = 50


class JobList(QWidget):
    """One list of jobs with its heading and its buttons. `asked(command, jobs)`: the person wants that."""

    asked = Signal(object, list)
    priority_asked = Signal(str, list)

    def __init__(self, title: str, empty: str, model: QueueModel, known: tuple[Command, ...], reorder: bool):
        super().__init__()
        self.model, self._title, self._known = model, title, known
        self._heading = QLabel(title)
        self._heading.setObjectName("drawerHeading")
        self.view = QListView()
        self.view.setModel(model)
        self.delegate = JobDelegate(self.view)
        self.view.setItemDelegate(self.delegate)
        self.view.setUniformItemSizes(True)
        self.view.setAccessibleName(title)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._menu)
        if reorder:
            self.view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
            self.view.setDefaultDropAction(Qt.DropAction.MoveAction)
            self.view.setDragDropOverwriteMode(False)
        self._empty = QLabel(empty)
        self._empty.setObjectName("drawerEmpty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self._buttons: dict[str, QToolButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._heading)
        layout.addWidget(self._stack, 1)
        layout.addLayout(self._toolbar(reorder))
        for command in known:
            shortcut = QShortcut(QKeySequence(command.shortcut), self.view)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(partial(self._shortcut, command.shortcut))
            shortcut.setEnabled(all(command.shortcut != other.shortcut for other in known[: known.index(command)]))
        self.view.selectionModel().selectionChanged.connect(self._selected)
        model.dataChanged.connect(self._refresh_buttons)
        model.counted.connect(self._count)
        self._count(0)
        self._refresh_buttons()

    def _toolbar(self, reorder: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        for command in self._known:
            button = _button(command.title, f"{command.tip} ({command.shortcut})")
            button.clicked.connect(partial(self.ask, command))
            self._buttons[command.id] = button
            row.addWidget(button)
        if reorder:
            self._priority = _button("Priority", "How urgent it is")
            self._priority.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            self._priority.setMenu(self._priority_menu(self._priority))
            row.addWidget(self._priority)
        row.addStretch(1)
        return row

    def _priority_menu(self, parent: QWidget) -> QMenu:
        menu = QMenu("Priority", parent)
        for name, words in PRIORITIES:
            menu.addAction(words).triggered.connect(partial(self._ask_priority, name))
        return menu

    def selected(self) -> list[dict[str, Any]]:
        """The selected jobs in their order."""
        rows = sorted(index.row() for index in self.view.selectedIndexes())
        return [job for row in rows if (job := self.model.job_at(row)) is not None]

    def ask(self, command: Command, _on: bool = False) -> None:
        jobs = self.selected()
        if command.allows(jobs):
            self.asked.emit(command, jobs)

    def _ask_priority(self, name: str, _on: bool = False) -> None:
        self.priority_asked.emit(name, [job for job in self.selected() if job.get("state") == "queued"])

    def _shortcut(self, keys: str) -> None:
        jobs = self.selected()
        for command in self._known:
            if command.shortcut == keys and commands.shown(command, jobs) and command.allows(jobs):
                self.asked.emit(command, jobs)
                return

    def _selected(self, _new: QItemSelection, _old: QItemSelection) -> None:
        self._refresh_buttons()

    def _refresh_buttons(self, *_changed: Any) -> None:
        jobs = self.selected()
        for command in self._known:
            button = self._buttons[command.id]
            button.setVisible(commands.shown(command, jobs))
            button.setEnabled(command.allows(jobs))
        if "up" in self._buttons:
            self._priority.setEnabled(any(job.get("state") == "queued" for job in jobs))

    def _count(self, total: int) -> None:
        self._heading.setText(f"{self._title} · {total:,}" if total else self._title)
        self._stack.setCurrentIndex(1 if total else 0)
        if not total:
            self._refresh_buttons()

    def _menu(self, at: QPoint) -> None:
        jobs, menu = self.selected(), QMenu(self)
        for command in self._known:
            if commands.shown(command, jobs):
                action = menu.addAction(command.title)
                action.setEnabled(command.allows(jobs))
                action.triggered.connect(partial(self.ask, command))
        if "up" in self._buttons and any(job.get("state") == "queued" for job in jobs):
            menu.addMenu(self._priority_menu(menu))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(at))


class QueueDrawer(QWidget):
    """`closed`: the person wants it away. Asks the engine only while it is visible."""

    closed = Signal()

    def __init__(self, session: PanelSession, form: Callable[..., QWidget], parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("drawer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Queue")
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
        self.hold = _button("Hold the queue", "Starts nothing new until it goes on; what runs is not touched")
        self.clear = _button("Clear history", "Removes ended jobs from all lists; results stay in the library")
        close = _button("✕", "Close (Esc)")
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

    def step_back(self) -> None:
        """Esc: puts the form away, else asks to be closed."""
        if self._right.currentWidget() is self._editor:
            self._editor.put_away()
        else:
            self.closed.emit()

    def _show_history(self) -> None:
        self._right.setCurrentWidget(self.history_list)


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
