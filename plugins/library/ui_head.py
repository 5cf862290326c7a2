"""What stands above the library's results: words to look for, the kind, the way to the trash."""

from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

KINDS = (("Everything", ""), ("Texts", "text"), ("Pictures", "image"), ("Sounds", "audio"), ("Videos", "video"))
SEARCH_MS = 200


class Head(QWidget):
    """changed: what is looked for is another, after a moment of rest while typing."""

    changed = Signal()

    def __init__(self, title: str, parent: QWidget | None = None):
        super().__init__(parent)
        self._soon = QTimer(self, interval=SEARCH_MS, singleShot=True)
        self._soon.timeout.connect(self.changed)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search prompts, texts and models")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search the library")
        self.search.setMinimumWidth(280)
        self.search.textChanged.connect(lambda: self._soon.start())
        self.search.returnPressed.connect(self._now)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind")
        for label, kind in KINDS:
            self.kind.addItem(label, kind)
        self.kind.currentIndexChanged.connect(self._now)
        self.trash = QPushButton("Trash")
        self.trash.setCheckable(True)
        self.trash.setToolTip("Shows what was deleted, to put back or to remove for good")
        self.trash.toggled.connect(self._now)
        heading = QLabel(title)
        heading.setProperty("title", True)
        self._count = QLabel()
        self._count.setProperty("muted", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(heading)
        row.addWidget(self._count)
        row.addStretch(1)
        row.addWidget(self.search, 2)
        row.addWidget(self.kind)
        row.addWidget(self.trash)

    def value(self) -> dict[str, Any]:
        """As `LibraryItems.show` takes it."""
        kind = str(self.kind.currentData() or "")
        return {"query": self.search.text(), "kind": kind, "trashed": self.trash.isChecked()}

    def set_value(self, query: str = "", kind: str = "", trashed: bool = False) -> None:
        for widget in (self.search, self.kind, self.trash):
            widget.blockSignals(True)
        self.search.setText(query)
        self.kind.setCurrentIndex(max(0, self.kind.findData(kind)))
        self.trash.setChecked(trashed)
        for widget in (self.search, self.kind, self.trash):
            widget.blockSignals(False)
        self._now()

    @property
    def narrowed(self) -> bool:
        """Whether words or a kind leave something out."""
        return bool(self.search.text().strip() or self.kind.currentData())

    def set_count(self, count: int) -> None:
        self._count.setText(f"{count:,}")
        self._count.setAccessibleName(f"{count:,} results")

    def _now(self) -> None:
        self._soon.stop()
        self.changed.emit()


class ForGood(QFrame):
    """Asks, in place, before the trash is emptied. sure: the person has said yes."""

    sure = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._begin = QPushButton("Empty the trash…")
        self._keep = QPushButton("Keep them")
        self._remove = QPushButton("Remove for good")
        self._remove.setProperty("danger", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._label, 1)
        for button in (self._begin, self._keep, self._remove):
            row.addWidget(button)
        self._begin.clicked.connect(lambda: self.ask(True))
        self._keep.clicked.connect(lambda: self.ask(False))
        self._remove.clicked.connect(self.sure)
        self._count = 0
        self.ask(False)

    def set_count(self, count: int) -> None:
        self._count = count
        self.setVisible(count > 0)
        self.ask(False)

    def ask(self, asking: bool) -> None:
        things = "one result" if self._count == 1 else f"{self._count:,} results"
        self._label.setText(
            f"Remove {things} for good? This cannot be undone." if asking else "What is here can be put back."
        )
        self._begin.setVisible(not asking)
        self._keep.setVisible(asking)
        self._remove.setVisible(asking)
        if asking:
            self._keep.setFocus()
