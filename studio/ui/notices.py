"""Notices: what the window has to say without stopping anybody. A bar above the strip, never a box."""

import time
from collections import deque
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

KEPT = 50
SHOWN = 3
INFO_MS = 8_000
LEVELS = ("info", "warning", "error")


@dataclass(slots=True)
class Notice:
    """One message. `count`: how often it came in a row. `seen`: no longer in the bar."""

    title: str
    detail: str = ""
    hint: str = ""
    level: str = "info"
    log: str = ""
    at: float = field(default_factory=time.time)
    count: int = 1
    seen: bool = False

    @property
    def report(self) -> str:
        """The whole message as text for a mail or a bug report."""
        return "\n".join(part for part in (self.title, self.detail, self.hint, self.log) if part)

    def says_same(self, other: "Notice") -> bool:
        return (self.title, self.detail, self.level) == (other.title, other.detail, other.level)


class Notices(QObject):
    """The last 50. `changed`: there is one more, or one was put away."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.all: deque[Notice] = deque(maxlen=KEPT)
        self._sweep = QTimer(self, interval=1000)
        self._sweep.timeout.connect(self._put_away_old)

    def add(self, title: str, detail: str = "", level: str = "info", *, hint: str = "", log: str = "") -> None:
        """Says something. What was said last already is counted, not repeated."""
        notice = Notice(title, detail, hint, level if level in LEVELS else "info", log)
        if self.all and self.all[-1].says_same(notice):
            notice.count = self.all[-1].count + 1
            self.all.pop()
        self.all.append(notice)
        self._sweep.start()
        self.changed.emit()

    def put_away(self, notice: Notice) -> None:
        notice.seen = True
        self.changed.emit()

    def put_all_away(self) -> None:
        for notice in self.all:
            notice.seen = True
        self.changed.emit()

    @property
    def fresh(self) -> list[Notice]:
        """Those the bar shows, newest first."""
        return [notice for notice in reversed(self.all) if not notice.seen]

    def _put_away_old(self) -> None:
        """News go by themselves; warnings and errors stay until someone has read them."""
        before = time.time() - INFO_MS / 1000
        old = [notice for notice in self.fresh if notice.level == "info" and notice.at < before]
        for notice in old:
            notice.seen = True
        if not any(notice.level == "info" for notice in self.fresh):
            self._sweep.stop()
        if old:
            self.changed.emit()


class NoticeCard(QFrame):
    """One notice: what, why, what to do; copy and close."""

    closed = Signal(object)

    def __init__(self, notice: Notice, parent: QWidget | None = None):
        super().__init__(parent)
        self.notice = notice
        self.setProperty("notice", notice.level)
        self.setAccessibleName(f"{notice.level}: {notice.title}")
        words = QVBoxLayout()
        words.setSpacing(2)
        count = f"  ×{notice.count}" if notice.count > 1 else ""
        words.addWidget(_label(notice.title + count, "noticeTitle"))
        rest = " ".join(part for part in (notice.detail, notice.hint) if part)
        if rest:
            words.addWidget(_label(rest, "noticeDetail"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        layout.addLayout(words, 1)
        if notice.level != "info":
            copy = _button("Copy report", "Copies the message with all its details")
            copy.clicked.connect(self._copy)
            layout.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)
        close = _button("✕", "Put this notice away")
        close.setAccessibleName("Close notice")
        close.clicked.connect(self._close)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.notice.report)

    def _close(self) -> None:
        self.closed.emit(self.notice)


class NoticeBar(QWidget):
    """The fresh notices, or all of them when the person asks for the list."""

    def __init__(self, notices: Notices, parent: QWidget | None = None):
        super().__init__(parent)
        self._notices = notices
        self._list_open = False
        self._cards: list[NoticeCard] = []
        self._fit_soon = QTimer(self, singleShot=True, interval=0)
        self._fit_soon.timeout.connect(self._fit)
        self._inner = QWidget()
        self._inner.setObjectName("noticeList")
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(8, 8, 8, 8)
        self._column.setSpacing(8)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setAccessibleName("Notices")
        notices.changed.connect(self.refresh)
        self.refresh()

    def toggle_list(self) -> None:
        """Shows all notices kept, or only the fresh ones again."""
        self._list_open = not self._list_open
        if not self._list_open:
            self._notices.put_all_away()
        self.refresh()

    @property
    def list_open(self) -> bool:
        return self._list_open

    def refresh(self) -> None:
        shown = list(reversed(self._notices.all)) if self._list_open else self._notices.fresh[:SHOWN]
        for card in self._cards:
            self._column.removeWidget(card)
            card.deleteLater()
        self._cards = [self._card(notice) for notice in shown]
        if self._list_open and not shown:
            self._list_open = False
        self._fit()
        self.setVisible(bool(shown))

    def _card(self, notice: Notice) -> NoticeCard:
        card = NoticeCard(notice)
        card.closed.connect(self._notices.put_away)
        self._column.addWidget(card)
        card.show()  # A widget that was never shown does not count in the layout, whose height is asked next.
        return card

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        # Another height in the middle of a layout would leave what is inside at the old one.
        self._fit_soon.start()

    def _fit(self) -> None:
        """As high as its cards, at most two fifths of the window."""
        room = self.window().height() * 2 // 5
        wanted = self._column.heightForWidth(max(200, self.width()))
        wanted = wanted if wanted > 0 else self._inner.sizeHint().height()
        self.setFixedHeight(max(1, min(room, wanted)))


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    button.setAutoRaise(True)
    return button
