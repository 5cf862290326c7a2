"""Where a person writes what they want: plain text, grows to eight lines, remembers what was asked before."""

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QWidget

from studio.kit.plain import PlainEditor

REMEMBERED = 200


class PromptEditor(PlainEditor):
    """submitted: Ctrl+Return. changed: the text is another, whoever changed it.

    ↑ on the first line goes to earlier prompts, ↓ on the last one back to what was being written.
    """

    submitted = Signal()
    changed = Signal()

    def __init__(self, placeholder: str = "", parent: QWidget | None = None):
        super().__init__(rows=2, most=8, parent=parent)
        self.setPlaceholderText(placeholder)
        self.setAccessibleName("Prompt")
        self.setAccessibleDescription("Ctrl+Return generates. Up and down at the edges go through earlier prompts.")
        self._earlier: list[str] = []
        self._at: int | None = None
        self._draft = ""
        self.textChanged.connect(self.changed)
        self.edited.connect(self._leave_history)

    def value(self) -> str:
        return self.text()

    def set_value(self, text: str) -> None:
        """Puts a text in; Ctrl+Z in the editor brings the old one back."""
        self._at = None
        self.set_text(text)

    def remember(self, text: str) -> None:
        """Keeps a prompt that was sent, as the newest."""
        if text.strip():
            self._earlier = [*(known for known in self._earlier if known != text), text][-REMEMBERED:]
        self._at = None

    def history(self) -> list[str]:
        """What was sent, oldest first."""
        return list(self._earlier)

    def set_history(self, prompts: Iterable[str]) -> None:
        self._earlier, self._at = list(prompts)[-REMEMBERED:], None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and held == Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
        elif held == Qt.KeyboardModifier.NoModifier and self._walk(event.key()):
            event.accept()
        else:
            super().keyPressEvent(event)

    def _walk(self, key: int) -> bool:
        """Goes through the history when the cursor is at the edge the key points to."""
        if key == Qt.Key.Key_Up and self._at_edge(QTextCursor.MoveOperation.Up):
            return self._show(len(self._earlier) - 1 if self._at is None else self._at - 1)
        if key == Qt.Key.Key_Down and self._at is not None and self._at_edge(QTextCursor.MoveOperation.Down):
            return self._show(self._at + 1)
        return False

    def _at_edge(self, move: QTextCursor.MoveOperation) -> bool:
        cursor = self.textCursor()
        return not cursor.hasSelection() and not cursor.movePosition(move)

    def _show(self, at: int) -> bool:
        if not 0 <= at <= len(self._earlier) or (self._at is None and not self._earlier):
            return False
        if self._at is None:
            self._draft = self.text()
        back = at == len(self._earlier)
        self.set_text(self._draft if back else self._earlier[at])
        self._at = None if back else at
        end = QTextCursor.MoveOperation.Start if self._at is not None else QTextCursor.MoveOperation.End
        self.moveCursor(end)
        return True

    def _leave_history(self) -> None:
        self._at = None
