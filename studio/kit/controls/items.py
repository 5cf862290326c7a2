"""A list of items, each with fields of its own: adapters with weights, regions with prompts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.controls.base import Control
from studio.kit.row import Row
from studio.kit.session import Session
from studio.kit.surface import label, push_button, tool_button
from studio.sdk.fields import FieldSpec

Make = Callable[[FieldSpec, Session], Control]


class Card(QFrame):
    """One item: its fields in rows, and buttons to move it or take it away."""

    def __init__(self, title: str, spec: FieldSpec, session: Session, make: Make, values: dict[str, Any]):
        super().__init__()
        self.setProperty("card", True)
        theme = session.theme
        self.up = tool_button(f"Move {title} up", icon=theme.icon("mdi6.chevron-up"))
        self.down = tool_button(f"Move {title} down", icon=theme.icon("mdi6.chevron-down"))
        self.remove = tool_button(f"Remove {title}", icon=theme.icon("mdi6.close"))
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(label(title, muted=True, small=True))
        head.addStretch(1)
        for button in (self.up, self.down, self.remove):
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 8)
        column.setSpacing(8)
        column.addLayout(head)
        self.rows: dict[str, Row] = {}
        for field in spec.fields:
            row = Row(make(field, session), theme)
            row.control.set_value(values.get(field.name, field.default))
            self.rows[field.name] = row
            column.addWidget(row)


class ItemsControl(Control):
    """`make` builds the control of an item's field. Adding, moving and taking away are changes like any other."""

    def __init__(self, spec: FieldSpec, session: Session, make: Make, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._make = make
        self._value: list[dict[str, Any]] = []
        self.cards: list[Card] = []
        self._cards = QVBoxLayout()
        self._cards.setSpacing(6)
        self.add = push_button("Add", icon=session.theme.icon("mdi6.plus"))
        self.column.addLayout(self._cards)
        self.column.addWidget(self.add)
        self.takes_keyboard(self.add)
        self.add.setAccessibleName(f"Add: {spec.title}")
        self.add.clicked.connect(self._add)
        self.set_value(spec.default)

    def value(self) -> list[dict[str, Any]]:
        return [dict(item) for item in self._value]

    def set_value(self, value: Any) -> None:
        wanted = [_plain(item, self.spec) for item in value or ()]
        if wanted == self._value and len(self.cards) == len(wanted):
            return
        same_shape = len(wanted) == len(self.cards)
        self._value = wanted
        if same_shape:
            for card, item in zip(self.cards, wanted, strict=True):
                for name, row in card.rows.items():
                    if row.control.value() != item[name]:
                        row.control.set_value(item[name])
        else:
            self._rebuild()
        self._show_state()

    def reload(self) -> None:
        """Asks for models again, in every item that names one."""
        for card in self.cards:
            for row in card.rows.values():
                again = getattr(row.control, "reload", None)
                if again is not None:
                    again()

    def _rebuild(self) -> None:
        for card in self.cards:
            self._cards.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        for at, item in enumerate(self._value):
            card = Card(f"{self.spec.title} {at + 1}", self.spec, self.session, self._make, item)
            card.up.clicked.connect(partial(self._move, at, -1))
            card.down.clicked.connect(partial(self._move, at, 1))
            card.remove.clicked.connect(partial(self._remove, at))
            for name, row in card.rows.items():
                row.edited.connect(partial(self._edited, at))
                row.wrong.connect(partial(self._wrong, at))
                row.reset.connect(partial(self._reset, at))
                row.show_changed(item[name] != row.spec.default)
            self.cards.append(card)
            self._cards.addWidget(card)
        self.reload()

    def _show_state(self) -> None:
        for at, card in enumerate(self.cards):
            card.up.setEnabled(at > 0)
            card.down.setEnabled(at < len(self.cards) - 1)
            for name, row in card.rows.items():
                row.show_changed(self._value[at][name] != row.spec.default)
        self.add.setEnabled(self.spec.most is None or len(self._value) < self.spec.most)

    def _add(self) -> None:
        self._put([*self._value, _plain({}, self.spec)])
        first = next(iter(self.cards[-1].rows.values()), None)
        if first is not None:
            first.control.edit.setFocus()

    def _remove(self, at: int, _checked: bool = False) -> None:
        self._put([item for i, item in enumerate(self._value) if i != at])
        self.add.setFocus()

    def _move(self, at: int, by: int, _checked: bool = False) -> None:
        moved = list(self._value)
        moved.insert(at + by, moved.pop(at))
        self._put(moved)

    def _edited(self, at: int, name: str, value: Any) -> None:
        self.cards[at].rows[name].show_problem("")
        self._put([{**item, name: value} if i == at else item for i, item in enumerate(self._value)])

    def _reset(self, at: int, name: str) -> None:
        self._edited(at, name, self.cards[at].rows[name].spec.default)

    def _wrong(self, at: int, name: str, words: str) -> None:
        self.cards[at].rows[name].show_problem(words)

    def _put(self, value: list[dict[str, Any]]) -> None:
        self.problem.emit("")
        self.set_value(value)
        self.changed.emit(self.value())


def _plain(item: Any, spec: FieldSpec) -> dict[str, Any]:
    """An item as a dictionary with every field."""
    values = item if isinstance(item, dict) else item.model_dump(mode="json")
    return {field.name: values.get(field.name, field.default) for field in spec.fields}
