"""The video panel: clips that travel between prompts, clips from words and from a picture; they play where they lie.

Composes the layout, and carries the engine's events to the clips. It stands on the parts of the image panel: batches,
grid, cards and forms. What is set lives in `ui_clips_settings`, what can be done with clips in `ui_clips_deeds`.
"""

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QVBoxLayout

from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.panel import EventLike, Panel
from studio.kit.posters import Posters
from studio.kit.session import Session
from studio.kit.thumbs import Thumbs
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry

from .ui_batches import Batch, Picture
from .ui_clips_deeds import ClipDeeds
from .ui_clips_drop import PICTURES, ClipDrop
from .ui_clips_export import Export
from .ui_clips_layout import ClipsLayout
from .ui_clips_modes import MODES, OF_OPERATION, TRAVEL
from .ui_clips_results import WORDS, ClipBatches, offered
from .ui_clips_settings import ClipSettings
from .ui_clips_tile import ClipCard
from .ui_feed import Feed

SHORTCUTS = {"export": "Ctrl+Shift+S", "input": "Ctrl+U", "vary": "Ctrl+Shift+R", "settings": "Ctrl+Shift+U"}


class ClipsPanel(Panel):
    """Travel, From words and From a picture, with all clips that were made so far."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.batches = ClipBatches(entry.id)
        self.thumbs = Thumbs(self, pictures=Posters(self))
        self._place: dict[str, Any] = {}
        self.ui = ClipsLayout(entry.title, session, self._make_card, lambda: self.settings.values())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
        ui = self.ui
        parts = {"prompt": ui.prompt, "negative": ui.negative, "model": ui.model, "stops": ui.stops}
        self.desk = Desk(ui.forms, parts, session.undo, self, unkept=("mode",))
        self.settings = ClipSettings(session, ui, self.desk, self)
        self.deeds = ClipDeeds(session, entry.id, self.batches, self.desk, self._frame_of, self)
        self.feed = Feed(session, entry.id, self.batches, self.deeds, self.thumbs, self)
        self.drop = ClipDrop(session, ui, self.desk, self.settings, self)
        self.export = Export(session, self)
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
        deeds.viewing.connect(self.view)
        deeds.exporting.connect(lambda path: self.export.ask(Path(path)))
        deeds.began.connect(self._begin_with)
        self.drop.found.connect(self._found)
        ui.grid.asked.connect(deeds.act)
        ui.grid.needs.connect(self.feed.read)
        ui.grid.near_end.connect(self.feed.load_more)
        self.feed.changed.connect(self._show_all)
        self.feed.touched.connect(lambda id, now: self._touch(id, now=now))
        self.feed.turned.connect(self._update_buttons)
        self.feed.loaded.connect(self._loaded)
        self.feed.models.connect(self.settings.reload_models)
        ui.page.asked.connect(self._on_page)
        ui.page.left.connect(self.back)
        ui.page.moved.connect(self.move_page)
        ui.generate.clicked.connect(self.generate)
        ui.empty.acted.connect(self.generate)
        ui.prompt.submitted.connect(self.generate)
        ui.stops.submitted.connect(self.generate)
        ui.stop.clicked.connect(self.deeds.stop_one)
        ui.density_changed.connect(self.density_chosen)
        ui.forms.switched.connect(lambda _mode: self._update_buttons())

    def _make_card(self, id: str) -> ClipCard:
        return ClipCard(id, self.batches.get, self.thumbs, self.session.theme, self.ui.grid.side)

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self.feed.attach(MODES[TRAVEL].operation)

    def lost(self) -> None:
        self.feed.lose()

    def _loaded(self) -> None:
        if self._place:
            self.ui.grid.set_scroll_place(self._place)
            self._place = {}
        prompts = (b.prompt for b in self.batches if not b.local and "stops" not in b.params)
        self.ui.prompt.set_history(dict.fromkeys(prompts))
        self.settings.reload_models()

    def on_event(self, event: EventLike) -> None:
        self.feed.on_event(event)

    # one clip large --------------------------------------------------------------------------

    def view(self, id: str, number: int) -> None:
        found = self._find(id, number)
        if found is not None:
            self.ui.page.show_clip(*found)
            self.ui.show_page(True)
            self.ui.page.focus()

    def back(self) -> bool:
        """The results again. False when they are on show."""
        if not self.ui.large:
            return False
        id, number = self.ui.page.batch, self.ui.page.number
        self.ui.page.leave()
        self.ui.show_page(False)
        self.ui.grid.reveal(id, number, focus=True)
        return True

    def move_page(self, by: int) -> None:
        """The clip before or after the one that is large."""
        other = self.ui.grid.neighbour(self.ui.page.batch, by)
        while other is not None and not other.shown:
            other = self.ui.grid.neighbour(other.id, by)
        if other is not None:
            self.view(other.id, other.shown[0].number)

    def current(self) -> tuple[str, int]:
        """The clip that is large, else the one that had the keyboard last."""
        return (self.ui.page.batch, self.ui.page.number) if self.ui.large else self.ui.grid.current()

    def _find(self, id: str, number: int) -> tuple[Batch, Picture] | None:
        batch = self.batches.get(id)
        picture = next((p for p in batch.shown if p.number == number), None) if batch is not None else None
        return (batch, picture) if batch is not None and picture is not None else None

    def _on_page(self, deed: str, id: str, number: int) -> None:
        if deed == "delete":
            self.back()
        self.deeds.act(deed, id, number)

    def _frame_of(self, path: str) -> QImage:
        return self.ui.page.frame() if self.ui.large and self.ui.page.path == path else QImage()

    # doing -----------------------------------------------------------------------------------

    def generate(self) -> None:
        """Asks for a clip with the present settings."""
        if self.feed.connected:
            self.settings.request(self._ask)

    def _ask(self, operation: str, values: dict[str, Any]) -> None:
        if "prompt" in values:
            self.ui.prompt.remember(self.ui.prompt.value())
        self.back()
        self.ui.grid.go_to_newest()
        self.deeds.ask(operation, values)

    def cancel_current(self) -> bool:
        """Esc: back from the large clip; else stops what runs here, else the newest that waits."""
        return self.back() or self.deeds.stop_one()

    def focus_prompt(self) -> None:
        self.back()
        if self.ui.stops.isVisible():
            self.ui.stops.focus()
        else:
            self.ui.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    def _begin_with(self, picture: str) -> None:
        self.back()
        self.settings.use_picture(picture)

    def _deleted(self, title: str, undo: Any, redo: Any) -> None:
        self.session.undo.push(title, undo, redo, owner=self)
        self.draft_changed.emit()

    def _found(self, batch: Any) -> None:
        """A dropped clip is shown, also when the engine does not know it (any more)."""
        known = self.batches.get(batch.id)
        if known is None:
            newest = max((other.created for other in self.batches), default=batch.created)
            batch.created, batch.hidden = max(newest, batch.created), self.batches.deleted
            known = self.batches.add(batch)
        self.batches.hide(known.id, False)
        self._show_all()
        self._reveal(known.id)

    def _reveal(self, id: str) -> None:
        if not self.ui.large:
            self.ui.grid.reveal(id)

    def _touch(self, id: str, *, now: bool = False) -> None:
        self.ui.grid.touch(id, now=now)
        if self.ui.large and self.ui.page.batch == id:
            self._refresh_page()

    def _refresh_page(self) -> None:
        found = self._find(self.ui.page.batch, self.ui.page.number)
        if found is not None:
            self.ui.page.show_clip(*found)
        else:
            self.back()

    def _show_all(self) -> None:
        batches = self.batches.newest_first()
        self.ui.show_empty(not batches)
        self.ui.grid.show_batches(batches)
        for id in self.ui.grid.built():
            self.ui.grid.touch(id, now=True)
        if self.ui.large:
            self._refresh_page()
        self._update_buttons()

    def _update_buttons(self) -> None:
        unfinished = bool(self.batches.unfinished())
        newest = next((b for b in self.batches.newest_first() if b.seed is not None), None)
        self.ui.forms.set_last_seed(newest.seed if newest else None)
        self.ui.show_busy(unfinished or self.feed.busy_elsewhere, unfinished, self.feed.connected)

    # recipes and drafts ----------------------------------------------------------------------

    def accepts(self, recipe: Recipe) -> bool:
        return recipe.operation in OF_OPERATION

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """All values as they were, and the clip itself in the work area."""
        self.drop.restore(recipe, path)

    def accepts_file(self, path: Path) -> bool:
        return path.suffix.lower() in PICTURES

    def drop_file(self, path: Path) -> None:
        self.drop.use(path)

    def draft(self) -> dict[str, Any]:
        known = {picture.artifact for batch in self.batches for picture in batch.pictures}
        return {
            **self.settings.draft(),
            "tile": self.ui.grid.side,
            "scroll": self._place or self.ui.grid.scroll_place(),
            "deleted": self.batches.hidden,
            "deleted_clips": sorted(self.batches.deleted & known),
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        self.settings.restore_draft(draft)
        if isinstance(draft.get("tile"), int):
            self.ui.zoom.setValue(draft["tile"])
        if isinstance(draft.get("scroll"), dict):
            self._place = draft["scroll"]
        self.batches.deleted.update(str(id) for id in draft.get("deleted_clips") or ())
        self.feed.forgetting = [str(id) for id in draft.get("deleted") or ()]
        for id in self.feed.forgetting:
            self.batches.hide(id)
        self._show_all()

    def actions(self) -> list[Action]:  # type: ignore[override]
        found = [
            Action(f"clips.mode.{id}", f"Video: {mode.title}", f"Alt+{at}", partial(self.settings.choose_mode, id))
            for at, (id, mode) in enumerate(MODES.items(), 1)
        ]
        found.append(Action("clips.stop", "Add a stop", "Ctrl+Shift+A", self.ui.stops.add_stop))
        found.append(Action("clips.negative", "Negative prompt", "Alt+N", self.ui.negative.toggle))
        for deed, (title, _) in WORDS.items():
            run, on = partial(self._act, deed), partial(self._can, deed)
            found.append(Action(f"clips.{deed}", f"{title} (clip)", SHORTCUTS.get(deed, ""), run, on))
        return found

    def _act(self, deed: str) -> None:
        self.deeds.act(deed, *self.current())

    def _can(self, deed: str) -> bool:
        found = self._find(*self.current())
        return found is not None and deed in offered(found[1], not found[0].ended)
