"""The messages of a conversation, from the first to where the person is, a bounded number of them built.

The view follows the end only while it is there already, so that a person who reads further up is left alone.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio.kit.freshen import Freshener
from studio.kit.theme import Theme

from .ui_chat_message import MessageCard

BUILT = 24
SLACK = 24


class ChatView(QScrollArea):
    """asked(deed, id), edited(id, text), turned(id, step): from a message. show(card): fills a card by its id."""

    asked = Signal(str, str)
    edited = Signal(str, str)
    turned = Signal(str, int)
    linked = Signal(str)

    def __init__(self, theme: Theme, show: Callable[[MessageCard, str], None], parent: QWidget | None = None):
        super().__init__(parent)
        self._theme, self._show = theme, show
        self._ids: list[str] = []
        self._first = 0
        self._following = True
        self.cards: dict[str, MessageCard] = {}
        self.setAccessibleName("Messages")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._inside = QWidget()
        self._inside.setObjectName("results")
        self._column = QVBoxLayout(self._inside)
        self._column.setContentsMargins(24, 8, 24, 8)
        self._column.setSpacing(12)
        self._earlier = QPushButton()
        self._earlier.setProperty("flat", True)
        self._earlier.clicked.connect(self._show_earlier)
        self._column.addWidget(self._earlier, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        self.setWidget(self._inside)
        self.fresh = Freshener(self._refresh, self)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range)
        bar.valueChanged.connect(self._on_value)
        self._earlier.hide()

    def show_messages(self, ids: Sequence[str]) -> None:
        """These, in this order; cards of messages that stay are kept."""
        was = self._ids
        self._ids = list(ids)
        if was[:1] != self._ids[:1]:
            self._first = max(0, len(self._ids) - BUILT)
        self._first = min(self._first, max(0, len(self._ids) - 1))
        wanted = self._ids[self._first :]
        if len(wanted) > 2 * BUILT and self._following:
            self._first = len(self._ids) - BUILT
            wanted = self._ids[self._first :]
        for id in [id for id in self.cards if id not in set(wanted)]:
            self._drop(id)
        for at, id in enumerate(wanted, 1):
            card = self.cards.get(id) or self._build(id)
            if self._column.indexOf(card) != at:
                self._column.removeWidget(card)
                self._column.insertWidget(at, card)
            self._show(card, id)
        self._earlier.setVisible(self._first > 0)
        self._earlier.setText(f"Show earlier messages ({self._first:,})")

    def touch(self, id: str, *, now: bool = False) -> None:
        """The message has changed: its card is brought up to date within a thirtieth of a second."""
        if id in self.cards:
            self.fresh.touch(id, now=now)

    def follow_end(self) -> None:
        self._following = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def set_side(self, side: int) -> None:
        """The free room left and right of the messages."""
        self._column.setContentsMargins(side, 8, side, 8)

    def _refresh(self, id: str) -> None:
        if id in self.cards:
            self._show(self.cards[id], id)

    def _build(self, id: str) -> MessageCard:
        card = self.cards[id] = MessageCard(self._theme)
        card.asked.connect(self.asked)
        card.edited.connect(self.edited)
        card.turned.connect(self.turned)
        card.text.linked.connect(self.linked)
        return card

    def _drop(self, id: str) -> None:
        card = self.cards.pop(id)
        self.fresh.drop(id)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()

    def _show_earlier(self) -> None:
        bar = self.verticalScrollBar()
        self._following = False
        below = bar.maximum() - bar.value()
        self._first = max(0, self._first - BUILT)
        self.show_messages(self._ids)
        QTimer.singleShot(0, self, lambda: bar.setValue(bar.maximum() - below))

    def _on_range(self, _low: int, high: int) -> None:
        if self._following:
            self.verticalScrollBar().setValue(high)

    def _on_value(self, value: int) -> None:
        self._following = value >= self.verticalScrollBar().maximum() - SLACK
