"""The folders that are searched for models: a list, and ways to add, remove and look again."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

FOLDER = Qt.ItemDataRole.UserRole + 1


class Folders(QFrame):
    """added, removed: a folder's path, as the person wants it."""

    added = Signal(str)
    removed = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._dialog: QFileDialog | None = None
        heading = QLabel("Folders with models")
        heading.setProperty("heading", True)
        self.list = QListWidget()
        self.list.setAccessibleName("Folders that are searched for models")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.add_button = QPushButton("Add folder…")
        self.add_button.setToolTip("Models in this folder are used where they are; nothing is copied")
        self.remove_button = QPushButton("Remove")
        self.remove_button.setToolTip("The folder is no longer searched; its files stay where they are")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.add_button)
        row.addWidget(self.remove_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        self.list.currentItemChanged.connect(lambda *_: self._update())
        self.add_button.clicked.connect(self.choose)
        self.remove_button.clicked.connect(self.remove)
        self._update()

    def show_folders(self, folders: list[Any]) -> None:
        """Folders as `models` gives them: {path, models, bundled, problem}, or bare paths."""
        chosen = self.current().get("path")
        self.list.clear()
        for folder in folders:
            facts: dict[str, Any] = folder if isinstance(folder, dict) else {"path": str(folder)}
            item = QListWidgetItem(words(facts))
            item.setData(FOLDER, facts)
            problem = facts.get("problem") or {}
            item.setToolTip("\n".join(filter(None, (facts["path"], problem.get("detail"), problem.get("hint")))))
            self.list.addItem(item)
            if facts["path"] == chosen:
                self.list.setCurrentItem(item)
        self._update()

    def current(self) -> dict[str, Any]:
        item = self.list.currentItem()
        return item.data(FOLDER) if item is not None else {}

    def choose(self) -> None:
        """Asks for a folder, without stopping anything else."""
        if self._dialog is None:
            self._dialog = QFileDialog(self, "Choose a folder that holds models", str(Path.home()))
            self._dialog.setFileMode(QFileDialog.FileMode.Directory)
            self._dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            self._dialog.fileSelected.connect(self.added)
        self._dialog.open()

    def remove(self) -> None:
        """Asks for the chosen folder to be searched no longer."""
        if path := self.current().get("path"):
            self.removed.emit(path)

    def _update(self) -> None:
        folder = self.current()
        self.remove_button.setEnabled(bool(folder) and not folder.get("bundled"))


def words(folder: dict[str, Any]) -> str:
    """A folder and what is in it, in one line."""
    problem = folder.get("problem")
    if problem and not Path(folder["path"]).exists():
        note = "not there"
    elif problem:
        note = str(problem.get("title", "cannot be read"))
    elif "models" in folder:
        count = int(folder["models"])
        note = "1 model" if count == 1 else f"{count:,} models"
    else:
        note = ""
    name = "Shipped with Atelier" if folder.get("bundled") else str(folder["path"])
    return f"{name} · {note}" if note else name
