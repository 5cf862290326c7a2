"""One picture, as large as its place allows."""

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QObject, QRectF, QRunnable, QSize, Qt, QThreadPool, QTimer, Signal, SignalInstance
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.errors import StudioError

from .ui_thumbs import CallFrames, decoded

LARGE = 1280
REST_MS = 80
"""How long a thing stays selected before its picture is asked for: going along with the arrow keys asks for none."""


class PictureView(QWidget):
    """Shows an image or a line of words in its middle."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._image, self._words = QImage(), ""
        self._scaled = QImage()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self.setAccessibleName("Picture of the selected result")

    @property
    def image(self) -> QImage:
        return self._image

    def show_image(self, image: QImage, words: str = "") -> None:
        """`words` stand there when the image is null."""
        self._image, self._words, self._scaled = image, words, QImage()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, 320)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), flags, self._words)
            return
        ratio = self.devicePixelRatioF()
        room = QSize(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        fits = self._image.size()
        if (
            fits.width() > room.width()
            or fits.height() > room.height()
            or max(fits.width(), fits.height()) < LARGE // 2
        ):
            fits = fits.scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        if self._scaled.size() != fits:
            # Small pictures are enlarged in whole squares: what was painted at 64 pixels is to be seen as it is.
            small = fits.width() > 3 * self._image.width()
            how = Qt.TransformationMode.FastTransformation if small else Qt.TransformationMode.SmoothTransformation
            self._scaled = self._image.scaled(fits, Qt.AspectRatioMode.IgnoreAspectRatio, how)
        width, height = self._scaled.width() / ratio, self._scaled.height() / ratio
        place = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        painter.drawImage(place, self._scaled)


class Large(QObject):
    """Fetches one thing's picture, large; ready(id, image, words): of the one asked for last."""

    ready = Signal(str, object, str)
    _decoded = Signal(str, object)

    def __init__(
        self, call_frames: CallFrames, spawn: Callable[[Coroutine[Any, Any, Any]], Any], parent: QObject | None = None
    ):
        super().__init__(parent)
        self._call, self._spawn, self._id = call_frames, spawn, ""
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(lambda: self._spawn(self._fetch(self._id)))
        self._decoded.connect(self._show)

    def ask(self, id: str) -> None:
        """Nothing when empty."""
        self._id = id
        if id:
            self._rest.start()
        else:
            self._rest.stop()

    async def _fetch(self, id: str) -> None:
        try:
            _, frames = await self._call("library.thumbnail", id=id, size=LARGE)
        except StudioError as problem:
            if id == self._id:
                self.ready.emit(id, QImage(), "\n".join(filter(None, (problem.title, problem.detail, problem.hint))))
            return
        if id != self._id:
            return
        if frames:
            QThreadPool.globalInstance().start(_Decoding(self._decoded, id, frames[0]))
        else:
            self.ready.emit(id, QImage(), "There is no picture of it.")

    def _show(self, id: str, image: QImage) -> None:
        if id == self._id:
            self.ready.emit(id, image, "This picture cannot be shown." if image.isNull() else "")


class _Decoding(QRunnable):
    def __init__(self, ended: SignalInstance, id: str, data: bytes):
        super().__init__()
        self._ended, self._id, self._data = ended, id, data

    def run(self) -> None:
        image = decoded(self._data, QSize(LARGE, LARGE), enlarge=False)
        try:
            self._ended.emit(self._id, image)
        except RuntimeError:
            pass  # the window has gone meanwhile
