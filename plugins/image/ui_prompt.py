"""Where a person writes what is to be seen: weights and choices coloured, what it makes below, problems marked.

Owns PromptBox. What a prompt says is told by prompting.py; this shows it.

    box = PromptBox(session, "What is to be seen")     a QWidget
    box.value() -> str, box.set_value(text), box.changed, box.submitted       as the kit's PromptEditor
    box.remember(text), box.history(), box.set_history(prompts), box.setFocus()
    box.set_making("random" or "all", count, seed or None)     the form's `expand`, `count`, `seed`
    box.editor          the PromptEditor itself; box.explained: what prompting.explain says of it now

Ctrl+Up and Ctrl+Down change the weight of the selection, of the brackets around the cursor, or of the word there.
"""

from collections.abc import Iterable
from itertools import accumulate

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QSizePolicy, QTextEdit, QVBoxLayout, QWidget

from studio.kit.group import Heading
from studio.kit.prompt import PromptEditor
from studio.kit.session import Session
from studio.kit.surface import label, tip
from studio.kit.theme import Theme

from .choices import MANY
from .prompting import Explained, How, Span, adjust_weight, explain, wildcards_folder

STEP = 0.05
AFTER_MS = 40
"""How long a person has stopped typing before the line below is made anew."""

LISTED = 20
SHOWN = 90
HELP = "Ctrl+Return generates. Ctrl+Up and Ctrl+Down change the weight at the cursor. Up and down at the edges go \
through earlier prompts."


class PromptBox(QWidget):
    """changed: the text is another, whoever changed it. submitted: Ctrl+Return."""

    changed = Signal()
    submitted = Signal()

    def __init__(self, session: Session, placeholder: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = session.theme
        self._folder = wildcards_folder(session.paths.data)
        self._how: How = "random"
        self._count, self._seed = 1, None
        self.editor = WeightEditor(placeholder)
        self.line = Heading("")
        self.line.setChecked(False)
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.list = label(wrap=True, selectable=True, muted=True, small=True)
        self.problem = label(wrap=True, problem=True, small=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for part in (self.editor, self.line, self.list, self.problem):
            column.addWidget(part)
        self.setFocusProxy(self.editor)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AFTER_MS)
        self._timer.timeout.connect(self.refresh)
        self.editor.changed.connect(self._timer.start)
        self.editor.changed.connect(self.changed)
        self.editor.submitted.connect(self.submitted)
        self.editor.entered.connect(self._timer.start)  # a wildcards file may be another by now
        self.line.clicked.connect(self._show)
        self._theme.changed.connect(self._show)
        self.explained = explain("")
        self.refresh()

    def value(self) -> str:
        return self.editor.value()

    def set_value(self, text: str) -> None:
        self.editor.set_value(text)

    def remember(self, text: str) -> None:
        self.editor.remember(text)

    def history(self) -> list[str]:
        return self.editor.history()

    def set_history(self, prompts: Iterable[str]) -> None:
        self.editor.set_history(prompts)

    def setUndoRedoEnabled(self, enable: bool) -> None:
        self.editor.setUndoRedoEnabled(enable)

    def set_making(self, how: How, count: int = 1, seed: int | None = None) -> None:
        """What the form says of choices and pictures; with a seed the line tells what will be drawn, else examples."""
        if (how, count, seed) != (self._how, self._count, self._seed):
            self._how, self._count, self._seed = how, count, seed
            self._timer.start()

    def refresh(self) -> None:
        """Reads the prompt now."""
        self._timer.stop()
        seeds = range(self._seed, self._seed + self._count) if self._seed is not None else ()
        self.explained = explain(
            self.editor.shown(), how=self._how, count=self._count, seeds=seeds, folder=self._folder, first=LISTED
        )
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_line()

    def _show(self) -> None:
        told = self.explained
        self.editor.paint_marks(told, self._theme)
        problems = told.problems
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        self.problem.setText(problems[0].text + more if problems else "")
        self.problem.setVisible(bool(problems))
        listed = [_one_line(text) for text in told.preview]
        rest = ["…"] if told.combinations > len(listed) else []
        open = self.line.isChecked() and told.combinations > 1
        self.list.setText("\n".join(listed + rest) if open else "")
        self.list.setVisible(open)
        self.line.setVisible(told.combinations > 1 and bool(told.makes))
        self.line.setIcon(self._theme.icon("mdi6.chevron-down" if open else "mdi6.chevron-right"))
        self._show_line()

    def _show_line(self) -> None:
        words = summary(self.explained, self._how, self._count)
        room = max(0, self.line.width() - 48)
        self.line.setText(self.line.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room))
        self.line.setAccessibleName(words)
        self.line.setToolTip(tip("Shows what the prompt's choices make"))


