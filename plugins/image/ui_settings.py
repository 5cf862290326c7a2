"""What is set in the image panel as a whole: mode, model and form in step with each other, and what to ask for."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from studio.kit.controls.picture import PictureControl
from studio.kit.desk import Desk
from studio.kit.session import Session

from .ui_canvas import CanvasLink
from .ui_family import family_of, follow, reasons
from .ui_layout import ImageLayout
from .ui_mode_settings import ModeSettings
from .ui_modes import MODES, Mode, Values

NO_MODEL = {"text-to-image": "No picture model", "image-editing": "No model that edits by instruction"}
REPLAYED = ("expanded", "steering")
"""Hidden values that repeat a result exactly; they hold for the settings they came with."""

MISSING = {"picture": "Put a picture here first.", "mask": "Paint over what is to change, or put a mask here."}
OF_THE_PICTURE = ("picture", "mask", "start_latents", "seed", *REPLAYED)
"""What no preset keeps."""


class Settings(ModeSettings[ImageLayout]):
    """The form of the present mode and the canvas beside it."""

    def __init__(self, session: Session, ui: ImageLayout, desk: Desk, parent: QObject | None = None):
        super().__init__(session, ui, desk, parent)
        self.canvas = CanvasLink(session, ui.side, desk, self)
        self._before: Values = {}
        self._starter_dismissed = False
        ui.starter.dismissed.connect(self._dismiss_starter)
        ui.starter.wanted.connect(lambda: session.open_panel("models.panel"))
        ui.draw.toggled.connect(lambda _on: self._follow())
        ui.side.wanted.connect(self._choose_picture)
        self.canvas.said.connect(lambda title, detail: ui.taken.say(title, (detail,), level="warning"))
        self._begin()

    # values ----------------------------------------------------------------------------------

    def values(self) -> Values:
        """All params of the present mode, without what belongs to no preset and no estimate."""
        return {name: value for name, value in self._desk.values().items() if name not in ("mode", *OF_THE_PICTURE)}

    def take(self, values: Values, label: str) -> None:
        known = self._session.params_class(self._ui.forms.mode.operation).model_fields
        super().take({name: value for name, value in values.items() if name in known or name == "mode"}, label)

    def request(self, then: Callable[[str, Values], None]) -> None:
        """Calls `then` with what to ask the engine for, once the mask is kept; what is missing is said in its place."""
        if self.canvas.ready(lambda _mask: self.request(then)):
            return
        values = self._desk.values()
        mode = MODES[values.pop("mode")]
        form = self._ui.forms.current
        for name, words in MISSING.items():
            if name in form.rows and not values.get(name):
                form.rows[name].show_problem(words)
                form.rows[name].control.edit.setFocus()
                return
        then(mode.operation, values)

    def use_picture(self, path: str, mode: str = "") -> None:
        """Puts a picture into `mode`; "" is the present mode, or Transform where that takes none."""
        if not mode:
            now = self._ui.forms.mode
            mode = now.id if now.needs_picture else "transform"
        self.choose_mode(mode)
        self._desk.set_values({"picture": path}, "use a picture")

    # following the model ---------------------------------------------------------------------

    def _follow(self) -> None:
        """What the model's family cannot use is greyed; the sizes are its own."""
        ui = self._ui
        mode, family = ui.forms.mode, family_of(self._entry())
        follow(self._ui.forms.current, mode, family)
        ui.starter.show_model(None if self._starter_dismissed else self._entry())
        why = reasons(mode, family)
        self._ui.negative.set_available("negative" not in why, why.get("negative", ""))
        self._ui.show_cannot(why.get("model", "") or self._missing(mode))
        values = self._ui.forms.current.value()
        self._ui.sizes.setVisible("width" in values and mode.id == "create")
        self._ui.sizes.show_family(family)
        self._ui.sizes.show_size(int(values.get("width") or 0), int(values.get("height") or 0))
        how, seed = values.get("expand"), values.get("seed")
        making = "all" if how == "all" else "random"
        ui.prompt.set_making(making, int(values.get("count") or 1), seed if isinstance(seed, int) else None)
        self._show_canvas(values, "regions" in values and "regions" not in why)
        self._check_fit()

    def _check_fit(self) -> None:
        """Not while something is missing: then nothing can be told."""
        asked = self._asked()
        if any(asked.get(name) == "" for name in MISSING):
            self._ui.fit.forget()
        else:
            self._ui.fit.check(asked)

    def _show_canvas(self, values: Values, regions: bool) -> None:
        """Beside the results where something is painted or dragged, or while regions are drawn."""
        mode, ui = self._ui.forms.mode, self._ui
        drawn = regions and mode.id in ("create", "transform")
        ui.draw.setVisible(drawn)
        shown = mode.canvas or ("regions" if drawn and ui.draw.isChecked() else "")
        own = ui.sizes.own()
        self.canvas.show_mode(shown, (int(values.get("width") or own[0]), int(values.get("height") or own[1])))

    def _choose_picture(self) -> None:
        row = self._ui.forms.current.rows.get("picture")
        if row is not None and isinstance(row.control, PictureControl):
            row.control.open_dialog()

    def _missing(self, mode: Mode) -> str:
        """Said once the models are known and none of them can do this."""
        known = self._entries.get(mode.capability)
        if known is None or any(not entry.get("problem") for entry in known):
            return ""
        return f"{NO_MODEL[mode.capability]} is installed. Add a folder of models in the list above."

    def _dismiss_starter(self) -> None:
        self._starter_dismissed = True
        self._follow()
        self.changed.emit()

    def _asked(self) -> Values:
        return {name: value for name, value in self._desk.values().items() if name != "mode"}

    def _on_values(self) -> None:
        self._forget_replay()
        super()._on_values()

    def _forget_replay(self) -> None:
        """Whoever changes a setting wants something new: what repeats the old one exactly no longer holds."""
        now, before = self._desk.values(), self._before
        told = {name for name in now if now[name] != before.get(name)}
        self._before = now
        kept = [name for name in REPLAYED if now.get(name) and name not in told]
        if before and told and kept and "mode" not in told:
            self._desk.put({name: [] for name in kept})
            self._before = self._desk.values()

    # drafts ----------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any]:
        return {**super().draft(), "starter_dismissed": self._starter_dismissed}

    def restore_draft(self, draft: dict[str, Any]) -> None:
        super().restore_draft(draft)
        self._starter_dismissed = draft.get("starter_dismissed") is True
        self._before = self._desk.values()
