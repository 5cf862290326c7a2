"""Pictures read off the window's thread: decoding a large file must not hold up a click.

Owns Pictures: asks for a file at a size, and gives a QImage when it is there. A file that is no picture gives none.
"""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QRunnable, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QImageReader

LIMIT_MIB = 1024
Then = Callable[[QImage, str], None]


def read_scaled(path: Path | str, size: QSize) -> tuple[QImage, str]:
    """The picture, turned as its camera says, within `size` (device pixels), and why there is none."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    reader.setDecideFormatFromContent(True)
    reader.setAllocationLimit(LIMIT_MIB)
    whole = reader.size()
    if whole.isValid() and not size.isEmpty() and (whole.width() > size.width() or whole.height() > size.height()):
        reader.setScaledSize(whole.scaled(size, Qt.AspectRatioMode.KeepAspectRatio).expandedTo(QSize(1, 1)))
    image = reader.read()
    return image, reader.errorString() if image.isNull() else ""


class _Signals(QObject):
    done = Signal(object, object, str)


class _Reading(QRunnable):
    def __init__(self, path: str, size: QSize, then: Then, signals: _Signals):
        super().__init__()
        self._path, self._size, self._then, self._signals = path, size, then, signals

    def run(self) -> None:
        image, problem = read_scaled(self._path, self._size)
        try:
            self._signals.done.emit(self._then, image, problem)
        except RuntimeError:
            pass  # the window has gone meanwhile


class Pictures(QObject):
    """`load` reads in a thread and calls `then(image, problem)` on the window's thread, in no particular order."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        # No child: a reading that is under way still speaks through it after this is gone.
        self._signals = _Signals()
        self._signals.done.connect(self._deliver)

    def load(self, path: Path | str, size: QSize, then: Then) -> None:
        QThreadPool.globalInstance().start(_Reading(str(path), size, then, self._signals))

    def _deliver(self, then: Then, image: QImage, problem: str) -> None:
        then(image, problem)
