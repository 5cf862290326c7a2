"""A proposed change, hunk by hunk: what goes, what comes, and two buttons each.

Owns ChangesView. It applies nothing itself: `wanted` says which hunks, and the panel changes the text, so that the
editor's own undo takes a change back.
"""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor, QTextFormat
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QTextEdit, QVBoxLayout, QWidget

from studio.kit.stream import StreamText
from studio.kit.surface import label, push_button, tool_button
from studio.kit.theme import Theme, mono_font

from .hunks import Hunk, Proposal

SHOWN_LINES = 400
STATES = {"": "", "accepted": "Accepted", "rejected": "Rejected"}


class DiffText(StreamText):
    """Lines that stay, go and come, told apart by colour and by the sign before them."""

    def __init__(self, theme: Theme, hunk: Hunk, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        rows = [(" ", line) for line in hunk.before]
        rows += [("-", line) for line in hunk.old]
        rows += [("+", line) for line in hunk.new]
        rows += [(" ", line) for line in hunk.after]
        more = len(rows) - SHOWN_LINES
        self._signs = [sign for sign, _ in rows[:SHOWN_LINES]]
        lines = [f"{sign} {shown(line)}" for sign, line in rows[:SHOWN_LINES]]
        self.setAccessibleName("Change: - lines go, + lines come")
        self.show_text("\n".join([*lines, f"… {more:,} more lines"] if more > 0 else lines))
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.setFont(mono_font(self._theme.tokens))
        marks = []
        for number, sign in enumerate(self._signs):
            if sign == " ":
                continue
            mark = QTextEdit.ExtraSelection()
            mark.format.setBackground(self._theme.colour("added" if sign == "+" else "removed"))  # type: ignore[attr-defined]
            mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)  # type: ignore[attr-defined]
            mark.cursor = QTextCursor(self.document().findBlockByNumber(number))  # type: ignore[attr-defined]
            marks.append(mark)
        self.setExtraSelections(marks)


class HunkCard(QFrame):
    """decided(number, accepted)."""

    decided = Signal(int, bool)

    def __init__(self, number: int, hunk: Hunk, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("card", True)
        self.state = ""
        yes, no = theme.icon("mdi6.check", "success"), theme.icon("mdi6.close", "danger")
        self.accept = tool_button("Accept", icon=yes, text=True, help="Makes this change")
        self.reject = tool_button("Reject", icon=no, text=True, help="Leaves it out")
        self.said = label(muted=True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label(hunk.title, muted=True))
        head.addStretch(1)
        for part in (self.said, self.accept, self.reject):
            head.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(DiffText(theme, hunk))
        self.accept.clicked.connect(lambda: self.decided.emit(number, True))
        self.reject.clicked.connect(lambda: self.decided.emit(number, False))
        self.set_state("")

    def set_state(self, state: str) -> None:
        """ "", "accepted" or "rejected"."""
        self.state = state
        self.said.setText(STATES[state])
        for button in (self.accept, self.reject):
            button.setVisible(not state)


class ChangesView(QWidget):
    """wanted(numbers): these hunks are to be made. closed: all are decided, or the person put the change away."""

    wanted = Signal(list)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.proposal: Proposal | None = None
        self.cards: list[HunkCard] = []
        self.title = label(heading=True)
        self.note = label(wrap=True, muted=True)
        self.accept_all = push_button("Accept all", primary=True, help="Makes every change that is still open")
        self.reject_all = push_button("Reject all", help="Leaves out every change that is still open")
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 4)
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.accept_all)
        head.addWidget(self.reject_all)
        self._inside = QWidget()
        self._column = QVBoxLayout(self._inside)
        self._column.setContentsMargins(16, 4, 16, 12)
        self._column.setSpacing(8)
        self._column.addWidget(self.note)
        self._column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Proposed changes")
        scroll.setWidget(self._inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        self.accept_all.clicked.connect(lambda: self._want(self.undecided()))
        self.reject_all.clicked.connect(self._reject_all)

    def show_proposal(self, name: str, proposal: Proposal, words: str = "") -> None:
        """words: what the model said about it."""
        for card in self.cards:
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.proposal = proposal
        self.cards = [HunkCard(number, hunk, self._theme) for number, hunk in enumerate(proposal.hunks)]
        for place, card in enumerate(self.cards, 1):
            self._column.insertWidget(place, card)
            card.decided.connect(self._decided)
        count = len(self.cards)
        self.title.setText(f"{count} change{'s' if count != 1 else ''} to {name}" if count else f"No change to {name}")
        self.note.setText(words)
        self.note.setVisible(bool(words))
        self._update()

    def undecided(self) -> list[int]:
        return [number for number, card in enumerate(self.cards) if not card.state]

    def made(self, numbers: list[int]) -> None:
        """These changes are in the text now."""
        for number in numbers:
            self.cards[number].set_state("accepted")
        self._update()

    def _decided(self, number: int, accepted: bool) -> None:
        if accepted:
            self._want([number])
        else:
            self.cards[number].set_state("rejected")
            self._update()

    def _want(self, numbers: list[int]) -> None:
        if numbers:
            self.wanted.emit(numbers)

    def _reject_all(self) -> None:
        for number in self.undecided():
            self.cards[number].set_state("rejected")
        self._update()

    def _update(self) -> None:
        open = bool(self.undecided())
        self.accept_all.setEnabled(open)
        self.reject_all.setEnabled(open)
        if not open and self.proposal is not None:
            self.closed.emit()


def shown(line: str) -> str:
    """A line as it is shown: that the last one has no end is the whole change, sometimes."""
    return line[:-1] if line.endswith("\n") else f"{line}  ⌁ no line end"
