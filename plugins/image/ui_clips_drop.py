"""What is dropped on the video panel: a clip made here, whose recipe is restored, or what a clip is to begin with.

That is a picture, or the last frame of a clip that another program made, if it can be decoded here.
"""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from studio.errors import StudioError
from studio.kit.desk import Desk
from studio.kit.posters import CLIPS, Posters
from studio.kit.session import Session
from studio.sdk.artifact import Recipe

from .ui_clips_deeds import png_of
from .ui_clips_layout import ClipsLayout
from .ui_clips_modes import MODES, OF_OPERATION
from .ui_clips_results import ClipBatch
from .ui_clips_settings import ClipSettings


class ClipDrop(QObject):
    """found(ClipBatch): a clip of ours that should be on show."""

    found = Signal(object)

    def __init__(
        self, session: Session, ui: ClipsLayout, desk: Desk, settings: ClipSettings, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._session, self._ui, self._desk, self._settings = session, ui, desk, settings
        self._clips = Posters(self)

    def restore(self, recipe: Recipe, path: Path | None) -> None:
        """Every value of the recipe in its mode, and the clip itself among the results."""
        mode = MODES[OF_OPERATION[recipe.operation]]
        try:
            params = self._session.params_class(mode.operation).load(dict(recipe.params), recipe.operation_version)
        except StudioError as error:
            self._ui.taken.say(error.title, (error.detail, error.hint), level="error")
            return
        values = params.model_dump(mode="json")
        self._desk.set_values({"mode": mode.id, **values}, "restore a recipe")
        name = path.name if path is not None else "the recipe"
        self._ui.taken.say(f"Restored from {name}", ["All settings are as they were, the seed too."])
        if path is not None:
            self.found.emit(ClipBatch.dropped(recipe, values, path, "video"))

    def use(self, path: Path) -> None:
        """A picture that the next clip begins with, or a clip that it goes on from."""
        if path.suffix.lower() in CLIPS:
            self._clips.load_frame(path, -1, partial(self._on_frame, path))
            return
        self._settings.use_picture(str(path))
        self._ui.taken.say(f"{path.name} is the first picture of the next clip")

    def _on_frame(self, path: Path, image: QImage, problem: str) -> None:
        if problem:
            self._ui.taken.say(f"{path.name} cannot be used", (problem,), level="error")
        else:
            self._session.spawn(self._go_on_from(path, image))

    async def _go_on_from(self, path: Path, image: QImage) -> None:
        self._settings.use_picture(await self._session.put_input(png_of(image), ".png", f"{path.stem} last frame"))
        told = ("It holds no recipe that is known here.",)
        self._ui.taken.say(f"The next clip goes on from the last frame of {path.name}", told)
