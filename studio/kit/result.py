"""A result: its text as it grows, what it is made of, how far it is or what went wrong, and what to do with it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.kit.error import ErrorView
from studio.kit.progress import ProgressLine
from studio.kit.stream import StreamText
from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

STATES = {
    "queued": "Waiting in the queue",
    "starting": "Starting",
    "running": "Running",
    "paused": "Paused",
    "cancelling": "Stopping",
    "finished": "",
    "failed": "Failed",
    "cancelled": "Stopped",
}
WORKING = frozenset({"queued", "starting", "running", "paused", "cancelling"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do with a result. `checks`: it is on or off. `label`: shown as words beside the icon."""

    id: str
    title: str
    icon: str
    help: str
    checks: bool = False
    label: bool = False


DEEDS = (
    Deed("keep", "Keep", "mdi6.star-outline", "Marks this as one to keep", checks=True),
    Deed("vary", "Vary", "mdi6.refresh", "Makes it again with a new seed", label=True),
    Deed("use", "Use as input", "mdi6.arrow-down-left", "Goes on from this result", label=True),
    Deed("copy", "Copy", "mdi6.content-copy", "Copies the result", label=True),
    Deed("recipe", "Copy recipe", "mdi6.receipt-text-outline", "Copies all that is needed to make this again"),
    Deed("folder", "Show in folder", "mdi6.folder-open-outline", "Opens the folder of the file"),
    Deed("delete", "Delete", "mdi6.trash-can-outline", "Moves it to the trash; Ctrl+Z brings it back"),
)
STOP = Deed("stop", "Stop", "mdi6.stop", "Stops and keeps what was made so far", label=True)


class ResultCard(QFrame):
    """asked(deed id): the person wants something done with it. Panels give other `deeds` where these do not fit."""

    asked = Signal(str)

    def __init__(self, theme: Theme, deeds: tuple[Deed, ...] = DEEDS, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("card", True)
        self._theme = theme
        self._state = ""
        self._parts: tuple[str, ...] = ()
        self.title = label(muted=True)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.body = StreamText()
        self.progress = ProgressLine()
        self.error = ErrorView(theme)
        self.buttons: dict[str, QToolButton] = {}
        head, foot = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self.title, 1)
        foot.setSpacing(2)
        for deed in (*deeds, STOP):
            self.buttons[deed.id] = self._button(deed)
            if deed.id == "delete":
                foot.addStretch(1)
            foot.addWidget(self.buttons[deed.id])
        if "delete" not in self.buttons:
            foot.addStretch(1)
        self._actions = QWidget()
        self._actions.setLayout(foot)
        foot.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(head)
        for part in (self.body, self.error, self.progress, self._actions):
            column.addWidget(part)
        self.set_state("finished")

    def set_title(self, *parts: str) -> None:
        """Model, seed, speed, …: what is known is joined by dots."""
        self._parts = tuple(part for part in parts if part)
        state = STATES.get(self._state, "")
        text = " · ".join((*self._parts, *([state] if state and self._state not in WORKING else [])))
        self.title.setText(text)
        self.title.setToolTip(text)
        self.setAccessibleName(f"Result: {text}")

    def append(self, text: str) -> None:
        """Adds streamed text at the end."""
        self.body.append(text)
        self.body.show()

    def show_text(self, text: str) -> None:
        self.body.show_text(text)
        self.body.setVisible(bool(text) or self._state == "finished")

    def set_state(
        self, state: str, progress: dict[str, Any] | None = None, error: dict[str, Any] | None = None
    ) -> None:
        """A job's state, with how far it is or what went wrong."""
        self._state = state
        working = state in WORKING
        self.progress.setVisible(working)
        if working:
            words = "" if (progress or {}).get("stage") or (state == "running" and progress) else STATES[state]
            self.progress.show_progress(progress or {}, words)
        self.error.show_error(error)
        self.body.setVisible(bool(self.body.text()) or state == "finished")
        for id, button in self.buttons.items():
            button.setVisible((id == STOP.id) == working)
        for id in ("keep", "use", "folder", "copy"):
            if id in self.buttons and state == "failed":
                self.buttons[id].hide()
        self.set_title(*self._parts)

    def set_kept(self, kept: bool) -> None:
        """Shows whether the person keeps it."""
        if "keep" in self.buttons:
            self.buttons["keep"].setChecked(kept)
            name = "mdi6.star" if kept else "mdi6.star-outline"
            self.buttons["keep"].setIcon(self._theme.icon(name, "warning" if kept else "muted"))

    def _button(self, deed: Deed) -> QToolButton:
        button = tool_button(deed.title, icon=self._theme.icon(deed.icon), text=deed.label, help=deed.help)
        button.setCheckable(deed.checks)
        button.clicked.connect(partial(self._ask, deed.id))
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        return button

    def _ask(self, id: str, _checked: bool = False) -> None:
        self.asked.emit(id)
