"""What can be done with pictures and batches of the image panel. Asks the engine; touches no widget."""

import random
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage

from studio.kit.result_deeds import ResultDeeds
from studio.kit.session import Session
from studio.sdk.params import SEED_LIMIT

from .ui_batches import Batch, Batches, Picture
from .ui_modes import MODES, OF_OPERATION
from .ui_words import SENT

STEERED = {"stop_one": "stop", "drop": "drop", "save": "save"}
VARIATION = 0.2
VARIED = 4
SENT_TO = tuple(mode for mode in SENT if mode in MODES)


class Form(Protocol):
    """Prompt, settings and mode, as the deeds need them."""

    def values(self) -> dict[str, Any]: ...

    def set_values(self, values: dict[str, Any], label: str) -> None: ...


class Deeds(ResultDeeds[Batch]):
    """touched: a batch has changed. branch, view, compare: (batch, number), for the pages that do it.

    sent(mode, path): a picture goes into another mode.
    """

    touched = Signal(str)
    branching = Signal(str, int)
    viewing = Signal(str, int)
    comparing = Signal(str, int)
    sent = Signal(str, str)

    def __init__(self, session: Session, origin: str, results: Batches, form: Form, parent: QObject | None = None):
        super().__init__(session, origin, results, parent)
        self._batches, self._form = results, form

    def act(self, deed: str, id: str, number: int) -> None:
        """The deed of this name on a picture, or on the whole batch when `number` is -1."""
        batch = self._batches.get(id)
        if batch is None:
            return
        if number < 0:
            getattr(self, "do_" + deed)(batch)
            return
        picture = batch.picture(number)
        if picture is None:
            return
        if deed in STEERED:
            self._steer(batch, picture, STEERED[deed])
        elif deed in SENT_TO:
            self.sent.emit(deed, picture.path)
        else:
            getattr(self, "one_" + deed)(batch, picture)

    # while it runs ---------------------------------------------------------------------------

    def _steer(self, batch: Batch, picture: Picture, do: str) -> None:
        picture.asked = do
        self.touched.emit(batch.id)
        self._session.spawn(self._send_steer(batch, picture, do))

    async def _send_steer(self, batch: Batch, picture: Picture, do: str) -> None:
        await self._session.call("steer", job=batch.id, data={"item": picture.number, "do": do})
        if do == "save":  # it goes on, and may be saved again
            picture.asked = ""
            self.touched.emit(batch.id)

    # whole batches ---------------------------------------------------------------------------

    def do_again(self, batch: Batch) -> None:
        self.ask(batch.operation, dict(batch.params))

    def do_more(self, batch: Batch) -> None:
        fresh = {"seed": None, "expanded": [], "steering": []}
        self.ask(batch.operation, {**batch.params, **{n: v for n, v in fresh.items() if n in batch.params}})

    def do_use(self, batch: Batch) -> None:
        self._form.set_values(self._of(batch, dict(batch.params)), "use these settings")
        self.focused_prompt.emit()

    def do_remove(self, batch: Batch) -> None:
        self.do_delete(batch)

    def files(self, result: Batch) -> list[str]:
        return [picture.artifact for picture in result.shown if picture.artifact and not picture.gone]

    # one picture -----------------------------------------------------------------------------

    def one_view(self, batch: Batch, picture: Picture) -> None:
        self.viewing.emit(batch.id, picture.number)

    def one_branch(self, batch: Batch, picture: Picture) -> None:
        self.branching.emit(batch.id, picture.number)

    def one_compare(self, batch: Batch, picture: Picture) -> None:
        self.comparing.emit(batch.id, picture.number)

    def one_vary(self, batch: Batch, picture: Picture) -> None:
        """Variations: the picture's own seed and noise, leaning towards another one."""
        towards = random.SystemRandom().randint(0, SEED_LIMIT)
        changed = {"count": VARIED, "variation": VARIATION, "variation_seed": towards, "at_once": 0}
        values = self.settings(batch, picture)
        values = {**values, **{name: value for name, value in changed.items() if name in batch.params}}
        if values.get("expanded"):
            values["expanded"] = values["expanded"][:1] * VARIED
        if "steering" in values:
            values["steering"] = []
        self.ask(batch.operation, values, (picture.artifact,) if picture.artifact else ())

    def one_input(self, batch: Batch, picture: Picture) -> None:
        self.sent.emit("", picture.path)

    def one_reference(self, batch: Batch, picture: Picture) -> None:
        values = self._form.values()
        if "references" in values:
            more = [*values["references"], {"model": "", "picture": picture.path, "weight": 0.6}]
            self._form.set_values({**values, "references": more}, "use as reference")

    def one_settings(self, batch: Batch, picture: Picture) -> None:
        self._form.set_values(self._of(batch, self.settings(batch, picture)), "use these settings")
        self.focused_prompt.emit()

    def one_lock(self, batch: Batch, picture: Picture) -> None:
        self._form.set_values({**self._form.values(), "seed": batch.seed_of(picture)}, "lock the seed")

    def one_copy(self, batch: Batch, picture: Picture) -> None:
        image = QImage(picture.path)
        if image.isNull():
            self._session.notify("The picture cannot be copied", picture.path, "warning")
        else:
            QGuiApplication.clipboard().setImage(image)

    def one_recipe(self, batch: Batch, picture: Picture) -> None:
        self.copy_recipe(batch, picture.artifact, "" if picture.artifact else picture.path)

    def one_folder(self, batch: Batch, picture: Picture) -> None:
        self.show_folder(picture.path)

    def one_restore(self, batch: Batch, picture: Picture) -> None:
        self.trash([picture.artifact], "library.restore")

    def one_delete(self, batch: Batch, picture: Picture) -> None:
        if picture.artifact:
            self._hide([picture.artifact], "delete a picture")
        elif batch.ended:
            self.do_delete(batch)

    def one_keep(self, batch: Batch, picture: Picture) -> None:
        others = [other.artifact for other in batch.shown if other is not picture and other.artifact]
        if others:
            self._hide(others, "keep one picture")

    def _hide(self, artifacts: list[str], label: str) -> None:
        """Takes pictures off the screen and their files to the trash, as one step that can be undone."""

        def redo() -> None:
            self._batches.deleted.update(artifacts)
            self.trash(artifacts, "library.trash")
            self.changed.emit()

        def undo() -> None:
            self._batches.deleted.difference_update(artifacts)
            self.trash(artifacts, "library.restore")
            self.changed.emit()

        redo()
        self.deleted.emit(label, undo, redo)

    # values ----------------------------------------------------------------------------------

    @staticmethod
    def settings(batch: Batch, picture: Picture) -> dict[str, Any]:
        """What makes this one picture: its own recipe, else the batch's values with its own seed."""
        recipe = picture.recipe.get("params")
        if isinstance(recipe, dict) and recipe:
            return {**batch.params, **recipe}
        values = {**batch.params, "seed": batch.seed_of(picture)}
        if "count" in values:
            values["count"] = 1
        prompts = [picture.facts["prompt"]] if "prompt" in picture.facts else values.get("expanded") or []
        if "expanded" in values and len(prompts) > 1:
            prompts = prompts[picture.item : picture.item + 1]
        return {**values, "expanded": prompts} if prompts and "expanded" in values else values

    @staticmethod
    def _of(batch: Batch, values: dict[str, Any]) -> dict[str, Any]:
        mode = OF_OPERATION.get(batch.operation)
        return {"mode": mode, **values} if mode else values
