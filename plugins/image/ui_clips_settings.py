"""What is set in the video panel: mode, model and form in step with each other, and what to ask for."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.desk import Desk
from studio.kit.presets import Presets
from studio.kit.session import Session

from .ui_clips_layout import ClipsLayout
from .ui_clips_modes import MODES, TRAVEL
from .ui_family import family_of, follow, reasons
from .ui_modes import Values

OF_ONE = ("picture", "seed")
"""What no preset keeps."""
NO_PICTURE = "Put a picture here first."


class ClipSettings(QObject):
    """changed: something that belongs to the draft is another now."""

    changed = Signal()

    def __init__(self, session: Session, ui: ClipsLayout, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._ui, self._desk = session, ui, desk
        self._entries: dict[str, list[dict[str, Any]]] = {}
        ui.modes.changed.connect(self.choose_mode)
        ui.forms.switched.connect(self._on_switched)
        desk.changed.connect(self._on_values)
        ui.sizes.chosen.connect(self._on_size)
        ui.presets.applied.connect(lambda name, values: self.take(values, f"use the preset {name}"))
        ui.presets.said.connect(lambda error: session.notify(error.title, f"{error.detail} {error.hint}", "error"))
        ui.presets.deleted.connect(self._on_preset_deleted)
        self._on_switched(ui.forms.mode.id)

    # values ----------------------------------------------------------------------------------

    def values(self) -> Values:
        """All params of the present mode, without what belongs to no preset."""
        return {name: value for name, value in self.asked().items() if name not in OF_ONE}

    def asked(self) -> Values:
        """All params of the present mode."""
        known = self._session.params_class(self._ui.forms.mode.operation).model_fields
        return {name: value for name, value in self._desk.values().items() if name in known}

    def take(self, values: Values, label: str) -> None:
        """Shows values as one step that can be undone."""
        self._desk.set_values({**values}, label)

    def request(self, then: Callable[[str, Values], None]) -> None:
        """Calls `then` with what to ask the engine for; what is missing is said in its place."""
        values, rows = self.asked(), self._ui.forms.current.rows
        if "picture" in rows and not values.get("picture"):
            rows["picture"].show_problem(NO_PICTURE)
            rows["picture"].control.edit.setFocus()
            return
        then(self._ui.forms.mode.operation, values)

    def use_picture(self, path: str) -> None:
        """The first picture of a clip."""
        self.choose_mode("picture")
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
        follow(ui.forms.current, mode, family)
        why = reasons(mode, family)
        ui.negative.set_available("negative" not in why, why.get("negative", ""))
        ui.show_cannot(why.get("model", "") or self._no_model())
        values = ui.forms.current.value()
        ui.sizes.show_family(family)
        ui.sizes.show_size(int(values.get("width") or 0), int(values.get("height") or 0))
        ui.stops.set_loop(bool(values.get("loop")))
        ui.fit.check(self.asked())

    def _no_model(self) -> str:
        """Where no model can make clips, what to do about it."""
        mode = self._ui.forms.mode
        if mode.id == TRAVEL or self._entries.get(mode.capability, True):
            return ""
        return "There is no video model yet. Add the folder of one in Models; Travel works with any picture model."

    def _on_switched(self, id: str) -> None:
        mode = MODES[id]
        self._ui.show_mode(mode)
        self._ui.fit.set_operation(mode.operation)
        self._ui.presets.show_presets(Presets(self._session.paths.data, mode.operation))
        self._follow()

    def _on_size(self, width: int, height: int) -> None:
        self._desk.set_values({"width": width, "height": height}, "change the size")

    def _on_values(self) -> None:
        self._follow()
        self.changed.emit()

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
            "stops": ui.stops.value(),
            "prompt": ui.prompt.value(),
            "negative": ui.negative.value(),
            "negative_open": ui.negative.is_open(),
            "models": ui.model.all(),
            "folded": {mode: form.folded() for mode, form in ui.forms.forms.items()},
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        """What a draft of this or an older version says; what no longer fits is left out."""
        ui = self._ui
        for name, take in (("values", ui.forms.set_all), ("models", ui.model.set_all)):
            if isinstance(draft.get(name), dict):
                take(draft[name])
        words: Values = {name: draft[name] for name in ("prompt", "negative") if isinstance(draft.get(name), str)}
        if isinstance(draft.get("stops"), list):
            words["stops"] = draft["stops"]
        mode = draft.get("mode", TRAVEL)
        try:
            self._desk.put({**words, **({"mode": mode, **_values(draft, mode)} if mode in MODES else {})})
        except StudioError:
            self._desk.put(words)
        folded = draft.get("folded")
        for mode, titles in folded.items() if isinstance(folded, dict) else ():
            if mode in ui.forms.forms and isinstance(titles, list):
                ui.forms.forms[mode].set_folded(titles)
        ui.negative.set_open(draft.get("negative_open") is True)


def _values(draft: dict[str, Any], mode: str) -> Values:
    """What a draft says of one mode's form."""
    values = draft.get("values")
    found = values.get(mode) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}
