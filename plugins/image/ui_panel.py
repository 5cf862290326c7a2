"""The base of a panel of batches: what the image and the video panel do alike with engine, results and drafts."""

from pathlib import Path
from typing import Any, Generic, TypeVar

from PySide6.QtWidgets import QVBoxLayout

from studio.kit.panel import EventLike, Panel
from studio.kit.thumbs import Thumbs
from studio.sdk.artifact import Recipe

from .ui_batches import Batch, Batches
from .ui_card import BatchCard
from .ui_deeds import Deeds
from .ui_drop import PICTURES
from .ui_feed import Feed
from .ui_mode_layout import ModeLayout
from .ui_mode_settings import ModeSettings

L = TypeVar("L", bound=ModeLayout)
S = TypeVar("S", bound=ModeSettings[Any])
D = TypeVar("D", bound=Deeds)


class BatchPanel(Panel, Generic[L, S, D]):
    """A panel makes its parts, then calls `_begin`. trashed: the draft's name for results that were deleted here."""

    trashed: str
    card: type[BatchCard] = BatchCard
    batches: Batches
    thumbs: Thumbs
    ui: L
    settings: S
    deeds: D
    feed: Feed
    _place: dict[str, Any]

    def _begin(self) -> None:
        self._place = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
        self._connect()
        self._show_all()

    def _connect(self) -> None:
        ui, deeds, feed = self.ui, self.deeds, self.feed
        self.settings.changed.connect(self.draft_changed)
        deeds.changed.connect(self._show_all)
        deeds.revealed.connect(self._reveal)
        deeds.touched.connect(lambda id: self._touch(id, now=True))
        deeds.focused_prompt.connect(self.focus_prompt)
        deeds.deleted.connect(self._deleted)
        ui.grid.asked.connect(deeds.act)
        ui.grid.needs.connect(feed.read)
        ui.grid.near_end.connect(feed.load_more)
        feed.changed.connect(self._show_all)
        feed.touched.connect(lambda id, now: self._touch(id, now=now))
        feed.turned.connect(self._update_buttons)
        feed.loaded.connect(self._loaded)
        feed.models.connect(self.settings.reload_models)
        ui.generate.clicked.connect(self.generate)
        ui.empty.acted.connect(self.generate)
        ui.prompt.submitted.connect(self.generate)
        ui.stop.clicked.connect(deeds.stop_one)
        ui.density_changed.connect(self.density_chosen)

    def _make_card(self, id: str) -> BatchCard:
        return self.card(id, self.batches.get, self.thumbs, self.session.theme, self.ui.grid.side)

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self.feed.attach(next(iter(self.ui.kinds.modes.values())).operation)

    def lost(self) -> None:
        self.feed.lose()

    def on_event(self, event: EventLike) -> None:
        self.feed.on_event(event)

    def _loaded(self) -> None:
        for batch in self.batches:
            self._touch(batch.id)
        if self._place:
            self.ui.grid.set_scroll_place(self._place)
            self._place = {}
        # What a travel shows is written at its stops.
        prompts = (batch.prompt for batch in self.batches if not batch.local and "stops" not in batch.params)
        self.ui.prompt.set_history(dict.fromkeys(prompts))
        self.settings.reload_models()

    # doing -----------------------------------------------------------------------------------

    def generate(self) -> None:
        raise NotImplementedError

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    def _deleted(self, title: str, undo: Any, redo: Any) -> None:
        self.session.undo.push(title, undo, redo, owner=self)
        self.draft_changed.emit()

    # what is on show -------------------------------------------------------------------------

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

    def _touch(self, id: str, *, now: bool = False) -> None:
        self.ui.grid.touch(id, now=now)
        self._touch_front(id)

    def _touch_front(self, id: str) -> None:
        """This batch has changed: so may what stands in front of the results."""
        raise NotImplementedError

    def _refresh_front(self) -> None:
        """The list is another: what stands in front of the results may be gone."""
        raise NotImplementedError

    def _show_all(self) -> None:
        batches = self.batches.newest_first()
        self.ui.show_empty(not batches)
        self.ui.grid.show_batches(batches)
        for id in self.ui.grid.built():
            self.ui.grid.touch(id, now=True)
        self._refresh_front()
        self._update_buttons()

    def _update_buttons(self) -> None:
        unfinished = bool(self.batches.unfinished())
        newest = next((b for b in self.ui.grid.order() if b.seed is not None), None)
        self.ui.forms.set_last_seed(newest.seed if newest else None)
        self.ui.show_busy(unfinished or self.feed.busy_elsewhere, unfinished, self.feed.connected)

    # recipes and drafts ----------------------------------------------------------------------

    def accepts(self, recipe: Recipe) -> bool:
        return any(mode.operation == recipe.operation for mode in self.ui.kinds.modes.values())

    def accepts_file(self, path: Path) -> bool:
        return path.suffix.lower() in PICTURES

    def draft(self) -> dict[str, Any]:
        known = {picture.artifact for batch in self.batches for picture in batch.pictures}
        return {
            **self.settings.draft(),
            "tile": self.ui.grid.side,
            "scroll": self._place or self.ui.grid.scroll_place(),
            "deleted": self.batches.hidden,
            self.trashed: sorted(self.batches.deleted & known),
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        self.settings.restore_draft(draft)
        if isinstance(draft.get("tile"), int):
            self.ui.zoom.setValue(draft["tile"])
        if isinstance(draft.get("scroll"), dict):
            self._place = draft["scroll"]
        self.batches.deleted.update(str(id) for id in draft.get(self.trashed) or ())
        self.feed.forgetting = [str(id) for id in draft.get("deleted") or ()]
        for id in self.feed.forgetting:
            self.batches.hide(id)
        self._show_all()
