"""The text panel's actions by name, for the palette, the menus and the shortcuts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from studio.kit.action import Action

from .ui_card import WORDS, offered

if TYPE_CHECKING:
    from .panel import TextPanel

SHORTCUTS = {
    "again": "Ctrl+R",
    "vary": "Ctrl+Shift+R",
    "continue": "Ctrl+Shift+Return",
    "copy": "Ctrl+Shift+C",
    "use": "Ctrl+U",
    "lock": "Ctrl+Shift+L",
}
DEEDS = (
    "again",
    "vary",
    "continue",
    "retry",
    "resume",
    "copy",
    "use",
    "settings",
    "lock",
    "recipe",
    "folder",
    "delete",
    "restore",
)


def actions(panel: "TextPanel") -> list[Action]:
    """What can be done to the result that has the focus, else to the newest. The rest is the window's."""

    def run(deed: str) -> Callable[[], None]:
        return lambda: panel.deeds.do(deed, panel.ui.work.current())

    def enabled(deed: str) -> Callable[[], bool]:
        def asked() -> bool:
            result = panel.results.get(panel.ui.work.current())
            return result is not None and any(deed in group for group in offered(result))

        return asked

    return [Action(f"text.{d}", f"{WORDS[d][0]} (result)", SHORTCUTS.get(d, ""), run(d), enabled(d)) for d in DEEDS]
