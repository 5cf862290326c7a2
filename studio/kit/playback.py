"""Playing a clip: its pictures decoded off the window's thread, a bounded number of them kept.

Owns ClipFrames, the pictures of one file, and Playback, which says which of them is on show and when the next one is.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, QRunnable, QSize, Qt, QThreadPool, QTimer, Signal
from PySide6.QtGui import QImage

from studio.errors import StudioError
from studio.library.clips import Clip

KEPT_BYTES = 128 * 2**20
AHEAD = 6
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


def image_of(picture: object, within: QSize | None = None) -> QImage:
    """A Pillow RGB picture as QImage with memory of its own, at most as large as `within`."""
    from PIL import Image

    assert isinstance(picture, Image.Image)
    if within is not None and (picture.width > within.width() or picture.height > within.height()):
        picture = picture.copy()
        picture.thumbnail((within.width(), within.height()))
    data = picture.convert("RGB").tobytes()
    width, height = picture.size
    return QImage(data, width, height, width * 3, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )


def unplayable(error: Exception) -> str:
    """Why there is no clip or no frame of it, in sentences."""
    if isinstance(error, StudioError):
        return " ".join(part for part in (f"{error.title}.", error.detail, error.hint) if part)
    return f"It cannot be played: {error}."


class _Signals(QObject):
    opened = Signal(int, QSize, float)
    decoded = Signal(int, QImage)
    failed = Signal(str)
    rested = Signal()


class _Reader(QRunnable):
    """Decodes what is wanted until nothing is. The clip stays open between two runs."""

    def __init__(self, path: str, wanted: Callable[[], int | None], signals: _Signals, kept: dict[str, Clip]):
        super().__init__()
        self._path, self._wanted, self._signals, self._kept = path, wanted, signals, kept

    def run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the window has gone meanwhile
            try:
                self._read()
            except (StudioError, OSError) as error:
                self._signals.failed.emit(unplayable(error))
            self._signals.rested.emit()

    def _read(self) -> None:
        clip = self._kept.get("clip")
        if clip is None:
            clip = self._kept["clip"] = Clip(Path(self._path))
            self._signals.opened.emit(clip.count, QSize(*clip.size), clip.fps)
        while (number := self._wanted()) is not None:
            self._signals.decoded.emit(number, image_of(clip.frame(number)))


class ClipFrames(QObject):
    """`get` gives a picture that is here, or None and says `ready` once it is; it reads some ahead.

    opened: count, size and fps are known. failed(why): it is no clip that can be read. count is 0 until then.
    """

    opened = Signal()
    ready = Signal(int)
    failed = Signal(str)

    def __init__(self, path: str, parent: QObject | None = None, kept_bytes: int = KEPT_BYTES):
        super().__init__(parent)
        self.path, self.count, self.size, self.fps, self.problem = path, 0, QSize(), 12.0, ""
        self._kept: OrderedDict[int, QImage] = OrderedDict()
        self._bytes, self._limit = 0, kept_bytes
        self._queue: list[int] = []
        self._lock = threading.Lock()
        self._reading = False
        self._clip: dict[str, Clip] = {}
        # No child: a reader that is in the middle of a picture still speaks through it after this is gone.
        self._signals = _Signals()
        self._signals.opened.connect(self._on_opened)
        self._signals.decoded.connect(self._on_decoded)
        self._signals.failed.connect(self._on_failed)
        self._signals.rested.connect(self._on_rested)

    def open(self) -> None:
        """Reads how many pictures there are, and the first of them."""
        self._want([0])

    def get(self, number: int, ahead: int = AHEAD) -> QImage | None:
        """A picture, counted from 0; the next `ahead` are read too."""
        found = self._kept.get(number)
        if found is not None:
            self._kept.move_to_end(number)
        if self.count:
            room = max(1, self._limit // max(1, self.size.width() * self.size.height() * 4) - 1)
            near = [(number + by) % self.count for by in range(min(ahead, room, self.count - 1) + 1)]
            missing = [each for each in near if each not in self._kept]
            if missing:
                self._want(missing)
        return found

    def kept(self) -> int:
        """Bytes of the pictures that are here."""
        return self._bytes

    def _want(self, numbers: list[int]) -> None:
        """What was wanted before and is not read yet is forgotten: it is not on show any more."""
        if self.problem:
            return
        with self._lock:
            self._queue = list(numbers)
        if not self._reading:
            self._reading = True
            QThreadPool.globalInstance().start(_Reader(self.path, self._next, self._signals, self._clip))

    def _next(self) -> int | None:
        with self._lock:
            return self._queue.pop(0) if self._queue else None

    def _on_opened(self, count: int, size: QSize, fps: float) -> None:
        self.count, self.size, self.fps = count, size, fps
        self.opened.emit()

    def _on_decoded(self, number: int, image: QImage) -> None:
        old = self._kept.pop(number, None)
        self._bytes += image.sizeInBytes() - (old.sizeInBytes() if old is not None else 0)
        self._kept[number] = image
        while self._bytes > self._limit and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= gone.sizeInBytes()
        self.ready.emit(number)

    def _on_failed(self, why: str) -> None:
        self.problem = why or "It cannot be read."
        self.failed.emit(self.problem)

    def _on_rested(self) -> None:
        self._reading = False
        with self._lock:
            more = list(self._queue)
        if more:
            self._want(more)


class Playback(QObject):
    """Which picture of a clip is on show. shown(number, image): another one. changed: playing, loop, speed, clip.

    A picture that is not decoded in time is waited for: no picture is left out.
    """

    shown = Signal(int, QImage)
    changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.frames: ClipFrames | None = None
        self.number, self.playing, self.loop, self.speed = 0, False, True, 1.0
        self._waits = False
        self._timer = QTimer(self, singleShot=True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._advance)
        self._since = QElapsedTimer()

    @property
    def count(self) -> int:
        return self.frames.count if self.frames is not None else 0

    @property
    def fps(self) -> float:
        return self.frames.fps if self.frames is not None else 12.0

    def open(self, path: str, *, play: bool = False) -> None:
        self.close()
        self.frames = ClipFrames(path, self)
        self.frames.opened.connect(self._on_opened)
        self.frames.ready.connect(self._on_ready)
        self.frames.failed.connect(self.failed)
        self.number, self.playing, self._waits = 0, play, True
        self.frames.open()
        self.changed.emit()

    def close(self) -> None:
        self._timer.stop()
        if self.frames is not None:
            self.frames.deleteLater()
        self.frames, self.number, self.playing, self._waits = None, 0, False, False

    def play(self, on: bool = True) -> None:
        """From the beginning again when the end was reached."""
        if on and self.count and self.number >= self.count - 1 and not self.loop:
            self.go_to(0)
        self.playing = on
        self._timer.stop()
        if on and not self._waits:
            self._start()
        self.changed.emit()

    def toggle(self) -> None:
        self.play(not self.playing)

    def step(self, by: int) -> None:
        """One picture on or back; playing stops."""
        self.play(False)
        if self.count:
            wanted = self.number + by
            self.go_to(wanted % self.count if self.loop else max(0, min(self.count - 1, wanted)))

    def go_to(self, number: int) -> None:
        if self.count:
            self.number = max(0, min(self.count - 1, number))
            self.changed.emit()  # the place is another at once, also while its picture is decoded
            self._show()

    def set_loop(self, on: bool) -> None:
        self.loop = on
        self.changed.emit()

    def set_speed(self, speed: float) -> None:
        self.speed = speed
        self.changed.emit()

    def image(self) -> QImage | None:
        return self.frames.get(self.number, 0) if self.frames is not None else None

    def _show(self) -> None:
        assert self.frames is not None
        image = self.frames.get(self.number)
        self._waits = image is None
        if image is not None:
            self.shown.emit(self.number, image)
            if self.playing:
                self._start()

    def _start(self) -> None:
        """The next picture comes when this one has had its time, less what showing it took."""
        late = self._since.elapsed() - self._wait() if self._since.isValid() else 0
        self._since.restart()
        self._timer.start(max(0, self._wait() - max(0, min(late, self._wait()))))

    def _wait(self) -> int:
        return max(1, round(1000 / (self.fps * self.speed)))

    def _advance(self) -> None:
        if not self.playing or not self.count:
            return
        if self.number >= self.count - 1 and not self.loop:
            self.play(False)
            return
        self.number = (self.number + 1) % self.count
        self._show()

    def _on_opened(self) -> None:
        self.changed.emit()

    def _on_ready(self, number: int) -> None:
        if self._waits and number == self.number:
            self._show()
