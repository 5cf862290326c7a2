"""Thumbnails of the rows that are looked at: asked for in small groups, as small as they are shown, and bounded.

They are decoded on the window's thread, a few in each of its rounds: a thread beside it would compete for Python's
lock, and on a busy machine the window would wait for a thread that has no processor.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader

from studio.errors import StudioError

GROUP = 12
"""Thumbnails of one request: few, so that those asked for last do not wait long."""

AT_ONCE = 2
SLICE_S = 0.004
MOST_ENCODED = 96
MOST_BYTES = 128 << 20
CallFrames = Callable[..., Coroutine[Any, Any, tuple[Any, list[bytes]]]]


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
        self._encoded: dict[str, bytes] = {}
        self._slice = QTimer(self, interval=0, singleShot=True)
        self._slice.timeout.connect(self._decode)

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
            known = (self._images, self._problems, self._encoded, self._coming)
            group = [id for id in self._wanted if not any(id in ids for ids in known)][:GROUP]
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
        self._coming.difference_update(group)
        self._encoded.update(found)
        while len(self._encoded) > MOST_ENCODED:
            del self._encoded[next(iter(self._encoded))]
        if found:
            self._slice.start()
        if without:
            self.arrived.emit(set(without))
        self._ask()

    def _decode(self) -> None:
        """Decodes what came, for a moment, what is looked at first; what was passed by long ago is dropped."""
        first = [id for id in self._wanted if id in self._encoded]
        done: set[str] = set()
        end = time.perf_counter() + SLICE_S
        while self._encoded and time.perf_counter() < end:
            id = first.pop(0) if first else next(reversed(self._encoded))
            image = decoded(self._encoded.pop(id), self._box)
            done.add(id)
            if image.isNull():
                self._problems[id] = "This picture cannot be shown."
                continue
            self.forget([id])
            self._images[id] = image
            self._bytes += image.sizeInBytes()
        while self._bytes > MOST_BYTES and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1].sizeInBytes()
        if self._encoded:
            self._slice.start()
        if done:
            self.arrived.emit(done)


def decoded(data: bytes, box: QSize, *, enlarge: bool = True) -> QImage:
    """Null for what is no picture. Python's other threads run meanwhile, which they do not in QImage.fromData."""
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
    return image.scaled(image.size() * times) if enlarge and times > 1 and not image.isNull() else image
