"""The seed: empty for a new one every time, or a number that stays."""

import random
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.kit.controls.base import Control
from studio.kit.controls.number import NumberEdit, parse
from studio.kit.session import Session
from studio.kit.surface import tool_button
from studio.sdk.fields import FieldSpec
from studio.sdk.params import SEED_LIMIT

EVERY_TIME = "New every time"


class SeedControl(Control):
    """Closed lock: the number in the field is used again and again. Open lock: None, a new seed each time.

    The dice draws a number and keeps it. `set_last` tells the seed that was used last, which closing the
    lock then keeps.
    """

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._value: int | None = None
        self._last: int | None = None
        self.field = NumberEdit()
        self.field.setPlaceholderText(EVERY_TIME)
        self.dice = tool_button(
            "Draw a seed", icon=session.theme.icon("mdi6.dice-5-outline"), help="Draws a number and keeps it"
        )
        self.lock = tool_button("Lock the seed", icon=session.theme.icon("mdi6.lock-open-variant-outline"))
        self.lock.setCheckable(True)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.field, 1)
        line.addWidget(self.dice)
        line.addWidget(self.lock)
        self.column.addLayout(line)
        self.takes_keyboard(self.field)
        self.field.textEdited.connect(self._typed)
        self.field.stepped.connect(self._step)
        self.field.abandoned.connect(self._abandon)
        self.dice.clicked.connect(self._draw)
        self.lock.clicked.connect(self._toggle)
        self.set_value(spec.default)

    def value(self) -> int | None:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        shown = "" if value is None else str(value)
        if self.field.text() != shown:
            self.field.setText(shown)
        self.field.setModified(False)
        self._show_lock()

    def set_last(self, seed: int | None) -> None:
        """The seed that the newest result was made with."""
        self._last = seed
        self.field.setPlaceholderText(EVERY_TIME if seed is None else f"New (last {seed})")

    def _show_lock(self) -> None:
        kept = self._value is not None
        self.lock.setChecked(kept)
        self.lock.setIcon(self.session.theme.icon("mdi6.lock" if kept else "mdi6.lock-open-variant-outline"))
        words = "Every result uses this seed. Open the lock for a new one each time."
        self.lock.setToolTip(words if kept else "A new seed each time. Close the lock to keep one.")

    def _typed(self, text: str) -> None:
        try:
            value = parse(text, self.spec)
        except ValueError as error:
            self.problem.emit(str(error))
            return
        self._take(None if value is None else int(value))

    def _take(self, value: int | None) -> None:
        self.problem.emit("")
        if value != self._value:
            self._value = value
            self._show_lock()
            self.changed.emit(value)

    def _put(self, value: int | None) -> None:
        before = self._value
        self.set_value(value)
        self.problem.emit("")
        if value != before:
            self.changed.emit(value)

    def _draw(self) -> None:
        self._put(_drawn())

    def _toggle(self, kept: bool) -> None:
        self._put((_drawn() if self._last is None else self._last) if kept else None)

    def _step(self, steps: int) -> None:
        start = self._last if self._value is None else self._value
        self._put(max(0, min(SEED_LIMIT, (start or 0) + steps)))

    def _abandon(self) -> None:
        self._put(self._value)


def _drawn() -> int:
    return random.SystemRandom().randint(0, SEED_LIMIT)
