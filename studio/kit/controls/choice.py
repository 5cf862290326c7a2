"""One of several: a combo box. On or off: a switch."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QComboBox, QListView, QSizePolicy, QWidget

from studio.kit.controls.base import Control
from studio.kit.session import Session
from studio.kit.surface import Mirrored, mirror, tip
from studio.sdk.fields import FieldSpec


class StillCombo(Mirrored, QComboBox):
    """A combo box that leaves the wheel to the page around it, unless it has the keyboard."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        mirror(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChoiceControl(Control):
    """Literal or enumerated values, shown as words."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self.combo = StillCombo()
        self._values: list[Any] = [*([None] if spec.optional else []), *spec.choices]
        self.combo.addItems([_words(value) for value in self._values])
        self.column.addWidget(self.combo)
        self.takes_keyboard(self.combo)
        self.combo.activated.connect(self._chosen)
        self._value = spec.default
        self.set_value(spec.default)

    def limit(self, choices: Sequence[Any] | None, why: str = "") -> None:
        """Offers only these; None offers all. A value that is no longer offered stays, and is marked in the list."""
        model = self.combo.model()
        assert isinstance(model, QStandardItemModel)
        for row, value in enumerate(self._values):
            offered = choices is None or value is None or value in choices
            item = model.item(row)
            item.setEnabled(offered)
            item.setToolTip("" if offered else tip(why))
            view = self.combo.view()
            if isinstance(view, QListView):
                view.setRowHidden(row, not offered and value != self._value)

    def set_words(self, words: Mapping[Any, str]) -> None:
        """What the field calls these values; others keep their plain words."""
        for row, value in enumerate(self._values):
            self.combo.setItemText(row, words.get(value) or _words(value))

    def value(self) -> Any:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        self.combo.setCurrentIndex(self._values.index(value) if value in self._values else -1)

    def _chosen(self, row: int) -> None:
        if self._values[row] != self._value:
            self._value = self._values[row]
            self.problem.emit("")
            self.changed.emit(self._value)


class Switch(QAbstractButton):
    """On or off, drawn in the palette's colours."""

    TRACK = QSize(34, 18)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return self.TRACK + QSize(6, 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = self.palette()
        track = QRectF(3, 3, self.TRACK.width(), self.TRACK.height())
        on = self.isChecked()
        fill = colours.color(QPalette.ColorRole.Accent if on else QPalette.ColorRole.Mid)
        knob = QColor("white")
        if not self.isEnabled():
            fill, knob = colours.color(QPalette.ColorRole.Dark), colours.color(QPalette.ColorRole.PlaceholderText)
        elif self.underMouse():
            fill = fill.lighter(112)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QPen(colours.color(QPalette.ColorRole.Link), 2))
            ring = track.adjusted(-2, -2, 2, 2)
            painter.drawRoundedRect(ring, ring.height() / 2, ring.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        far = on != (self.layoutDirection() == Qt.LayoutDirection.RightToLeft)
        side = track.height() - 4
        left = track.right() - side - 2 if far else track.left() + 2
        painter.setBrush(knob)
        painter.drawEllipse(QRectF(left, track.top() + 2, side, side))

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)


class SwitchControl(Control):
    """A yes or no, on the line of its label."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self.switch = Switch()
        self.head = self.switch
        self.takes_keyboard(self.switch)
        self.switch.clicked.connect(self._switched)
        self.set_value(spec.default)

    def value(self) -> bool:
        return self.switch.isChecked()

    def set_value(self, value: Any) -> None:
        self.switch.setChecked(bool(value))

    def _switched(self, on: bool) -> None:
        self.problem.emit("")
        self.changed.emit(on)


def _words(value: Any) -> str:
    if value is None:
        return "Automatic"
    text = str(value)
    return text.replace("_", " ").capitalize() if text.islower() else text
