"""Where tools work: shows a picture under its mask and hands pointer and keys to the tool in use.

Owns mode, tool, eraser and brush. What a change means to the rest of the window is canvas.py's.
"""

from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPointingDevice,
    QTabletEvent,
)
from PySide6.QtWidgets import QWidget

from studio.kit.canvas.brush import LEAST, MOST, Brush
from studio.kit.canvas.checkers import draw_checkers
from studio.kit.canvas.masking import MaskEditor
from studio.kit.canvas.panning import Key, Modifiers, PannedWidget
from studio.kit.canvas.pyramid import PIXELS_FROM, Pyramid, visible
from studio.kit.canvas.tool import BrushTool, LassoTool, RectangleTool, Tool, Touch
from studio.kit.history import History
from studio.kit.theme import Theme

MODES = ("view", "mask", "frame", "regions")
TOOLS = ("brush", "lasso", "rectangle")
TOOL_KEYS = {Key.Key_B: "brush", Key.Key_L: "lasso", Key.Key_R: "rectangle"}
LARGE = 0.5
"""Share of the widget from which a change of the mask is first drawn roughly."""
SIZES = {Key.Key_BracketLeft: 1 / 1.15, Key.Key_BracketRight: 1.15}
SOFTER = {Key.Key_BraceLeft: -0.1, Key.Key_BraceRight: 0.1}


