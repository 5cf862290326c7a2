"""What the pointer does on the canvas: the base of all tools, and those that paint the mask."""

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QCursor, QPainter, QPainterPath, QPen, QPolygonF

from studio.kit.canvas.brush import Brush
from studio.kit.canvas.masking import MaskEditor
from studio.kit.canvas.view import View

CLICK = 4.0
"""Device-independent pixels that a pointer may move within a click."""
CLOSE = 9.0
Modifiers = Qt.KeyboardModifier


@dataclass(frozen=True, slots=True)
class Touch:
    """The pointer, pressed: where in the widget, where in the picture, and how."""

    widget: QPointF
    point: QPointF
    erase: bool = False
    pressure: float = 1.0
    modifiers: Modifiers = Modifiers.NoModifier


class Host(Protocol):
    """What a tool needs of the canvas."""

    view: View
    masking: MaskEditor
    brush: Brush

    def extent(self) -> QRectF:
        """The picture's own rectangle."""
        ...

    def colour(self, name: str) -> QColor: ...

    def refresh(self) -> None:
        """What tools paint looks different now."""
        ...


class Tool:
    """Every method may be left as it is. `paint` draws over the picture, in the widget's pixels."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, host: Host):
        self.host = host

    def press(self, at: Touch) -> None: ...

    def move(self, at: Touch) -> None: ...

    def release(self, at: Touch) -> None: ...

    def hover(self, at: QPointF) -> None: ...

    def double(self, at: Touch) -> None: ...

    def leave(self) -> None: ...

    def key(self, key: int, modifiers: Modifiers) -> bool:
        """True when the key meant something here."""
        return False

    def cancel(self) -> bool:
        """Esc: leaves off what is half done. False when there was nothing."""
        return False

    def busy(self) -> bool:
        return False

    def shape(self) -> QCursor:
        return QCursor(self.cursor)

    def paint(self, painter: QPainter) -> None: ...


def outline(painter: QPainter, path: QPainterPath | QPolygonF | QRectF, host: Host, *, dashed: bool = False) -> None:
    """A line that is seen on any picture: dark below, light on top."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in (("window" if _is_dark(host) else "text", 3.0), ("on_accent", 1.0)):
        pen = QPen(host.colour(colour), width)
        if dashed and width == 1.0:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        if isinstance(path, QPainterPath):
            painter.drawPath(path)
        elif isinstance(path, QPolygonF):
            painter.drawPolyline(path)
        else:
            painter.drawRect(path)


def _is_dark(host: Host) -> bool:
    return host.colour("window").lightness() < 128


class BrushTool(Tool):
    """Paints strokes, or erases them. The outline of the brush follows the pointer."""

    cursor = Qt.CursorShape.BlankCursor

    def __init__(self, host: Host):
        super().__init__(host)
        self._at: QPointF | None = None

    def press(self, at: Touch) -> None:
        self._at = at.widget
        self.host.masking.begin_stroke(at.point, self.host.brush, at.erase, at.pressure)

    def move(self, at: Touch) -> None:
        self._at = at.widget
        self.host.masking.pull(at.point, at.pressure)

    def release(self, at: Touch) -> None:
        self.host.masking.end_stroke()

    def hover(self, at: QPointF) -> None:
        self._at = at

    def leave(self) -> None:
        self._at = None

    def busy(self) -> bool:
        return self.host.masking.painting

    def circle(self) -> QRectF:
        """The outline, in the widget; empty while the pointer is elsewhere."""
        if self._at is None:
            return QRectF()
        radius = max(1.5, self.host.brush.size * self.host.view.scale / 2)
        return QRectF(self._at.x() - radius, self._at.y() - radius, 2 * radius, 2 * radius)

    def paint(self, painter: QPainter) -> None:
        circle = self.circle()
        if circle.isEmpty():
            return
        path = QPainterPath()
        path.addEllipse(circle)
        if circle.width() < 8:
            middle = circle.center()
            path.moveTo(middle.x() - 8, middle.y())
            path.lineTo(middle.x() - 4, middle.y())
            path.moveTo(middle.x() + 4, middle.y())
            path.lineTo(middle.x() + 8, middle.y())
        outline(painter, path, self.host)


