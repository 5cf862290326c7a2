"""The switch between few and all controls."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QToolButton, QWidget

from studio.sdk.params import Density

WORDS = {Density.SIMPLE: ("Simple", "The few controls that matter most"), Density.EXPERT: ("Expert", "All controls")}


class DensitySwitch(QFrame):
    """Simple or Expert, side by side. changed(density): the person chose the other."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("segments", True)
        self.setAccessibleName("How many controls are shown")
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(1, 1, 1, 1)
        line.setSpacing(0)
        for density, (title, help) in WORDS.items():
            button = QToolButton()
            button.setText(title)
            button.setCheckable(True)
            button.setToolTip(help)
            button.setAccessibleName(title)
            button.setAccessibleDescription(help)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self._group.addButton(button)
            self._buttons[density.value] = button
            line.addWidget(button)
        self.set_value(Density.SIMPLE)
        self._group.buttonClicked.connect(self._clicked)

    def value(self) -> str:
        return next(name for name, button in self._buttons.items() if button.isChecked())

    def set_value(self, density: str) -> None:
        self._buttons[str(Density(density))].setChecked(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            other = next(name for name in self._buttons if name != self.value())
            self._buttons[other].setFocus()
            self._buttons[other].click()
        else:
            super().keyPressEvent(event)

    def _clicked(self, _button: object) -> None:
        self.changed.emit(self.value())
