"""A result's text: what the person wrote set apart from what the model went on with."""

from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QWidget

from studio.kit.stream import StreamText


class FlowText(StreamText):
    """Prompt in a quieter colour, then the continuation. Plain text, as it is."""

    def __init__(self, colour: QColor, parent: QWidget | None = None):
        super().__init__(parent)
        self._colour = colour
        self._prompt = ""

    def set_prompt_colour(self, colour: QColor) -> None:
        self._colour = colour
        self._dress()

    def show_parts(self, prompt: str, continuation: str) -> None:
        """Replaces everything; what only goes on is only appended."""
        same = prompt == self._prompt and (prompt + continuation).startswith(self.text()) and self.text()
        self._prompt = prompt
        if same:
            self.append((prompt + continuation)[len(self.text()) :])
        else:
            self.show_text(prompt + continuation)
            self._dress()

    def append(self, text: str) -> None:
        first = bool(text) and self.text() == self._prompt
        super().append(text)
        if first:  # it has taken on the colour of the prompt before it
            self._dress()

    def _dress(self) -> None:
        cursor = QTextCursor(self.document())
        cursor.setPosition(min(_units(self._prompt), self.document().characterCount() - 1))
        end = cursor.position()
        cursor.setPosition(0, QTextCursor.MoveMode.KeepAnchor)
        quiet = QTextCharFormat()
        quiet.setForeground(self._colour)
        cursor.setCharFormat(quiet)
        cursor.setPosition(end)
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(QTextCharFormat())


def _units(text: str) -> int:
    """Length in the document: in UTF-16 units, a line end as one."""
    return len(text.replace("\r\n", "\n").encode("utf-16-le", "replace")) // 2
