"""Numbers: a field on the line of the label and, where the range is closed, a slider below."""

import math
import re
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QSlider, QStyle, QStyleOptionSlider, QWidget

from studio.kit.controls.base import Control
from studio.kit.controls.scale import STEPS, scale_of, step_of
from studio.kit.session import Session
from studio.kit.surface import Mirrored, mirror
from studio.sdk.fields import FieldSpec

FIELD = 72
UNFINISHED = re.compile(r"[+-]?[.,]?|.*\d[.,]?[eE][+-]?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+")


class TooSmall(ValueError):
    """Below the range: while it is typed, perhaps the beginning of a number inside."""


def parse(text: str, spec: FieldSpec) -> int | float | None:
    """The number in `text`. Raises ValueError with words for the person."""
    text = text.strip()
    if not text:
        if spec.optional:
            return None
        if spec.ui.zero:
            return 0
        raise ValueError("A number is needed here.")
    if THOUSANDS.fullmatch(text) and (spec.kind == "int" or text.count(",") > 1):
        text = re.sub(r"[,' \u00a0\u202f]", "", text)
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"“{text[:40]}” is not a number.") from None
    if not math.isfinite(value):
        raise ValueError("The number must be finite.")
    if spec.kind == "int":
        if value != int(value):
            raise ValueError("A whole number is needed here.")
        value = int(text) if re.fullmatch(r"[+-]?\d+", text) else int(value)
    low, high = spec.minimum, spec.maximum
    if low is not None and (value < low or (spec.above and value == low)):
        raise TooSmall(f"{between(spec)}.")
    if high is not None and (value > high or (spec.below and value == high)):
        raise ValueError(f"{between(spec)}.")
    return value


def between(spec: FieldSpec) -> str:
    """The allowed range, in words."""
    low, high = words(spec.minimum), words(spec.maximum)
    if low and high and not (spec.above or spec.below):
        return f"Between {low} and {high}"
    least = f"{'more than' if spec.above else 'at least'} {low}" if low else ""
    most = f"{'less than' if spec.below else 'at most'} {high}" if high else ""
    found = " and ".join(part for part in (least, most) if part)
    return found[:1].upper() + found[1:]


def words(value: Any) -> str:
    """A number as it stands in its field: exact, without needless digits."""
    if value is None:
        return ""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


class NumberEdit(QLineEdit):
    """A field for one number. stepped(n): arrow keys (1), with Shift or by page (10). abandoned: Esc."""

    stepped = Signal(int)
    abandoned = Signal()

    def event(self, event: QEvent) -> bool:
        """Esc belongs to a number that is being typed before it stops a job."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_leaving(event):
            event.accept()
            return True
        return super().event(event)

    def _is_leaving(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Escape and self.isModified()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        steps = by.get(Qt.Key(event.key()), 0)
        if steps:
            if abs(steps) == 1 and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                steps *= 10
            self.stepped.emit(steps)
        elif self._is_leaving(event):
            self.abandoned.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.selectAll()


class StillSlider(Mirrored, QSlider):
    """A slider that leaves the wheel to the page around it, unless it has the keyboard."""

    def __init__(self, orientation: Qt.Orientation, parent: QWidget | None = None):
        super().__init__(orientation, parent)
        mirror(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click beside the handle takes it there, ready to be dragged on."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style, kind = self.style(), QStyle.ComplexControl.CC_Slider
        handle = style.subControlRect(kind, option, QStyle.SubControl.SC_SliderHandle, self)
        if event.button() == Qt.MouseButton.LeftButton and not handle.contains(event.position().toPoint()):
            way = self.width() - handle.width()
            at = int(event.position().x()) - handle.width() // 2
            self.setSliderPosition(
                QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), at, way, option.upsideDown)  # type: ignore[attr-defined]
            )
        super().mousePressEvent(event)


class NumberControl(Control):
    """A whole or a broken number, with its unit."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._scale = scale_of(spec)
        self._value: int | float | None = spec.default
        self._before: int | float | None = spec.default
        self._moving = False
        self.field = NumberEdit()
        self.field.setProperty("number", True)
        self.field.setFixedWidth(FIELD)
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.head = self.field
        self.slider: StillSlider | None = None
        if self._scale is not None:
            self.slider = StillSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, STEPS)
            self.slider.setPageStep(STEPS // 10)
            self.slider.setAccessibleName(f"{spec.title}, slider")
            self.slider.setAccessibleDescription(spec.description)
            self.slider.actionTriggered.connect(self._slid)
            self.column.addWidget(self.slider)
        self.takes_keyboard(self.field)
        if spec.optional or spec.ui.zero:
            self.field.setPlaceholderText(spec.ui.zero or spec.ui.placeholder or "auto")
        self.field.textEdited.connect(self._typed)
        self.field.editingFinished.connect(self._finished)
        self.field.stepped.connect(self._step)
        self.field.abandoned.connect(self._abandon)
        self.set_value(spec.default)

    def value(self) -> int | float | None:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = self._before = value
        shown = "" if value == 0 and self.spec.ui.zero else words(value)
        if self.field.text() != shown:
            self.field.setText(shown)
        self.field.setModified(False)
        self._place(value)

    def _place(self, value: int | float | None) -> None:
        if self.slider is not None and self._scale is not None and not self._moving:
            self.slider.setValue(self._scale.position(self._scale.low if value is None else value))

    def _typed(self, text: str) -> None:
        """While a number is being typed, its beginning is no mistake yet.

        The beginning of a wrong number is no value either: 999 was never meant by someone who types 99999.
        """
        try:
            value = parse(text, self.spec)
        except TooSmall:
            self._take(self._before)
            return
        except ValueError as error:
            self._take(self._before)
            self.problem.emit("" if UNFINISHED.fullmatch(text.strip()) else str(error))
            return
        self._take(value)

    def _finished(self) -> None:
        if not self.field.isModified():
            return
        try:
            value = parse(self.field.text(), self.spec)
        except ValueError as error:
            self.problem.emit(str(error))
            return
        self._take(value)
        self.set_value(value)

    def _take(self, value: int | float | None) -> None:
        self.problem.emit("")
        self._place(value)
        if value != self._value:
            self._value = value
            self.changed.emit(value)

    def _abandon(self) -> None:
        self._take(self._before)
        self.set_value(self._before)

    def _step(self, steps: int) -> None:
        low = self.spec.minimum if self.spec.minimum is not None else -math.inf
        high = self.spec.maximum if self.spec.maximum is not None else math.inf
        start = self._value if self._value is not None else max(0, low)
        step = step_of(self.spec)
        low += step if self.spec.above else 0
        high -= step if self.spec.below else 0
        value = min(max(round(start / step + steps) * step, low), high)
        self._show(int(value) if self.spec.kind == "int" else float(f"{value:.10g}"))

    def _slid(self, _action: int) -> None:
        """The person moves the slider: by mouse, by keys or by wheel."""
        if self.slider is None or self._scale is None:
            return
        position = self.slider.sliderPosition()
        value = self._scale.value(position)
        here = self._scale.position(self._value if self._value is not None else self._scale.low)
        if value == self._value and position != here:
            step = math.copysign(self._scale.step, position - here)
            value = self._scale.snap(value + step)
        self._moving = self.slider.isSliderDown()
        self._show(value)
        self._moving = False

    def _show(self, value: int | float) -> None:
        """A value that cannot be wrong."""
        before, moving = self._value, self._moving
        self.set_value(value)
        self._moving = moving
        self.problem.emit("")
        if value != before:
            self.changed.emit(value)
