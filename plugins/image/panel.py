"""The image panel: say what is to be seen, watch it being painted, steer it, keep and change the good ones.

Composes the layout and its parts. What is set lives in `ui_settings`, `ui_modes` and the kit's desk, batches in
`ui_batches`, what the engine tells of them in `ui_feed`, what can be done with them in `ui_deeds`.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout

from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.panel import EventLike, Panel
from studio.kit.session import Session
from studio.kit.thumbs import Thumbs
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry
from studio.sdk.params import Params

from .ui_actions import actions
from .ui_batches import Batch, Batches
from .ui_card import BatchCard
from .ui_deeds import Deeds
from .ui_drop import PICTURES, Drop
from .ui_feed import Feed
from .ui_layout import ImageLayout
from .ui_modes import MODES, OF_OPERATION
from .ui_pages import Pages
from .ui_settings import Settings
from .ui_table import TablePage

EXAMPLE = "red apple"


class ImagePanel(Panel):
    """Create, Transform, Inpaint, Extend, Enlarge and Edit, with all that was made so far."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.batches = Batches(entry.id)
        self.thumbs = Thumbs(self)
        self._place: dict[str, Any] = {}
        self.ui = ImageLayout(entry.title, session, self._make_card, lambda: self.settings.values())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
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
        self._connect()
        self._show_all()

    def _connect(self) -> None:
        ui, deeds = self.ui, self.deeds
        self.settings.changed.connect(self.draft_changed)
        deeds.changed.connect(self._show_all)
        deeds.revealed.connect(self._reveal)
        deeds.touched.connect(lambda id: self._touch(id, now=True))
        deeds.focused_prompt.connect(self.focus_prompt)
        deeds.deleted.connect(self._deleted)
        deeds.sent.connect(self._send)
        self.drop.found.connect(self._found)
        ui.grid.asked.connect(deeds.act)
        ui.grid.needs.connect(self.feed.read)
        ui.grid.near_end.connect(self.feed.load_more)
        self.feed.changed.connect(self._show_all)
        self.feed.touched.connect(lambda id, now: self._touch(id, now=now))
        self.feed.turned.connect(self._update_buttons)
        self.feed.loaded.connect(self._loaded)
        self.feed.models.connect(self.settings.reload_models)
        ui.generate.clicked.connect(self.generate)
        ui.empty.acted.connect(self.generate)
        ui.prompt.submitted.connect(self.generate)
        ui.stop.clicked.connect(self.deeds.stop_one)
        ui.density_changed.connect(self.density_chosen)
        ui.home_changed.connect(lambda _view: self.draft_changed.emit())
        self.table.values_taken.connect(self._take_values)
        self.table.draft_changed.connect(self.draft_changed)
        self.settings.changed.connect(self._on_settings)

    def _make_card(self, id: str) -> BatchCard:
        return BatchCard(id, self.batches.get, self.thumbs, self.session.theme, self.ui.grid.side)

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self.table.attached()
        self.feed.attach("image.generate")

    def lost(self) -> None:
        self.feed.lose()

    def _loaded(self) -> None:
        for batch in self.batches:
            self._touch(batch.id)
        if self._place:
            self.ui.grid.set_scroll_place(self._place)
            self._place = {}
        prompts = (batch.prompt for batch in self.batches if not batch.local)
        self.ui.prompt.set_history(dict.fromkeys(prompts))
        self.settings.reload_models()

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
        self.feed.on_event(event)

    def _on_settings(self) -> None:
        if self.table.isVisible():
            self.table.refresh()

    def _touch(self, id: str, *, now: bool = False) -> None:
        self.ui.grid.touch(id, now=now)
        self.pages.touch(id)

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

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    def _deleted(self, title: str, undo: Any, redo: Any) -> None:
        self.session.undo.push(title, undo, redo, owner=self)
        self.draft_changed.emit()

    def _send(self, mode: str, path: str) -> None:
        """A picture goes into a mode; "" is the present one, or Transform from Create."""
        self.settings.use_picture(path, mode)
        self.pages.back()

    def _found(self, batch: Batch) -> None:
        """A dropped result is shown, also when the engine does not know it (any more)."""
        known = self.batches.get(batch.id)
        if known is None:
            newest = max((other.created for other in self.batches), default=batch.created)
            batch.created, batch.hidden = max(newest, batch.created), self.batches.deleted
            known = self.batches.add(batch)
        self.batches.hide(known.id, False)
        self._show_all()
        self._reveal(known.id)

    def _reveal(self, id: str) -> None:
        if self.ui.showing() is None:
            self.ui.grid.reveal(id)

    def _show_all(self) -> None:
        batches = self.batches.newest_first()
        self.ui.show_empty(not batches)
        self.ui.grid.show_batches(batches)
        for id in self.ui.grid.built():
            self.ui.grid.touch(id, now=True)
        self.pages.refresh()
        self._update_buttons()

    def _update_buttons(self) -> None:
        unfinished = bool(self.batches.unfinished())
        newest = next((b for b in self.ui.grid.order() if b.seed is not None), None)
        self.ui.forms.set_last_seed(newest.seed if newest else None)
        self.ui.show_busy(unfinished or self.feed.busy_elsewhere, unfinished, self.feed.connected)

    # recipes and drafts ----------------------------------------------------------------------

    def accepts(self, recipe: Recipe) -> bool:
        return recipe.operation in OF_OPERATION

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """All values as they were, and the result itself in the work area."""
        self.drop.restore(recipe, path)

    def accepts_file(self, path: Path) -> bool:
        return path.suffix.lower() in PICTURES

    def drop_file(self, path: Path) -> None:
        self.drop.take(path)

    def use_file(self, path: Path) -> None:
        """The picture to work on; a recipe in it is left alone."""
        self.drop.use(path)

    def draft(self) -> dict[str, Any]:
        known = {picture.artifact for batch in self.batches for picture in batch.pictures}
        return {
            **self.settings.draft(),
            "table": self.table.draft(),
            "view": self.ui.views.value(),
            "tile": self.ui.grid.side,
            "scroll": self._place or self.ui.grid.scroll_place(),
            "deleted": self.batches.hidden,
            "deleted_pictures": sorted(self.batches.deleted & known),
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        self.settings.restore_draft(draft)
        if isinstance(draft.get("table"), dict):
            self.table.restore(draft["table"])
        if draft.get("view") in self.ui.homes:
            self.ui.show_home(draft["view"])
        if isinstance(draft.get("tile"), int):
            self.ui.zoom.setValue(draft["tile"])
        if isinstance(draft.get("scroll"), dict):
            self._place = draft["scroll"]
        self.batches.deleted.update(str(id) for id in draft.get("deleted_pictures") or ())
        self.feed.forgetting = [str(id) for id in draft.get("deleted") or ()]
        for id in self.feed.forgetting:
            self.batches.hide(id)
        self._show_all()

    def actions(self) -> list[Action]:  # type: ignore[override]
        return actions(self)
