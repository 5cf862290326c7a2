"""The code panel's actions by name, for the palette, the menus and the shortcuts."""

from typing import TYPE_CHECKING

from studio.kit.action import Action

from .ui_layout import DEEDS

if TYPE_CHECKING:
    from .panel import CodePanel


def actions(panel: "CodePanel") -> list[Action]:
    desk = panel.desk
    found = [
        Action("code.save", "Save the file", "Ctrl+S", desk.save),
        Action("code.open", "Open a file…", "Ctrl+Shift+O", desk.choose_file),
        Action("code.folder", "Open a folder…", "", desk.choose_folder),
        Action("code.new", "New file", "Ctrl+N", lambda: desk.new()),
        Action("code.close", "Close the file", "Ctrl+W", lambda: desk.current and desk.close(desk.current.name)),
        Action("code.run", "Run the file", "F5", lambda: panel.run(False)),
        Action("code.test", "Run the tests", "Shift+F5", lambda: panel.run(True)),
        Action("code.suggest", "Suggest here", "Ctrl+Space", panel.ghosts.ask_now),
    ]
    return found + [
        Action(f"code.deed.{deed}", f"{title} (code)", "", lambda deed=deed: panel.ui.set_deed(deed))
        for deed, title, _ in DEEDS
    ]
