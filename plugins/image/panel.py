"""The image panel: say what is to be seen, watch it being painted, steer it, keep and change the good ones.

Composes the layout and its parts; what it does as the video panel does is `ui_panel`. What is set lives in
`ui_settings`, `ui_modes` and the kit's desk, batches in `ui_batches`, what can be done with them in `ui_deeds`.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt

from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.panel import EventLike
from studio.kit.session import Session
from studio.kit.thumbs import Thumbs
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry
from studio.sdk.params import Params

from .ui_actions import actions
from .ui_batches import Batches
from .ui_deeds import Deeds
from .ui_drop import Drop
from .ui_feed import Feed
from .ui_layout import ImageLayout
from .ui_modes import MODES, OF_OPERATION
from .ui_pages import Pages
from .ui_panel import BatchPanel
from .ui_settings import Settings
from .ui_table import TablePage

EXAMPLE = "red apple"


class ImagePanel(BatchPanel[ImageLayout, Settings, Deeds]):
    """Create, Transform, Inpaint, Extend, Enlarge and Edit, with all that was made so far."""

    trashed = "deleted_pictures"

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.batches = Batches(entry.id)
        self.thumbs = Thumbs(self)
        self.ui = ImageLayout(entry.title, session, self._make_card, lambda: self.settings.values())
        ui = self.ui
        parts = {"prompt": ui.prompt, "negative": ui.negative, "model": ui.model}
        self.desk = Desk(ui.forms, parts, session.undo, self, unkept=("mode",))
        self.settings = Settings(session, ui, self.desk, self)
        self.deeds = Deeds(session, entry.id, self.batches, self.desk, self)
        self.feed = Feed(session, entry.id, self.batches, self.deeds, self.thumbs, self)
        self.table = TablePage(session, f"{entry.id}.table", self._describe)
        ui.add_table(self.table)
        self.pages = Pages(session, ui, self.batches, self.deeds, self.feed, self.table, self)
        self.drop = Drop(session, ui, self.desk, self.settings, self)
        self.desk.put({"prompt": EXAMPLE})
        self._begin()

    def _connect(self) -> None:
        super()._connect()
        self.deeds.sent.connect(self._send)
        self.drop.found.connect(self._found)
        self.ui.home_changed.connect(lambda _view: self.draft_changed.emit())
        self.table.values_taken.connect(self._take_values)
        self.table.draft_changed.connect(self.draft_changed)
        self.settings.changed.connect(self._on_settings)

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self.table.attached()
        super().attached()

    def _describe(self) -> tuple[str, type[Params], dict[str, Any]]:
        """What the table varies: the present mode's operation and values."""
        values = self.desk.values()
        operation = MODES[values.pop("mode")].operation
        return operation, self.session.params_class(operation), values

    def _take_values(self, values: dict[str, Any]) -> None:
        """A cell's settings, in the mode that its table was made in."""
        table = self.table.run.table
        mode = OF_OPERATION.get(table.operation) if table is not None else None
        self.settings.take({"mode": mode, **values} if mode else values, "take the values of a cell")

    def on_event(self, event: EventLike) -> None:
        self.table.on_event(event)
        super().on_event(event)

    def _on_settings(self) -> None:
        if self.table.isVisible():
            self.table.refresh()

    def _touch_front(self, id: str) -> None:
        self.pages.touch(id)

    def _refresh_front(self) -> None:
        self.pages.refresh()

    # doing -----------------------------------------------------------------------------------

    def generate(self) -> None:
        """Asks for pictures with the present settings."""
        if not self.feed.connected:
            return
        if self.pages.branching:
            self.pages.go_on()
            return
        self.settings.request(self._ask)

    def _ask(self, operation: str, values: dict[str, Any]) -> None:
        self.ui.prompt.remember(self.ui.prompt.value())
        self.pages.back()
        self.ui.show_home("results")
        self.ui.grid.go_to_newest()
        self.deeds.ask(operation, values, self._parents(values))

    def _parents(self, values: dict[str, Any]) -> list[str]:
        """Results that this one is made from, as far as they are on show."""
        used = {str(values.get(name) or "") for name in ("picture", "mask")} - {""}
        every = (picture for batch in self.batches for picture in batch.pictures)
        return [picture.artifact for picture in every if picture.path in used and picture.artifact]

    def cancel_current(self) -> bool:
        """Esc: back from a page; else stops what runs here, else the newest that waits. What was made is kept."""
        return self.pages.step_back() or self.deeds.stop_one()

    def focus_prompt(self) -> None:
        self.ui.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _send(self, mode: str, path: str) -> None:
        """A picture goes into a mode; "" is the present one, or Transform from Create."""
        self.settings.use_picture(path, mode)
        self.pages.back()

    # recipes and drafts ----------------------------------------------------------------------

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """All values as they were, and the result itself in the work area."""
        self.drop.restore(recipe, path)

    def drop_file(self, path: Path) -> None:
        self.drop.take(path)

    def use_file(self, path: Path) -> None:
        """The picture to work on; a recipe in it is left alone."""
        self.drop.use(path)

    def draft(self) -> dict[str, Any]:
        return {**super().draft(), "table": self.table.draft(), "view": self.ui.views.value()}

    def restore_draft(self, draft: dict[str, Any]) -> None:
        super().restore_draft(draft)
        if isinstance(draft.get("table"), dict):
            self.table.restore(draft["table"])
        if draft.get("view") in self.ui.homes:
            self.ui.show_home(draft["view"])

    def actions(self) -> list[Action]:  # type: ignore[override]
        return actions(self)
