"""The switch between few and all controls."""

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from studio.sdk.params import Density

WORDS = {Density.SIMPLE: ("Simple", "The few controls that matter most"), Density.EXPERT: ("Expert", "All controls")}


class Segment(QToolButton):
    """One of several that lie side by side. moved: an arrow key asks for the neighbour."""

    moved = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.moved.emit()
        else:
            super().keyPressEvent(event)


class DensitySwitch(QFrame):
    """Simple or Expert, side by side. changed(density): the person chose the other."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("segments", True)
        self.setAccessibleName("How many controls are shown")
        self._value = Density.SIMPLE
        self.buttons: dict[Density, Segment] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(1, 1, 1, 1)
        line.setSpacing(0)
        for density, (title, help) in WORDS.items():
            button = Segment()
            button.setText(title)
            button.setCheckable(True)
            button.setToolTip(help)
            button.setAccessibleName(title)
            button.setAccessibleDescription(help)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.clicked.connect(partial(self._choose, density))
            button.moved.connect(self._other)
            self.buttons[density] = button
            line.addWidget(button)
        self.set_value(Density.SIMPLE)

    def value(self) -> str:
        return self._value.value

    def set_value(self, density: str) -> None:
        self._value = Density(density)
        for name, button in self.buttons.items():
            button.setChecked(name == self._value)

    def _other(self) -> None:
        other = Density.EXPERT if self._value == Density.SIMPLE else Density.SIMPLE
        self.buttons[other].setFocus()
        self._choose(other)

    def _choose(self, density: Density, _checked: bool = False) -> None:
        before = self._value
        self.set_value(density)
        if density != before:
            self.changed.emit(density.value)
