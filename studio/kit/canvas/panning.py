"""A widget that shows something larger than itself: pan and zoom by mouse, wheel, trackpad and keys.

Owns what every such widget shares; what is shown and what a press means is left to those built on it.
"""

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCursor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from studio.kit.canvas.backing import Backing
from studio.kit.canvas.view import View

ZOOM_STEP = 1.25
ARROW = 48
SETTLED_MS = 140
Key = Qt.Key
Modifiers = Qt.KeyboardModifier
ARROWS = {Key.Key_Left: (1, 0), Key.Key_Right: (-1, 0), Key.Key_Up: (0, 1), Key.Key_Down: (0, -1)}
ZOOMS = {Key.Key_Plus: ZOOM_STEP, Key.Key_Equal: ZOOM_STEP, Key.Key_Minus: 1 / ZOOM_STEP}


class PannedWidget(QWidget):
    """view_changed: zoom or place are others. Built on it: `content`, `draw`, `draw_over` and the pointer's methods."""

    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.view = View()
        self.backing = Backing(self.draw)
        self.rough = False
        self._space = False
        self._panning: QPointF | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLED_MS)
        self._settle.timeout.connect(self._settled)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)

    def content(self) -> QRectF:
        """What there is to see, in its own pixels."""
        raise NotImplementedError

    def draw(self, painter: QPainter, part: QRectF) -> None:
        """Paints what is kept between moves of the pointer."""
        raise NotImplementedError

    def draw_over(self, painter: QPainter) -> None:
        """Paints what moves with the pointer, on top."""

    def pointer_pressed(self, event: QMouseEvent) -> None: ...

    def pointer_moved(self, event: QMouseEvent) -> None: ...

    def pointer_released(self, event: QMouseEvent) -> None: ...

    def key_pressed(self, key: int, modifiers: Qt.KeyboardModifier) -> bool:
        """True when the key meant something that comes before pan and zoom."""
        return False

    def pointer_shape(self) -> QCursor:
        return QCursor(Qt.CursorShape.ArrowCursor)

    # -- what it shows

    def zoom(self) -> float:
        return self.view.zoom

    def set_zoom(self, zoom: float, at: QPointF | None = None) -> None:
        """1 is one pixel on one pixel of the screen. `at` of the widget stays where it is, its middle without."""
        self.view.zoom_at(self.view.middle() if at is None else at, zoom)
        self._moved()

    def fit(self) -> None:
        self.view.fit()
        self._moved()

    def content_changed(self) -> None:
        """`content` is another rectangle."""
        self.view.set_content(self.content())
        self._moved()

    def redraw(self, part: QRect | None = None) -> None:
        """This part of the widget must be painted again."""
        self.backing.spoil(part)
        self.update() if part is None else self.update(part)

    def show_pointer(self) -> None:
        if self._panning is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.setCursor(self.pointer_shape())

    def redraw_roughly(self) -> None:
        """All of it at once, and finely as soon as nothing moves any more."""
        self.rough = True
        self._settle.start()
        self.redraw()

    def _moved(self) -> None:
        self.redraw_roughly()
        self.view_changed.emit()

    def _settled(self) -> None:
        self.rough = False
        self.redraw()

    def _anchor(self) -> QPointF:
        if self.underMouse():
            return QPointF(self.mapFromGlobal(QCursor.pos()))
        return self.view.middle()

    # -- events

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.backing.paint(painter, event.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw_over(painter)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._take_size()
        super().resizeEvent(event)

    def _take_size(self) -> None:
        ratio = self.devicePixelRatioF()
        self.view.set_widget(QSizeF(self.size()), ratio)
        self.backing.resize(self.size(), ratio)
        self.redraw()
        self.view_changed.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (left and self._space):
            self._panning = event.position()
            self.show_pointer()
        elif self._panning is None:
            self.pointer_pressed(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._panning is not None:
            self.view.pan(event.position() - self._panning)
            self._panning = event.position()
            self._moved()
        else:
            self.pointer_moved(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._panning is not None:
            self._panning = None
            self.show_pointer()
        else:
            self.pointer_released(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        pixels, angle = event.pixelDelta(), event.angleDelta()
        if event.modifiers() & Modifiers.ControlModifier:
            way = angle.y() or angle.x()
            self.set_zoom(self.view.zoom * ZOOM_STEP ** (way / 120), event.position())
        else:
            by = QPointF(angle) * (ARROW / 120) if pixels.isNull() else QPointF(pixels)
            if event.modifiers() & Modifiers.ShiftModifier and not by.x():
                by = QPointF(by.y(), 0)
            self.view.pan(by)
            self._moved()
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.set_zoom(self.view.zoom * (1 + event.value()), event.position())
                return True
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self._take_size()
        elif event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self.wants(event):
            event.accept()
            return True
        return super().event(event)

    def wants(self, event: QKeyEvent) -> bool:
        """Whether a key belongs here before it is somebody's shortcut."""
        key = Key(event.key())
        return not event.modifiers() & ~Modifiers.ShiftModifier and (key in ARROWS or key in ZOOMS)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = Key(event.key()), event.modifiers()
        plain = not modifiers & (Modifiers.ControlModifier | Modifiers.AltModifier)
        if self.key_pressed(event.key(), modifiers):
            return
        if key in ZOOMS:
            self.set_zoom(self.view.zoom * ZOOMS[key], self._anchor())
        elif key == Key.Key_0:
            self.fit()
        elif key == Key.Key_1:
            self.set_zoom(1.0, self._anchor())
        elif key in ARROWS and plain:
            self.view.pan(QPointF(*ARROWS[key]) * ARROW)
            self._moved()
        elif key == Key.Key_Space and plain:
            self._space = True
            self.show_pointer()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self.show_pointer()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = False
        self._panning = None
        self.show_pointer()
        self.update()
        super().focusOutEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusInEvent(event)
