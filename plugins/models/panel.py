"""The models panel: what is installed, what it can do, what is wrong with the rest, where it was found."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from studio.kit.action import Action
from studio.kit.empty import EmptyState
from studio.kit.panel import Panel
from studio.kit.session import Session
from studio.sdk.manifest import PanelEntry

from .ui_details import Details
from .ui_folders import Folders
from .ui_table import COLUMNS, ENTRY, SORT, ModelTable

MARGINS = (24, 16, 24, 16)
WIDTHS = {"Name": 200, "Makes": 88, "Family": 88, "Size": 80, "Parameters": 96, "Precision": 88, "Context": 80}
WIDTHS |= {"Licence": 120, "State": 200}


class ModelsPanel(Panel):
    """A table above; the chosen model and the folders below."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.table = ModelTable(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.table)
        self._sorted.setSortRole(SORT)
        self.view = self._make_view()
        self.details = Details()
        self.folders = Folders()
        self.empty = EmptyState(
            "No models yet",
            "Add a folder that holds models with safetensors weights. They are used where they are.",
            "Add folder…",
            icon=session.theme.icon("mdi6.cube-outline"),
        )
        self.rescan_button = QPushButton("Look again")
        self.rescan_button.setToolTip("Searches the folders once more (F5)")
        self._count = QLabel()
        self._count.setProperty("muted", True)
        self._lay_out()
        self.setAcceptDrops(True)
        session.theme.changed.connect(self._dress)
        self._dress()
        self.empty.acted.connect(self.folders.choose)
        self.view.selectionModel().currentChanged.connect(self._on_current)
        self.folders.added.connect(self.add_folder)
        self.folders.removed.connect(self.remove_folder)
        self.rescan_button.clicked.connect(self.rescan)
        self.details.folder_button.clicked.connect(self.show_folder)

    # building --------------------------------------------------------------------------------

    def _make_view(self) -> QTableView:
        view = QTableView()
        view.setAccessibleName("Models on this machine")
        view.setModel(self._sorted)
        view.setSortingEnabled(True)
        view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setShowGrid(False)
        view.setAlternatingRowColors(False)
        view.setTabKeyNavigation(False)
        view.setWordWrap(False)
        view.setTextElideMode(Qt.TextElideMode.ElideRight)
        view.verticalHeader().hide()
        view.setFrameShape(QFrame.Shape.NoFrame)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for at, column in enumerate(COLUMNS):
            if column in WIDTHS:
                view.setColumnWidth(at, WIDTHS[column])
        return view

    def _lay_out(self) -> None:
        title = QLabel(self.entry.title)
        title.setProperty("title", True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title)
        head.addWidget(self._count)
        head.addStretch(1)
        head.addWidget(self.rescan_button)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.empty)
        below = QWidget()
        row = QHBoxLayout(below)
        row.setContentsMargins(0, 16, 0, 0)
        row.setSpacing(24)
        row.addWidget(self.details, 3)
        row.addWidget(self.folders, 2)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        split.addWidget(self._stack)
        split.addWidget(below)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*MARGINS)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(split, 1)

    def _dress(self) -> None:
        self.table.set_problem_colour(self.session.theme.colour("danger"))
        self.view.viewport().update()

    # looking ---------------------------------------------------------------------------------

    def attached(self) -> None:
        self.session.spawn(self._load())

    def on_event(self, event: Any) -> None:
        if event.kind == "models":
            self.session.spawn(self._load())

    async def _load(self) -> None:
        answer = await self.session.call("models")
        entries = list(answer["models"])
        chosen = (self.current() or {}).get("id")
        self.table.set_entries(entries)
        self.folders.show_folders(list(answer.get("folders", ())))
        broken = sum(1 for entry in entries if entry.get("problem"))
        self._count.setText(f"{len(entries):,}" + (f", {broken:,} not usable" if broken else ""))
        self._stack.setCurrentWidget(self.view if entries else self.empty)
        self._choose(chosen)

    def _choose(self, id: str | None) -> None:
        rows = [row for row in range(self._sorted.rowCount()) if self._entry_at(row).get("id") == id]
        if self._sorted.rowCount():
            self.view.selectRow(rows[0] if rows else 0)
        self.details.show_entry(self.current())

    def _entry_at(self, row: int) -> dict[str, Any]:
        return self._sorted.index(row, 0).data(ENTRY) or {}

    def current(self) -> dict[str, Any] | None:
        """The chosen model, as the engine gave it."""
        index = self.view.currentIndex()
        return index.data(ENTRY) if index.isValid() else None

    def _on_current(self, _current: QModelIndex, _before: QModelIndex) -> None:
        self.details.show_entry(self.current())

    # doing -----------------------------------------------------------------------------------

    def add_folder(self, path: str) -> None:
        self.session.spawn(self._add(path))

    async def _add(self, path: str) -> None:
        before = {entry["path"] for entry in (await self.session.call("models"))["models"]}
        await self.session.call("models.add_folder", path=path)
        await self._load()
        entries = (self._entry_at(row) for row in range(self._sorted.rowCount()))
        new = [entry for entry in entries if entry.get("path") not in before]
        if new:
            self._choose(new[0]["id"])
        else:
            self.session.notify("No model was found there", f"{path} is searched from now on.", "warning")

    def remove_folder(self, path: str) -> None:
        self.session.spawn(self._change("models.remove_folder", path=path))

    def rescan(self) -> None:
        self.session.spawn(self._change("models.rescan"))

    async def _change(self, method: str, **params: Any) -> None:
        self.rescan_button.setEnabled(False)
        try:
            await self.session.call(method, **params)
            await self._load()
        finally:
            self.rescan_button.setEnabled(True)

    def show_folder(self) -> None:
        path = Path(str((self.current() or {}).get("path", "")))
        folder = path if path.is_dir() else path.parent
        if folder.is_dir():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
        else:
            self.session.notify("The folder is not there", str(folder), "warning")

    # the window ------------------------------------------------------------------------------

    def actions(self) -> list[Action]:  # type: ignore[override]
        def removable() -> bool:
            return self.folders.remove_button.isEnabled()

        return [
            Action("models.add", "Add a folder with models", "Ctrl+Shift+O", self.folders.choose),
            Action("models.remove", "Remove the chosen folder from the search", "", self.folders.remove, removable),
            Action("models.rescan", "Look for models again", "F5", self.rescan),
            Action("models.folder", "Show the model in its folder", "", self.show_folder, lambda: bool(self.current())),
        ]

    def focus_prompt(self) -> None:
        self.view.setFocus()

    def accepts_file(self, path: Path) -> bool:
        return path.is_dir() or path.suffix == ".safetensors"

    def drop_file(self, path: Path) -> None:
        self.add_folder(str(path if path.is_dir() else path.parent))

    # dropping --------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _folders_of(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for folder in _folders_of(event):
            self.add_folder(folder)
        event.acceptProposedAction()


def _folders_of(event: QDropEvent) -> list[str]:
    """The folders in what is dragged; for a model's file, the folder it lies in."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    found = [path if path.is_dir() else path.parent for path in paths if path.exists()]
    return [str(path) for path in dict.fromkeys(found)]
