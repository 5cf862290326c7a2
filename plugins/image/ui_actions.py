"""The image panel's actions by name, for the palette, the menus and the shortcuts."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from studio.kit.action import Action

from .ui_modes import MODES
from .ui_words import WORDS, offered

if TYPE_CHECKING:
    from .panel import ImagePanel

SHORTCUTS = {
    "branch": "Ctrl+B",
    "vary": "Ctrl+Shift+R",
    "input": "Ctrl+U",
    "copy": "Ctrl+Shift+C",
    "lock": "Ctrl+Shift+L",
    "settings": "Ctrl+Shift+U",
}
DEEDS = ("view", "stop_one", "drop", "save", "branch", "keep", "vary", "input", "transform", "inpaint", "extend",
         "enlarge", "edit", "reference", "compare", "settings", "lock", "recipe", "copy", "folder", "delete",
         "restore")  # fmt: skip


def actions(panel: "ImagePanel") -> list[Action]:
    """What can be done to the picture that has the focus, else to the newest; and to choose a mode."""

    def run(deed: str) -> Callable[[], None]:
        return lambda: panel.deeds.act(deed, *panel.pages.current())

    def enabled(deed: str) -> Callable[[], bool]:
        def asked() -> bool:
            id, number = panel.pages.current()
            batch = panel.batches.get(id)
            picture = batch.picture(number) if batch is not None else None
            return picture is not None and batch is not None and deed in offered(picture, not batch.ended)

        return asked

    found = [
        Action(f"image.mode.{id}", f"Image: {mode.title}", f"Alt+{at}", partial(panel.settings.choose_mode, id))
        for at, (id, mode) in enumerate(MODES.items(), 1)
    ]
    found.append(Action("image.negative", "Negative prompt", "Alt+N", panel.ui.negative.toggle))
    found.append(Action("image.again", "Again (batch)", "Ctrl+R", lambda: _again(panel)))
    found.append(Action("image.swap", "Swap width and height", "", partial(panel.ui.sizes.press, "Swap")))
    found.append(Action("image.preset", "Save settings as a preset", "", panel.ui.presets.ask_name))
    found += [Action(f"image.{d}", f"{WORDS[d][0]} (picture)", SHORTCUTS.get(d, ""), run(d), enabled(d)) for d in DEEDS]
    return found


def _again(panel: "ImagePanel") -> None:
    batch = panel.batches.get(panel.pages.current()[0])
    if batch is not None and batch.ended:
        panel.deeds.act("again", batch.id, -1)
