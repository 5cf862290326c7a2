"""What is set in the image panel as a whole: mode, model and form in step with each other, and what to ask for."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.controls.picture import PictureControl
from studio.kit.desk import Desk
from studio.kit.presets import Presets
from studio.kit.session import Session

from .ui_canvas import CanvasLink
from .ui_family import family_of, follow, reasons
from .ui_layout import ImageLayout
from .ui_modes import MODES, Mode, Values

NO_MODEL = {"text-to-image": "No picture model", "image-editing": "No model that edits by instruction"}
REPLAYED = ("expanded", "steering")
"""Hidden values that repeat a result exactly; they hold for the settings they came with."""

MISSING = {"picture": "Put a picture here first.", "mask": "Paint over what is to change, or put a mask here."}
OF_THE_PICTURE = ("picture", "mask", "start_latents", "seed", *REPLAYED)
"""What no preset keeps."""


class Settings(QObject):
    """changed: something that belongs to the draft is another now."""

    changed = Signal()

    def __init__(self, session: Session, ui: ImageLayout, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._ui, self._desk = session, ui, desk
        self.canvas = CanvasLink(session, ui.side, desk, self)
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._before: Values = {}
        ui.modes.changed.connect(self.choose_mode)
        ui.forms.switched.connect(self._on_switched)
        desk.changed.connect(self._on_values)
        ui.sizes.chosen.connect(self._on_size)
        ui.presets.applied.connect(lambda name, values: self.take(values, f"use the preset {name}"))
        ui.presets.said.connect(lambda error: session.notify(error.title, f"{error.detail} {error.hint}", "error"))
        ui.presets.deleted.connect(self._on_preset_deleted)
        self._starter_dismissed = False
        ui.starter.dismissed.connect(self._dismiss_starter)
        ui.starter.wanted.connect(lambda: session.open_panel("models.panel"))
        ui.draw.toggled.connect(lambda _on: self._follow())
        ui.side.wanted.connect(self._choose_picture)
        self.canvas.said.connect(lambda title, detail: ui.taken.say(title, (detail,), level="warning"))
        self._on_switched(ui.forms.mode.id)

    # values ----------------------------------------------------------------------------------

    def values(self) -> Values:
        """All params of the present mode, without what belongs to no preset and no estimate."""
        return {name: value for name, value in self._desk.values().items() if name not in ("mode", *OF_THE_PICTURE)}

    def take(self, values: Values, label: str) -> None:
        """Shows values as one step that can be undone."""
        known = self._session.params_class(self._ui.forms.mode.operation).model_fields
        self._desk.set_values({name: value for name, value in values.items() if name in known or name == "mode"}, label)

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

    def choose_mode(self, mode: str) -> None:
        self._ui.forms.choose(mode)

    # following the model ---------------------------------------------------------------------

    def reload_models(self) -> None:
        self._ui.model.reload()
        self._ui.forms.reload_models()
        self._session.spawn(self._look_at_models())

    async def _look_at_models(self) -> None:
        for capability in self._ui.model.pickers:
            self._entries[capability] = await self._session.models(capability)
        self._follow()

    def _entry(self) -> dict[str, Any] | None:
        chosen = self._ui.model.value()
        usable = [e for e in self._entries.get(self._ui.forms.mode.capability, ()) if not e.get("problem")]
        return next((entry for entry in usable if chosen in ("", entry["id"], entry["path"])), None)

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

    def _on_switched(self, id: str) -> None:
        mode = MODES[id]
        self._ui.modes.set_value(id)
        self._ui.model.show_for(mode.capability)
        self._ui.fit.set_operation(mode.operation)
        self._ui.presets.show_presets(Presets(self._session.paths.data, mode.operation))
        self._follow()

    def _on_size(self, width: int, height: int) -> None:
        self._desk.set_values({"width": width, "height": height}, "change the size")

    def _on_values(self) -> None:
        self._forget_replay()
        self._follow()
        self.changed.emit()

    def _forget_replay(self) -> None:
        """Whoever changes a setting wants something new: what repeats the old one exactly no longer holds."""
        now, before = self._desk.values(), self._before
        told = {name for name in now if now[name] != before.get(name)}
        self._before = now
        kept = [name for name in REPLAYED if now.get(name) and name not in told]
        if before and told and kept and "mode" not in told:
            self._desk.put({name: [] for name in kept})
            self._before = self._desk.values()

    def _on_preset_deleted(self, name: str, values: Values) -> None:
        presets = Presets(self._session.paths.data, self._ui.forms.mode.operation)
        self._session.undo.push(
            f"delete the preset {name}", lambda: presets.save(name, values), lambda: presets.delete(name), owner=self
        )

    # drafts ----------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any]:
        ui = self._ui
        return {
            "mode": ui.forms.mode.id,
            "values": ui.forms.all(),
            "prompt": ui.prompt.value(),
            "negative": ui.negative.value(),
            "negative_open": ui.negative.is_open(),
            "models": ui.model.all(),
            "starter_dismissed": self._starter_dismissed,
            "folded": {mode: form.folded() for mode, form in ui.forms.forms.items()},
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        """What a draft of this or an older version says; what no longer fits is left out."""
        ui = self._ui
        for name, take in (("values", ui.forms.set_all), ("models", ui.model.set_all)):
            if isinstance(draft.get(name), dict):
                take(draft[name])
        words = {name: draft[name] for name in ("prompt", "negative") if isinstance(draft.get(name), str)}
        mode = draft.get("mode")
        try:
            self._desk.put({**words, **({"mode": mode, **_values(draft, mode)} if mode in MODES else {})})
        except StudioError:
            self._desk.put(words)
        folded = draft.get("folded")
        for mode, titles in folded.items() if isinstance(folded, dict) else ():
            if mode in ui.forms.forms and isinstance(titles, list):
                ui.forms.forms[mode].set_folded(titles)
        ui.negative.set_open(draft.get("negative_open") is True)
        self._starter_dismissed = draft.get("starter_dismissed") is True
        self._before = self._desk.values()


def _values(draft: dict[str, Any], mode: str) -> Values:
    """What a draft says of one mode's form."""
    values = draft.get("values")
    found = values.get(mode) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}
