"""One list of jobs in the drawer: heading, rows, buttons and context menu for what can be done with them."""

from functools import partial
from typing import Any

from PySide6.QtCore import QItemSelection, QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QListView,
    QMenu,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.kit.flow import FlowLayout
from studio.kit.turns import waiting
from studio.ui import queue_commands as commands
from studio.ui.queue_commands import PRIORITIES, Command
from studio.ui.queue_model import QueueModel
from studio.ui.queue_rows import JobDelegate


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
        model.counted.connect(self._share)
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

    def _share(self, _total: int) -> None:
        self.delegate.waiting = waiting(self.model.on_worker)

    def _toolbar(self, reorder: bool) -> FlowLayout:
        row = FlowLayout(spacing=4)
        for command in self._known:
            button = text_button(command.title, f"{command.tip} ({command.shortcut})")
            button.clicked.connect(partial(self.ask, command))
            self._buttons[command.id] = button
            row.addWidget(button)
        if reorder:
            self._priority = text_button("Priority", "How urgent it is")
            self._priority.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            self._priority.setMenu(self._priority_menu(self._priority))
            row.addWidget(self._priority)
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


def text_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
