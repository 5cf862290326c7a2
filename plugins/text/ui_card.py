"""One result of the text panel: the text, what is going on, and what can be done with it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QMenu, QProgressBar, QToolButton, QVBoxLayout, QWidget

from studio.kit.error import ErrorView
from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

from .ui_flow import FlowText
from .ui_pager import Pager
from .ui_results import Result, about, broke_words, status

PROMPT_SHOWN = 3000
NARROW = 600

WORDS = {
    "again": ("Again", "Makes exactly this once more: same settings, same seed"),
    "vary": ("Vary", "Same settings, a new seed"),
    "continue": ("Continue", "Takes this text as the new prompt and writes on"),
    "copy": ("Copy", "Copies the whole text"),
    "cancel": ("Cancel", "Takes this request out of the queue"),
    "resume": ("Resume", "Goes on where it was paused"),
    "stop": ("Stop", "Stops and keeps what was made so far (Esc)"),
    "retry": ("Retry", "Runs this request once more"),
    "restore": ("Put back", "Takes the file out of the trash"),
    "use": ("Use as input", "Puts this text into the prompt editor"),
    "settings": ("Use these settings", "Puts prompt, settings and seed of this result into the form"),
    "lock": ("Lock this seed", "Every next result uses this seed until the lock is opened"),
    "recipe": ("Copy recipe", "Copies everything that is needed to make this again"),
    "folder": ("Show in folder", "Opens the folder of the file"),
    "delete": ("Delete", "Moves the file to the trash (Del); Ctrl+Z brings it back"),
}
ICONS = {
    "again": "mdi6.refresh",
    "vary": "mdi6.shuffle-variant",
    "continue": "mdi6.arrow-right",
    "copy": "mdi6.content-copy",
    "cancel": "mdi6.close",
    "resume": "mdi6.play",
    "stop": "mdi6.stop",
    "retry": "mdi6.refresh",
    "restore": "mdi6.delete-restore",
}
MORE = ("use", "settings", "lock", "recipe", "folder", "delete")


def offered(result: Result) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which actions make sense: those with a button of their own, and those in the menu."""
    if result.state == "cancelling":
        return (), ("settings",)
    if result.state == "paused":
        return ("resume", "stop" if result.stream else "cancel"), ("settings",)
    if not result.ended:
        return ("stop" if result.working else "cancel",), ("settings",)
    if result.trashed:
        return ("restore",), ("use", "settings", "lock")
    if result.state == "failed":
        return ("retry",), ("settings", *(("copy", "folder") if result.artifact else ()), "delete")
    if result.gone or (result.state == "cancelled" and not result.whole.strip()):
        return ("again", "vary"), ("settings", "lock", "delete")
    more = MORE if result.artifact or result.path else tuple(id for id in MORE if id != "folder")
    return ("again", "vary", "continue", "copy"), more


