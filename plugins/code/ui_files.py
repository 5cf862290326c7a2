"""The project's files as a tree, and the open ones as tabs."""

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFrame, QHBoxLayout, QTabBar, QToolButton, QTreeView, QVBoxLayout, QWidget

from studio.kit.surface import label, push_button, tool_button
from studio.kit.theme import Theme

PATH = Qt.ItemDataRole.UserRole + 1
WIDTH = 208


class FileTree(QFrame):
    """opened(path): relative to the project. folder_wanted, new_wanted: the buttons."""

    opened = Signal(str)
    folder_wanted = Signal()
    new_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.setFixedWidth(WIDTH)
        self._known: list[str] = []
        self.items = QStandardItemModel(self)
        self.tree = QTreeView()
        self.tree.setModel(self.items)
        self.tree.setHeaderHidden(True)
        self.tree.setFrameShape(QFrame.Shape.NoFrame)
        self.tree.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.tree.setAccessibleName("Files of the project")
        self.tree.activated.connect(self._open)
        self.tree.clicked.connect(self._open)
        self.name = label("No folder", muted=True)
        self.hint = label("Open a folder to see its files and to let the model know them.", wrap=True, muted=True)
        self.open_button = push_button("Open a folder…", help="Shows its source files; nothing is changed")
        plus = theme.icon("mdi6.file-plus-outline")
        new = tool_button("New file", icon=plus, help="A new file, saved when you say so")
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 8, 4)
        head.addWidget(self.name, 1)
        head.addWidget(new)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 8, 16)
        foot.setSpacing(8)
        foot.addWidget(self.hint)
        foot.addWidget(self.open_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.tree, 1)
        column.addLayout(foot)
        self.open_button.clicked.connect(self.folder_wanted)
        new.clicked.connect(self.new_wanted)

    def show_files(self, name: str, paths: Iterable[str]) -> None:
        """name: of the folder. What was unfolded stays so."""
        paths = list(paths)
        self.name.setText(name or "No folder")
        self.name.setToolTip(name)
        self.hint.setVisible(not name)
        self.tree.setVisible(bool(name))
        self.open_button.setText("Another folder…" if name else "Open a folder…")
        if paths == self._known:
            return
        self._known = paths
        unfolded = {path for path in self._folders() if self._is_open(path)}
        self.items.clear()
        places: dict[str, QStandardItem] = {"": self.items.invisibleRootItem()}
        for path in sorted(paths, key=lambda p: (p.count("/") == 0, p)):
            *folders, last = path.split("/")
            for depth in range(len(folders)):
                place = "/".join(folders[: depth + 1])
                if place not in places:
                    places[place] = self._item(folders[depth], place, folder=True)
                    places["/".join(folders[:depth])].appendRow(places[place])
            places["/".join(folders)].appendRow(self._item(last, path))
        for path in unfolded:
            if path in places:
                self.tree.expand(places[path].index())

    def _item(self, name: str, path: str, *, folder: bool = False) -> QStandardItem:
        item = QStandardItem(self._theme.icon("mdi6.folder-outline" if folder else "mdi6.file-outline"), name)
        item.setData("" if folder else path, PATH)
        item.setData(path, PATH + 1)
        item.setToolTip(path)
        return item

    def _folders(self) -> list[str]:
        found: list[str] = []
        todo = [self.items.invisibleRootItem()]
        while todo:
            item = todo.pop()
            for row in range(item.rowCount()):
                child = item.child(row)
                if child.hasChildren():
                    found.append(str(child.data(PATH + 1)))
                    todo.append(child)
        return found

    def _is_open(self, path: str) -> bool:
        item = self.items.invisibleRootItem()
        for part in path.split("/"):
            item = next((item.child(row) for row in range(item.rowCount()) if item.child(row).text() == part), None)
            if item is None:
                return False
        return self.tree.isExpanded(item.index())

    def _open(self, index: QModelIndex) -> None:
        path = index.data(PATH)
        if path:
            self.opened.emit(path)
        elif self.tree.isExpanded(index):
            self.tree.collapse(index)
        else:
            self.tree.expand(index)


class FileTabs(QTabBar):
    """chosen(name), close_wanted(name): of an open file. A dot before its name: it is not saved."""

    chosen = Signal(str)
    close_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.setMovable(False)
        self.setExpanding(False)
        self.setDrawBase(False)
        self.setDocumentMode(True)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setUsesScrollButtons(True)
        self.setAccessibleName("Open files")
        self.currentChanged.connect(lambda at: self.chosen.emit(self.tabData(at)) if at >= 0 else None)

    def show_files(self, files: Iterable[tuple[str, bool]], current: str) -> None:
        """(name, modified) in order."""
        self.blockSignals(True)
        files = list(files)
        while self.count() > len(files):
            self.removeTab(self.count() - 1)
        for at, (name, modified) in enumerate(files):
            if at == self.count():
                self.addTab("")
                self.setTabButton(at, QTabBar.ButtonPosition.RightSide, self._closer())
            words = f"● {name.rpartition('/')[2]}" if modified else name.rpartition("/")[2]
            if self.tabText(at) != words:
                self.setTabText(at, words)
            self.setTabData(at, name)
            self.setTabToolTip(at, name + (", not saved" if modified else ""))
            if name == current:
                self.setCurrentIndex(at)
        self.blockSignals(False)

    def _closer(self) -> QToolButton:
        """The small cross on a tab. Which file that is, is asked when it is pressed: tabs are used for other files."""
        icon = self._theme.icon("mdi6.close")
        cross = tool_button("Close", icon=icon, help="Puts this file away (Ctrl+W)", quiet=True)
        cross.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        cross.clicked.connect(lambda: self._close(cross))
        return cross

    def _close(self, cross: QToolButton) -> None:
        side = QTabBar.ButtonPosition.RightSide
        at = next((n for n in range(self.count()) if self.tabButton(n, side) is cross), None)
        if at is not None:
            self.close_wanted.emit(self.tabData(at))
