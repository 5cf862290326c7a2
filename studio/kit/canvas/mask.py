"""The pixels of a mask, one byte each, and its tiles. Owns no history and no widget.

The bytes lie once in memory under two images: a grey one to paint on, and an indexed one whose colour table tints
what is painted, so that showing the mask converts nothing.
"""

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage

TILE = 256
MOST_SIDE = 8192
OPACITY = 150
"""How strongly painted places are covered when shown, of 255."""
MANY = 16
"""Tiles from which looking at all bytes at once is quicker."""
Tile = tuple[int, int]
Pixels = int | bytes
"""A tile: one value for all of it, or its rows one after another."""


def mask_size(picture: QSize) -> QSize:
    """The size of a mask for a picture: the same, or less where a side would pass MOST_SIDE."""
    longest = max(picture.width(), picture.height())
    if longest <= MOST_SIDE:
        return QSize(picture)
    found = picture.scaled(MOST_SIDE, MOST_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
    return found.expandedTo(QSize(1, 1))


class Mask:
    """`image` (grey, white = painted) may be painted on; call `touched` for what was painted."""

    def __init__(self, size: QSize):
        self.size = QSize(size)
        width, height = size.width(), size.height()
        self._stride = (width + 3) // 4 * 4
        # Both images point into it and neither keeps it alive; it must never change its length.
        self._bytes = bytearray(self._stride * height)
        self.image = QImage(self._bytes, width, height, self._stride, QImage.Format.Format_Grayscale8)
        self.shown = QImage(self._bytes, width, height, self._stride, QImage.Format.Format_Indexed8)
        self._painted: set[Tile] = set()
        self._unsure: set[Tile] = set()
        self._bounds = QRect()

    @property
    def rect(self) -> QRect:
        return QRect(0, 0, self.size.width(), self.size.height())

    def tint(self, colour: QColor) -> None:
        """The colour in which painted places are shown."""
        table = []
        for value in range(256):
            step = QColor(colour)
            step.setAlpha(value * OPACITY // 255)
            table.append(step.rgba())
        self.shown.setColorTable(table)

    def tiles(self, rect: QRect) -> list[Tile]:
        """The tiles that `rect` touches."""
        rect = rect.intersected(self.rect)
        if rect.isEmpty():
            return []
        columns = range(rect.left() // TILE, rect.right() // TILE + 1)
        return [(x, y) for y in range(rect.top() // TILE, rect.bottom() // TILE + 1) for x in columns]

    def read(self, tile: Tile) -> Pixels:
        place = self.place(tile)
        view, stride, width = memoryview(self._bytes), self._stride, place.width()
        first = place.top() * stride + place.left()
        data = b"".join(view[row : row + width] for row in range(first, first + place.height() * stride, stride))
        return data[0] if data == data[:1] * len(data) else data

    def write(self, tile: Tile, pixels: Pixels) -> None:
        place = self.place(tile)
        width, height, stride = place.width(), place.height(), self._stride
        data = bytes([pixels]) * (width * height) if isinstance(pixels, int) else pixels
        view, start = memoryview(self._bytes), place.top() * stride + place.left()
        for row in range(height):
            view[start + row * stride : start + row * stride + width] = data[row * width : (row + 1) * width]
        self._unsure.add(tile)
        self._bounds = self._bounds.united(place)

    def read_all(self) -> bytes:
        return bytes(self._bytes)

    def write_all(self, data: bytes) -> None:
        self._bytes[:] = data
        self.touched(self.rect)

    def place(self, tile: Tile) -> QRect:
        return QRect(tile[0] * TILE, tile[1] * TILE, TILE, TILE).intersected(self.rect)

    def touched(self, rect: QRect) -> None:
        self._unsure.update(self.tiles(rect))
        self._bounds = self._bounds.united(rect.intersected(self.rect))

    def is_empty(self) -> bool:
        """Looks only where something may have changed, and no further than the first painted place."""
        if self._painted - self._unsure:
            return False
        if len(self._unsure) > MANY and self._bytes == bytes(len(self._bytes)):
            self._unsure.clear()
        while self._unsure:
            tile = self._unsure.pop()
            if self.read(tile) != 0:
                self._painted.add(tile)
                return False
            self._painted.discard(tile)
        self._painted.clear()
        self._bounds = QRect()
        return True

    def bounds(self) -> QRect:
        """A rectangle outside of which nothing is painted."""
        return self._bounds
