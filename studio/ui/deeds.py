"""What the window's actions do. Knows the parts of the window; builds none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from studio.kit.action import Action
from studio.kit.history import History
from studio.kit.panel import Panel
from studio.sdk.artifact import Recipe
from studio.ui.connection import Connection
from studio.ui.drawer import QueueDrawer
from studio.ui.drops import Drops
from studio.ui.host import PanelHost
from studio.ui.notices import NoticeBar
from studio.ui.palette import CommandPalette
from studio.ui.session import PanelSession
from studio.ui.settings import Settings
from studio.ui.strip import ActivityStrip


@dataclass
class Parts:
    """The parts that actions act on."""

    window: QWidget
    host: PanelHost
    drawer: QueueDrawer
    strip: ActivityStrip
    notice_bar: NoticeBar
    palette: CommandPalette
    drops: Drops
    session: PanelSession
    settings: Settings
    connection: Connection
    undo: History


class WindowDeeds:
    """Implements actions.Deeds."""

    def __init__(self, parts: Parts):
        self._parts = parts

    def open_panel(self, panel: str, payload: dict[str, Any] | None = None) -> None:
        """Shows a panel and gives it what another one sent along."""
        if not self._parts.host.open(panel):
            self._parts.session.notify("There is no such panel", panel, "warning")
            return
        if payload:
            self._give(panel, payload)
        current = self._parts.host.current
        if current is not None and not payload:
            self._ask("take the keyboard", methodcaller("focus_prompt"))

    def _give(self, panel: str, payload: dict[str, Any]) -> None:
        """A recipe (with the path of its file) to restore, paths to take as if they had been dropped, or a file to
        use as an input, whatever recipe it holds."""
        if payload.get("recipe"):
            path = payload.get("path")
            recipe = Recipe.model_validate(payload["recipe"])
            self._parts.drops.restore(recipe, Path(path) if path else None, first=panel)
        self._parts.drops.take(str(path) for path in payload.get("paths", ()))
        if payload.get("use"):
            self._parts.host.ask(panel, "use this file", methodcaller("use_file", Path(str(payload["use"]))))

    def _ask(self, what: str, call: Callable[[Panel], Any]) -> Any:
        return self._parts.host.ask(self._parts.host.current_id, what, call)

    def generate(self) -> None:
        if self._parts.host.current is not None:
            self._ask("start", methodcaller("generate"))

    def cancel(self) -> None:
        """Esc: what lies on top goes first; then the panel's current job."""
        parts = self._parts
        focus = QApplication.focusWidget()
        if parts.palette.isVisible():
            parts.palette.close_palette()
        elif parts.notice_bar.list_open:
            parts.notice_bar.toggle_list()
        elif self._in_drawer(focus):
            parts.drawer.step_back()
        elif parts.host.current is not None and self._ask("stop its job", methodcaller("cancel_current")):
            return
        elif parts.drawer.isVisible():
            parts.drawer.step_back()

    def _in_drawer(self, widget: QWidget | None) -> bool:
        drawer = self._parts.drawer
        return widget is not None and drawer.isVisible() and (widget is drawer or drawer.isAncestorOf(widget))

    def focus_prompt(self) -> None:
        if self._parts.host.current is not None:
            self._ask("take the keyboard", methodcaller("focus_prompt"))

    def undo(self) -> None:
        self._parts.undo.undo()

    def redo(self) -> None:
        self._parts.undo.redo()

    def toggle_queue(self) -> None:
        drawer = self._parts.drawer
        inside = self._in_drawer(QApplication.focusWidget())
        drawer.setVisible(drawer.isHidden())
        if drawer.isVisible():
            drawer.take_keyboard()
        elif inside:
            self.focus_prompt()

    def toggle_hold(self) -> None:
        held = self._parts.strip.activity.held
        self._parts.session.spawn(self._parts.session.call("hold", held=not held))

    def open_palette(self) -> None:
        self._parts.palette.open()

    def open_files(self) -> None:
        dialog = QFileDialog(self._parts.window, "Open a result")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._parts.drops.take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def toggle_notices(self) -> None:
        self._parts.notice_bar.toggle_list()

    def set_theme(self, theme: str) -> None:
        self._parts.settings.set("theme", theme)

    def toggle_density(self) -> None:
        """Of all panels; it is remembered."""
        density = self._parts.settings.choices.density
        self._parts.settings.set("density", "simple" if density == "expert" else "expert")

    def density_changed(self) -> None:
        density = self._parts.settings.choices.density
        for id in self._parts.host.built():
            self._parts.host.ask(id, "change its controls", lambda panel: panel.set_density(density))

    def reconnect(self) -> None:
        self._parts.connection.retry_now()

    def close_window(self) -> None:
        self._parts.window.close()

    def has_panel(self) -> bool:
        return self._parts.host.current is not None

    def panel_actions(self) -> list[Action]:
        """Those of the panel on show."""
        return self._actions_of(self._parts.host.current_id)

    def actions_by_panel(self) -> dict[str, list[Action]]:
        """Title of each panel that was opened -> its actions."""
        titles = {place.id: place.entry.title for place in self._parts.host.places()}
        return {titles[id]: self._actions_of(id) for id in self._parts.host.built()}

    def _actions_of(self, panel: str) -> list[Action]:
        return list(self._parts.host.ask(panel, "tell its actions", methodcaller("actions")) or [])
