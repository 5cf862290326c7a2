"""What lies below the pointer, kept as pixels of the screen: only spoilt parts are painted again."""

from collections.abc import Callable

from PySide6.QtCore import QRect, QRectF, QSize
from PySide6.QtGui import QImage, QPainter, QRegion

Draw = Callable[[QPainter, QRectF], None]


class Backing:
    """`draw(painter, part)` paints a part of the widget, in its units, over nothing; it is clipped to that part."""

    def __init__(self, draw: Draw):
        self._draw = draw
        self._image = QImage()
        self._size, self._ratio = QSize(), 1.0
        self._spoilt = QRegion()

    def resize(self, size: QSize, ratio: float) -> None:
        if size == self._size and ratio == self._ratio:
            return
        self._size, self._ratio = QSize(size), ratio
        self._image = QImage(size * ratio, QImage.Format.Format_RGB32)
        self._image.setDevicePixelRatio(ratio)
        self.spoil()

    def spoil(self, part: QRect | None = None) -> None:
        """This part (all without one) looks different now."""
        self._spoilt = self._spoilt.united(part or QRect(0, 0, self._size.width(), self._size.height()))

    def paint(self, painter: QPainter, part: QRect) -> None:
        """Puts a part onto the widget, after painting what is spoilt."""
        for rect in [rect for rect in self._spoilt if not rect.isEmpty()]:  # type: ignore[attr-defined]
            inside = QPainter(self._image)
            inside.setClipRect(rect)
            self._draw(inside, QRectF(rect))
            inside.end()
        self._spoilt = QRegion()
        source = QRectF(part.left() * self._ratio, part.top() * self._ratio, 0, 0)
        source.setSize(QRectF(part).size() * self._ratio)
        painter.drawImage(QRectF(part), self._image, source)
