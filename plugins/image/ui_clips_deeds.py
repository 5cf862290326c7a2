"""What can be done with the clips of the video panel. Asks the engine; touches no widget."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, Signal
from PySide6.QtGui import QImage

from studio.kit.posters import Posters
from studio.kit.session import Session

from .ui_batches import Batch, Picture
from .ui_clips_modes import OF_OPERATION
from .ui_clips_results import ClipBatches, title_of
from .ui_deeds import Deeds, Form

IMAGE_PANEL = "image.panel"
NAME = 40


class ClipDeeds(Deeds):
    """exporting(path): it is to be saved elsewhere. began(input): a picture that a new clip begins with."""

    exporting = Signal(str)
    began = Signal(str)

    def __init__(
        self,
        session: Session,
        origin: str,
        results: ClipBatches,
        form: Form,
        frame: Callable[[str], tuple[QImage, int]],
        parent: QObject | None = None,
    ):
        """frame: gives the frame of a clip that is on show and its number, from 0; none where it is not on show."""
        super().__init__(session, origin, results, form, parent)
        self._frame = frame
        self._clips = Posters(self)

    def title(self, values: dict[str, Any]) -> str:
        return title_of(values)

    def one_vary(self, batch: Batch, picture: Picture) -> None:
        """The same once more with another seed; stops keep the seeds they have of their own."""
        values = {**batch.params, "seed": None}
        self.ask(batch.operation, values, (picture.artifact,) if picture.artifact else ())

    def one_export(self, batch: Batch, picture: Picture) -> None:
        self.exporting.emit(picture.path)

    def one_input(self, batch: Batch, picture: Picture) -> None:
        """The frame on show, else the first one, as a picture to work on."""
        image, number = self._frame(picture.path)
        name = f"{_short(batch)} frame {number + 1}"
        if image.isNull():
            self._clips.load_frame(picture.path, 0, partial(self._on_read, "input", name))
        else:
            self._session.spawn(self._use(image, "input", name))

    def one_animate(self, batch: Batch, picture: Picture) -> None:
        self._clips.load_frame(picture.path, -1, partial(self._on_read, "animate", f"{_short(batch)} last frame"))

    def _on_read(self, what: str, name: str, image: QImage, problem: str) -> None:
        if problem:
            self._session.notify("The clip cannot be read", problem, "error")
        else:
            self._session.spawn(self._use(image, what, name))

    async def _use(self, image: QImage, what: str, name: str) -> None:
        """name: what the frame is called where it becomes a picture."""
        kept = await self._session.put_input(png_of(image), ".png", name)
        if what == "animate":
            self.began.emit(kept)
        else:
            self._session.open_panel(IMAGE_PANEL, {"use": str(self._session.input_path(kept))})

    @staticmethod
    def settings(batch: Batch, picture: Picture) -> dict[str, Any]:
        return dict(batch.params)

    @staticmethod
    def _of(batch: Batch, values: dict[str, Any]) -> dict[str, Any]:
        mode = OF_OPERATION.get(batch.operation)
        return {"mode": mode, **values} if mode else values


def _short(batch: Batch) -> str:
    """A clip's name within that of a file."""
    return " ".join(batch.prompt.split())[:NAME].strip() or "Clip"


def png_of(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())
