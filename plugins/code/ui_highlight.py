"""Colours a source file by its language while the window stays awake: Pygments reads it a few milliseconds at a time.

Owns Highlighter. A line keeps its colours until it has been read again, and is painted anew only if they differ.
"""

import time
from collections.abc import Iterator

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.token import Comment, Keyword, Literal, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound
from PySide6.QtCore import QTimer
from PySide6.QtGui import QFont, QSyntaxHighlighter, QTextBlock, QTextCharFormat, QTextDocument

from studio.kit.theme import Theme

SLICE_S = 0.004
WAIT_MS = 60
MOST = 600_000
"""Characters; a longer file stays uncoloured."""

# The first that a token's type lies in; the colour token, and whether it leans.
KINDS: tuple[tuple[_TokenType, str, bool], ...] = (
    (Comment, "syntax_comment", True),
    (String, "syntax_string", False),
    (Number, "syntax_number", False),
    (Literal, "syntax_string", False),
    (Keyword.Constant, "syntax_number", False),
    (Keyword.Type, "syntax_type", False),
    (Keyword, "syntax_keyword", False),
    (Operator.Word, "syntax_keyword", False),
    (Name.Function, "syntax_function", False),
    (Name.Class, "syntax_type", False),
    (Name.Decorator, "syntax_function", False),
    (Name.Builtin, "syntax_type", False),
    (Name.Exception, "syntax_type", False),
    (Name.Tag, "syntax_keyword", False),
    (Name.Attribute, "syntax_function", False),
)
Span = tuple[int, int, int]
"""Start and length in the line, in UTF-16 units as Qt counts, and the kind's place in KINDS."""


class Highlighter(QSyntaxHighlighter):
    """`set_path` chooses the language by the file's name."""

    def __init__(self, document: QTextDocument, theme: Theme):
        super().__init__(document)
        self._theme = theme
        self._lexer: Lexer | None = None
        self._lines: list[tuple[Span, ...]] = [()] * document.blockCount()
        self._reading: Iterator[tuple[int, tuple[Span, ...]]] | None = None
        self._count = document.blockCount()
        self._wait = QTimer(self, interval=WAIT_MS, singleShot=True)
        self._wait.timeout.connect(self._begin)
        self._slice = QTimer(self, interval=0, singleShot=True)
        self._slice.timeout.connect(self._go_on)
        self._formats = self._made()
        document.contentsChange.connect(self._changed)
        theme.changed.connect(self._dress)

    def set_path(self, path: str) -> None:
        try:
            self._lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False) if path else None
        except ClassNotFound:
            self._lexer = None
        self._begin()

    @property
    def language(self) -> str:
        """The language's name, "" for plain text."""
        return self._lexer.name if self._lexer is not None else ""

    @property
    def is_done(self) -> bool:
        return self._reading is None and not self._wait.isActive()

    def highlightBlock(self, text: str) -> None:
        number = self.currentBlock().blockNumber()
        for start, length, kind in self._lines[number] if number < len(self._lines) else ():
            self.setFormat(start, length, self._formats[kind])

    def _changed(self, position: int, _removed: int, _added: int) -> None:
        """Keeps the colours of the lines below where lines came or went."""
        document = self.document()
        more = document.blockCount() - self._count
        self._count = document.blockCount()
        at = document.findBlock(position).blockNumber() + 1
        if more > 0:
            self._lines[at:at] = [()] * more
        elif more < 0:
            del self._lines[at : at - more]
        self._reading = None
        self._slice.stop()
        self._wait.start()

    def _begin(self) -> None:
        self._wait.stop()
        text = self.document().toPlainText()
        lexer = self._lexer if len(text) <= MOST else None
        self._reading = spans(lexer, text) if lexer is not None else iter(blank(text))
        self._slice.start()

    def _go_on(self) -> None:
        """Reads for a moment."""
        if self._reading is None:
            return
        end = time.perf_counter() + SLICE_S
        for number, found in self._reading:
            if number < len(self._lines) and self._lines[number] != found:
                self._lines[number] = found
                self.rehighlightBlock(self._block(number))
            if time.perf_counter() > end:
                self._slice.start()
                return
        self._reading = None

    def _block(self, number: int) -> QTextBlock:
        return self.document().findBlockByNumber(number)

    def _made(self) -> list[QTextCharFormat]:
        made = []
        for _, colour, leans in KINDS:
            found = QTextCharFormat()
            found.setForeground(self._theme.colour(colour))
            found.setFontItalic(leans)
            found.setFontWeight(QFont.Weight.Normal)
            made.append(found)
        return made

    def _dress(self) -> None:
        self._formats = self._made()
        self.rehighlight()


def spans(lexer: Lexer, text: str) -> Iterator[tuple[int, tuple[Span, ...]]]:
    """Each line's number and its coloured spans, as soon as the line is read."""
    lines = text.split("\n")
    line, begins = 0, 0
    found: list[Span] = []
    for at, type, value in lexer.get_tokens_unprocessed(text):
        kind = kind_of(type)
        for part in _parts(at, value):
            while line < len(lines) - 1 and part[0] > begins + len(lines[line]):
                yield line, tuple(found)
                begins += len(lines[line]) + 1
                line, found = line + 1, []
            if kind is not None and part[1]:
                found.append(_span(lines[line], part[0] - begins, part[1], kind))
    while line < len(lines):
        yield line, tuple(found)
        line, found = line + 1, []


def blank(text: str) -> Iterator[tuple[int, tuple[Span, ...]]]:
    """No colours for any line."""
    return ((number, ()) for number in range(text.count("\n") + 1))


def kind_of(type: _TokenType) -> int | None:
    return next((number for number, (kind, *_) in enumerate(KINDS) if type in kind), None)


def _parts(at: int, value: str) -> Iterator[tuple[int, int]]:
    """Start and length of each line's part of a token."""
    for piece in value.split("\n"):
        yield at, len(piece)
        at += len(piece) + 1


def _span(line: str, start: int, length: int, kind: int) -> Span:
    if line.isascii():
        return start, length, kind
    return _units(line[:start]), _units(line[start : start + length]), kind


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
