"""Pictures for lists: decoded off the window's thread, a bounded number of them kept.

Owns Thumbs. What is asked for last is read first, because that is what is on screen now.
"""

from collections import OrderedDict
from collections.abc import Callable

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QImage, QPixmap

from studio.kit.pictures import Pictures

KEPT_BYTES = 192 * 2**20
AT_ONCE = 4
WAITING = 400
Key = tuple[str, int]


class Thumbs(QObject):
    """`get` gives a pixmap that is here, or None and calls `then` once it is. Sizes in device pixels.

    A file that cannot be read gives an empty pixmap, and `problem` says why.
    """

    def __init__(self, parent: QObject | None = None, kept_bytes: int = KEPT_BYTES, pictures: Pictures | None = None):
        """pictures: reads the files; pictures in files of images unless given."""
        super().__init__(parent)
        self._pictures = pictures or Pictures(self)
        self._kept: OrderedDict[Key, QPixmap] = OrderedDict()
        self._problems: dict[str, str] = {}
        self._bytes, self._limit = 0, kept_bytes
        self._wanted: OrderedDict[Key, list[Callable[[], None]]] = OrderedDict()
        self._reading: dict[Key, list[Callable[[], None]]] = {}

    def get(self, path: str, side: int, then: Callable[[], None]) -> QPixmap | None:
        key = (path, side)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key in self._reading:
            self._reading[key].append(then)
            return None
        self._wanted.setdefault(key, []).append(then)
        self._wanted.move_to_end(key)
        while len(self._wanted) > WAITING:
            self._wanted.popitem(last=False)
        self._next()
        return None

    def problem(self, path: str) -> str:
        return self._problems.get(path, "")

    def forget(self, path: str) -> None:
        """The file is another now, or gone."""
        for key in [key for key in self._kept if key[0] == path]:
            self._bytes -= _size(self._kept.pop(key))
        self._problems.pop(path, None)

    def _next(self) -> None:
        while self._wanted and len(self._reading) < AT_ONCE:
            key, waiting = self._wanted.popitem(last=True)
            self._reading[key] = waiting
            self._read(key)

    def _read(self, key: Key) -> None:
        def then(image: QImage, problem: str) -> None:
            self._take(key, image, problem)

        self._pictures.load(key[0], QSize(key[1], key[1]), then)

    def _take(self, key: Key, image: QImage, problem: str) -> None:
        pixmap = QPixmap() if image.isNull() else QPixmap.fromImage(image, Qt.ImageConversionFlag.NoFormatConversion)
        if problem or pixmap.isNull():
            self._problems[key[0]] = problem or "it cannot be shown"
        self._kept[key] = pixmap
        self._bytes += _size(pixmap)
        while self._bytes > self._limit and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= _size(old)
        for call in self._reading.pop(key, []):
            call()
        self._next()


def _size(pixmap: QPixmap) -> int:
    return pixmap.width() * pixmap.height() * 4 + 64
