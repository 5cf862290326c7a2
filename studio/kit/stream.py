"""A piece of plain text as tall as it needs to be, that grows cheaply while a model writes it."""

import math

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent, QTextCursor, QTextOption, QWheelEvent
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget


class StreamText(QPlainTextEdit):
    """Read-only and selectable, never rich: what a model writes is shown as it is.

    Appending lays out the last paragraph only and keeps a selection. The wheel belongs to the page around.
    """

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.setAccessibleName("Text")
        self.document().setDocumentMargin(0)
        self._text = ""
        self._soon = QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self._fit)
        self.document().documentLayout().documentSizeChanged.connect(self._grown)

    def text(self) -> str:
        """Exactly what was put in."""
        return self._text

    def show_text(self, text: str) -> None:
        """Replaces everything; a text that begins with the present one is only appended to."""
        if text.startswith(self._text):
            self.append(text[len(self._text) :])
            return
        self._text = text
        self.setPlainText(text)
        self._fit()

    def append(self, text: str) -> None:
        """Adds `text` at the very end."""
        if not text:
            return
        self._text += text
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._soon.start()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _grown(self, _size: object) -> None:
        self._soon.start()

    def _fit(self) -> None:
        """As tall as its paragraphs are; asking for their heights also lays out those that were never painted."""
        self._soon.stop()
        layout = self.document().documentLayout()
        tall = 0.0
        block = self.document().begin()
        while block.isValid():
            tall += layout.blockBoundingRect(block).height()
            block = block.next()
        height = math.ceil(max(tall, self.fontMetrics().lineSpacing())) + 2
        if height != self.height():
            self.setFixedHeight(height)
