"""One of a few, side by side: a switch between modes or pages."""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

Choice = tuple[str, str, str]
"""Value, title, help."""


class Segment(QToolButton):
    """One of several that lie side by side. moved(by): an arrow key asks for a neighbour."""

    moved = Signal(int)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        right = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        by = {Qt.Key.Key_Left: 1 if right else -1, Qt.Key.Key_Right: -1 if right else 1}.get(Qt.Key(event.key()), 0)
        if by:
            self.moved.emit(by)
        else:
            super().keyPressEvent(event)


class Segments(QFrame):
    """changed(value): the person chose another. ← and → go through them."""

    changed = Signal(str)

    def __init__(self, title: str, choices: Sequence[Choice], parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("segments", True)
        self.setAccessibleName(title)
        self._value = choices[0][0]
        self.buttons: dict[str, Segment] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(1, 1, 1, 1)
        line.setSpacing(0)
        for value, words, help in choices:
            button = Segment()
            button.setText(words)
            button.setCheckable(True)
            button.setToolTip(help)
            button.setAccessibleName(words)
            button.setAccessibleDescription(help)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(partial(self._choose, value))
            button.moved.connect(partial(self._move, value))
            self.buttons[value] = button
            line.addWidget(button)
        self.set_value(self._value)

    def value(self) -> str:
        return self._value

    def set_value(self, value: str) -> None:
        self._value = value
        for name, button in self.buttons.items():
            button.setChecked(name == value)

    def _move(self, value: str, by: int) -> None:
        values = list(self.buttons)
        other = values[(values.index(value) + by) % len(values)]
        self.buttons[other].setFocus()
        self._choose(other)

    def _choose(self, value: str, _checked: bool = False) -> None:
        before = self._value
        self.set_value(value)
        if value != before:
            self.changed.emit(value)
