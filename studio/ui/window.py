"""The window: composes its parts and connects them. What they do is in the parts."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.host.discover import Plugins
from studio.kit.action import Action
from studio.kit.form import ParamsForm
from studio.kit.history import History
from studio.kit.theme import Theme
from studio.paths import Paths
from studio.ui import look, pages
from studio.ui.actions import ABOUT, KEYBOARD, SETTINGS, Shortcuts, panel_key, window_actions
from studio.ui.bridge import Bridge
from studio.ui.connection import Connection
from studio.ui.deeds import Parts, WindowDeeds
from studio.ui.drafts import Drafts, geometry_of, restore_geometry
from studio.ui.drawer import QueueDrawer
from studio.ui.drop_filter import DropFilter
from studio.ui.drops import Drops
from studio.ui.host import PanelHost, places
from studio.ui.key_filter import KeyFilter
from studio.ui.notices import NoticeBar, Notices
from studio.ui.palette import CommandPalette
from studio.ui.rail import Rail, RailItem
from studio.ui.session import PanelSession, Services, ShowError, Tasks
from studio.ui.settings import Settings
from studio.ui.settings_page import SettingsPage
from studio.ui.strip import ActivityStrip
from studio.wire.messages import Event

SIZE = (1280, 760)
SMALLEST = (900, 560)
PANEL_LEAST = 288
LEAVE_MS = 3000


@dataclass(frozen=True)
class Context:
    """What the composition root gives to the window."""

    paths: Paths
    plugins: Plugins
    settings: Settings
    drafts: Drafts
    theme: Theme
    bridge: Bridge
    connection: Connection
    notices: Notices
    tasks: Tasks


class Window(QWidget):
    """`closing`: the person closes it; everything is saved already."""

    closing = Signal()

    def __init__(self, context: Context):
        super().__init__()
        self.context = context
        self.undo = History()
        self.setObjectName("window")
        self.setWindowTitle("Atelier")
        self.setMinimumSize(*SMALLEST)
        self._services = Services(
            context.connection,
            context.plugins,
            context.paths,
            context.theme,
            self.undo,
            context.tasks,
            context.notices.add,
            self.open_panel,
        )
        self._leaving = QTimer(self, singleShot=True, interval=LEAVE_MS)
        self._leaving.timeout.connect(self.close)
        self._build()
        self._connect()
        self._restore()

    # Parts -------------------------------------------------------------------------------------

    def _build(self) -> None:
        context = self.context
        known = places(context.plugins)
        panels = [(place.id, place.entry.title) for place in known]
        session = self._session("window", self._show_error)
        self.host = PanelHost(known, self._session, context.drafts, lambda: context.settings.choices.density)
        self.strip = ActivityStrip()
        self.notice_bar = NoticeBar(context.notices)
        self.drawer = QueueDrawer(session, ParamsForm)
        self.drawer.hide()
        self.palette_view = CommandPalette(self._all_actions, self)
        self.drops = Drops(session, self.host, context.notices.add)
        parts = Parts(
            self, self.host, self.drawer, self.strip, self.notice_bar, self.palette_view, self.drops, session,
            context.settings, context.connection, self.undo,
        )  # fmt: skip
        self.deeds = WindowDeeds(parts)
        self.actions_known = window_actions(self.deeds, panels, self.deeds.has_panel)
        items = [
            RailItem(place.id, place.entry.title, place.entry.icon, panel_key(i)) for i, place in enumerate(known, 1)
        ]
        items.append(RailItem(SETTINGS, "Settings", "mdi6.cog-outline", "Ctrl+,", low=True))
        self.rail = Rail(items, context.theme.icon)
        self.host.add_page(SETTINGS, self._settings_page)
        self.host.add_page(KEYBOARD, self._keyboard_page, fresh=True)
        self.host.add_page(ABOUT, self._about_page)
        self._shortcuts, self._panel_shortcuts = Shortcuts(self), Shortcuts(self)
        self._shortcuts.install(self.actions_known)
        self._drop_filter = DropFilter(self, self.drops.take)
        self._key_filter = KeyFilter(self._all_actions, self)
        self._lay_out()

    def _lay_out(self) -> None:
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        for widget, stretch in ((self.host, 1), (self.notice_bar, 0), (self.drawer, 0)):
            right.addWidget(widget, stretch)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(middle, 1)
        layout.addWidget(self.strip)

    def _connect(self) -> None:
        context = self.context
        context.bridge.add_sink(self._on_event)
        context.bridge.drained.connect(self.strip.refresh)
        context.bridge.drained.connect(self.drawer.flush)
        context.connection.changed.connect(self._engine_changed)
        context.connection.attached.connect(self._attached)
        context.connection.lost.connect(self.host.lost)
        context.notices.changed.connect(self._notices_changed)
        context.drafts.problem.connect(self._draft_problem)
        context.settings.changed.connect(self._setting_changed)
        context.theme.changed.connect(self._theme_changed)
        self.rail.chosen.connect(self.open_panel)
        self.host.shown.connect(self._panel_shown)
        self.host.density_chosen.connect(lambda density: context.settings.set("density", density))
        self.strip.queue_asked.connect(self.deeds.toggle_queue)
        self.strip.notices_asked.connect(self.deeds.toggle_notices)
        self.strip.retry_asked.connect(self.deeds.reconnect)
        self.drawer.closed.connect(self.deeds.toggle_queue)

    def _session(self, panel: str, show_error: ShowError) -> PanelSession:
        return PanelSession(self._services, panel, show_error)

    def _settings_page(self) -> QWidget:
        session = self._session(SETTINGS, self._show_error)
        page = SettingsPage(self.context.settings, session, self.context.plugins)
        page.chosen.connect(self.context.settings.set)
        return page

    def _keyboard_page(self) -> QWidget:
        return pages.keyboard_page(self.actions_known, self.deeds.actions_by_panel())

    def _about_page(self) -> QWidget:
        paths = self.context.paths
        return pages.about_page(self.context.plugins.all, f"Data: {paths.data}\nLogs: {paths.logs}")

    # What happens ------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        self.strip.on_event(event)
        self.drawer.on_event(event)
        self.host.on_event(event)
        if event.kind == "notice":
            self._show_notice(event.data)

    def _show_notice(self, said: dict[str, Any]) -> None:
        """A notice of the engine."""
        title, detail, hint, log = (str(said.get(key, "")) for key in ("title", "detail", "hint", "log"))
        self.context.notices.add(title, detail, str(said.get("level", "warning")), hint=hint, log=log)

    def _engine_changed(self) -> None:
        connection = self.context.connection
        self.strip.set_engine(connection.state, connection.reason)

    def _attached(self) -> None:
        self.context.tasks.spawn(self._load_activity(), self._show_error)
        for notice in self.context.connection.hello.get("notices") or ():
            self._show_notice(notice)
        self.drawer.attached()
        self.host.attached()

    async def _load_activity(self) -> None:
        listing = await self.context.connection.call("jobs", states=["starting", "running", "cancelling"], limit=100)
        self.strip.load(listing)
        self.drawer.set_held(self.strip.activity.held)

    def _show_error(self, error: StudioError) -> None:
        level = "warning" if error.code == "engine-lost" else "error"
        self.context.notices.add(error.title, error.detail, level, hint=error.hint, log=error.log)

    def _notices_changed(self) -> None:
        self.strip.set_notices(len(self.context.notices.all))

    def _draft_problem(self, title: str, detail: str) -> None:
        self.context.notices.add(title, detail, "warning")

    def _setting_changed(self, key: str) -> None:
        if key == "theme":
            self.context.theme.set_choice(self.context.settings.choices.theme)
        elif key == "density":
            self.deeds.density_changed()
        if self.context.settings.problem:
            self.context.notices.add("The settings could not be saved", self.context.settings.problem, "warning")

    def _theme_changed(self) -> None:
        operations = {id: found.entry.title for id, found in self.context.plugins.operations().items()}
        self.drawer.set_tones(look.tones(self.context.theme), operations)
        self.update()

    def open_panel(self, panel: str, payload: dict[str, object] | None = None) -> None:
        try:
            self.deeds.open_panel(panel, payload)
        except StudioError as error:
            self._show_error(error)

    def _panel_shown(self, id: str) -> None:
        self.rail.set_current(id)
        self.context.drafts.put("panel", id)
        self._panel_shortcuts.install(self._own_actions())

    def _panel_actions(self) -> list[Action]:
        return self.deeds.panel_actions()

    def _own_actions(self) -> list[Action]:
        """The panel's actions whose keys the window has not taken."""
        taken = {action.shortcut for action in self.actions_known}
        return [action for action in self._panel_actions() if action.shortcut not in taken]

    def _all_actions(self) -> list[Action]:
        return [*self._panel_actions(), *self.actions_known]

    # Beginning and end -------------------------------------------------------------------------

    def _restore(self) -> None:
        drafts = self.context.drafts
        drafts.load()
        self._theme_changed()
        if not restore_geometry(self, drafts.get("geometry")):
            self.resize(*SIZE)
        known = [place.id for place in self.host.places()]
        last = drafts.get("panel")
        if last in known or known:
            self.open_panel(last if last in known else known[0])
        if self.context.settings.problem:
            self.context.notices.add("The settings were damaged", self.context.settings.problem, "warning")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._drop_filter.install()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.drawer.fit(self.height() - self.strip.sizeHint().height() - PANEL_LEAST)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Work goes on in the engine. The first time ever this is said for some seconds before the window goes."""
        self.context.drafts.put("geometry", geometry_of(self))
        self.context.drafts.save()
        if self.strip.activity.jobs and not self._leaving.isActive() and self.context.settings.once("jobs-go-on"):
            self.context.notices.add("What runs goes on", "The next window shows it. This one closes now.")
            self._leaving.start()
            event.ignore()
            return
        self._leaving.stop()
        event.accept()
        self.closing.emit()

    def come_forward(self, files: list[str]) -> None:
        """A second start: shows this window and takes the files it was given."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()
        self.drops.take(files)