class RectangleTool(Tool):
    """A rectangle from corner to corner; with Shift a square."""

    def __init__(self, host: Host):
        super().__init__(host)
        self._from: QPointF | None = None
        self._rect = QRectF()

    def press(self, at: Touch) -> None:
        self._from, self._rect = at.point, QRectF()

    def move(self, at: Touch) -> None:
        if self._from is None:
            return
        to = at.point
        if at.modifiers & Modifiers.ShiftModifier:
            way = to - self._from
            side = max(abs(way.x()), abs(way.y()))
            to = self._from + QPointF(side if way.x() >= 0 else -side, side if way.y() >= 0 else -side)
        self._rect = QRectF(self._from, to).normalized()
        self.host.refresh()

    def release(self, at: Touch) -> None:
        self.move(at)
        rect, self._from, self._rect = self._rect, None, QRectF()
        rect = QRectF(rect.toRect()).intersected(self.host.extent())
        if not rect.isEmpty():
            path = QPainterPath()
            path.addRect(rect)
            self.host.masking.fill_path(path, at.erase, "erase rectangle" if at.erase else "rectangle")
        self.host.refresh()

    def cancel(self) -> bool:
        was, self._from, self._rect = self._from is not None, None, QRectF()
        return was

    def busy(self) -> bool:
        return self._from is not None

    def paint(self, painter: QPainter) -> None:
        if not self._rect.isEmpty():
            outline(painter, self.host.view.rect_to_widget(self._rect), self.host, dashed=True)


class LassoTool(Tool):
    """An outline drawn freely by dragging, or corner by corner by clicking; both may follow each other.

    Dragging alone ends with the release. Corners end with a click on the first, a double click or Return.
    """

    def __init__(self, host: Host):
        super().__init__(host)
        self._points: list[QPointF] = []
        self._pressed: QPointF | None = None
        self._dragged = self._erase = False
        self._hover: QPointF | None = None

    def press(self, at: Touch) -> None:
        if not self._points:
            self._erase = at.erase
        elif self._closes(at.widget):
            self.finish()
            return
        self._pressed, self._dragged = at.widget, False
        self._points.append(at.point)
        self.host.refresh()

    def move(self, at: Touch) -> None:
        if self._pressed is None:
            return
        way = at.widget - self._pressed
        self._dragged = self._dragged or abs(way.x()) + abs(way.y()) > CLICK
        if self._dragged:
            self._points.append(at.point)
            self.host.refresh()

    def release(self, at: Touch) -> None:
        first = len(self._points) > 1 and self._dragged and not self._corners()
        self._pressed = None
        if first:
            self.finish()
        elif self._points:
            self._hover = at.point

    def _corners(self) -> bool:
        return self._hover is not None

    def hover(self, at: QPointF) -> None:
        if self._points:
            self._hover = self.host.view.to_content(at)
            self.host.refresh()

    def double(self, at: Touch) -> None:
        self.finish()

    def key(self, key: int, modifiers: Modifiers) -> bool:
        if not self._points:
            return False
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.finish()
        elif key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._points.pop()
            if not self._points:
                self.cancel()
        else:
            return False
        self.host.refresh()
        return True

    def finish(self) -> None:
        points, erase = self._points, self._erase
        self.cancel()
        if len(points) > 2:
            path = QPainterPath()
            path.addPolygon(QPolygonF(points))
            path.closeSubpath()
            path.setFillRule(Qt.FillRule.WindingFill)
            self.host.masking.fill_path(path, erase, "erase lasso" if erase else "lasso")
        self.host.refresh()

    def cancel(self) -> bool:
        was = bool(self._points)
        self._points, self._pressed, self._hover, self._dragged = [], None, None, False
        return was

    def busy(self) -> bool:
        return bool(self._points)

    def _closes(self, at: QPointF) -> bool:
        way = self.host.view.to_widget(self._points[0]) - at
        return len(self._points) > 2 and abs(way.x()) + abs(way.y()) <= CLOSE

    def paint(self, painter: QPainter) -> None:
        if not self._points:
            return
        points = [self.host.view.to_widget(point) for point in self._points]
        if self._hover is not None:
            points.append(self.host.view.to_widget(self._hover))
        outline(painter, QPolygonF(points), self.host)
        start = points[0]
        outline(painter, QRectF(start.x() - 3, start.y() - 3, 6, 6), self.host)