class WeightEditor(PromptEditor):
    """The kit's prompt editor with weights: Ctrl+Up and Ctrl+Down, and colours. entered: it got the keyboard."""

    entered = Signal()

    def __init__(self, placeholder: str = "", parent: QWidget | None = None):
        super().__init__(placeholder, parent)
        self.setAccessibleDescription(HELP)

    def shown(self) -> str:
        """The text as it stands in the document, whose places are counted in the marks."""
        return self.document().toRawText().replace("\u2029", "\n")

    def paint_marks(self, told: Explained, theme: Theme) -> None:
        """Colours without touching the text: no undo step, no signal."""
        self._text = self.shown()
        places = _places(self._text)
        found = [self._mark(places, span.start, span.end, _look(span, theme)) for span in told.spans]
        wrong = QTextCharFormat()
        wrong.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        wrong.setUnderlineColor(theme.colour("danger"))
        narrow = (problem for problem in told.problems if problem.end - problem.start < len(self._text))
        found += [self._mark(places, problem.start, problem.end, wrong) for problem in narrow]
        self.setExtraSelections(found)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        signs = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
        key = Qt.Key(event.key())
        if held == Qt.KeyboardModifier.ControlModifier and key in signs and not self.isReadOnly():
            self.adjust(STEP * signs[key])
            event.accept()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.entered.emit()

    def adjust(self, delta: float) -> None:
        """Changes the weight at the cursor. A selection stays on its words; a cursor stays one."""
        cursor, text = self.textCursor(), self.shown()
        places = _places(text)
        index = {place: at for at, place in enumerate(places)}
        start, end = index[cursor.selectionStart()], index[cursor.selectionEnd()]
        selected = start != end
        new, start, end = adjust_weight(text, start, end, delta)
        if new == text:
            return
        same = _common(text, new)
        tail = _common(text[same:][::-1], new[same:][::-1])
        cursor.setPosition(places[same])
        cursor.setPosition(places[len(text) - tail], QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(new[same : len(new) - tail])
        places = _places(new)
        cursor.setPosition(places[start if selected else end])
        cursor.setPosition(places[end], QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def _mark(self, places: list[int], start: int, end: int, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
        found = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self.document())
        last = len(places) - 1
        cursor.setPosition(places[min(start, last)])
        cursor.setPosition(places[min(end, last)], QTextCursor.MoveMode.KeepAnchor)
        found.cursor, found.format = cursor, look  # type: ignore[misc]
        return found


def summary(told: Explained, how: How, count: int) -> str:
    """ "Makes 12 pictures: a red cat; a blue cat; …"; empty where the prompt holds no choices."""
    if told.combinations <= 1 or not told.makes:
        return ""
    of = "very many" if told.combinations >= MANY else f"{told.combinations}"
    if how == "all":
        head = f"Makes {told.makes} pictures"
    elif count == 1:
        head = f"Draws one of {of}"
    else:
        head = f"Makes {count} pictures, each draws one of {of}"
    examples = [_one_line(text) for text in told.preview[:4]]
    return f"{head}: {'; '.join(examples)}{'; …' if told.combinations > len(examples) else ''}"


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _look(span: Span, theme: Theme) -> QTextCharFormat:
    look = QTextCharFormat()
    if span.kind == "weight":
        colour = theme.colour("accent" if span.weight >= 1 else "muted")
        colour.setAlphaF(min(0.45, 0.14 + 0.5 * abs(span.weight - 1)))
        look.setBackground(colour)
    elif span.kind == "wildcard":
        look.setForeground(theme.colour("success"))
    else:
        names = {"choice": "accent_text", "break": "warning", "tag": "faint"}
        look.setForeground(theme.colour(names[span.kind]))
    return look


def _places(text: str) -> list[int]:
    """Qt's place of each letter and of the end: it counts letters beyond U+FFFF as two."""
    return list(accumulate((2 if letter > "\uffff" else 1 for letter in text), initial=0))


def _common(one: str, other: str) -> int:
    """How many letters they begin with together."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
