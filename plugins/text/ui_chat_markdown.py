"""A message as Markdown that grows while it is written: no pictures from anywhere, no link followed unasked.

Owns MessageText. What a model wrote is shown as text where Markdown would be too long to lay out again and again.
"""

import html
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QResizeEvent, QTextCharFormat, QTextCursor, QTextFormat, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QWidget

from studio.kit.theme import Theme, mono_font

from .conversation_diff import Run

AGAIN_MS = 100
FENCE = QTextFormat.Property.BlockCodeFence
LONGEST = 20_000
"""Characters that are laid out as Markdown; more are shown as they are."""


class MessageText(QTextBrowser):
    """linked(url): a link was clicked; whoever hears it asks before it is opened."""

    linked = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._text = ""
        self._plain = True
        self._runs: Sequence[Run] = ()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._soon = QTimer(self, interval=AGAIN_MS, singleShot=True)
        self._soon.timeout.connect(self._lay_out)
        self.anchorClicked.connect(lambda url: self.linked.emit(url.toString()))
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        theme.changed.connect(self._lay_out)

    def text(self) -> str:
        return self._text

    def show_text(self, text: str, *, plain: bool = False) -> None:
        """plain: shown letter by letter, as a person's own words are."""
        if (text, plain) == (self._text, self._plain) and not self._runs:
            return
        grows = text.startswith(self._text) and self._text and not self._runs and plain == self._plain
        self._text, self._plain, self._runs = text, plain, ()
        if not grows:
            self._lay_out()
        elif not self._soon.isActive():
            self._soon.start()

    def settle(self) -> None:
        """It is complete: shown at once, not a moment later."""
        if self._soon.isActive():
            self._lay_out()

    def show_differences(self, runs: Sequence[Run]) -> None:
        """Two versions as one text: what went is struck out, what came is marked."""
        self._runs = runs
        self._lay_out()

    @property
    def compares(self) -> bool:
        return bool(self._runs)

    def _lay_out(self) -> None:
        self._soon.stop()
        if self._runs:
            self.setHtml(self._marked())
        elif self._plain or len(self._text) > LONGEST:
            self.setPlainText(self._text)
        else:
            self.setMarkdown(self._text)
            self._dress()
        self._fit()

    def _dress(self) -> None:
        """Room between paragraphs; blocks of code in the face in which all letters are equally wide."""
        mono, shade = mono_font(self._theme.tokens), self._theme.colour("input")
        block = self.document().begin()
        while block.isValid():
            form = block.blockFormat()
            code = form.hasProperty(FENCE)
            goes_on = code and block.next().blockFormat().hasProperty(FENCE)
            form.setBottomMargin(0 if goes_on or not block.next().isValid() else 2 if block.textList() else 8)
            cursor = QTextCursor(block)
            if code:
                form.setBackground(shade)
                cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
                letters = QTextCharFormat()
                letters.setFontFamilies(mono.families())
                cursor.mergeCharFormat(letters)
            cursor.setBlockFormat(form)
            block = block.next()

    def _marked(self) -> str:
        went, came = self._theme.colour("removed").name(), self._theme.colour("added").name()
        marks = {"left": f'<s style="background:{went}">%s</s>', "right": f'<span style="background:{came}">%s</span>'}
        parts = (marks.get(run.kind, "%s") % html.escape(run.text).replace("\n", "<br>") for run in self._runs)
        return f'<p style="white-space:pre-wrap">{"".join(parts)}</p>'

    def loadResource(self, type: int, name: QUrl | str) -> Any:
        """Nothing is ever loaded: a picture in an answer would tell somebody that it was read."""
        return None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _fit(self, _size: object = None) -> None:
        self.document().setTextWidth(self.viewport().width())
        height = round(self.document().size().height()) + 2
        if height != self.height():
            self.setFixedHeight(max(height, self.fontMetrics().lineSpacing()))
