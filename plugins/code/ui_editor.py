"""The editor: source with line numbers and colours, and a suggestion in grey behind the cursor.

Owns CodeEditor. The suggestion ("ghost") is painted, never part of the text: what follows it on the cursor's line
moves aside, further lines lie over the ones below until they are taken or dropped.
"""

from PySide6.QtCore import QMimeData, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from studio.kit.theme import Theme, mono_font

from .typing_help import Change, after_return, first_word, indented, unindented
from .ui_highlight import Highlighter

TAB = 4
GUTTER = 12
"""Room on both sides of the line numbers."""


class CodeEditor(QPlainTextEdit):
    """typed: the person changed the text or moved the cursor. accepted(text): a suggestion, or a part of it, was taken.

    `text`, `set_text` and `replace` deal in the whole text with plain line ends; positions are in characters.
    """

    typed = Signal()
    accepted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._ghost = ""
        self._quiet = False
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setAccessibleName("Source code")
        self.setProperty("source", True)
        self.setTabChangesFocus(False)
        self.highlighter = Highlighter(self.document(), theme)
        self._gutter = _Gutter(self)
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._gutter_follows)
        self.cursorPositionChanged.connect(self._moved)
        self.textChanged.connect(self._changed)
        theme.changed.connect(self._dress)
        self._dress()

    # the text --------------------------------------------------------------------------------

    def text(self) -> str:
        return self.document().toRawText().replace("\u2029", "\n")

    def set_text(self, text: str) -> None:
        """Another text, as of another file: nothing of the old one can be undone."""
        self.set_ghost("")
        self._quiet = True
        self.setPlainText(text)
        self.document().clearUndoRedoStacks()
        self._quiet = False

    def replace(self, text: str) -> None:
        """Makes it the text, as one step that can be undone; only what differs is touched."""
        old = self.text()
        start = next((n for n, (a, b) in enumerate(zip(old, text, strict=False)) if a != b), min(len(old), len(text)))
        room = min(len(old), len(text)) - start
        back = next((n for n in range(room) if old[-1 - n] != text[-1 - n]), room)
        self._put(Change(start, len(old) - back, text[start : len(text) - back]))

    def place(self) -> int:
        """Where the cursor is."""
        return self._characters(self.textCursor().position())

    def span(self) -> tuple[int, int]:
        """The selected part; both ends the same where nothing is."""
        cursor = self.textCursor()
        return self._characters(cursor.selectionStart()), self._characters(cursor.selectionEnd())

    def select(self, start: int, end: int | None = None) -> None:
        cursor = self._cursor(start, start if end is None else end)
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def show_line(self, line: int) -> None:
        """Goes to the beginning of a line, from 0."""
        block = self.document().findBlockByNumber(line)
        if block.isValid():
            self.setTextCursor(QTextCursor(block))
            self.centerCursor()

    def _put(self, change: Change) -> None:
        cursor = self._cursor(change.start, change.end)
        cursor.beginEditBlock()
        cursor.insertText(change.text)
        cursor.endEditBlock()
        if change.cursor is not None:
            cursor = self._cursor(change.anchor if change.anchor is not None else change.cursor, change.cursor)
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def _cursor(self, start: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._units(start))
        cursor.setPosition(self._units(end), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _characters(self, position: int) -> int:
        """Qt counts UTF-16 units; everything else here counts characters."""
        text = self.text()
        if len(text) == self.document().characterCount() - 1:
            return position
        return len(text.encode("utf-16-le", "surrogatepass")[: 2 * position].decode("utf-16-le", "surrogatepass"))

    def _units(self, place: int) -> int:
        text = self.text()
        if len(text) == self.document().characterCount() - 1:
            return place
        return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2

    # the suggestion --------------------------------------------------------------------------

    @property
    def ghost(self) -> str:
        return self._ghost

    def set_ghost(self, text: str) -> None:
        if text != self._ghost:
            self._ghost = text
            self.setAccessibleDescription(f"Suggestion: {text}" if text else "")
            self.viewport().update()

    def accept(self, text: str) -> None:
        """Takes `text`, with which the suggestion begins."""
        rest = self._ghost.removeprefix(text)
        self._quiet = True
        self._put(Change(self.place(), self.place(), text))
        self._quiet = False
        self.set_ghost(rest)
        self.accepted.emit(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._ghost and not self.textCursor().hasSelection():
            painter = QPainter(self.viewport())
            self._paint_ghost(painter)
            painter.end()

    def _paint_ghost(self, painter: QPainter) -> None:
        first, *more = self._ghost.split("\n")
        place, metrics = self.cursorRect(), self.fontMetrics()
        painter.setFont(self.font())
        high = place.height()
        left = round(self.contentOffset().x() + self.document().documentMargin())
        rest = self.textCursor().block().text()[self.textCursor().positionInBlock() :]
        wide = metrics.horizontalAdvance(first)
        painter.fillRect(QRect(place.left() + 1, place.top(), self.viewport().width(), high), self._line_colour())
        self._words(painter, place.left() + 1, place.top(), first, faint=True)
        self._words(painter, place.left() + 1 + wide, place.top(), "" if more else rest)
        if not more:
            return
        lines = [*more[:-1], more[-1]]
        width = max(self.viewport().width() - left - 8, 40)
        box = QRect(left - 2, place.top() + high, width, high * len(lines) + 4)
        painter.fillRect(box, self._theme.colour("raised"))
        painter.setPen(self._theme.colour("outline"))
        painter.drawRect(box.adjusted(0, 0, -1, -1))
        for number, line in enumerate(lines, 1):
            top = place.top() + high * number + 2
            self._words(painter, left, top, line, faint=True)
            if number == len(lines):
                self._words(painter, left + metrics.horizontalAdvance(line), top, rest)

    def _words(self, painter: QPainter, x: int, y: int, text: str, *, faint: bool = False) -> None:
        painter.setPen(self._theme.colour("faint" if faint else "text"))
        font = self.font()
        font.setItalic(faint)
        painter.setFont(font)
        painter.drawText(QPoint(x, y + self.fontMetrics().ascent()), text.expandtabs(TAB))

    # keys ------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._ghost and self._ghost_key(event):
            return
        key, held = event.key(), event.modifiers()
        plain = held in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_Tab and held == Qt.KeyboardModifier.NoModifier:
            self._put(indented(self.text(), *self.span(), TAB))
        elif key == Qt.Key.Key_Backtab:
            self._put(unindented(self.text(), *self.span(), TAB))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain:
            self._put(after_return(self.text(), *self.span(), TAB))
        elif event.text() and self._ghost.startswith(event.text()) and not self.textCursor().hasSelection():
            self.accept(event.text())  # typed what was suggested: the rest of it still holds
        else:
            super().keyPressEvent(event)

    def _ghost_key(self, event: QKeyEvent) -> bool:
        key, held = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if key == Qt.Key.Key_Tab and held == Qt.KeyboardModifier.NoModifier:
            self.accept(self._ghost)
        elif key == Qt.Key.Key_Right and held == Qt.KeyboardModifier.ControlModifier:
            self.accept(first_word(self._ghost))
        elif key == Qt.Key.Key_Escape:
            self.set_ghost("")
        else:
            return False
        return True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.set_ghost("")
        super().mousePressEvent(event)

    def insertFromMimeData(self, source: QMimeData) -> None:
        self.insertPlainText(source.text())

    # what it looks like ----------------------------------------------------------------------

    def _changed(self) -> None:
        if not self._quiet:
            self.set_ghost("")
            self.typed.emit()

    def _moved(self) -> None:
        self._mark_line()
        if not self._quiet:
            self.set_ghost("")

    def _mark_line(self) -> None:
        mark = QTextEdit.ExtraSelection()
        mark.format.setBackground(self._line_colour())  # type: ignore[attr-defined]
        mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)  # type: ignore[attr-defined]
        mark.cursor = self.textCursor()  # type: ignore[attr-defined]
        mark.cursor.clearSelection()  # type: ignore[attr-defined]
        self.setExtraSelections([mark])

    def _line_colour(self) -> QColor:
        return self._theme.colour("line_now")

    def _dress(self) -> None:
        self.setFont(mono_font(self._theme.tokens))
        self.setTabStopDistance(TAB * self.fontMetrics().horizontalAdvance(" "))
        self._mark_line()
        self._make_room()

    def gutter_width(self) -> int:
        digits = max(2, len(str(self.blockCount())))
        return GUTTER * 2 + digits * self.fontMetrics().horizontalAdvance("9")

    def _make_room(self, _count: int = 0) -> None:
        self.setViewportMargins(self.gutter_width(), 0, 0, 0)
        self._place_gutter()

    def _place_gutter(self) -> None:
        inside = self.contentsRect()
        self._gutter.setGeometry(QRect(inside.left(), inside.top(), self.gutter_width(), inside.height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_gutter()

    def _gutter_follows(self, rect: QRect, dy: int) -> None:
        if dy:
            self._gutter.scroll(0, dy)
        else:
            self._gutter.update(0, rect.y(), self._gutter.width(), rect.height())

    def paint_numbers(self, event: QPaintEvent) -> None:
        painter = QPainter(self._gutter)
        painter.fillRect(event.rect(), self._theme.colour("raised"))
        painter.setFont(self.font())
        block = self.firstVisibleBlock()
        now = self.textCursor().blockNumber()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        while block.isValid() and top <= event.rect().bottom():
            high = self.blockBoundingRect(block).height()
            painter.setPen(self._theme.colour("text" if block.blockNumber() == now else "faint"))
            place = QRect(0, round(top), self._gutter.width() - GUTTER, round(high))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(place, right, str(block.blockNumber() + 1))
            top += high
            block = block.next()
        painter.end()


class _Gutter(QWidget):
    """The line numbers beside the text."""

    def __init__(self, editor: CodeEditor):
        super().__init__(editor)
        self._editor = editor

    def sizeHint(self) -> QSize:
        return QSize(self._editor.gutter_width(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._editor.paint_numbers(event)
