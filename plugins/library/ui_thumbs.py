"""Thumbnails of the rows that are looked at: asked for in small groups, decoded in threads, kept up to a bound."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QObject,
    QRunnable,
    QSize,
    Qt,
    QThreadPool,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QImage, QImageReader

from studio.errors import StudioError

GROUP = 12
"""Thumbnails of one request: few, so that those asked for last do not wait long."""

AT_ONCE = 2
MOST_BYTES = 128 << 20
CallFrames = Callable[..., Coroutine[Any, Any, tuple[Any, list[bytes]]]]


class Decoder(QObject):
    """Decodes encoded pictures in a thread, one group after the other; `done` comes on the window's thread."""

    done = Signal(object, object)
    _ended = Signal(object, object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._waiting: list[_Decoding] = []
        self._busy = False
        self._ended.connect(self._next)

    def decode(self, frames: dict[str, bytes], box: QSize) -> None:
        """done(ids, images): each image within `box` device pixels; null for what is no picture."""
        self._waiting.append(_Decoding(self._ended, dict(frames), box))
        self._start()

    def _start(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            QThreadPool.globalInstance().start(self._waiting.pop(0))

    def _next(self, ids: list[str], images: list[QImage]) -> None:
        self._busy = False
        self._start()
        self.done.emit(ids, images)


class _Decoding(QRunnable):
    def __init__(self, ended: SignalInstance, frames: dict[str, bytes], box: QSize):
        super().__init__()
        self._ended, self._frames, self._box = ended, frames, box

    def run(self) -> None:
        images = [_decoded(data, self._box) for data in self._frames.values()]
        try:
            self._ended.emit(list(self._frames), images)
        except RuntimeError:
            pass  # the window has gone meanwhile


def _decoded(data: bytes, box: QSize) -> QImage:
    # A reader lets the window's thread run while it decodes; QImage.fromData does not.
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAllocationLimit(64)
    image = reader.read()
    if image.width() > box.width() or image.height() > box.height():
        ratio, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        return image.scaled(box, ratio, smooth)
    times = min(box.width() // max(1, image.width()), box.height() // max(1, image.height()))
    # What is very small is enlarged in whole squares, so that it can be told from its neighbours.
    return image.scaled(image.size() * times) if times > 1 and not image.isNull() else image


class Thumbs(QObject):
    """arrived(ids): these can be painted now, or are known to have no picture."""

    arrived = Signal(object)

    def __init__(
        self, call_frames: CallFrames, spawn: Callable[[Coroutine[Any, Any, Any]], Any], parent: QObject | None = None
    ):
        super().__init__(parent)
        self._call, self._spawn = call_frames, spawn
        self._images: OrderedDict[str, QImage] = OrderedDict()
        self._bytes = 0
        self._problems: dict[str, str] = {}
        self._wanted: list[str] = []
        self._coming: set[str] = set()
        self._requests = 0
        self._box = QSize(184, 160)
        self._decoder = Decoder(self)
        self._decoder.done.connect(self._take)

    def image(self, id: str) -> QImage | None:
        """The thumbnail; None while it is not here."""
        found = self._images.get(id)
        if found is not None:
            self._images.move_to_end(id)
        return found

    def problem(self, id: str) -> str | None:
        """Why there is none: "" for things without a picture; None when that is not known."""
        return self._problems.get(id)

    def want(self, ids: Iterable[str], box: QSize) -> None:
        """These are looked at now, the first ones first; what was wanted before and is not any more is not asked."""
        if box != self._box:
            self._box = box
            self._images.clear()
            self._bytes = 0
        self._wanted = list(ids)
        self._ask()

    def forget(self, ids: Iterable[str]) -> None:
        """These may look different now."""
        for id in ids:
            self._problems.pop(id, None)
            if (image := self._images.pop(id, None)) is not None:
                self._bytes -= image.sizeInBytes()

    def _ask(self) -> None:
        while self._requests < AT_ONCE:
            missing = [id for id in self._wanted if id not in self._images and id not in self._problems]
            group = [id for id in missing if id not in self._coming][:GROUP]
            if not group:
                return
            self._coming.update(group)
            self._requests += 1
            self._spawn(self._fetch(group))

    async def _fetch(self, group: Sequence[str]) -> None:
        size = max(self._box.width(), self._box.height())
        try:
            answer, frames = await self._call("library.thumbnails", ids=list(group), size=size)
        except StudioError:
            self._requests -= 1
            self._coming.difference_update(group)
            self._wanted = []  # asked again when the rows are looked at again
            return
        problems = [str(item.get("problem") or "") for item in answer["items"]]
        without = {id: problem for id, problem, data in zip(group, problems, frames, strict=True) if not data}
        self._problems.update(without)
        found = {id: data for id, data in zip(group, frames, strict=True) if data}
        self._requests -= 1
        self._coming.difference_update(without)
        if found:
            self._decoder.decode(found, self._box)
        if without:
            self.arrived.emit(set(without))
        self._ask()

    def _take(self, ids: Sequence[str], images: Sequence[QImage]) -> None:
        self._coming.difference_update(ids)
        for id, image in zip(ids, images, strict=True):
            if image.isNull():
                self._problems[id] = "This picture cannot be shown."
            elif id not in self._images:
                self._images[id] = image
                self._bytes += image.sizeInBytes()
        while self._bytes > MOST_BYTES and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1].sizeInBytes()
        self.arrived.emit(set(ids))
        self._ask()
