"""What is dropped on the image panel: a result that is restored, a picture of another program, or just a picture."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtGui import QImage

from studio.errors import StudioError
from studio.kit.desk import Desk
from studio.kit.pictures import Pictures
from studio.kit.session import Session
from studio.sdk.artifact import Recipe

from .ui_batches import Batch
from .ui_layout import ImageLayout
from .ui_modes import MODES, OF_OPERATION
from .ui_settings import Settings

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
INSTEAD = "Use as input instead"
NO_RECIPE = ("no-recipe", "unknown-method")


class Drop(QObject):
    """found(Batch): a result of ours that should be on show."""

    found = Signal(object)

    def __init__(
        self, session: Session, ui: ImageLayout, desk: Desk, settings: Settings, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._session, self._ui, self._desk, self._settings = session, ui, desk, settings
        self._pictures = Pictures(self)

    # ours ------------------------------------------------------------------------------------

    def restore(self, recipe: Recipe, path: Path | None) -> None:
        """Every value of the recipe in its mode, and the picture itself among the results."""
        mode = MODES[OF_OPERATION[recipe.operation]]
        try:
            params = self._session.params_class(mode.operation).load(dict(recipe.params), recipe.operation_version)
        except StudioError as error:
            details = (error.detail, error.hint)
            self._ui.taken.say(error.title, details, INSTEAD if path else "", self._user(path), level="error")
            return
        values = params.model_dump(mode="json")
        self._desk.set_values({"mode": mode.id, **values}, "restore a recipe")
        told = ["All settings are as they were, the seed too."]
        if values.get("start_latents") or values.get("painted"):
            told.append("It goes on from a step of another picture.")
        name = path.name if path is not None else "the recipe"
        self._ui.taken.say(f"Restored from {name}", told, INSTEAD if path else "", self._user(path))
        self.found.emit(Batch.dropped(recipe, values, path, "image"))

    # others ----------------------------------------------------------------------------------

    def take(self, path: Path) -> None:
        """A picture without a recipe of ours."""
        self._session.spawn(self._take(path))

    async def _take(self, path: Path) -> None:
        from . import foreign  # read when it is needed first: the panel opens sooner

        try:
            answer = await self._session.call("picture.read", path=str(path))
            models = await self._session.models()
            said = foreign.read(dict(answer.get("texts") or {}), models)
        except StudioError as error:
            if error.code not in NO_RECIPE:
                self._ui.taken.say(f"{path.name}: {error.title}", (error.detail, error.hint), level="error")
                return
            self._check(path)
            return
        self._show_foreign(path, said)

    def _show_foreign(self, path: Path, said: Any) -> None:
        mode = MODES[OF_OPERATION.get(said.operation, "create")]
        plain = {name: field.default for name, field in _fields(self._session, mode.operation).items()}
        kept = {name: value for name, value in said.params.items() if name in plain}
        self._desk.set_values({"mode": mode.id, **kept}, "take a recipe")
        title = f"Read from {path.name}: {len(kept)} settings of {said.program}"
        self._ui.taken.say(title, said.left, INSTEAD, self._user(path), level="warning" if said.left else "info")

    # just a picture --------------------------------------------------------------------------

    def _check(self, path: Path, told: str = "It holds no recipe that is known here.") -> None:
        """Looks whether it is a picture at all, before it becomes an input."""

        def then(image: QImage, problem: str) -> None:
            if image.isNull():
                why = f"{problem[:1].upper()}{problem[1:]}."
                self._ui.taken.say(f"{path.name} cannot be read as a picture", (why,), level="error")
            else:
                self._use(path, told)

        self._pictures.load(path, QSize(64, 64), then)

    def use(self, path: Path) -> None:
        """A picture to work on, whatever it says of its making."""
        self._check(path, "What it says of its making is left alone.")

    def _user(self, path: Path | None) -> Any:
        return (lambda: self._use(path, "Its settings are left alone.")) if path is not None else None

    def _use(self, path: Path, told: str) -> None:
        self._settings.use_picture(str(path))
        title = self._ui.forms.mode.title
        self._ui.taken.say(f"{path.name} is the picture of {title}", (told,))


def _fields(session: Session, operation: str) -> Any:
    return session.params_class(operation).model_fields
