"""What the engine tells a panel of batches: their history, page by page, their steps, their files."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.panel import EventLike
from studio.kit.result_deeds import ResultDeeds
from studio.kit.session import Session
from studio.kit.thumbs import Thumbs
from studio.kit.turns import ON_WORKER

from .ui_batches import Batch, Batches, Picture

PAGE = 200


class Feed(QObject):
    """changed: the list is another. touched(id, now): one batch is. turned: what runs, or the connection, is another.

    loaded: the history is here. models: other models are there. `forgetting`: jobs deleted in an earlier session.
    """

    changed = Signal()
    touched = Signal(str, bool)
    turned = Signal()
    loaded = Signal()
    models = Signal()

    def __init__(
        self,
        session: Session,
        origin: str,
        batches: Batches,
        deeds: ResultDeeds[Batch],
        thumbs: Thumbs,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._session, self._origin = session, origin
        self._batches, self._deeds, self._thumbs = batches, deeds, thumbs
        self._total = 0
        self._loading = False
        self.connected = False
        self.busy_elsewhere = False
        self.forgetting: list[str] = []

    # history ---------------------------------------------------------------------------------

    def attach(self, operation: str) -> None:
        """The engine is there, for the first time or again. `operation`: whose backend is made ready."""
        self.connected = True
        self._session.spawn(self._session.call("prewarm", operation=operation))
        self._session.spawn(self._reload())
        self.turned.emit()

    def lose(self) -> None:
        self.connected = False
        self.turned.emit()

    async def _reload(self) -> None:
        """As much of the history as was on show, running jobs with what they show now."""
        forgetting, self.forgetting = self.forgetting, []
        await self._deeds.forget(forgetting)
        for id in forgetting:
            self._batches.remove(id)
        answer = await self._page(0, max(PAGE, len(self._batches)))
        self._batches.load(list(answer["jobs"]))
        self._batches.forget_turns()
        for job in (await self._session.call("jobs", states=sorted(ON_WORKER)))["jobs"]:
            self._batches.note(job)
        self.changed.emit()
        self.loaded.emit()
        for batch in self._batches.running():
            _, frames = await self._session.call_frames("preview", job=batch.id)
            if batch.take_frames(frames):
                self.touched.emit(batch.id, False)

    async def _page(self, offset: int, limit: int) -> dict[str, Any]:
        answer = await self._session.call("jobs", origin=self._origin, newest=True, offset=offset, limit=limit)
        self._total = int(answer.get("total", 0))
        return answer

    def load_more(self) -> None:
        """The next page of older batches, if there are more."""
        known = sum(not batch.local for batch in self._batches) + len(self._batches.hidden)
        if self.connected and not self._loading and known < self._total:
            self._loading = True
            self._session.spawn(self._load_page(known))

    async def _load_page(self, offset: int) -> None:
        try:
            answer = await self._page(offset, PAGE)
        finally:
            self._loading = False
        for job in answer["jobs"]:
            self._batches.take(job)
        self.changed.emit()

    # what happens ----------------------------------------------------------------------------

    def on_event(self, event: EventLike) -> None:
        match event.kind:
            case "job":
                self._on_job(event.data)
            case "progress" if batch := self._batches.get(event.job):
                batch.step(event.data)
                self.touched.emit(batch.id, False)
            case "preview" if batch := self._batches.get(event.job):
                if batch.take_frames(event.frames):
                    self.touched.emit(batch.id, False)
            case "saved" if batch := self._batches.get(event.job):
                if batch.take_file(event.data["artifact"]):
                    self.touched.emit(batch.id, True)
            case "queue":
                self.busy_elsewhere = bool(event.data.get("running"))
                self.turned.emit()
            case "library":
                self._on_library({*event.data.get("changed", ()), *event.data.get("removed", ())})
            case "models":
                self.models.emit()

    def _on_job(self, job: dict[str, Any]) -> None:
        for id in self._batches.note(job):
            self.touched.emit(id, False)
        known = self._batches.get(str(job.get("id", "")))
        batch = self._batches.take(job)
        if batch is None:
            return
        if known is None:
            self._total += 1
            self.changed.emit()
        self.touched.emit(batch.id, True)
        self.turned.emit()

    def _on_library(self, ids: set[str]) -> None:
        for batch, picture in self._batches.by_artifacts(ids):
            self._thumbs.forget(picture.path)
            self._session.spawn(self.read_file(batch, picture))

    # files -----------------------------------------------------------------------------------

    def read(self, id: str) -> None:
        """A card has come into being: what its files say of themselves is asked for, once."""
        batch = self._batches.get(id)
        if batch is None or not batch.ended:
            return
        for picture in batch.shown:
            if picture.artifact and not picture.recipe and not picture.gone:
                self._session.spawn(self.read_file(batch, picture))

    async def read_file(self, batch: Batch, picture: Picture) -> None:
        """Its own seed and settings; when the file is gone, that is said where the picture was."""
        try:
            item = await self._session.call("library.get", id=picture.artifact)
        except StudioError as error:
            picture.gone = "" if Path(picture.path).exists() else f"The file is gone. {error.title}."
        else:
            picture.recipe = dict(item.get("recipe") or {})
            picture.trashed = bool(item.get("trashed"))
            picture.path = str(item.get("path") or picture.path)
            there = picture.trashed or Path(picture.path).exists()
            picture.gone = "In the trash" if picture.trashed else "" if there else "The file is gone"
        self.touched.emit(batch.id, True)
