"""What the person writes and sets, as one value with undo: the prompt, the model and the form's settings."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from studio.kit.history import History

Values = dict[str, Any]


class Part(Protocol):
    """A widget that holds one value. `changed` is emitted when the person, or anybody, changes it."""

    @property
    def changed(self) -> Any: ...

    def value(self) -> Any: ...

    def set_value(self, value: Any, /) -> None: ...


class Desk(QObject):
    """`parts` by the name of their param; `form` holds the rest. changed: the whole is another.

    Whatever changes becomes a step of the history: steps at one field in a row are one. A change that takes
    one of `unkept` along (which page is on show) is none, yet undoing an edit goes back to where it was made.
    """

    changed = Signal()

    def __init__(
        self, form: Part, parts: Mapping[str, Part], history: History, owner: QObject, unkept: tuple[str, ...] = ()
    ):
        super().__init__(owner)
        self._unkept = unkept
        self._form, self._parts, self._history, self._owner = form, parts, history, owner
        self._last = self.values()
        self._putting = False
        for part in (form, *parts.values()):
            part.changed.connect(self._on_changed)

    def values(self) -> Values:
        """All params; those that are not valid right now have their last valid value."""
        return {**self._form.value(), **{name: part.value() for name, part in self._parts.items()}}

    def put(self, values: Values) -> None:
        """Shows `values`, without a step of the history; params that are not named stay."""
        values = {**self._last, **values}
        self._putting = True
        try:
            self._form.set_value({name: value for name, value in values.items() if name not in self._parts})
            for name, part in self._parts.items():
                if name in values:
                    part.set_value(values[name])
        finally:
            self._putting = False
        self._last = self.values()
        self.changed.emit()

    def set_values(self, values: Values, label: str) -> None:
        """Shows `values` as one step that can be undone. `label` reads after "Undo "."""
        before = self._last
        self.put(values)
        self._push(label, before, self._last)

    def _on_changed(self) -> None:
        if self._putting:
            return
        before, now = self._last, self.values()
        if before == now:
            return
        self._last = now
        names = [name for name in now if now[name] != before.get(name)]
        if not any(name in self._unkept for name in names):
            self._push(f"change {_words(names)}", before, now, merge="desk:" + ",".join(names))
        self.changed.emit()

    def _push(self, label: str, before: Values, now: Values, merge: str = "") -> None:
        if before != now:
            self._history.push(label, self._putter(before), self._putter(now), merge=merge, owner=self._owner)

    def _putter(self, values: Values) -> Callable[[], None]:
        return lambda: self.put(values)


def _words(names: list[str]) -> str:
    return "the " + names[0].replace("_", " ") if len(names) == 1 else "the settings"
