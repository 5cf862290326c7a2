"""The work area of the text panel: results from oldest to newest, as cards, a bounded number of them built.

Streamed text reaches the screen at most thirty times a second. The view follows the end only while it
is there already, so that a person who reads further up is left alone.
"""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QApplication, QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio.kit.freshen import Freshener

from .ui_card import ResultCard
from .ui_results import Result

BUILT_AT_FIRST = 20
BUILT_AT_MOST = 60
SLACK = 24
TOP = 8


class _Column(QWidget):
    """The cards' parent: as high as they are at this width, not as labels that wrap would like to be."""

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        if layout is not None and layout.hasHeightForWidth():
            return QSize(0, 0)
        return super().minimumSizeHint()


class WorkArea(QScrollArea):
    """asked: (action, result id) from a card. needs_text: a card came into being whose file was not read yet."""

    asked = Signal(str, str)
    needs_text = Signal(str)

    def __init__(self, make_card: Callable[[str], ResultCard], parent: QWidget | None = None):
        super().__init__(parent)
        self._make_card = make_card
        self._cards: dict[str, ResultCard] = {}
        self._results: list[Result] = []
        self._first = 0
        self._following = True
        self._held: int | None = None
        self._focused = ""
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)
        self.setAccessibleName("Results")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._inside = _Column()
        self._inside.setObjectName("results")
        self._column = QVBoxLayout(self._inside)
        self._side = 24
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
        bar.actionTriggered.connect(lambda _action: self._let_go())
        self._earlier.hide()

    # what is shown ---------------------------------------------------------------------------

    def show_results(self, results: Iterable[Result]) -> None:
        """Shows these and no others; cards that are still wanted stay, with their place and selection."""
        self._results = list(results)
        ids = {result.id for result in self._results}
        for id in [id for id in self._cards if id not in ids]:
            self._drop(id)
        if not self._cards:
            self._first = max(0, len(self._results) - BUILT_AT_FIRST)
        else:
            self._first = min(i for i, result in enumerate(self._results) if result.id in self._cards)
        self._fold_old()
        for at, result in enumerate(self._results[self._first :]):
            card = self._cards.get(result.id) or self._build(result)
            if self._column.indexOf(card) != at + 1:
                self._column.removeWidget(card)
                self._column.insertWidget(at + 1, card)
        self._update_earlier()

    def touch(self, id: str, *, now: bool = False) -> None:
        """The result `id` has changed: its card is brought up to date within a thirtieth of a second.

        now: as soon as the window has its turn. Never here: twenty jobs that end at once would hold it.
        """
        if id in self._cards:
            self.fresh.touch(id, now=now)

    def _refresh(self, id: str) -> None:
        if id in self._cards:
            self._cards[id].refresh()

    def card(self, id: str) -> ResultCard | None:
        return self._cards.get(id)

    def current(self) -> str:
        """The result that had the focus last, until another was asked for; else the newest."""
        if self._focused in self._cards:
            return self._focused
        return self._results[-1].id if self._results else ""

    def _on_focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        """Also remembered while the focus is elsewhere, as in the palette."""
        for id, card in self._cards.items():
            if now is not None and (card is now or card.isAncestorOf(now)):
                self._focused = id
                return

    def reveal(self, id: str) -> None:
        """Scrolls to a result."""
        at = next((i for i, result in enumerate(self._results) if result.id == id), -1)
        if at < 0:
            return
        while at < self._first:
            self._show_earlier()
        card = self._cards[id]
        self._held = None
        self._following = at == len(self._results) - 1
        QTimer.singleShot(0, card, lambda: self.ensureWidgetVisible(card, 0, 16))

    def follow_end(self) -> None:
        self._following, self._held, self._focused = True, None, ""
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def scroll_place(self) -> int:
        """How far the view is from the end, in pixels: 0 when it follows."""
        bar = self.verticalScrollBar()
        if self._held is not None:
            return self._held
        return 0 if self._following else bar.maximum() - bar.value()

    def set_scroll_place(self, place: int) -> None:
        """Stays this far from the end, also while texts are still read back, until the person scrolls."""
        self._held = place if place > 0 else None
        self._following = self._held is None
        self._on_range(0, self.verticalScrollBar().maximum())

    # building --------------------------------------------------------------------------------

    def _build(self, result: Result) -> ResultCard:
        card = self._make_card(result.id)
        card.asked.connect(self.asked)
        card.turned.connect(self._turned)
        card.setParent(self._inside)
        card.installEventFilter(self)
        self._cards[result.id] = card
        card.show_result(result)
        if result.ended and result.artifact and result.saved is None and not result.gone:
            self.needs_text.emit(result.id)
        return card

    def _turned(self, id: str) -> None:
        """Another text of this request is shown: its file is read, if there is one."""
        self.touch(id, now=True)
        self.needs_text.emit(id)

    def _drop(self, id: str) -> None:
        card = self._cards.pop(id)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()

    def _fold_old(self) -> None:
        """Takes the oldest cards down again when many were built and the person is at the end."""
        if self._following and len(self._results) - self._first > BUILT_AT_MOST:
            self._first = len(self._results) - BUILT_AT_FIRST
            for result in self._results[: self._first]:
                if result.id in self._cards:
                    self._drop(result.id)

    def _show_earlier(self) -> None:
        bar = self.verticalScrollBar()
        self._following, self._held = False, None
        below = bar.maximum() - bar.value()
        old, self._first = self._first, max(0, self._first - BUILT_AT_FIRST)
        for at, result in enumerate(self._results[self._first : old]):
            if result.id not in self._cards:
                self._column.insertWidget(at + 1, self._build(result))
        self._update_earlier()
        QTimer.singleShot(0, self, lambda: bar.setValue(bar.maximum() - below))

    def _update_earlier(self) -> None:
        self._earlier.setVisible(self._first > 0)
        self._earlier.setText(f"Show earlier results ({self._first:,})")

    def set_side(self, side: int) -> None:
        """The free room left and right of the cards."""
        self._side = side
        self._set_margins(self.verticalScrollBar().maximum() > 0)

    def _set_margins(self, scrolled: bool) -> None:
        """The scroll bar takes its room from the margin, so that the cards keep their width."""
        bar = self.verticalScrollBar().sizeHint().width() if scrolled else 0
        self._column.setContentsMargins(self._side, TOP, self._side - bar, TOP)

    # the end ---------------------------------------------------------------------------------

    def _on_range(self, _low: int, high: int) -> None:
        self._set_margins(high > 0)
        if self._following:
            self.verticalScrollBar().setValue(high)
        elif self._held is not None:
            self.verticalScrollBar().setValue(high - self._held)

    def _on_value(self, value: int) -> None:
        if self._held is None:
            self._following = value >= self.verticalScrollBar().maximum() - SLACK

    def _let_go(self) -> None:
        self._held = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        by_key = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if isinstance(event, QFocusEvent) and event.gotFocus() and event.reason() in by_key:
            assert isinstance(watched, QWidget)
            self.ensureWidgetVisible(watched, 0, 16)
        return super().eventFilter(watched, event)
