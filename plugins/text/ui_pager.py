"""Turns to the next or the previous text of one request."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme


class Pager(QWidget):
    """moved: -1 or 1. Hidden where there is one text only."""

    moved = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.back = tool_button("Previous text", icon=theme.icon("mdi6.chevron-left"))
        self.forth = tool_button("Next text", icon=theme.icon("mdi6.chevron-right"))
        self.place = label(muted=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.back, self.place, self.forth):
            row.addWidget(widget)
        self.back.clicked.connect(lambda: self.moved.emit(-1))
        self.forth.clicked.connect(lambda: self.moved.emit(1))
        self.hide()

    def show_place(self, at: int, count: int) -> None:
        """at: counted from 0."""
        self.place.setText(f"{at + 1} of {count}")
        self.setVisible(count > 1)
