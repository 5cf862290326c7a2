"""Builds the panels of the plugins on first use, keeps them, and gives them events. A broken one breaks alone.

One of the four doors (plugin): whatever a panel's import, constructor or method throws is shown in its
place, and every other panel works.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.host.discover import Plugin, Plugins
from studio.host.loader import load_from
from studio.kit.panel import Panel
from studio.sdk.manifest import OperationEntry, PanelEntry
from studio.ui.drafts import Drafts
from studio.ui.session import PanelSession, ShowError, as_studio_error
from studio.ui.trouble import TroubleView
from studio.wire.messages import Event

log = logging.getLogger(__name__)
MakeSession = Callable[[str, ShowError], PanelSession]
GENERIC_ICON = "mdi6.puzzle-outline"


@dataclass(frozen=True)
class Place:
    """One panel that can be opened. `operations` is filled for a panel the host makes itself."""

    plugin: Plugin
    entry: PanelEntry
    operations: tuple[OperationEntry, ...] = ()

    @property
    def id(self) -> str:
        return self.entry.id


def places(plugins: Plugins) -> list[Place]:
    """The panels of the manifests in their order, then one for each plugin with operations that no panel shows."""
    known = plugins.operations()
    found = [
        Place(plugin, entry, () if entry.panel else tuple(known[id].entry for id in entry.operations if id in known))
        for plugin, entry in plugins.panels()
    ]
    covered = {operation for place in found for operation in place.entry.operations}
    for plugin in plugins.usable:
        assert plugin.manifest is not None
        left = tuple(entry for entry in plugin.manifest.operation if entry.id not in covered)
        if left:
            entry = PanelEntry.model_construct(
                id=f"{plugin.id}.operations", title=plugin.manifest.name, icon=GENERIC_ICON, order=700, panel=None,
                operations=tuple(operation.id for operation in left),
            )  # fmt: skip
            found.append(Place(plugin, entry, left))
    return sorted(found, key=lambda place: place.entry.order)


class Page(QWidget):
    """The room of one panel: what went wrong above, the panel below. `retried`: build the panel once more."""

    retried = Signal()

    def __init__(self, id: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.id = id
        self.panel: Panel | None = None
        self._trouble: TroubleView | None = None
        self._holder = QWidget()
        self._holder.hide()
        self._room = QVBoxLayout(self._holder)
        self._room.setContentsMargins(16, 16, 16, 16)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self._holder)
        self._column.addStretch(0)

    def put(self, panel: Panel) -> None:
        self.panel = panel
        self._column.addWidget(panel, 1)

    def show_error(self, error: StudioError) -> None:
        """Shows it above the panel, or alone in the middle when there is no panel."""
        if self._trouble is not None and self._trouble.shows(error):
            return
        self.clear_error()
        self._trouble = TroubleView(error, closable=self.panel is not None, again=self.panel is None)
        self._trouble.closed.connect(self.clear_error)
        self._trouble.retried.connect(self.retried)
        self._room.addWidget(self._trouble)
        self._holder.show()

    def clear_error(self) -> None:
        if self._trouble is not None:
            self._room.removeWidget(self._trouble)
            self._trouble.hide()
            self._holder.hide()
            self._trouble.deleteLater()
            self._trouble = None

    @property
    def trouble(self) -> TroubleView | None:
        return self._trouble


class PanelHost(QStackedWidget):
    """`shown(id)`: another panel is on show. `density_chosen`: a person wants other controls.

    Other pages (settings, help) may be added beside the panels.
    """

    shown = Signal(str)
    density_chosen = Signal(str)

    def __init__(
        self,
        known: list[Place],
        make_session: MakeSession,
        drafts: Drafts,
        density: Callable[[], str],
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._density = density
        self._places = {place.id: place for place in known}
        self._make_session, self._drafts = make_session, drafts
        self._pages: dict[str, Page] = {}
        self._others: dict[str, QWidget] = {}
        self._makers: dict[str, Callable[[], QWidget]] = {}
        self._fresh: set[str] = set()
        self._connected = False
        self._current = ""

    def add_page(self, id: str, make: Callable[[], QWidget], *, fresh: bool = False) -> None:
        """A page that is no panel, made when it is first opened; every time it is opened, if `fresh`."""
        self._makers[id] = make
        if fresh:
            self._fresh.add(id)

    def open(self, id: str) -> bool:
        """Shows a panel or page, building it first if need be; False when there is none of this id."""
        if id in self._makers:
            self.setCurrentWidget(self._other(id))
        elif id in self._places:
            self.setCurrentWidget(self._page(id))
        else:
            return False
        self._current = id
        self.shown.emit(id)
        return True

    def _other(self, id: str) -> QWidget:
        if id in self._fresh and id in self._others:
            old = self._others.pop(id)
            self.removeWidget(old)
            old.deleteLater()
        if id not in self._others:
            self._others[id] = self._makers[id]()
            self.addWidget(self._others[id])
        return self._others[id]

    @property
    def current_id(self) -> str:
        return self._current

    @property
    def current(self) -> Panel | None:
        """The panel on show; None while a page or a broken panel is."""
        page = self._pages.get(self._current)
        return page.panel if page is not None else None

    def panel(self, id: str) -> Panel | None:
        """The panel of this id, built if need be; None when it is broken or unknown."""
        return self._page(id).panel if id in self._places else None

    def page(self, id: str) -> Page | None:
        """The page of a panel that has been opened."""
        return self._pages.get(id)

    def places(self) -> list[Place]:
        return list(self._places.values())

    def _page(self, id: str) -> Page:
        page = self._pages.get(id)
        if page is None:
            page = self._pages[id] = Page(id)
            page.retried.connect(partial(self.open, id))
            self.addWidget(page)
        if page.panel is None:
            self._build(page)
        return page

    def _build(self, page: Page) -> None:
        place = self._places[page.id]
        try:
            page.put(self._make(place, self._make_session(page.id, page.show_error)))
        except Exception as error:
            log.warning("the panel %s could not be built", page.id, exc_info=True)
            page.show_error(as_studio_error(error, f"The panel {place.entry.title} could not be opened"))
            return
        page.clear_error()
        panel = page.panel
        assert panel is not None
        panel.draft_changed.connect(self._drafts.touch)
        self._guard(page, "change its controls", panel.set_density, self._density())
        panel.density_chosen.connect(self.density_chosen)
        draft = self._drafts.draft(page.id)
        if draft:
            self._guard(page, "take its unfinished work back", lambda: panel.restore_draft(draft))
        self._drafts.add_source(page.id, lambda: self._draft_of(page))
        if self._connected:
            self._guard(page, "read its history", panel.attached)

    @staticmethod
    def _make(place: Place, session: PanelSession) -> Panel:
        if place.entry.panel is None:
            from studio.ui.generic import GenericPanel

            return GenericPanel(session, place.entry, place.operations)
        return load_from(place.plugin, place.entry.panel)(session, place.entry)

    def _draft_of(self, page: Page) -> dict[str, Any]:
        """What the panel would lose; what was saved before when it cannot tell."""
        assert page.panel is not None
        found = self._guard(page, "say what to keep", page.panel.draft)
        return found if isinstance(found, dict) else self._drafts.draft(page.id)

    def _guard(self, page: Page, what: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:
            log.warning("the panel %s could not %s", page.id, what, exc_info=True)
            page.show_error(as_studio_error(error, f"{self._places[page.id].entry.title} could not {what}"))
            return None

    def built(self) -> list[str]:
        """Ids of the panels that work, in the order in which they were opened."""
        return [page.id for page in self._pages.values() if page.panel is not None]

    def ask(self, id: str, what: str, call: Callable[[Panel], Any]) -> Any:
        """`call` on a panel; what it throws appears there. `what` completes "Text could not …"."""
        page = self._page(id) if id in self._places else None
        return self._guard(page, what, call, page.panel) if page is not None and page.panel is not None else None

    # Events ------------------------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        for page in self._pages.values():
            if page.panel is not None:
                self._guard(page, "follow its jobs", page.panel.on_event, event)

    def attached(self) -> None:
        self._connected = True
        for page in list(self._pages.values()):
            if page.panel is not None:
                self._guard(page, "read its history", page.panel.attached)

    def lost(self) -> None:
        self._connected = False
        for page in list(self._pages.values()):
            if page.panel is not None:
                self._guard(page, "note that the engine is gone", page.panel.lost)
