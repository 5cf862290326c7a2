"""The window's actions as data, with their shortcuts. What they do is given by whoever composes the window."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from studio.kit.action import Action

PANEL_KEYS = 8


class Deeds(Protocol):
    """What the window can do."""

    def open_panel(self, panel: str, payload: dict[str, object] | None = None) -> None: ...
    def generate(self) -> None: ...
    def cancel(self) -> None: ...
    def focus_prompt(self) -> None: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...
    def toggle_queue(self) -> None: ...
    def toggle_hold(self) -> None: ...
    def open_palette(self) -> None: ...
    def open_files(self) -> None: ...
    def toggle_notices(self) -> None: ...
    def set_theme(self, theme: str) -> None: ...
    def toggle_density(self) -> None: ...
    def reconnect(self) -> None: ...
    def close_window(self) -> None: ...


SETTINGS, KEYBOARD, ABOUT = "app.settings", "app.keyboard", "app.about"


def window_actions(deeds: Deeds, panels: Sequence[tuple[str, str]], has_panel: Callable[[], bool]) -> list[Action]:
    """All actions of the window; `panels` are (id, title) in the rail's order."""
    go = [
        Action(f"go.{id}", f"Go to {title}", panel_key(i), partial(deeds.open_panel, id))
        for i, (id, title) in enumerate(panels, 1)
    ]
    return [
        *go,
        Action("panel.generate", "Generate", "Ctrl+Return", deeds.generate, has_panel),
        Action("panel.cancel", "Stop the panel's current job", "Esc", deeds.cancel),
        Action("panel.prompt", "Write in the prompt", "Ctrl+L", deeds.focus_prompt, has_panel),
        Action("edit.undo", "Undo", "Ctrl+Z", deeds.undo),
        Action("edit.redo", "Redo", "Ctrl+Shift+Z", deeds.redo),
        Action("app.palette", "All actions", "Ctrl+K", deeds.open_palette),
        Action("app.open", "Open a result…", "Ctrl+O", deeds.open_files),
        Action("queue.toggle", "Show or hide the queue", "Ctrl+J", deeds.toggle_queue),
        Action("queue.hold", "Hold the queue, or let it go on", "Ctrl+Shift+J", deeds.toggle_hold),
        Action("notices.toggle", "Show or hide all notices", "Ctrl+Shift+N", deeds.toggle_notices),
        Action("theme.system", "Theme: as the system", "", partial(deeds.set_theme, "system")),
        Action("theme.light", "Theme: light", "", partial(deeds.set_theme, "light")),
        Action("theme.dark", "Theme: dark", "", partial(deeds.set_theme, "dark")),
        Action("density.toggle", "Simple or expert controls", "Ctrl+E", deeds.toggle_density),
        Action("app.settings", "Settings", "Ctrl+,", partial(deeds.open_panel, SETTINGS)),
        Action("app.keyboard", "Keyboard", "F1", partial(deeds.open_panel, KEYBOARD)),
        Action("app.about", "About and plugins", "", partial(deeds.open_panel, ABOUT)),
        Action("engine.retry", "Connect to the engine now", "", deeds.reconnect),
        Action("app.close", "Close the window", "Ctrl+Q", deeds.close_window),
    ]


def panel_key(number: int) -> str:
    """The shortcut of the panel at this place of the rail, counted from 1."""
    return f"Ctrl+{number}" if number <= PANEL_KEYS else ""


class Shortcuts(QObject):
    """Makes the shortcuts of actions work within a widget. What `install` gave before is removed."""

    def __init__(self, widget: QWidget, context: Qt.ShortcutContext = Qt.ShortcutContext.WindowShortcut):
        super().__init__(widget)
        self._widget, self._context = widget, context
        self._installed: list[QShortcut] = []

    def install(self, actions: Iterable[Action]) -> None:
        for shortcut in self._installed:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._installed = [self._make(action) for action in actions if action.shortcut]

    def _make(self, action: Action) -> QShortcut:
        shortcut = QShortcut(QKeySequence(action.shortcut), self._widget)
        shortcut.setContext(self._context)
        shortcut.activated.connect(partial(run, action))
        return shortcut


def run(action: Action) -> None:
    """Runs an action if it makes sense now."""
    if action.is_enabled:
        action.run()
