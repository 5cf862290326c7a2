"""The base of every panel. The window talks to a panel through these methods only."""

from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.kit.action import Action
from studio.kit.session import Session
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry


class EventLike(Protocol):
    """wire.messages.Event, as a panel reads it."""

    kind: str
    job: str
    data: dict[str, Any]
    frames: list[bytes]


class Panel(QWidget):
    """Built on the first click on its place in the rail, then kept until the window closes.

    draft_changed: something unfinished is another now; the window saves the draft soon.
    """

    draft_changed = Signal()
    density_chosen = Signal(str)

    def __init__(self, session: Session, entry: PanelEntry, parent: QWidget | None = None):
        super().__init__(parent)
        self.session, self.entry = session, entry
        self.setObjectName("panel")
        self.setAccessibleName(entry.title)
        self.setAutoFillBackground(True)  # one surface below everything a panel shows, whatever the window's is

    def attached(self) -> None:
        """The engine is there, for the first time or again: load what belongs here."""

    def lost(self) -> None:
        """The engine is gone. Show what is known; calls fail until `attached`."""

    def on_event(self, event: EventLike) -> None:
        """Something happened in the engine. Every panel hears everything; take what is yours, quickly."""

    def draft(self) -> dict[str, Any]:
        """What the person is in the middle of, as JSON: prompt, settings, place in the list."""
        return {}

    def restore_draft(self, draft: dict[str, Any]) -> None:
        """Puts a draft back, perhaps of an older version: skip what no longer fits."""

    def accepts(self, recipe: Recipe) -> bool:
        """Whether a dropped file with this recipe can be restored here."""
        return recipe.operation in self.entry.operations

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """Puts everything back as it was when the recipe's file was made. `path`: the dropped file."""

    def accepts_file(self, path: Path) -> bool:
        """Whether a dropped file without a recipe means something here."""
        return False

    def drop_file(self, path: Path) -> None:
        """Takes a file for which `accepts_file` was true."""

    def use_file(self, path: Path) -> None:
        """Takes a file as something to work on, whatever recipe it holds; another panel or the library sent it."""
        if self.accepts_file(path):
            self.drop_file(path)

    def actions(self) -> list[Action]:  # type: ignore[override] — Qt never asks for its own list of this name here
        """Everything that can be done here, for the command palette and the shortcuts."""
        return []

    def focus_prompt(self) -> None:
        """Puts the keyboard where the person writes."""
        self.setFocus()

    def generate(self) -> None:
        """Ctrl+Return."""

    def cancel_current(self) -> bool:
        """Esc: stops this panel's running job. False when there was nothing to stop."""
        return False

    def set_density(self, density: str) -> None:
        """ "simple" or "expert": how much of the controls is shown. The window says it when the panel is built."""
