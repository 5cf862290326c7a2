"""A plain text editor that gives back exactly what it was given, until a person changes it."""

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from studio.kit.surface import restyle


class PlainEditor(QPlainTextEdit):
    """Never rich text: what is pasted comes in as characters. Grows from `rows` to `most` lines.

    Qt cannot hold a carriage return, a paragraph separator or half a character; a text with such
    characters is kept beside the document and given back as long as the document is unchanged, so that
    a restored recipe is repeated exactly. Ctrl+Z goes to the window when nothing is left to undo here.
    """

    edited = Signal()

    def __init__(self, rows: int = 2, most: int = 8, parent: QWidget | None = None):
        super().__init__(parent)
        self._rows, self._most = rows, most
        self._given = ""
        self._quiet = False
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.document().setDocumentMargin(2)
        self.document().clearUndoRedoStacks()  # the margin counts as an edit
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.textChanged.connect(self._on_changed)
        self._fit()

    def text(self) -> str:
        if not self.document().isModified():
            return self._given
        return self.document().toRawText().replace("\u2029", "\n")

    def set_text(self, text: str) -> None:
        """Puts `text` in; a Ctrl+Z inside the editor brings back what was there. Says nothing to `edited`."""
        if text == self.text():
            return
        self._quiet = True
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.endEditBlock()
        self.document().setModified(False)
        self._quiet = False
        self._given = text
        self.moveCursor(QTextCursor.MoveOperation.End)

    def set_invalid(self, invalid: bool) -> None:
        restyle(self, invalid=invalid)

    def insertFromMimeData(self, source: QMimeData) -> None:
        self.insertPlainText(source.text())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_spent(event):
            event.ignore()
            return False
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange, QEvent.Type.Polish):
            done = super().event(event)
            self._fit()
            return done
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_spent(event):
            event.ignore()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.ensureCursorVisible()

    def _is_spent(self, event: QKeyEvent) -> bool:
        """Whether the key asks to undo or redo and there is nothing of that here."""
        if event.matches(QKeySequence.StandardKey.Undo):
            return not self.document().isUndoAvailable()
        return event.matches(QKeySequence.StandardKey.Redo) and not self.document().isRedoAvailable()

    def _on_changed(self) -> None:
        if not self._quiet:
            self.edited.emit()

    def _fit(self, _size: object = None) -> None:
        """As high as the text, between its limits; then it scrolls."""
        lines = max(self._rows, min(self._most, round(self.document().size().height())))
        around = self.height() - self.viewport().height() if self.isVisible() else 14
        height = lines * self.fontMetrics().lineSpacing() + 2 * int(self.document().documentMargin()) + around
        if height != self.minimumHeight() or height != self.maximumHeight():
            self.setFixedHeight(height)
