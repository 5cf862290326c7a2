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
    "lock": "Ctrl+L",
}
DEEDS = (
    "again",
    "vary",
    "continue",
    "retry",
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
    """What can be done; a deed is done to the result that has the focus, else to the newest."""

    def run(deed: str) -> Callable[[], None]:
        return lambda: panel.deeds.do(deed, panel.ui.work.current())

    def enabled(deed: str) -> Callable[[], bool]:
        def asked() -> bool:
            result = panel.results.get(panel.ui.work.current())
            return result is not None and any(deed in group for group in offered(result))

        return asked

    def switch() -> None:
        panel.set_density("expert" if panel.ui.density.value() == "simple" else "simple")

    return [
        Action("text.generate", "Generate", "Ctrl+Return", panel.generate, panel.ui.generate.isEnabled),
        Action("text.stop", "Stop, and keep what was made", "Esc", panel.cancel_current, panel.ui.stop.isEnabled),
        Action("text.prompt", "Write the prompt", "Ctrl+P", panel.focus_prompt),
        Action("text.density", "Simple or expert controls", "Ctrl+E", switch),
        *(Action(f"text.{d}", f"{WORDS[d][0]} (result)", SHORTCUTS.get(d, ""), run(d), enabled(d)) for d in DEEDS),
    ]
