"""Work on pixels that would hold up the window: done by Qt's thread pool, its result told on the window's thread."""

import asyncio
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QBuffer, QIODevice, QObject, QRunnable, QThreadPool, Signal
from PySide6.QtGui import QImage

Then = Callable[[Any], None]


class _Signals(QObject):
    done = Signal(object, object)


class _Work(QRunnable):
    def __init__(self, work: Callable[[], Any], then: Then, signals: _Signals):
        super().__init__()
        self._work, self._then, self._signals = work, then, signals

    def run(self) -> None:
        result = self._work()
        try:
            self._signals.done.emit(self._then, result)
        except RuntimeError:
            pass  # the widget has gone meanwhile


class Background(QObject):
    """`run` does `work` in a thread and calls `then(result)` on the window's thread. Work must touch no widget."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        # No child: work that is under way still speaks through it after this is gone.
        self._signals = _Signals()
        self._signals.done.connect(self._deliver)

    def run(self, work: Callable[[], Any], then: Then) -> None:
        QThreadPool.globalInstance().start(_Work(work, then, self._signals))

    async def result(self, work: Callable[[], Any]) -> Any:
        """The same for a coroutine: waits without holding up the window."""
        waiting = asyncio.get_running_loop().create_future()
        self.run(work, lambda found: None if waiting.done() else waiting.set_result(found))
        return await waiting

    def _deliver(self, then: Then, result: Any) -> None:
        then(result)


def png(image: QImage) -> bytes:
    """The picture as PNG; b"" for none."""
    if image.isNull():
        return b""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())
