"""One line of a form: the label, ↺ when the value is not the default, the control, and what is wrong with it."""

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.controls.base import Control
from studio.kit.surface import label, tip, tool_button
from studio.kit.theme import Theme
from studio.sdk.params import Density


class Row(QWidget):
    """edited(name, value): the person changed it. wrong(name, words): typed something that is no value.

    reset(name): the person wants the default back.
    """

    edited = Signal(str, object)
    wrong = Signal(str, str)
    reset = Signal(str)

    def __init__(self, control: Control, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.control, self.spec = control, control.spec
        self.name = self.spec.name
        self._problem = ""
        title = label(self.spec.title, wrap=False)
        self._title = title
        title.setBuddy(control.edit)
        title.setToolTip(tip(self.spec.description))
        self.setToolTip(tip(self.spec.description))
        self._note = label(wrap=True, problem=True)
        self._note.hide()
        self.reset_button = tool_button(
            f"Reset {self.spec.title}", icon=theme.icon("mdi6.restore"), help="Back to the default", quiet=True
        )
        keeps = self.reset_button.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)  # or the rows below would move whenever it comes and goes
        self.reset_button.setSizePolicy(keeps)
        self.reset_button.hide()
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(title)
        if self.spec.ui.unit and self.spec.ui.unit.lower() not in self.spec.title.lower().split():
            head.addWidget(label(f"({self.spec.ui.unit})", muted=True))
        unit_end = head.count()
        head.addStretch(1)
        if control.head is not None:
            head.addWidget(control.head)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(head)
        if control.column.count():
            column.addWidget(control)
        else:
            control.setParent(self)
            control.hide()
        column.addWidget(self._note)
        head.insertWidget(unit_end, self.reset_button, 0, Qt.AlignmentFlag.AlignVCenter)
        control.changed.connect(self._changed)
        control.problem.connect(self._wrong)
        self.reset_button.clicked.connect(self._reset)

    @property
    def problem(self) -> str:
        return self._problem

    def show_problem(self, words: str) -> None:
        """Marks the control and says why; empty words take both away."""
        if words == self._problem:
            return
        self._problem = words
        self._note.setText(words)
        self._note.setVisible(bool(words))
        self.control.set_invalid(bool(words))
        described = ". ".join(part for part in (words, self.spec.description) if part)
        self.control.edit.setAccessibleDescription(described)

    def show_changed(self, changed: bool) -> None:
        """Whether the value differs from the default, so that there is something to reset."""
        self.reset_button.setVisible(changed)

    def belongs(self, density: Density, values: dict[str, Any]) -> bool:
        """Whether this is shown at a density, given the other values."""
        if self.spec.ui.widget == "hidden":
            return False
        if density == Density.SIMPLE and self.spec.ui.density != Density.SIMPLE:
            return False
        when = self.spec.ui.visible_when
        return when is None or values.get(when[0]) == when[1]

    def set_available(self, on: bool, why: str = "") -> None:
        """Greys the control out, and says why in its help."""
        self.control.setEnabled(on)
        if self.control.head is not None:
            self.control.head.setEnabled(on)
        words = tip(self.spec.description if on else f"{why} {self.spec.description}".strip())
        self.setToolTip(words)
        self._title.setToolTip(words)
        self._title.setEnabled(on)

    def _changed(self, value: Any) -> None:
        self.edited.emit(self.name, value)

    def _wrong(self, words: str) -> None:
        self.wrong.emit(self.name, words)

    def _reset(self) -> None:
        self.control.edit.setFocus()
        self.reset.emit(self.name)
