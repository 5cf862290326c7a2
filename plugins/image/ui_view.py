"""A picture to look at closely: pan and zoom with mouse, wheel and keys."""

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from studio.kit.theme import Theme

MOST = 32.0
LEAST = 0.02
CRISP = 2.0
KEYS = {Qt.Key.Key_Left: -1, Qt.Key.Key_PageUp: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: 1}


class PictureView(QWidget):
    """moved(by): an arrow key wants the next or the last picture. left: Enter or a double click wants to go back.

    `zoom` is device-independent pixels for one of the picture; None fits the picture into the view.
    """

    moved = Signal(int)
    left = Signal()
    zoomed = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._pixmap = QPixmap()
        self._zoom: float | None = None
        self._centre = QPointF(0.5, 0.5)
        self._grabbed: QPointF | None = None
        self._words = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Picture")
        self.setAccessibleDescription("Plus and minus zoom, 0 fits, 1 is full size, arrows go to the next picture")
        self.setMinimumSize(120, 120)

    def show_pixmap(self, pixmap: QPixmap | None, words: str = "") -> None:
        """Another picture of the same shape keeps zoom and place."""
        pixmap = pixmap if pixmap is not None else QPixmap()
        old, new = self._pixmap.size(), pixmap.size()
        if (
            not pixmap.isNull()
            and not old.isEmpty()
            and abs(old.width() * new.height() - old.height() * new.width()) > (old.height() * new.height() // 16)
        ):
            self._zoom, self._centre = None, QPointF(0.5, 0.5)
        if self._zoom is not None and not old.isEmpty() and not new.isEmpty() and old != new:
            self._zoom *= old.width() / new.width()
        self._pixmap, self._words = pixmap, words
        self._tell()
        self.update()

    def fit(self) -> None:
        self._zoom, self._centre = None, QPointF(0.5, 0.5)
        self._tell()
        self.update()

    def zoom(self) -> float:
        """How large a pixel of the picture is on screen now."""
        if self._zoom is not None:
            return self._zoom
        size = self._pixmap.size()
        if size.isEmpty():
            return 1.0
        return max(LEAST, min((self.width() - 16) / size.width(), (self.height() - 16) / size.height(), MOST))

    def set_zoom(self, zoom: float, around: QPointF | None = None) -> None:
        """`around`: the point of the widget that keeps its place; the middle when None."""
        zoom = max(LEAST, min(MOST, zoom))
        around = around if around is not None else QRectF(self.rect()).center()
        place = self._place()
        if place.isEmpty():
            return
        share = QPointF((around.x() - place.left()) / place.width(), (around.y() - place.top()) / place.height())
        self._zoom = zoom
        size = QSizeF(self._pixmap.size()) * zoom
        middle = QRectF(self.rect()).center()
        self._centre = QPointF(
            share.x() + (middle.x() - around.x()) / size.width(), share.y() + (middle.y() - around.y()) / size.height()
        )
        self._hold()
        self._tell()
        self.update()

    def _place(self) -> QRectF:
        size = QSizeF(self._pixmap.size()) * self.zoom()
        middle = QRectF(self.rect()).center()
        corner = QPointF(middle.x() - self._centre.x() * size.width(), middle.y() - self._centre.y() * size.height())
        return QRectF(corner, size)

    def _hold(self) -> None:
        """The picture is not pushed out of the view."""
        self._centre = QPointF(min(1.0, max(0.0, self._centre.x())), min(1.0, max(0.0, self._centre.y())))

    def _tell(self) -> None:
        ratio = self.devicePixelRatioF()
        self.zoomed.emit("" if self._pixmap.isNull() else f"{self.zoom() * ratio:.0%}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("window"))
        if not self._pixmap.isNull():
            smooth = self.zoom() < CRISP or self._zoom is None
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawPixmap(self._place(), self._pixmap, QRectF(self._pixmap.rect()))
        if self._words:
            painter.setPen(self._theme.colour("muted"))
            box = QRectF(self.rect()).adjusted(24, 24, -24, -24)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._words)
        if self.hasFocus():
            painter.setPen(self._theme.colour("focus"))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell()

    def wheelEvent(self, event: QWheelEvent) -> None:
        by = event.angleDelta().y()
        if by:
            self.set_zoom(self.zoom() * 1.2 ** (by / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._grabbed = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grabbed is None or self._zoom is None:
            return
        size = QSizeF(self._pixmap.size()) * self.zoom()
        by = event.position() - self._grabbed
        self._grabbed = event.position()
        self._centre = QPointF(self._centre.x() - by.x() / size.width(), self._centre.y() - by.y() / size.height())
        self._hold()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grabbed = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier & ~Qt.KeyboardModifier.ShiftModifier:
            super().keyPressEvent(event)
        elif key in KEYS:
            self.moved.emit(KEYS[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_zoom(self.zoom() * 1.25)
        elif key == Qt.Key.Key_Minus:
            self.set_zoom(self.zoom() / 1.25)
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key == Qt.Key.Key_1:
            self.set_zoom(1.0 / self.devicePixelRatioF())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
        else:
            super().keyPressEvent(event)
