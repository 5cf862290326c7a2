"""A brush and its strokes: round stamps along the pointer's way, each pixel as strong as its strongest stamp.

Because stamps are joined by their maximum (erasing: minimum), a soft edge stays as soft as it is, however slowly
the pointer moves.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QRadialGradient

from studio.kit.canvas.mask import Mask

LEAST, MOST = 1, 1000
SPACING = 0.08
"""Of the diameter; a hard edge is then uneven by less than a third of a percent."""
STOPS = 12
Mode = QPainter.CompositionMode


@dataclass(frozen=True, slots=True)
class Brush:
    """size: diameter in pixels of the picture. softness: 0 hard, 1 fades from the middle on."""

    size: int = 48
    softness: float = 0.2


@lru_cache(maxsize=32)
def stamp(diameter: int, softness: float, erase: bool) -> QImage:
    """One touch of the brush, grey: white in the middle of black; for erasing the other way round."""
    side = diameter + 2
    found = QImage(side, side, QImage.Format.Format_Grayscale8)
    found.fill(255 if erase else 0)
    colour = QColor(Qt.GlobalColor.black if erase else Qt.GlobalColor.white)
    painter = QPainter(found)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    if softness > 0.01 and diameter > 2:
        painter.setBrush(_fading(colour, side / 2, diameter / 2, softness))
    else:
        painter.setBrush(colour)
    painter.drawEllipse(QRectF(1, 1, diameter, diameter))
    painter.end()
    return found


def _fading(colour: QColor, middle: float, radius: float, softness: float) -> QRadialGradient:
    gradient = QRadialGradient(QPointF(middle, middle), radius)
    gradient.setColorAt(0, colour)
    for step in range(STOPS + 1):
        share = step / STOPS
        faded = QColor(colour)
        faded.setAlphaF(0.5 + 0.5 * math.cos(math.pi * share))
        gradient.setColorAt(1 - softness + softness * share, faded)
    return gradient


class Stroke:
    """One pull of the brush over a mask, in its pixels."""

    def __init__(self, mask: Mask, size: float, softness: float, erase: bool):
        self._mask, self._size, self._softness, self._erase = mask, size, softness, erase
        self._at: QPointF | None = None
        self._pressure = 1.0
        self._left = 0.0

    def reach(self, to: QPointF) -> QRect:
        """What the way to `to` may touch."""
        start = self._at if self._at is not None else to
        edge = math.ceil(self._size / 2) + 2
        return QRectF(start, to).normalized().toAlignedRect().adjusted(-edge, -edge, edge, edge)

    def pull(self, to: QPointF, pressure: float = 1.0) -> QRect:
        """Paints the way from the last place to `to`; the pressure between is in between."""
        place = self.reach(to)
        painter = QPainter(self._mask.image)
        painter.setCompositionMode(Mode.CompositionMode_Darken if self._erase else Mode.CompositionMode_Lighten)
        for at, pressed in self._places(to, pressure):
            diameter = max(LEAST, round(self._size * pressed))
            touch = stamp(diameter, self._softness, self._erase)
            side = touch.width() / 2
            painter.drawImage(QPoint(round(at.x() - side), round(at.y() - side)), touch)
        painter.end()
        place = place.intersected(self._mask.rect)
        self._mask.touched(place)
        return place

    def _places(self, to: QPointF, pressure: float) -> list[tuple[QPointF, float]]:
        if self._at is None:
            self._at, self._pressure = to, pressure
            return [(to, pressure)]
        way = to - self._at
        length = math.hypot(way.x(), way.y())
        step = max(1.0, self._size * min(pressure, self._pressure) * SPACING)
        found, along = [], step - self._left
        while along <= length:
            share = along / length
            found.append((self._at + way * share, self._pressure + (pressure - self._pressure) * share))
            along += step
        self._left = length - (along - step)
        self._at, self._pressure = to, pressure
        return found
