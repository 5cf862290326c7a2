"""The work area of the image panel: batches, newest first, of which only those near the screen are built.

The newest batch is shown on top while the view is there; a person who looks at older ones is left alone,
whatever comes or grows above. Cards are brought up to date at most thirty times a second.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from time import perf_counter

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QWidget

from studio.kit.freshen import Freshener

from .ui_batches import Batch
from .ui_card import BatchCard, height_guess
from .ui_tile import PictureTile

BUILD_S = 0.006
BETWEEN = 12
EDGE = 8
SIDE = 24
READABLE = 2400
KEPT_CARDS = 24


class BatchGrid(QScrollArea):
    """asked: (action, batch, number or -1). needs: a card came into being. near_end: older batches are wanted."""

    asked = Signal(str, str, int)
    needs = Signal(str)
    near_end = Signal()

    def __init__(self, make_card: Callable[[str], BatchCard], side: int = 208, parent: QWidget | None = None):
        super().__init__(parent)
        self._make_card, self.side = make_card, side
        self._batches: list[Batch] = []
        self._rows: dict[str, int] = {}
        self._heights: dict[str, int] = {}
        self._guesses: dict[str, int] = {}
        self._sizes: list[int] = []
        self._tops: list[int] = [EDGE]
        self._cards: dict[str, BatchCard] = {}
        self._current = ("", -1)
        self._laid_for = 0
        self.setAccessibleName("Results")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._inside = QWidget()
        self._inside.setObjectName("results")
        self.setWidget(self._inside)
        self.fresh = Freshener(self._refresh, self)
        self._building = QTimer(self, interval=0, singleShot=True)
        self._building.timeout.connect(self._build_some)
        self.verticalScrollBar().valueChanged.connect(self._on_scroll)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus)

    # what is shown ---------------------------------------------------------------------------

    def show_batches(self, batches: Iterable[Batch]) -> None:
        """Shows these and no others, in this order. What the person looks at stays where it is."""
        held = self._anchor()
        self._batches = list(batches)
        self._rows = {batch.id: at for at, batch in enumerate(self._batches)}
        for id in [id for id in self._cards if id not in self._rows]:
            self._drop(id)
        self._measure()
        self._lay_out(held)

    def touch(self, id: str, *, now: bool = False) -> None:
        """A batch has changed: its card is brought up to date soon. now: as soon as the window has its turn."""
        if id in self._cards:
            self.fresh.touch(id, now=now)
        else:
            self._heights.pop(id, None)
            self._guesses.pop(id, None)

    def _refresh(self, id: str) -> None:
        if id in self._cards:
            self._cards[id].refresh()

    def card(self, id: str) -> BatchCard | None:
        return self._cards.get(id)

    def built(self) -> list[str]:
        return list(self._cards)

    def current(self) -> tuple[str, int]:
        """The batch and the picture that had the keyboard last; else the newest batch and its first picture."""
        id, number = self._current
        if id in self._rows:
            return id, number
        first = next(iter(self._batches), None)
        return (first.id, first.shown[0].number if first.shown else -1) if first else ("", -1)

    def neighbour(self, id: str, by: int) -> Batch | None:
        at = self._row(id)
        return self._batches[at + by] if at >= 0 and 0 <= at + by < len(self._batches) else None

    def order(self) -> Sequence[Batch]:
        return self._batches

    def set_side(self, side: int) -> None:
        """How large tiles are, about."""
        self.side = side
        held = self._anchor()
        for card in self._cards.values():
            card.set_side(side)
        self._forget_heights()
        self._lay_out(held)

    def go_to_newest(self) -> None:
        self._current = ("", -1)
        self.verticalScrollBar().setValue(0)

    def reveal(self, id: str, number: int = -1, *, focus: bool = False) -> None:
        """Scrolls to a batch."""
        at = self._row(id)
        if at < 0:
            return
        top, height, bar = self._tops[at], self._sizes[at], self.verticalScrollBar()
        if top < bar.value() or top + height > bar.value() + self.viewport().height():
            bar.setValue(max(0, top - EDGE))
        self._build_some(now=id)
        tile = self._cards[id].tile(number) if id in self._cards else None
        if focus and tile is not None:
            tile.setFocus(Qt.FocusReason.OtherFocusReason)

    def scroll_place(self) -> dict[str, object]:
        """Which batch is on top and how far it is scrolled away; nothing when the newest is on show."""
        id, offset = self._anchor()
        return {"batch": id, "offset": offset} if id else {}

    def set_scroll_place(self, place: dict[str, object]) -> None:
        at = self._row(str(place.get("batch", "")))
        offset = place.get("offset")
        if at >= 0 and isinstance(offset, int):
            self.verticalScrollBar().setValue(self._tops[at] - offset)

    # geometry --------------------------------------------------------------------------------

    def _width(self) -> int:
        """Of a card: the scroll bar takes its room from the margin, so that cards keep their width."""
        return max(160, min(READABLE, self.width() - 2 * SIDE))

    def _left(self) -> int:
        return max(EDGE, (self.width() - self._width()) // 2)

    def _height(self, batch: Batch, width: int) -> int:
        """As it was laid out, else as it will be, about."""
        found = self._heights.get(batch.id) or self._guesses.get(batch.id)
        if found is None:
            found = self._guesses[batch.id] = height_guess(batch, width, self.side)
        return found

    def _measure(self) -> None:
        width = self._width()
        self._sizes = [self._height(batch, width) for batch in self._batches]

    def _forget_heights(self) -> None:
        self._heights.clear()
        self._guesses.clear()
        self._measure()

    def _row(self, id: str) -> int:
        return self._rows.get(id, -1)

    def _anchor(self) -> tuple[str, int]:
        """The topmost batch on screen and where its top lies in the view; ("", 0) when the view is at the newest."""
        value = self.verticalScrollBar().value()
        if value <= EDGE or not self._batches:
            return "", 0
        at = min(max(0, bisect_right(self._tops, value + BETWEEN) - 1), len(self._batches) - 1)
        return self._batches[at].id, self._tops[at] - value

    def _lay_out(self, held: tuple[str, int]) -> None:
        """Places everything; what is `held` keeps its place on the screen."""
        self._tops = list(accumulate((size + BETWEEN for size in self._sizes), initial=EDGE))
        self._inside.setFixedSize(self.viewport().width(), max(self._tops[-1] - BETWEEN + EDGE, 1))
        at = self._row(held[0]) if held[0] else -1
        bar = self.verticalScrollBar()
        if at >= 0:
            bar.setValue(self._tops[at] - held[1])
        elif not held[0]:
            bar.setValue(0)
        self._place_cards()
        self._building.start()

    def _place_cards(self) -> None:
        left = self._left()
        for id, card in self._cards.items():
            card.move(left, self._tops[self._rows[id]])

    def _near(self) -> range:
        """Rows on screen and half a screen around."""
        value, high = self.verticalScrollBar().value(), self.viewport().height()
        first = max(0, bisect_right(self._tops, value - high // 2) - 1)
        last = bisect_right(self._tops, value + high + high // 2)
        return range(first, min(last, len(self._batches)))

    def _build_some(self, now: str = "") -> None:
        """Builds the cards near the screen, some milliseconds at a time, and takes far ones down."""
        began = perf_counter()
        near = self._near()
        held, changed = self._anchor(), False
        value, high = self.verticalScrollBar().value(), self.viewport().height()
        rows = sorted(near, key=lambda at: not (self._tops[at] < value + high and self._tops[at + 1] > value))
        for at in rows:
            batch = self._batches[at]
            if batch.id in self._cards and batch.id in self._heights:
                continue
            card = self._cards.get(batch.id) or self._build(batch)
            height = card.fit(self._width())
            changed = changed or height != self._sizes[at]
            self._heights[batch.id] = self._sizes[at] = height
            if perf_counter() - began > BUILD_S and batch.id != now:
                self._building.start()
                break
        self._take_down(near)
        if changed:
            self._lay_out(held)
        if self._batches and near and near[-1] >= len(self._batches) - 3:
            self.near_end.emit()

    def _build(self, batch: Batch) -> BatchCard:
        card = self._make_card(batch.id)
        card.set_side(self.side)
        card.setParent(self._inside)
        card.asked.connect(self._on_asked)
        card.resized.connect(self._on_resized)
        card.chosen.connect(self._on_chosen)
        self._cards[batch.id] = card
        card.refresh()
        card.fit(self._width())
        card.move(self._left(), self._tops[self._row(batch.id)])
        card.show()
        self.needs.emit(batch.id)
        return card

    def _take_down(self, near: range) -> None:
        keep = {self._batches[at].id for at in near}
        focused = _focused()
        far = [id for id, card in self._cards.items() if id not in keep and not card.isAncestorOf(focused)]
        for id in far[: max(0, len(self._cards) - KEPT_CARDS)]:
            self._drop(id)

    def _drop(self, id: str) -> None:
        card = self._cards.pop(id)
        self.fresh.drop(id)
        card.hide()
        card.deleteLater()

    # what happens ----------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        held = self._anchor()
        super().resizeEvent(event)
        if self._width() != self._laid_for:
            self._laid_for = self._width()
            self._forget_heights()
        self._lay_out(held)

    def _on_scroll(self, _value: int) -> None:
        if not self._building.isActive():
            self._building.start()

    def _on_resized(self, id: str) -> None:
        held, at = self._anchor(), self._row(id)
        if id in self._cards and at >= 0:
            self._heights[id] = self._sizes[at] = self._cards[id].height()
            self._lay_out(held)

    def _on_chosen(self, id: str, number: int) -> None:
        self._current = (id, number)

    def _on_focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        """A part of a card that the keyboard reached is brought on screen."""
        if now is None or not self._inside.isAncestorOf(now):
            return
        if isinstance(now, PictureTile) or now.parentWidget() in self._cards.values():
            self.ensureWidgetVisible(now, 0, 16)

    def _on_asked(self, deed: str, id: str, number: int) -> None:
        if deed not in ("before", "after"):
            self.asked.emit(deed, id, number)
            return
        other = self.neighbour(id, 1 if deed == "after" else -1)
        if other is not None and other.shown:
            picture = other.shown[0 if deed == "after" else -1]
            self.reveal(other.id, picture.number, focus=True)


def _focused() -> QWidget:
    return QApplication.focusWidget() or QWidget()
