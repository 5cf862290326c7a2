"""The frame around the picture, for painting on beyond its edges: margins that are dragged outwards."""

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QCursor, QPainter, QPen

from studio.kit.canvas.tool import Host, Modifiers, Tool, Touch

STEP = 8
MOST = 8192
REACH = 10.0
HANDLE = 9.0
Margins = tuple[int, int, int, int]
SIDES = ("left", "top", "right", "bottom")
ARROWS = {Qt.Key.Key_Left: 0, Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 2, Qt.Key.Key_Down: 3}
UPRIGHT, LEVEL = Qt.CursorShape.SizeVerCursor, Qt.CursorShape.SizeHorCursor
FALLING, RISING = Qt.CursorShape.SizeFDiagCursor, Qt.CursorShape.SizeBDiagCursor


def snapped(margins: Margins) -> Margins:
    """Each margin as a multiple of STEP, between 0 and MOST."""
    left, top, right, bottom = (min(MOST, max(0, round(value / STEP) * STEP)) for value in margins)
    return left, top, right, bottom


class FrameTool(Tool):
    """changed(before): an edge was moved, a step to undo. moving(): the margins are others, perhaps not for good."""

    def __init__(self, host: Host, changed: Callable[[Margins], None], moving: Callable[[], None]):
        super().__init__(host)
        self._changed, self._moving = changed, moving
        self.margins: Margins = (0, 0, 0, 0)
        self._held: tuple[int, ...] = ()
        self._from = QPointF()
        self._before: Margins = self.margins
        self._over: tuple[int, ...] = ()

    def frame(self) -> QRectF:
        """In pixels of the picture."""
        left, top, right, bottom = self.margins
        return self.host.extent().adjusted(-left, -top, right, bottom)

    def press(self, at: Touch) -> None:
        self._held, self._from, self._before = self.sides_at(at.widget), at.point, self.margins

    def move(self, at: Touch) -> None:
        if not self._held:
            return
        way = at.point - self._from
        by = (-way.x(), -way.y(), way.x(), way.y())
        moved = [value + (by[side] if side in self._held else 0) for side, value in enumerate(self._before)]
        margins = snapped((moved[0], moved[1], moved[2], moved[3]))  # type: ignore[arg-type]
        if margins != self.margins:
            self.margins = margins
            self._moving()
        self.host.refresh()

    def release(self, at: Touch) -> None:
        self.move(at)
        held, self._held = self._held, ()
        if held and self.margins != self._before:
            self._changed(self._before)
        self.host.refresh()

    def cancel(self) -> bool:
        if not self._held:
            return False
        self._held, self.margins = (), self._before
        self._moving()
        return True

    def busy(self) -> bool:
        return bool(self._held)

    def hover(self, at: QPointF) -> None:
        over = self.sides_at(at)
        if over != self._over:
            self._over = over
            self.host.refresh()

    def key(self, key: int, modifiers: Modifiers) -> bool:
        """An arrow moves the edge on its side out by a step, with Shift back in; with Ctrl by ten."""
        side = ARROWS.get(Qt.Key(key))
        if side is None:
            return False
        by = STEP * (10 if modifiers & Modifiers.ControlModifier else 1)
        before, moved = self.margins, list(self.margins)
        moved[side] += -by if modifiers & Modifiers.ShiftModifier else by
        self.margins = snapped((moved[0], moved[1], moved[2], moved[3]))
        if self.margins != before:
            self._moving()
            self._changed(before)
        return True

    def shape(self) -> QCursor:
        sides = self._held or self._over
        if not sides:
            return QCursor(Qt.CursorShape.ArrowCursor)
        if len(sides) == 2:
            return QCursor(FALLING if sides in ((0, 1), (2, 3)) else RISING)
        return QCursor(LEVEL if sides[0] in (0, 2) else UPRIGHT)

    def sides_at(self, at: QPointF) -> tuple[int, ...]:
        """Which edges lie under this place of the widget: none, one, or two at a corner."""
        lying = self.host.view.rect_to_widget(self.frame())
        if not lying.adjusted(-REACH, -REACH, REACH, REACH).contains(at):
            return ()
        ways = (at.x() - lying.left(), at.y() - lying.top(), lying.right() - at.x(), lying.bottom() - at.y())
        near = [side for side, way in enumerate(ways) if abs(way) <= REACH]
        # In a tiny picture both edges are near: the nearer one of each direction counts.
        for one, other in ((0, 2), (1, 3)):
            if one in near and other in near:
                near.remove(one if abs(ways[one]) > abs(ways[other]) else other)
        return tuple(near)

    def paint(self, painter: QPainter) -> None:
        view, lying = self.host.view, self.host.view.rect_to_widget(self.frame())
        inner = view.rect_to_widget(self.host.extent())
        self._hatch(painter, lying, inner)
        pen = QPen(self.host.colour("focus"), 2)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(lying)
        for x in (lying.left(), lying.center().x(), lying.right()):
            for y in (lying.top(), lying.center().y(), lying.bottom()):
                if QPointF(x, y) != lying.center():
                    knob(painter, QPointF(x, y), self.host)
        self._numbers(painter, lying, inner)

    def _hatch(self, painter: QPainter, lying: QRectF, inner: QRectF) -> None:
        painter.save()
        painter.setClipRect(lying)
        left, top, right, bottom = lying.left(), lying.top(), lying.right(), lying.bottom()
        parts = [
            QRectF(left, top, lying.width(), inner.top() - top),
            QRectF(left, inner.bottom(), lying.width(), bottom - inner.bottom()),
            QRectF(left, inner.top(), inner.left() - left, inner.height()),
            QRectF(inner.right(), inner.top(), right - inner.right(), inner.height()),
        ]
        painter.setPen(Qt.PenStyle.NoPen)
        for part in parts:
            if not part.isEmpty():
                painter.fillRect(part, self.host.colour("raised"))
                painter.setBrush(QBrush(self.host.colour("outline_hover"), Qt.BrushStyle.BDiagPattern))
                painter.drawRect(part)
        painter.restore()

    def _numbers(self, painter: QPainter, lying: QRectF, inner: QRectF) -> None:
        left, top, right, bottom = self.margins
        across, down = inner.center().x(), inner.center().y()
        places = (
            (left, QPointF((lying.left() + inner.left()) / 2, down)),
            (top, QPointF(across, (lying.top() + inner.top()) / 2)),
            (right, QPointF((lying.right() + inner.right()) / 2, down)),
            (bottom, QPointF(across, (lying.bottom() + inner.bottom()) / 2)),
        )
        for value, place in places:
            if value:
                tag(painter, place, f"+{value}", self.host)
        size = self.frame().size().toSize()
        tag(painter, QPointF(lying.center().x(), lying.bottom() + 13), f"{size.width()} × {size.height()}", self.host)


def knob(painter: QPainter, at: QPointF, host: Host) -> None:
    """What is taken hold of."""
    painter.setPen(QPen(host.colour("focus"), 1.5))
    painter.setBrush(host.colour("handle"))
    painter.drawRect(QRectF(at.x() - HANDLE / 2, at.y() - HANDLE / 2, HANDLE, HANDLE))


def tag(painter: QPainter, middle: QPointF, text: str, host: Host) -> None:
    """A word on a plate, so that it can be read on any picture."""
    wide = painter.fontMetrics().horizontalAdvance(text) + 12
    high = painter.fontMetrics().height() + 4
    plate = QRectF(middle.x() - wide / 2, middle.y() - high / 2, wide, high)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(host.colour("popup"))
    painter.drawRoundedRect(plate, 4, 4)
    painter.setPen(host.colour("text"))
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
