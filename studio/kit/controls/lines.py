r"""A list of short texts, such as stop strings, as chips that can be taken away.

What is typed is kept as it is: what an escape such as \n means is said by the field's params class. A real
line break or other invisible character in a value is shown as its escape.
"""

from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget

from studio.kit.controls.base import Control
from studio.kit.controls.escapes import typeable, visible
from studio.kit.flow import FlowLayout
from studio.kit.session import Session
from studio.kit.surface import tip, tool_button
from studio.sdk.fields import FieldSpec

CHIP_SHOWS = 28


class EntryEdit(QLineEdit):
    """added: Return, or the keyboard goes elsewhere. back: Backspace in the empty field."""

    added = Signal()
    back = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain:
            self.added.emit()
        elif event.key() == Qt.Key.Key_Backspace and not self.text():
            self.back.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self.added.emit()


class LinesControl(Control):
    """Return adds what is typed; Backspace in the empty field takes the last one back for editing."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._value: list[str] = []
        self.chips: list[QToolButton] = []
        self._bag = QWidget()
        self._flow = FlowLayout(self._bag)
        self.field = EntryEdit()
        self.field.setPlaceholderText(spec.ui.placeholder or "Add one and press Return")
        self.column.addWidget(self._bag)
        self.column.addWidget(self.field)
        self.takes_keyboard(self.field)
        self.field.added.connect(self._add)
        self.field.back.connect(self._take_back)
        self.set_value(spec.default)

    def value(self) -> list[str]:
        return list(self._value)

    def set_value(self, value: Any) -> None:
        self._value = list(value or ())
        for chip in self.chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = [self._chip(at, text) for at, text in enumerate(self._value)]
        self._bag.setVisible(bool(self.chips))
        self._bag.updateGeometry()

    def _chip(self, at: int, text: str) -> QToolButton:
        shown = visible(text)
        short = shown if len(shown) <= CHIP_SHOWS else shown[: CHIP_SHOWS - 1] + "…"
        # An isolate: a backslash stays where it is typed, also from right to left.
        chip = tool_button(
            f"\u2068{short}\u2069".replace("&", "&&"), icon=self.session.theme.icon("mdi6.close"), text=True, chip=True
        )
        chip.setAccessibleName(f"Remove {shown}")
        chip.setToolTip(tip(f"{shown} — click to remove it"))
        opposite = {
            Qt.LayoutDirection.LeftToRight: Qt.LayoutDirection.RightToLeft,
            Qt.LayoutDirection.RightToLeft: Qt.LayoutDirection.LeftToRight,
        }
        chip.setLayoutDirection(opposite[self.layoutDirection()])
        chip.clicked.connect(partial(self._remove, at))
        chip.installEventFilter(self)
        self._flow.addWidget(chip)
        return chip

    def _add(self) -> None:
        text = self.field.text()
        if not text:
            return
        self.field.clear()
        self.problem.emit("")
        if text not in self._value:
            self._put([*self._value, text])

    def _take_back(self) -> None:
        if self._value:
            self.field.setText(typeable(self._value[-1]))
            self._put(self._value[:-1])

    def _remove(self, at: int, _checked: bool = False) -> None:
        self._put([text for i, text in enumerate(self._value) if i != at])
        self.field.setFocus()

    def _put(self, value: list[str]) -> None:
        self.set_value(value)
        self.changed.emit(list(value))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        pressed = event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key()
        if pressed in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and watched in self.chips:
            self._remove(self.chips.index(watched))  # type: ignore[arg-type]
            return True
        return super().eventFilter(watched, event)
