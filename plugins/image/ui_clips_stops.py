"""The stops of a travel: cards side by side, each with what is to be seen there, its seed and the way to the next."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QIntValidator, QKeyEvent, QValidator
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.kit.surface import label, name, tool_button
from studio.kit.theme import Theme
from studio.sdk.params import SEED_LIMIT

Stop = dict[str, Any]
WIDE, HIGH = 236, 148
MOST_STOPS, MOST_FRAMES = 32, 500
LEAST = 2


class StopText(QPlainTextEdit):
    """What is to be seen at a stop. submitted: Ctrl+Return. chosen: it got the keyboard."""

    submitted = Signal()
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)  # one history for the whole panel
        self.setPlaceholderText("What is to be seen here")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        entered = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if entered and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.chosen.emit()


class StopCard(QFrame):
    """edited: something of this stop is another. asked(what): "left", "right", "copy" or "remove"."""

    edited = Signal()
    asked = Signal(str)

    def __init__(self, theme: Theme):
        super().__init__()
        self.setProperty("card", True)
        self.setFixedSize(WIDE, HIGH)
        self.title = label(small=True, muted=True)
        self.text = StopText()
        self.seed = QLineEdit()
        self.seed.setPlaceholderText("same")
        self.seed.setValidator(_Seeds(self.seed))
        self.seed.setMinimumWidth(56)
        self.frames = FramesEdit()
        name(self.frames, "Frames on the way to the next stop", "Pictures on the way to the next stop")
        self.buttons = {
            what: tool_button(title, icon=theme.icon(f"mdi6.{icon}"))
            for what, title, icon in (
                ("left", "Move to the left", "chevron-left"),
                ("right", "Move to the right", "chevron-right"),
                ("copy", "Once more", "content-duplicate"),
                ("remove", "Remove this stop", "close"),
            )
        }
        self._build()
        self.text.textChanged.connect(self.edited)
        self.seed.textEdited.connect(lambda _text: self.edited.emit())
        self.frames.edited.connect(self.edited)
        for what, button in self.buttons.items():
            button.clicked.connect(partial(self._ask, what))

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self.title)
        head.addStretch(1)
        for button in self.buttons.values():
            head.addWidget(button)
        foot = QHBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(label("Seed", small=True))
        foot.addWidget(self.seed, 1)
        foot.addSpacing(4)
        self.way = label("Frames", small=True)
        foot.addWidget(self.way)
        foot.addWidget(self.frames)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 2, 4, 6)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.text, 1)
        column.addLayout(foot)

    def value(self) -> Stop:
        seed = self.seed.text().strip()
        return {
            "prompt": self.text.toPlainText(),
            "seed": int(seed) if seed.isdigit() and int(seed) <= SEED_LIMIT else None,
            "frames": self.frames.value(),
        }

    def show_stop(self, stop: Stop, at: int, of: int, to: int | None) -> None:
        """It is the stop at place `at` of so many; `to`: the one it leads to, counted from 0; None at the end."""
        for part in (self.text, self.seed, self.frames):
            part.blockSignals(True)
        if self.text.toPlainText() != stop["prompt"]:
            self.text.setPlainText(stop["prompt"])
        seed = "" if stop["seed"] is None else str(stop["seed"])
        if self.seed.text().strip() != seed:
            self.seed.setText(seed)
        self.frames.setValue(stop["frames"])
        for part in (self.text, self.seed, self.frames):
            part.blockSignals(False)
        self.title.setText(f"Stop {at + 1}")
        self.setAccessibleName(f"Stop {at + 1} of {of}")
        name(self.text, f"Prompt of stop {at + 1}")
        name(self.seed, f"Seed of stop {at + 1}", "Its noise; empty: the seed of the clip")
        self.way.setText("" if to is None else f"to {to + 1} in")
        self.way.setVisible(to is not None)
        self.frames.setVisible(to is not None)
        self.buttons["left"].setEnabled(at > 0)
        self.buttons["right"].setEnabled(at < of - 1)
        self.buttons["copy"].setEnabled(of < MOST_STOPS)
        self.buttons["remove"].setEnabled(of > LEAST)

    def _ask(self, what: str, _checked: bool = False) -> None:
        self.asked.emit(what)


class FramesEdit(QLineEdit):
    """A number of frames; ↑ and ↓ count. edited: it is another number now."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._value = 12
        self.setFixedWidth(52)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setValidator(QIntValidator(1, MOST_FRAMES, self))
        self.textEdited.connect(self._typed)
        self.editingFinished.connect(lambda: self.setValue(self._value))

    def value(self) -> int:
        return self._value

    def setValue(self, value: int) -> None:
        self._value = max(1, min(MOST_FRAMES, value))
        if self.text() != str(self._value):
            self.setText(str(self._value))

    def _typed(self, _text: str) -> None:
        if self.hasAcceptableInput():
            self._value = int(self.text())
            self.edited.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        step = by.get(Qt.Key(event.key()), 0)
        if step:
            self.setValue(self._value + step)
            self.edited.emit()
            return
        super().keyPressEvent(event)


