"""What is set in a panel of several modes: mode, model and form in step with each other, presets and drafts."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.desk import Desk
from studio.kit.presets import Presets
from studio.kit.session import Session

from .ui_mode_layout import ModeLayout
from .ui_modes import Values

L = TypeVar("L", bound=ModeLayout)


class ModeSettings(QObject, Generic[L]):
    """changed: something that belongs to the draft is another now. A panel says in `_follow` what its model allows."""

    changed = Signal()

    def __init__(self, session: Session, ui: L, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._ui, self._desk = session, ui, desk
        self._entries: dict[str, list[dict[str, Any]]] = {}

    def _begin(self) -> None:
        """Connects everything, once the panel's own parts are there."""
        session, ui = self._session, self._ui
        ui.modes.changed.connect(self.choose_mode)
        ui.forms.switched.connect(self._on_switched)
        self._desk.changed.connect(self._on_values)
        ui.sizes.chosen.connect(self._on_size)
        ui.presets.applied.connect(lambda name, values: self.take(values, f"use the preset {name}"))
        ui.presets.said.connect(lambda error: session.notify(error.title, f"{error.detail} {error.hint}", "error"))
        ui.presets.deleted.connect(self._on_preset_deleted)
        self._on_switched(ui.forms.mode.id)

    # values ----------------------------------------------------------------------------------

    def values(self) -> Values:
        """All params of the present mode, without what belongs to no preset."""
        raise NotImplementedError

    def take(self, values: Values, label: str) -> None:
        """Shows values as one step that can be undone."""
        self._desk.set_values({**values}, label)

    def request(self, then: Callable[[str, Values], None]) -> None:
        """Calls `then` with what to ask the engine for; what is missing is said in its place."""
        raise NotImplementedError

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
        raise NotImplementedError

    def _on_switched(self, id: str) -> None:
        mode = self._ui.kinds.modes[id]
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
        words = self._words_of(draft)
        mode = str(draft.get("mode") or "")
        try:
            self._desk.put({**words, **({"mode": mode, **_values(draft, mode)} if mode in ui.kinds.modes else {})})
        except StudioError:
            self._desk.put(words)
        folded = draft.get("folded")
        for mode, titles in folded.items() if isinstance(folded, dict) else ():
            if mode in ui.forms.forms and isinstance(titles, list):
                ui.forms.forms[mode].set_folded(titles)
        ui.negative.set_open(draft.get("negative_open") is True)

    def _words_of(self, draft: dict[str, Any]) -> Values:
        """What a draft says outside of the forms."""
        return {name: draft[name] for name in ("prompt", "negative") if isinstance(draft.get(name), str)}


def _values(draft: dict[str, Any], mode: str) -> Values:
    """What a draft says of one mode's form."""
    values = draft.get("values")
    found = values.get(mode) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}
