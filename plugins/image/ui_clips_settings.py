"""What is set in the video panel: mode, model and form in step with each other, and what to ask for."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from studio.kit.desk import Desk
from studio.kit.session import Session

from .ui_clips_layout import ClipsLayout
from .ui_clips_modes import TRAVEL
from .ui_family import family_of, follow, reasons
from .ui_mode_settings import ModeSettings
from .ui_modes import Values

OF_ONE = ("picture", "seed")
"""What no preset keeps."""
NO_PICTURE = "Put a picture here first."


class ClipSettings(ModeSettings[ClipsLayout]):
    """Stops or prompt, and the form of the present mode."""

    def __init__(self, session: Session, ui: ClipsLayout, desk: Desk, parent: QObject | None = None):
        super().__init__(session, ui, desk, parent)
        self._begin()

    # values ----------------------------------------------------------------------------------

    def values(self) -> Values:
        """All params of the present mode, without what belongs to no preset."""
        return {name: value for name, value in self.asked().items() if name not in OF_ONE}

    def asked(self) -> Values:
        """All params of the present mode."""
        known = self._session.params_class(self._ui.forms.mode.operation).model_fields
        return {name: value for name, value in self._desk.values().items() if name in known}

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

    # following the model ---------------------------------------------------------------------

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

    # drafts ----------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any]:
        return {**super().draft(), "stops": self._ui.stops.value()}

    def _words_of(self, draft: dict[str, Any]) -> Values:
        words = super()._words_of(draft)
        return {**words, "stops": draft["stops"]} if isinstance(draft.get("stops"), list) else words