class _Seeds(QValidator):
    """Digits up to the largest seed, which is more than an int of Qt."""

    def validate(self, text: str, at: int) -> Any:
        good = not text or (text.isdigit() and int(text) <= SEED_LIMIT)
        return (self.State.Acceptable if good else self.State.Invalid), text, at


class StopsStrip(QWidget):
    """All stops, from left to right. value: a list of stops. changed: it is another. submitted: Ctrl+Return."""

    changed = Signal()
    submitted = Signal()

    def __init__(self, theme: Theme, stops: tuple[Stop, ...] = (), parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._value: list[Stop] = []
        self._loop = False
        self.cards: list[StopCard] = []
        self.setAccessibleName("Stops")
        inside = QWidget()
        self._row = QHBoxLayout(inside)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self.add = tool_button("Add a stop", icon=theme.icon("mdi6.plus"), text=True, help="One more place to pass")
        self.add.clicked.connect(self.add_stop)
        self._row.addWidget(self.add)
        self._row.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(inside)
        self.area.setFixedHeight(HIGH + 14)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.area)
        self.set_value([dict(stop) for stop in stops])

    def value(self) -> list[Stop]:
        return [dict(stop) for stop in self._value]

    def set_value(self, value: Any) -> None:
        """Shows these stops; at least two."""
        wanted = [_plain(stop) for stop in value or () if isinstance(stop, dict)]
        wanted += [_plain({}) for _ in range(LEAST - len(wanted))]
        self._value = wanted[:MOST_STOPS]
        self._show()

    def set_loop(self, loop: bool) -> None:
        """Whether the last stop leads to the first one."""
        self._loop = loop
        self._show()

    def add_stop(self) -> None:
        """One more at the end, with the keyboard in it."""
        last = self._value[-1]
        self._put([*self._value, {**last, "prompt": "", "seed": None}], len(self._value))

    def focus(self) -> None:
        self.cards[0].text.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _show(self) -> None:
        while len(self.cards) > len(self._value):
            card = self.cards.pop()
            self._row.removeWidget(card)
            card.hide()
            card.deleteLater()
        while len(self.cards) < len(self._value):
            self._make_card()
        count = len(self._value)
        for at, (card, stop) in enumerate(zip(self.cards, self._value, strict=True)):
            to = at + 1 if at < count - 1 else 0 if self._loop else None
            card.show_stop(stop, at, count, to)
        self.add.setEnabled(count < MOST_STOPS)

    def _make_card(self) -> None:
        at, card = len(self.cards), StopCard(self._theme)
        card.edited.connect(partial(self._edited, at))
        card.asked.connect(partial(self._asked, at))
        card.text.submitted.connect(self.submitted)
        card.text.chosen.connect(partial(self._reveal, card))
        self.cards.append(card)
        self._row.insertWidget(at, card)

    def _reveal(self, card: StopCard) -> None:
        """Once a card that was only just added has its place."""
        QTimer.singleShot(0, card, lambda: self.area.ensureWidgetVisible(card, 8, 0))

    def _edited(self, at: int) -> None:
        self._value[at] = self.cards[at].value()
        self.changed.emit()

    def _asked(self, at: int, what: str) -> None:
        stops, focus = self.value(), at
        deeds: dict[str, Callable[[], Any]] = {
            "left": lambda: stops.insert(at - 1, stops.pop(at)),
            "right": lambda: stops.insert(at + 1, stops.pop(at)),
            "copy": lambda: stops.insert(at + 1, dict(stops[at])),
            "remove": lambda: stops.pop(at),
        }
        deeds[what]()
        focus = {"left": at - 1, "right": at + 1, "copy": at + 1, "remove": max(0, at - 1)}[what]
        self._put(stops, focus)

    def _put(self, stops: list[Stop], focus: int) -> None:
        self.set_value(stops)
        self.cards[focus].text.setFocus(Qt.FocusReason.OtherFocusReason)
        self.changed.emit()


def _plain(stop: Stop) -> Stop:
    frames, seed = stop.get("frames"), stop.get("seed")
    return {
        "prompt": str(stop.get("prompt") or ""),
        "seed": seed if isinstance(seed, int) and 0 <= seed <= SEED_LIMIT else None,
        "frames": frames if isinstance(frames, int) and 1 <= frames <= MOST_FRAMES else 12,
    }
