"""What every control of a form is: one value, one signal when the person changed it, one when it is wrong."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.kit.session import Session
from studio.kit.surface import name, restyle
from studio.sdk.fields import FieldSpec


class Control(QWidget):
    """changed(value): the person chose another valid value. problem(words): what was typed is none; "" takes it back.

    `set_value` says nothing to `changed`. `head` is a part that stands on the line of the label, if any;
    `edit` is the part that takes the keyboard and is marked when the value is wrong.
    """

    changed = Signal(object)
    problem = Signal(str)

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self.spec, self.session = spec, session
        self.head: QWidget | None = None
        self.edit: QWidget = self
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)

    def value(self) -> Any:
        """The last valid value."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Shows `value` and takes any problem away."""
        raise NotImplementedError

    def set_invalid(self, invalid: bool) -> None:
        restyle(self.edit, invalid=invalid)

    def takes_keyboard(self, widget: QWidget) -> None:
        """`widget` is the part that the label names and the keyboard reaches first."""
        self.edit = widget
        self.setFocusProxy(widget)
        name(widget, self.spec.title, self.spec.description)