class ResultCard(QFrame):
    """asked: (action, result id). turned: another of its texts is wanted. `find` gives the result of an id."""

    asked = Signal(str, str)
    turned = Signal(str)

    def __init__(self, id: str, find: Callable[[str], Result | None], theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.id = id
        self._find, self._theme = find, theme
        self._buttons_for: object = None
        self._error: ErrorView | None = None
        self._error_for: dict[str, Any] | None = None
        self.setProperty("card", True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.text = FlowText(theme.colour("muted"))
        theme.changed.connect(self._dress)
        self.note = label(wrap=True, muted=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(3)
        self._bar.setAccessibleName("Progress of this result")
        self.state = label(wrap=True, muted=True)
        self.state.setAccessibleName("State")
        self._row = QHBoxLayout()
        self._row.setSpacing(4)
        self.pager = Pager(theme)
        self.pager.moved.connect(self._turn)
        self._foot = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._foot.setSpacing(4)
        self._foot.addWidget(self.pager)
        self._foot.addWidget(self.state, 1)
        self._foot.addLayout(self._row)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(16, 16, 16, 8)
        self._layout.setSpacing(8)
        for widget in (self.note, self.text, self._bar):
            self._layout.addWidget(widget)
        self._layout.addLayout(self._foot)
        self._buttons: list[QToolButton] = []

    def show_result(self, result: Result) -> None:
        """Brings everything up to date; streamed text is only appended."""
        self._show_text(result)
        self._show_note(result)
        self._show_progress(result)
        self._show_error(result)
        self._show_buttons(result)
        self.pager.show_place(result.shown, result.count)
        self.setAccessibleName(f"Result: {result.prompt[:60]}")

    def error_text(self) -> str:
        """What went wrong, as it is shown; empty when nothing did."""
        if self._error is None or not self._error_for:
            return ""
        return " ".join(words.text() for words in (self._error.title, self._error.detail, self._error.hint))

    def _turn(self, by: int) -> None:
        result = self._find(self.id)
        if result is not None:
            result.show(result.shown + by)
            self.turned.emit(self.id)

    def refresh(self) -> None:
        result = self._find(self.id)
        if result is not None:
            self.show_result(result)

    def _show_text(self, result: Result) -> None:
        prompt = result.prompt
        if result.saved is not None and not result.saved.startswith(prompt):
            prompt = ""
        if not result.continuation:  # an empty line above the state or an error would say nothing
            prompt = prompt.rstrip()
        self.text.show_parts(folded(prompt), result.continuation)
        self.text.setVisible(bool(self.text.text()))

    def _dress(self) -> None:
        self.text.set_prompt_colour(self._theme.colour("muted"))

    def _show_note(self, result: Result) -> None:
        note = result.gone
        if len(result.prompt) > PROMPT_SHOWN:
            note = note or f"The prompt has {len(result.prompt):,} characters; its end is shown."
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def _show_progress(self, result: Result) -> None:
        self.state.setText(" · ".join(part for part in (status(result), self._meta(result)) if part))
        self.state.setToolTip(broke_words(result.facts))
        self._bar.setVisible(result.working)
        total = result.progress.get("total")
        self._bar.setRange(0, int(total or 0))
        if total:
            self._bar.setValue(int(result.progress.get("done") or 0))

    @staticmethod
    def _meta(result: Result) -> str:
        return f"seed {result.seed}" if result.seed is not None else ""

    def _show_error(self, result: Result) -> None:
        error = result.error if result.state in ("failed", "queued", "cancelled") else None
        if error and self._error is None:
            self._error = ErrorView(self._theme)
            self._layout.insertWidget(self._layout.count() - 1, self._error)
        if self._error is not None and error != self._error_for:
            self._error.show_error(error, about(result))
        self._error_for = error

    def _show_buttons(self, result: Result) -> None:
        wanted = offered(result)
        if wanted == self._buttons_for:
            return
        focused = next((b.property("action") for b in self._buttons if b.hasFocus()), None)
        for button in self._buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons_for = wanted
        shown, more = wanted
        self._buttons = [self._button(id) for id in shown]
        if more:
            self._buttons.append(self._menu_button(more))
        for button in self._buttons:
            self._row.addWidget(button)
            if focused == button.property("action"):
                button.setFocus()

    def _button(self, id: str) -> QToolButton:
        title, help = WORDS[id]
        button = tool_button(title, icon=self._theme.icon(ICONS[id]), text=True, help=help)
        button.setProperty("action", id)
        button.clicked.connect(lambda: self.asked.emit(id, self.id))
        return button

    def _menu_button(self, ids: tuple[str, ...]) -> QToolButton:
        button = tool_button("More", icon=self._theme.icon("mdi6.dots-horizontal"))
        button.setProperty("action", "more")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(lambda: self._fill(menu, ids))
        button.setMenu(menu)
        return button

    def _fill(self, menu: QMenu, ids: tuple[str, ...]) -> None:
        """When it is opened first: in a burst hundreds of cards come and go whose menus nobody opens."""
        for id in ids if menu.isEmpty() else ():
            title, help = WORDS[id]
            action = menu.addAction(title)
            action.setToolTip(help)
            action.triggered.connect(lambda _on=False, id=id: self.asked.emit(id, self.id))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is no room for both in one line, the buttons stand below the words."""
        super().resizeEvent(event)
        narrow = event.size().width() < NARROW
        way = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if self._foot.direction() != way:
            self._foot.setDirection(way)
            self._foot.setAlignment(self._row, Qt.AlignmentFlag.AlignLeading if narrow else Qt.AlignmentFlag(0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.asked.emit("delete", self.id)
            return
        super().keyPressEvent(event)


def folded(prompt: str) -> str:
    """The end of a very long prompt: laying out a megabyte for a card helps nobody."""
    return prompt if len(prompt) <= PROMPT_SHOWN else "…" + prompt[-PROMPT_SHOWN:]
