"""First frames of clips as pictures for lists, and moving previews of clips that are being made."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRunnable, QSize, QThreadPool, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from studio.errors import StudioError
from studio.kit.pictures import Pictures, Then, read_scaled
from studio.kit.playback import image_of, unplayable
from studio.library.clips import Clip

CLIPS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".wmv", ".mpg", ".mpeg")
"""Endings of films. Of most kinds there is no decoder here, and what is said of them comes from their head."""

PREVIEW_MS = 120


def frame_of(path: str, number: int = 0, size: QSize | None = None) -> tuple[QImage, str]:
    """A frame within `size`, and why there is none. number: from 0; -1 is the last."""
    if number == 0 and size is not None and not path.lower().endswith(CLIPS):
        return read_scaled(path, size)
    try:
        with Clip(Path(path)) as clip:
            return image_of(clip.frame(number % clip.count), size), ""
    except (StudioError, OSError) as error:
        return QImage(), unplayable(error)


class _Reading(QRunnable):
    def __init__(self, path: str, number: int, size: QSize | None, then: Then, done: "_Done"):
        super().__init__()
        self._path, self._number, self._size, self._then, self._done = path, number, size, then, done

    def run(self) -> None:
        image, problem = frame_of(self._path, self._number, self._size)
        try:
            self._done.came.emit(self._then, image, problem)
        except RuntimeError:
            pass  # the window has gone meanwhile


class _Done(QObject):
    came = Signal(object, object, str)


class Posters(Pictures):
    """Pictures whose files may be clips."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        # No child: a reading that is under way still speaks through it after this is gone.
        self._done = _Done()
        self._done.came.connect(self._deliver)

    def load(self, path: Path | str, size: QSize, then: Then) -> None:
        self._start(path, 0, size, then)

    def load_frame(self, path: Path | str, number: int, then: Then) -> None:
        """One frame as large as it is; -1 is the last."""
        self._start(path, number, None, then)

    def _start(self, path: Path | str, number: int, size: QSize | None, then: Then) -> None:
        QThreadPool.globalInstance().start(_Reading(str(path), number, size, then, self._done))


class MovingPreview(QObject):
    """Plays an encoded preview that may hold several pictures. changed: another one is on show."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._images: list[QImage] = []
        self._data = b""
        self._at = 0
        self._timer = QTimer(self, interval=PREVIEW_MS)
        self._timer.timeout.connect(self._next)

    def show_data(self, data: bytes) -> None:
        """The newest preview; it goes on where the last one was."""
        if data is self._data:
            return
        self._data = data
        images = pictures_of(data)
        if images:
            self._images, self._at = images, self._at % len(images)
        if len(self._images) > 1:
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._timer.stop()
        self.changed.emit()

    def stop(self) -> None:
        self._timer.stop()

    def image(self) -> QImage | None:
        return self._images[self._at] if self._images else None

    def _next(self) -> None:
        self._at = (self._at + 1) % len(self._images)
        self.changed.emit()


def pictures_of(data: bytes) -> list[QImage]:
    """Every picture of an encoded still or moving image."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    found = []
    while True:
        image = reader.read()
        if image.isNull():
            return found
        found.append(image.copy())
        if not reader.supportsAnimation() or not reader.canRead():
            return found
