"""Before and after: two pictures in one place, with a divider between that is dragged. Pan and zoom are shared.

Both are shown as large as the larger one, whatever their sizes are, so that an enlargement lies on its original.
"""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QCursor, QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from studio.kit.canvas.checkers import draw_checkers
from studio.kit.canvas.panning import Key, Modifiers, PannedWidget
from studio.kit.canvas.pyramid import Pyramid
from studio.kit.theme import Theme

REACH = 10.0
STEP = 0.02
HANDLE = 15.0
SPLIT = Qt.CursorShape.SplitHCursor


class SliderCompare(PannedWidget):
    """divider_moved(share): the divider is elsewhere, as share of the picture's width.

    Left and Right move the divider, with Shift further, Home and End take it to the edges; up and down pan.
    """

    divider_moved = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        self.theme = theme
        super().__init__(parent)
        self._sides = (Pyramid(self), Pyramid(self))
        self._labels = ("Before", "After")
        self._share = 0.5
        self._dragging = False
        self._pulled: QPointF | None = None
        for side in self._sides:
            side.ready.connect(lambda: self.redraw())
        theme.changed.connect(lambda: self.redraw())
        self.setAccessibleName("Before and after")
        self.setAccessibleDescription("Left and Right move the divider between both pictures; plus and minus zoom.")

    def set_pictures(self, before: QImage | None, after: QImage | None) -> None:
        """One that is missing leaves its side empty. Zoom and divider stay while the size does."""
        size = self._size()
        self._sides[0].set_image(before)
        self._sides[1].set_image(after)
        if self._size() != size:
            self.view.fitted = True
        self.content_changed()

    def set_labels(self, before: str, after: str) -> None:
        self._labels = (before, after)
        self.update()

    def value(self) -> float:
        """Where the divider is: 0 at the left edge of the picture, 1 at the right."""
        return self._share

    def set_value(self, share: float) -> None:
        share = min(1.0, max(0.0, share))
        if share != self._share:
            self._share = share
            self.setAccessibleDescription(f"The divider is at {round(share * 100)} % of the width.")
            self.redraw()
            self.divider_moved.emit(share)

    def content(self) -> QRectF:
        return QRectF(0, 0, self._size().width(), self._size().height())

    def divider(self) -> float:
        """Its place in the widget, from the left."""
        place = self.view.rect_to_widget(self.content())
        return place.left() + self._share * place.width()

    def draw(self, painter: QPainter, part: QRectF) -> None:
        painter.fillRect(part, self.theme.colour("window"))
        place, at = self.view.rect_to_widget(self.content()), self.divider()
        left = QRectF(part.left(), part.top(), max(0.0, at - part.left()), part.height())
        right = QRectF(at, part.top(), max(0.0, part.right() - at), part.height())
        for side, half in zip(self._sides, (left, right), strict=True):
            shown = half.intersected(part)
            if side.image.isNull() or shown.isEmpty():
                continue
            painter.save()
            painter.setClipRect(shown, Qt.ClipOperation.IntersectClip)
            if side.image.hasAlphaChannel():
                draw_checkers(painter, place.intersected(shown), place.topLeft(), self.theme)
            zoom = self.view.zoom * self.content().width() / side.image.width()
            side.draw(painter, place, shown, zoom)
            painter.restore()

    def draw_over(self, painter: QPainter) -> None:
        if self._size().isEmpty():
            return
        at, middle = self.divider(), self.height() / 2
        for colour, width in (("shadow", 4.0), ("handle", 2.0)):
            painter.setPen(QPen(self.theme.colour(colour), width))
            painter.drawLine(QPointF(at, 0), QPointF(at, self.height()))
        painter.setPen(QPen(self.theme.colour("focus" if self.hasFocus() else "handle_line"), 2))
        painter.setBrush(self.theme.colour("popup"))
        painter.drawEllipse(QPointF(at, middle), HANDLE, HANDLE)
        arrows = QRectF(at - HANDLE, middle - HANDLE, 2 * HANDLE, 2 * HANDLE).adjusted(6, 6, -6, -6)
        self.theme.icon("arrow-left-right", "text").paint(painter, arrows.toRect())
        self._draw_labels(painter, at)

    def _draw_labels(self, painter: QPainter, at: float) -> None:
        """Each on its side; one for which there is no room is left out."""
        gap, metrics = self.theme.shape("space", "one"), painter.fontMetrics()
        high = metrics.height() + gap
        wide = [metrics.horizontalAdvance(text) + 2 * gap for text in self._labels]
        places = (
            QRectF(gap, gap, wide[0], high),
            QRectF(self.width() - gap - wide[1], gap, wide[1], high),
        )
        radius = self.theme.shape("radius", "small")
        for text, plate, fits in zip(
            self._labels, places, (places[0].right() < at, places[1].left() > at), strict=True
        ):
            if text and fits:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self.theme.colour("popup"))
                painter.drawRoundedRect(plate, radius, radius)
                painter.setPen(self.theme.colour("text"))
                painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)

    def pointer_pressed(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._dragging = abs(event.position().x() - self.divider()) <= HANDLE
        self._pulled = None if self._dragging else event.position()

    def pointer_moved(self, event: QMouseEvent) -> None:
        if self._dragging:
            place = self.view.rect_to_widget(self.content())
            self.set_value((event.position().x() - place.left()) / max(1.0, place.width()))
        elif self._pulled is not None:
            self.view.pan(event.position() - self._pulled)
            self._pulled = event.position()
            self._moved()
        near = abs(event.position().x() - self.divider()) <= REACH
        self.setCursor(QCursor(SPLIT if near or self._dragging else Qt.CursorShape.OpenHandCursor))

    def pointer_released(self, event: QMouseEvent) -> None:
        self._dragging, self._pulled = False, None

    def key_pressed(self, key: int, modifiers: Qt.KeyboardModifier) -> bool:
        by = STEP * (5 if modifiers & Modifiers.ShiftModifier else 1)
        places = {
            Key.Key_Left: self._share - by,
            Key.Key_Right: self._share + by,
            Key.Key_Home: 0.0,
            Key.Key_End: 1.0,
        }
        if Key(key) not in places:
            return False
        self.set_value(places[Key(key)])
        return True

    def _size(self) -> QSize:
        """The larger picture's, by area."""
        one, other = (side.image.size() for side in self._sides)
        return one if one.width() * one.height() > other.width() * other.height() else other