class Stage(PannedWidget):
    """tool_changed: mode, tool, eraser or brush. Tools find all they need here (tool.Host)."""

    tool_changed = Signal()

    def __init__(self, theme: Theme, history: History, parent: QWidget | None = None):
        self.theme, self.history = theme, history
        self.brush = Brush()
        self.masking = MaskEditor(history, self._mask_shown, self.mask_done)
        super().__init__(parent)
        self.pyramid = Pyramid(self)
        self.pyramid.ready.connect(lambda: self.redraw())
        self._mode, self._tool, self._erasing = "mask", "brush", False
        self._pressed = self._pressed_erase = False
        self._tools: dict[str, Tool] = {"brush": BrushTool(self), "lasso": LassoTool(self)}
        self._tools |= {"rectangle": RectangleTool(self), "view": Tool(self)}
        self._circle = QRect()
        self.placeholder = "No picture yet"
        theme.changed.connect(self._retint)
        self._retint()

    def mask_done(self) -> None:
        """A change of the mask is complete."""

    def picture(self) -> QImage | None:
        return None if self.pyramid.image.isNull() else self.pyramid.image

    def picture_size(self) -> QSize:
        """0×0 without a picture."""
        return self.pyramid.image.size()

    def extent(self) -> QRectF:
        return QRectF(self.pyramid.image.rect())

    # -- what the pointer does

    def mode(self) -> str:
        return self._mode

    def set_mode(self, mode: str) -> None:
        """ "view" (look only), "mask", "frame" or "regions"."""
        if mode not in MODES:
            raise ValueError(f"a canvas has the modes {', '.join(MODES)}, not {mode!r}")
        if mode != self._mode:
            self.leave_off()
            self._mode = mode
            self.content_changed()
            self._tool_is()

    def tool(self) -> str:
        return self._tool

    def set_tool(self, tool: str) -> None:
        """ "brush", "lasso" or "rectangle"; each paints, or erases while `erasing`."""
        if tool not in TOOLS:
            raise ValueError(f"a canvas has the tools {', '.join(TOOLS)}, not {tool!r}")
        if tool != self._tool:
            self.leave_off()
            self._tool = tool
            self._tool_is()

    def erasing(self) -> bool:
        return self._erasing

    def set_erasing(self, on: bool) -> None:
        if on != self._erasing:
            self._erasing = on
            self._tool_is()

    def set_brush(self, size: int | None = None, softness: float | None = None) -> None:
        """size: 1 to 1000 pixels of the picture; softness: 0 to 1."""
        size = self.brush.size if size is None else min(MOST, max(LEAST, round(size)))
        softness = self.brush.softness if softness is None else min(1.0, max(0.0, softness))
        if Brush(size, softness) != self.brush:
            self.brush = Brush(size, softness)
            self._tool_is()

    def _tool_is(self) -> None:
        self.refresh()
        self.tool_changed.emit()

    # -- drawing

    def colour(self, name: str) -> QColor:
        return self.theme.colour(name)

    def refresh(self) -> None:
        self.update()
        self.show_pointer()

    def draw(self, painter: QPainter, part: QRectF) -> None:
        painter.fillRect(part, self.colour("window"))
        image = self.pyramid.image
        if image.isNull():
            painter.setPen(self.colour("muted"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.placeholder)
            return
        place = self.view.rect_to_widget(self.extent())
        if image.hasAlphaChannel():
            draw_checkers(painter, place.intersected(part), place.topLeft(), self.theme)
        self.pyramid.draw(painter, place, part, self.view.zoom)
        if self._mode in ("view", "mask"):
            self._draw_mask(painter, place, part)

    def _draw_mask(self, painter: QPainter, place: QRectF, part: QRectF) -> None:
        mask = self.masking.pixels
        if mask is None or mask.bounds().isEmpty():
            return
        across = place.width() / mask.size.width()
        painted = QRectF(mask.bounds())
        painted = QRectF(painted.topLeft() * across + place.topLeft(), painted.size() * across).adjusted(-1, -1, 1, 1)
        shown = visible(place, part.intersected(painted), mask.shown)
        if shown is not None:
            target, source = shown
            smooth = not self.rough and self.view.zoom < PIXELS_FROM and self.view.zoom != 1
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawImage(target, mask.shown, QRectF(source))

    def draw_over(self, painter: QPainter) -> None:
        if self.picture() is not None:
            self.active().paint(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.colour("focus"), 2))
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _retint(self) -> None:
        self.masking.tint(self.colour("danger"))
        self.redraw()

    def _mask_shown(self, place: QRectF) -> None:
        part = self.view.rect_to_widget(place).toAlignedRect().adjusted(-3, -3, 3, 3).intersected(self.rect())
        if part.width() * part.height() > LARGE * self.width() * self.height():
            self.redraw_roughly()
        elif not part.isEmpty():
            self.redraw(part)

    # -- the pointer and the keys

    def active(self) -> Tool:
        return self._tools[self._tool if self._mode == "mask" else self._mode]

    def leave_off(self) -> None:
        """What is half done ends here: a stroke stays, anything else is dropped."""
        self.masking.end_stroke()
        self.active().cancel()
        self._pressed = False

    def pointer_shape(self) -> QCursor:
        if self._mode == "view" or self.picture() is None:
            return QCursor(Qt.CursorShape.ArrowCursor)
        return self.active().shape()

    def pointer_pressed(self, event: QMouseEvent) -> None:
        right = event.button() == Qt.MouseButton.RightButton
        if right and self._mode != "mask":
            event.ignore()
        elif right or event.button() == Qt.MouseButton.LeftButton:
            self._press(event.position(), event.modifiers(), erase=right, pressure=1.0)

    def pointer_moved(self, event: QMouseEvent) -> None:
        self._move(event.position(), event.modifiers(), 1.0)

    def pointer_released(self, event: QMouseEvent) -> None:
        self._release(event.position(), event.modifiers())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._mode == "mask" and self.active().busy() and event.button() == Qt.MouseButton.LeftButton:
            self.active().double(self._touch(event.position(), event.modifiers(), 1.0))
        else:
            self.mousePressEvent(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        """A pen's pressure makes the brush smaller; its other end erases."""
        pressure = 0.1 + 0.9 * event.pressure()
        if event.type() == QEvent.Type.TabletPress and event.button() == Qt.MouseButton.LeftButton:
            erase = event.pointerType() == QPointingDevice.PointerType.Eraser
            self._press(event.position(), event.modifiers(), erase=erase, pressure=pressure)
        elif event.type() == QEvent.Type.TabletMove:
            self._move(event.position(), event.modifiers(), pressure)
        elif event.type() == QEvent.Type.TabletRelease:
            self._release(event.position(), event.modifiers())
        else:
            event.ignore()
            return
        event.accept()

    def _touch(self, at: QPointF, modifiers: Any, pressure: float) -> Touch:
        erase = self._pressed_erase != self._erasing
        return Touch(at, self.view.to_content(at), erase, pressure, modifiers)

    def _press(self, at: QPointF, modifiers: Any, *, erase: bool, pressure: float) -> None:
        if self.picture() is None or self._pressed:
            return
        self._pressed, self._pressed_erase = True, erase
        self.active().press(self._touch(at, modifiers, pressure))
        self._follow()

    def _move(self, at: QPointF, modifiers: Any, pressure: float) -> None:
        if self._pressed:
            self.active().move(self._touch(at, modifiers, pressure))
        else:
            self.active().hover(at)
        self._follow()

    def _release(self, at: QPointF, modifiers: Any) -> None:
        if self._pressed:
            self.active().release(self._touch(at, modifiers, 1.0))
            self._pressed = self._pressed_erase = False
        self._follow()

    def _follow(self) -> None:
        """Paints the brush's outline where it is and where it was."""
        tool = self.active()
        if isinstance(tool, BrushTool):
            circle = tool.circle().toAlignedRect().adjusted(-10, -10, 10, 10)
            self.update(circle.united(self._circle) if self._circle.intersects(circle) else circle)
            self.update(self._circle)
            self._circle = circle
        self.show_pointer()

    def leaveEvent(self, event: QEvent) -> None:
        self.active().leave()
        self.update()
        super().leaveEvent(event)

    def wants(self, event: QKeyEvent) -> bool:
        if event.key() == Key.Key_Escape:
            return self.active().busy()
        own = event.key() in TOOL_KEYS or event.key() in SIZES or event.key() in SOFTER
        plain = not event.modifiers() & ~Modifiers.ShiftModifier
        return super().wants(event) or (plain and (own or event.text() in tuple("xefic01")))

    def key_pressed(self, key: int, modifiers: Any) -> bool:
        if key == Key.Key_Escape:
            stopped = self.active().cancel()
            self._pressed = self._pressed and not stopped
            self.refresh()
            return stopped
        if modifiers & Modifiers.AltModifier or self.picture() is None:
            return False
        if self.active().key(key, modifiers):
            return True
        return self._mode == "mask" and not modifiers & Modifiers.ControlModifier and self._mask_key(Key(key))

    def _mask_key(self, key: Key) -> bool:
        """What keys do besides the tool's own."""
        if key in TOOL_KEYS:
            self.set_tool(TOOL_KEYS[key])
        elif key in SIZES:
            step = self.brush.size * SIZES[key]
            self.set_brush(size=min(round(step), self.brush.size - 1) if SIZES[key] < 1 else round(step + 0.5))
        elif key in SOFTER:
            self.set_brush(softness=self.brush.softness + SOFTER[key])
        elif key in (Key.Key_X, Key.Key_E):
            self.set_erasing(not self._erasing)
        elif key == Key.Key_F:
            self.masking.fill()
        elif key == Key.Key_I:
            self.masking.invert()
        elif key in (Key.Key_C, Key.Key_Delete):
            self.masking.clear()
        elif key in (Key.Key_Return, Key.Key_Enter):
            self._dab()
        else:
            return False
        return True

    def _dab(self) -> None:
        """One touch of the brush at the middle of what is shown: painting without a pointer."""
        at = self.view.to_content(self.view.middle())
        self.masking.begin_stroke(at, self.brush, self._erasing)
        self.masking.end_stroke()
        self.active().hover(self.view.middle())
        self._follow()
