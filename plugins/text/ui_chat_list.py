"""The person's conversations as a list, newest first, with what can be done to each."""

import time
from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QInputDialog, QListView, QMenu, QVBoxLayout, QWidget

from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

from .conversation_store import Summary

WIDTH = 224
EXPORTS = {"md": "Export as Markdown…", "json": "Export as JSON…", "tree": "Export all versions…"}
Index = QModelIndex | QPersistentModelIndex


class _Rows(QAbstractListModel):
    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.summaries: list[Summary] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.summaries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        found = self.summaries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return found.title or "New conversation"
        if role == Qt.ItemDataRole.ToolTipRole:
            moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.changed))
            return found.problem or f"{found.messages:,} messages, last changed {moment}"
        return None


class ConversationList(QFrame):
    """chosen(id), renamed(id, title), deleted(id), exported(id, kind), new_wanted, import_wanted."""

    chosen = Signal(str)
    renamed = Signal(str, str)
    deleted = Signal(str)
    exported = Signal(str, str)
    new_wanted = Signal()
    import_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setFixedWidth(WIDTH)
        self._rows = _Rows(self)
        self.view = QListView()
        self.view.setModel(self._rows)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setUniformItemSizes(True)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.view.setAccessibleName("Conversations")
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._menu)
        self.dialog: QInputDialog | None = None
        new = tool_button("New conversation", icon=theme.icon("mdi6.plus"), help="Starts a new conversation (Ctrl+N)")
        take = tool_button("Import", icon=theme.icon("mdi6.import"), help="Reads conversations from a JSON file")
        more = tool_button("More", icon=theme.icon("mdi6.dots-horizontal"), help="Rename, export or delete it")
        head = QHBoxLayout()
        head.setContentsMargins(24, 8, 8, 4)
        head.setSpacing(4)
        head.addWidget(label("Chats", muted=True), 1)
        for button in (new, take, more):
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        new.clicked.connect(self.new_wanted)
        take.clicked.connect(self.import_wanted)
        more.clicked.connect(lambda: self._menu(self.view.visualRect(self.view.currentIndex()).bottomLeft()))
        self.view.clicked.connect(lambda index: self.chosen.emit(self._rows.summaries[index.row()].id))
        self.view.activated.connect(lambda index: self.chosen.emit(self._rows.summaries[index.row()].id))

    def show_conversations(self, summaries: Sequence[Summary], current: str) -> None:
        if list(summaries) != self._rows.summaries:
            self._rows.beginResetModel()
            self._rows.summaries = list(summaries)
            self._rows.endResetModel()
        at = next((n for n, summary in enumerate(self._rows.summaries) if summary.id == current), -1)
        self.view.setCurrentIndex(self._rows.index(at) if at >= 0 else QModelIndex())

    def _menu(self, place: QPoint) -> None:
        index = self.view.indexAt(place) if self.view.indexAt(place).isValid() else self.view.currentIndex()
        if not index.isValid():
            return
        found = self._rows.summaries[index.row()]
        menu = QMenu(self)
        menu.addAction("Rename…").triggered.connect(lambda: self._rename(found))
        for kind, title in EXPORTS.items():
            menu.addAction(title).triggered.connect(lambda _on=False, kind=kind: self.exported.emit(found.id, kind))
        menu.addAction("Delete").triggered.connect(lambda: self.deleted.emit(found.id))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(place))

    def _rename(self, found: Summary) -> None:
        self.dialog = QInputDialog(self)
        self.dialog.setWindowTitle("Rename")
        self.dialog.setLabelText("The conversation's name; empty takes how it begins.")
        self.dialog.setTextValue(found.title)
        self.dialog.textValueSelected.connect(lambda text: self.renamed.emit(found.id, text))
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()
