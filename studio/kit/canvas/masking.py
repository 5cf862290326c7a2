"""What can be done to the mask: strokes, shapes, fill, invert, taking one in. Each is one step to undo."""

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QTransform

from studio.kit.canvas.brush import Brush, Stroke
from studio.kit.canvas.mask import Mask, mask_size
from studio.kit.canvas.undo import Change, MaskUndo
from studio.kit.history import History


class MaskEditor:
    """The mask of one picture. The pixels are made when first needed. Places are in pixels of the picture.

    shown(rect): this part of the picture looks different now. done(): a change is complete.
    """

    def __init__(self, history: History, shown: Callable[[QRectF], None], done: Callable[[], None]):
        self._shown, self._done = shown, done
        self._picture = QSize()
        self._scale = 1.0
        self._colour = QColor()
        self._change: Change | None = None
        self._stroke: Stroke | None = None
        self.pixels: Mask | None = None
        self.undo = MaskUndo(history, self._put_back)

    def reset(self, picture: QSize) -> None:
        """There is another picture: no mask yet, nothing to undo."""
        self.undo.forget()
        self._change = self._stroke = self.pixels = None
        self._picture = QSize(picture)
        size = mask_size(picture)
        self._scale = size.width() / picture.width() if picture.width() else 1.0

    def tint(self, colour: QColor) -> None:
        self._colour = QColor(colour)
        if self.pixels is not None:
            self.pixels.tint(colour)

    @property
    def painting(self) -> bool:
        return self._stroke is not None

    def is_empty(self) -> bool:
        return self.pixels is None or self.pixels.is_empty()

    def image(self) -> QImage:
        """A copy: grey, white where it is painted; black all over without a mask."""
        if self.pixels is not None:
            return self.pixels.image.copy()
        found = QImage(mask_size(self._picture), QImage.Format.Format_Grayscale8)
        found.fill(0)
        return found

    def begin_stroke(self, at: QPointF, brush: Brush, erase: bool, pressure: float = 1.0) -> None:
        mask = self._mask()
        if mask is None:
            return
        self._change = Change(mask, "eraser stroke" if erase else "brush stroke")
        self._stroke = Stroke(mask, brush.size * self._scale, brush.softness, erase)
        self.pull(at, pressure)

    def pull(self, to: QPointF, pressure: float = 1.0) -> None:
        if self._stroke is None or self._change is None:
            return
        to = to * self._scale
        self._change.keep(self._stroke.reach(to))
        self._tell(self._stroke.pull(to, pressure))

    def end_stroke(self) -> None:
        change, self._stroke, self._change = self._change, None, None
        if change is not None:
            self._finish(change)

    def fill_path(self, path: QPainterPath, erase: bool, title: str) -> None:
        """Paints or erases the inside of a shape."""
        mask = self._mask()
        if mask is None or path.isEmpty():
            return
        path = QTransform.fromScale(self._scale, self._scale).map(path)
        place = path.boundingRect().toAlignedRect().adjusted(-1, -1, 1, 1).intersected(mask.rect)
        change = Change(mask, title)
        change.keep(place)
        painter = QPainter(mask.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(path, QColor(Qt.GlobalColor.black if erase else Qt.GlobalColor.white))
        painter.end()
        self._whole(change, place)

    def fill(self) -> None:
        self._everywhere("fill mask", lambda image: image.fill(255))

    def clear(self) -> None:
        if not self.is_empty():
            self._everywhere("clear mask", lambda image: image.fill(0))

    def invert(self) -> None:
        self._everywhere("invert mask", lambda image: image.invertPixels())

    def take(self, image: QImage) -> bool:
        """Takes a mask of any size; True when it had to be scaled."""
        mask = self._mask()
        if mask is None or image.isNull():
            return False
        scaled = image.size() != mask.size
        grey = as_grey(image)
        if scaled:
            ways = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            grey = grey.scaled(mask.size, *ways).convertToFormat(QImage.Format.Format_Grayscale8)

        def put(target: QImage) -> None:
            painter = QPainter(target)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.drawImage(0, 0, grey)
            painter.end()

        self._everywhere("take a mask", put)
        return scaled

    def _mask(self) -> Mask | None:
        if self.pixels is None and not self._picture.isEmpty():
            self.pixels = Mask(mask_size(self._picture))
            self.pixels.tint(self._colour)
        return self.pixels

    def _everywhere(self, title: str, paint: Callable[[QImage], None]) -> None:
        mask = self._mask()
        if mask is None:
            return
        self.end_stroke()
        change = Change(mask, title)
        change.keep_all()
        paint(mask.image)
        self._whole(change, mask.rect)

    def _whole(self, change: Change, place: QRect) -> None:
        change.mask.touched(place)
        self._tell(place)
        self._finish(change)

    def _finish(self, change: Change) -> None:
        if self.undo.push(change):
            self._done()

    def _put_back(self, place: QRect) -> None:
        self._tell(place)
        self._done()

    def _tell(self, place: QRect) -> None:
        if not place.isEmpty():
            self._shown(QRectF(QPointF(place.topLeft()) / self._scale, QRectF(place).size() / self._scale))


def as_grey(image: QImage) -> QImage:
    """A mask as grey pixels: an image of alpha alone by its alpha, any other by its brightness."""
    if image.format() == QImage.Format.Format_Alpha8:
        found = image.copy()
        found.reinterpretAsFormat(QImage.Format.Format_Grayscale8)
        return found
    if image.hasAlphaChannel():
        flat = QImage(image.size(), QImage.Format.Format_RGB32)
        flat.fill(0)
        painter = QPainter(flat)
        painter.drawImage(0, 0, image)
        painter.end()
        image = flat
    return image.convertToFormat(QImage.Format.Format_Grayscale8)
