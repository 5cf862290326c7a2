"""A picture at halved sizes, made in the background when a zoom needs them, so that a large one is quick and smooth.

Until a smaller size is there, the nearest larger one stands in, roughly drawn.
"""

from PySide6.QtCore import QObject, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter

from studio.kit.canvas.background import Background

SMALL = 1_000_000
"""Pixels up to which halving is quick enough to be done at once."""
PIXELS_FROM = 2.0
"""From this zoom on pixels are shown as squares."""


def halved(image: QImage, times: int) -> QImage:
    """The picture at 1/2**times of its size, each pixel the mean of what it covers."""
    size = QSize(max(1, image.width() >> times), max(1, image.height() >> times))
    ready = QImage.Format.Format_ARGB32_Premultiplied if image.hasAlphaChannel() else QImage.Format.Format_RGB32
    small = image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    return small.convertToFormat(ready)


class Pyramid(QObject):
    """One picture and its smaller sizes. ready: a size that was missing is there, draw again."""

    ready = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._background = Background(self)
        self._levels: dict[int, QImage] = {}
        self._asked: set[int] = set()
        self._turn = 0
        self.image = QImage()

    def set_image(self, image: QImage | None) -> None:
        """Takes the picture as it is: nothing is converted or copied here, however large it is."""
        self.image = QImage() if image is None else image
        self._levels, self._asked = {0: self.image}, set()
        self._turn += 1

    def level(self, zoom: float) -> int:
        """Which size a zoom needs: 0 whole, 1 half, 2 a quarter …"""
        found = 0
        longest = max(self.image.width(), self.image.height())
        while zoom * 2 ** (found + 1) <= 1 and longest >> (found + 1) >= 1:
            found += 1
        return found

    def draw(self, painter: QPainter, place: QRectF, dirty: QRectF, zoom: float, *, rough: bool = False) -> None:
        """Paints the picture into `place` as far as it touches `dirty`, both in the painter's units.

        Only source pixels in sight are named: very large places would leave what a painter can count.
        """
        if self.image.isNull() or place.isEmpty():
            return
        wanted = self.level(zoom)
        image = self._at(wanted)
        shown = visible(place, dirty, image)
        if shown is None:
            return
        target, source = shown
        smooth = zoom < PIXELS_FROM and zoom != 1 and not rough and wanted in self._levels
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(target, image, QRectF(source))

    def _at(self, wanted: int) -> QImage:
        if wanted not in self._levels:
            self._make(wanted)
        return self._levels[max(level for level in self._levels if level <= wanted)]

    def _make(self, wanted: int) -> None:
        near = max(level for level in self._levels if level < wanted)
        source, times, turn = self._levels[near], wanted - near, self._turn
        if source.width() * source.height() <= SMALL:
            self._levels[wanted] = halved(source, times)
        elif wanted not in self._asked:
            self._asked.add(wanted)
            self._background.run(lambda: halved(source, times), lambda image: self._take(turn, wanted, image))

    def _take(self, turn: int, level: int, image: QImage) -> None:
        if turn == self._turn:
            self._levels[level] = image
            self.ready.emit()


def visible(place: QRectF, dirty: QRectF, image: QImage) -> tuple[QRectF, QRect] | None:
    """Where `image`, stretched over `place`, must be painted to fill `dirty`, and from which of its pixels."""
    seen = place.intersected(dirty)
    if seen.isEmpty():
        return None
    across, down = place.width() / image.width(), place.height() / image.height()
    moved = seen.translated(-place.topLeft())
    # Two pixels more on each side: smoothing looks at neighbours, and parts must join without a seam.
    source = QRectF(
        moved.left() / across, moved.top() / down, moved.width() / across, moved.height() / down
    ).toAlignedRect()
    source = source.adjusted(-2, -2, 2, 2).intersected(image.rect())
    target = QRectF(source.left() * across, source.top() * down, source.width() * across, source.height() * down)
    return target.translated(place.topLeft()), source
