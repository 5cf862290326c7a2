"""A picture to look at closely: pan and zoom with mouse, wheel and keys; the arrows go to its neighbours."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QCursor, QImage, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from studio.kit.canvas.checkers import draw_checkers
from studio.kit.canvas.panning import ZOOM_STEP, Modifiers, PannedWidget
from studio.kit.canvas.pyramid import Pyramid
from studio.kit.theme import Theme

KEYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_PageUp: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: 1}
LEAVES = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class PictureView(PannedWidget):
    """moved(by): an arrow key wants the next or the last picture. left: Enter or a double click wants to go back."""

    moved = Signal(int)
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        self.theme = theme
        super().__init__(parent)
        self.pyramid = Pyramid(self)
        self._words = ""
        self._pulled: QPointF | None = None
        self.pyramid.ready.connect(lambda: self.redraw())
        theme.changed.connect(lambda: self.redraw())
        self.setAccessibleName("Picture")
        self.setAccessibleDescription("Plus and minus zoom, 0 fits, 1 is full size, arrows go to the next picture")

    def show_image(self, image: QImage | None, words: str = "") -> None:
        """Another picture of the same shape keeps zoom and place; `words` stand where there is none."""
        old = self.pyramid.image.size()
        self.pyramid.set_image(image)
        new = self.pyramid.image.size()
        self._words = words
        if not old.isEmpty() and not new.isEmpty() and old != new and not self.view.fitted:
            same = abs(old.width() * new.height() - old.height() * new.width()) <= old.height() * new.height() // 16
            self.view.fitted = not same
            self.view.zoom *= old.width() / new.width() if same else 1.0
        self.content_changed()

    def content(self) -> QRectF:
        return QRectF(self.pyramid.image.rect())

    def draw(self, painter: QPainter, part: QRectF) -> None:
        painter.fillRect(part, self.theme.colour("window"))
        image = self.pyramid.image
        if image.isNull():
            return
        place = self.view.rect_to_widget(self.content())
        if image.hasAlphaChannel():
            draw_checkers(painter, place.intersected(part), place.topLeft(), self.theme)
        self.pyramid.draw(painter, place, part, self.view.zoom, rough=self.rough)

    def draw_over(self, painter: QPainter) -> None:
        if self._words:
            painter.setPen(self.theme.colour("muted"))
            box = QRectF(self.rect()).adjusted(24, 24, -24, -24)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._words)
        if self.hasFocus():
            painter.setPen(self.theme.colour("focus"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def pointer_shape(self) -> QCursor:
        return QCursor(Qt.CursorShape.OpenHandCursor)

    def pointer_pressed(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pulled = event.position()

    def pointer_moved(self, event: QMouseEvent) -> None:
        if self._pulled is not None:
            self.view.pan(event.position() - self._pulled)
            self._pulled = event.position()
            self._moved()

    def pointer_released(self, event: QMouseEvent) -> None:
        self._pulled = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.left.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel zooms: there is nothing to scroll here."""
        way = event.angleDelta().y()
        if way and not event.modifiers() & Modifiers.ShiftModifier:
            self.set_zoom(self.view.zoom * ZOOM_STEP ** (way / 120), event.position())
            event.accept()
        else:
            super().wheelEvent(event)

    def key_pressed(self, key: int, modifiers: Qt.KeyboardModifier) -> bool:
        plain = not modifiers & (Modifiers.ControlModifier | Modifiers.AltModifier | Modifiers.ShiftModifier)
        if plain and Qt.Key(key) in KEYS:
            self.moved.emit(KEYS[Qt.Key(key)])
        elif plain and Qt.Key(key) in LEAVES:
            self.left.emit()
        else:
            return False
        return True
