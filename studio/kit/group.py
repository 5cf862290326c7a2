"""A titled part of a form that can be folded."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from studio.kit.theme import Theme


class Heading(QPushButton):
    """A heading that folds; ← folds and → unfolds it while it has the keyboard."""

    def __init__(self, title: str, parent: QWidget | None = None):
        super().__init__(title, parent)
        self.setProperty("heading", True)
        self.setCheckable(True)
        self.setChecked(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = {Qt.Key.Key_Left: False, Qt.Key.Key_Right: True}
        key = Qt.Key(event.key())
        if key not in keys:
            super().keyPressEvent(event)
        elif self.isChecked() != keys[key]:
            self.click()


class Group(QWidget):
    """`rows` below a heading that folds them. toggled(open): the person folded or unfolded it."""

    toggled = Signal(bool)

    def __init__(self, title: str, rows: Sequence[QWidget], theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.title = title
        self._theme = theme
        self.heading = Heading(title)
        self._body = QWidget()
        inner = QVBoxLayout(self._body)
        inner.setContentsMargins(0, 2, 0, 8)
        inner.setSpacing(10)
        for row in rows:
            inner.addWidget(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.heading)
        column.addWidget(self._body)
        self.heading.clicked.connect(self._clicked)
        self._show_state(True)

    def is_open(self) -> bool:
        return self.heading.isChecked()

    def set_open(self, open: bool) -> None:
        self.heading.setChecked(open)
        self._body.setVisible(open)
        self._show_state(open)

    def show_heading(self, shown: bool) -> None:
        """A form with one group alone needs no heading."""
        self.heading.setVisible(shown)
        if not shown:
            self.set_open(True)

    def _show_state(self, open: bool) -> None:
        right = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        closed = "mdi6.chevron-left" if right else "mdi6.chevron-right"
        self.heading.setIcon(self._theme.icon("mdi6.chevron-down" if open else closed))
        self.heading.setAccessibleName(f"{self.title}, {'open' if open else 'folded'}")

    def _clicked(self, open: bool) -> None:
        self.set_open(open)
        self.toggled.emit(open)
