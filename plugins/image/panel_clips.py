"""The video panel: clips that travel between prompts, clips from words and from a picture; they play where they lie.

It stands on the base of the image panel, `ui_panel`, and on its batches, grid, cards and forms. What is set lives in
`ui_clips_settings`, what can be done with clips in `ui_clips_deeds`.
"""

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.posters import CLIPS, Posters
from studio.kit.session import Session
from studio.kit.thumbs import Thumbs
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry

from .ui_batches import Batch, Picture
from .ui_clips_deeds import ClipDeeds
from .ui_clips_drop import ClipDrop
from .ui_clips_export import Export
from .ui_clips_layout import ClipsLayout
from .ui_clips_modes import MODES
from .ui_clips_results import WORDS, ClipBatches, offered
from .ui_clips_settings import ClipSettings
from .ui_clips_tile import ClipCard
from .ui_feed import Feed
from .ui_panel import BatchPanel

SHORTCUTS = {"export": "Ctrl+Shift+S", "input": "Ctrl+U", "vary": "Ctrl+Shift+R", "settings": "Ctrl+Shift+U"}


class ClipsPanel(BatchPanel[ClipsLayout, ClipSettings, ClipDeeds]):
    """Travel, From words and From a picture, with all clips that were made so far."""

    trashed = "deleted_clips"
    card = ClipCard

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.batches = batches = ClipBatches(entry.id)
        self.thumbs = Thumbs(self, pictures=Posters(self))
        self.ui = ClipsLayout(entry.title, session, self._make_card, lambda: self.settings.values())
        ui = self.ui
        parts = {"prompt": ui.prompt, "negative": ui.negative, "model": ui.model, "stops": ui.stops}
        self.desk = Desk(ui.forms, parts, session.undo, self, unkept=("mode",))
        self.settings = ClipSettings(session, ui, self.desk, self)
        self.deeds = ClipDeeds(session, entry.id, batches, self.desk, self._frame_of, self)
        self.feed = Feed(session, entry.id, self.batches, self.deeds, self.thumbs, self)
        self.drop = ClipDrop(session, ui, self.desk, self.settings, self)
        self.export = Export(session, self)
        self._begin()

    def _connect(self) -> None:
        super()._connect()
        ui, deeds = self.ui, self.deeds
        deeds.viewing.connect(self.view)
        deeds.exporting.connect(lambda path: self.export.ask(Path(path)))
        deeds.began.connect(self._begin_with)
        self.drop.found.connect(self._found)
        ui.page.asked.connect(self._on_page)
        ui.page.left.connect(self.back)
        ui.page.moved.connect(self.move_page)
        ui.stops.submitted.connect(self.generate)
        ui.forms.switched.connect(lambda _mode: self._update_buttons())

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

    def _frame_of(self, path: str) -> tuple[QImage, int]:
        page = self.ui.page
        return (page.frame(), page.frame_number) if self.ui.large and page.path == path else (QImage(), 0)

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

    def _begin_with(self, picture: str) -> None:
        self.back()
        self.settings.use_picture(picture)

    def _touch_front(self, id: str) -> None:
        if self.ui.large and self.ui.page.batch == id:
            self._refresh_page()

    def _refresh_front(self) -> None:
        if self.ui.large:
            self._refresh_page()

    def _refresh_page(self) -> None:
        found = self._find(self.ui.page.batch, self.ui.page.number)
        if found is not None:
            self.ui.page.show_clip(*found)
        else:
            self.back()

    # recipes and drafts ----------------------------------------------------------------------

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """All values as they were, and the clip itself in the work area."""
        self.drop.restore(recipe, path)

    def accepts_file(self, path: Path) -> bool:
        return path.suffix.lower() in CLIPS or super().accepts_file(path)

    def drop_file(self, path: Path) -> None:
        self.drop.use(path)

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
