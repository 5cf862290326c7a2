"""A form from a Params class: the only place where an operation's inputs become widgets.

The form holds one valid value after another. What a person types is tried first; when it is no value, the
control says why and the form keeps the last valid one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.controls.choice import ChoiceControl
from studio.kit.controls.choose import control_for
from studio.kit.controls.items import ItemsControl
from studio.kit.controls.model import ModelControl
from studio.kit.controls.seed import SeedControl
from studio.kit.group import Group
from studio.kit.history import History
from studio.kit.row import Row
from studio.kit.session import Session
from studio.kit.surface import label, push_button
from studio.sdk.fields import FieldSpec, describe
from studio.sdk.params import Density, Params

Values = dict[str, Any]
EMPTY = {"str": "", "int": 0, "float": 0.0, "bool": False, "strings": [], "items": []}


class ParamsForm(QWidget):
    """changed: the value is another, whoever changed it. density_wanted: the person asks for all controls.

    exclude: fields that are shown elsewhere; `rest` gives their values where the whole is needed (the fit).
    operation: its id, so that the model's control can say whether it fits. history: edits become undo steps.
    first: titles of groups that stand on top; the others follow as they are defined.
    """

    changed = Signal()
    density_wanted = Signal(str)

    def __init__(
        self,
        params_class: type[Params],
        session: Session,
        *,
        exclude: Iterable[str] = (),
        operation: str = "",
        rest: Callable[[], Values] | None = None,
        history: History | None = None,
        first: Iterable[str] = (),
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._params, self._session, self._rest, self._history = params_class, session, rest, history
        self._density = Density.SIMPLE
        self._owner = object()
        elsewhere = set(exclude)
        self.specs = [spec for spec in describe(params_class) if spec.name not in elsewhere]
        self._values: Values = {spec.name: _initial(spec) for spec in self.specs}
        self.rows: dict[str, Row] = {}
        for spec in self.specs:
            row = Row(control_for(spec, session, operation), session.theme)
            row.control.set_value(self._values[spec.name])
            row.edited.connect(self._edited)
            row.wrong.connect(self._wrong)
            row.reset.connect(self.reset)
            self.rows[spec.name] = row
        self._build(first)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        if history is not None:
            self.destroyed.connect(partial(_forget, history, self._owner))
        self.refresh()
        self.reload_models()

    # the value -------------------------------------------------------------------------------

    def value(self) -> Values:
        """The last valid value of every field that is not shown elsewhere."""
        return dict(self._values)

    def set_value(self, values: Values) -> None:
        """Shows `values`; fields that are not named keep theirs, unknown names are left out.

        A value that is not allowed is not taken: its control says why and keeps the one before.
        """
        known = {name: value for name, value in values.items() if name in self.rows}
        problems = self._problems({**self._values, **known})
        before = self._values
        self._values = {**before, **{name: value for name, value in known.items() if name not in problems}}
        for name in known:
            self.rows[name].control.set_value(self._values[name])
            self.rows[name].show_problem(problems.get(name, ""))
        self._settle(before)

    def problems(self) -> dict[str, str]:
        """What is wrong with what stands in the controls, by field."""
        return {name: row.problem for name, row in self.rows.items() if row.problem}

    def is_default(self, name: str) -> bool:
        spec = self.rows[name].spec
        return spec.required or self._values[name] == spec.default

    def reset(self, name: str) -> None:
        """Gives one field its default again."""
        self._change(name, _initial(self.rows[name].spec))

    def reset_all(self) -> None:
        """Gives every field its default again, as one step of the history."""
        before = self.value()
        self.set_value({spec.name: _initial(spec) for spec in self.specs})
        if self._history is not None and before != self._values:
            after = self.value()
            self._history.push(
                "reset the settings", partial(self.set_value, before), partial(self.set_value, after), owner=self._owner
            )

    # what is shown ---------------------------------------------------------------------------

    def density(self) -> str:
        return self._density.value

    def set_density(self, density: str) -> None:
        """ "simple" or "expert". Nothing is lost: hidden fields keep their values."""
        self._density = Density(density)
        self.refresh()

    def refresh(self) -> None:
        """Shows what belongs on screen at this density and with these values."""
        shown = {name: row.belongs(self._density, self._values) for name, row in self.rows.items()}
        for name, row in self.rows.items():
            row.setVisible(shown[name])
            row.show_changed(not self.is_default(name))
        visible = [group for group, names in self.groups.items() if any(shown[name] for name in names)]
        for group in self.groups:
            group.setVisible(group in visible)
            group.show_heading(len(visible) > 1 and not self._says_itself(group))
        hidden = [name for name, on in shown.items() if not on and not self.is_default(name) and self._is_active(name)]
        self._hidden.setVisible(bool(hidden) and self._density == Density.SIMPLE)
        if hidden:
            titles = ", ".join(self.rows[name].spec.title for name in hidden)
            one = len(hidden) == 1
            self._hidden.setText("1 expert setting is changed" if one else f"{len(hidden)} expert settings are changed")
            self._hidden.setToolTip(titles)
            self._hidden.setAccessibleDescription(titles)

    def folded(self) -> list[str]:
        """Titles of the groups that are folded."""
        return [group.title for group in self.groups if not group.is_open()]

    def set_folded(self, titles: Iterable[str]) -> None:
        closed = set(titles)
        for group in self.groups:
            group.set_open(group.title not in closed)

    def reload_models(self) -> None:
        """Asks for the models again: at first, and when the engine says that they have changed."""
        for row in self.rows.values():
            if isinstance(row.control, ModelControl | ItemsControl):
                row.control.reload()
        self.check_fit()

    def limit(self, name: str, choices: Sequence[Any] | None, why: str = "") -> None:
        """Offers only these choices of a field; None offers all again. `why` is the help on those left out."""
        control = self.rows[name].control
        if isinstance(control, ChoiceControl):
            control.limit(choices, why)

    def set_words(self, name: str, words: Mapping[Any, str]) -> None:
        """What people call the choices of a field, where that is not their plain name."""
        control = self.rows[name].control
        if isinstance(control, ChoiceControl):
            control.set_words(words)

    def set_available(self, name: str, on: bool, why: str = "") -> None:
        """Greys out a field that means nothing with the present model, and says why. Its value is kept."""
        self.rows[name].set_available(on, why)

    def check_fit(self) -> None:
        """Asks whether it fits, a moment after the last change. Call it when a field shown elsewhere has changed."""
        for row in self.rows.values():
            if isinstance(row.control, ModelControl) and row.control.fit is not None:
                row.control.check({**self._values, **(self._rest() if self._rest else {})})

    def set_last_seed(self, seed: int | None) -> None:
        """The seed of the newest result, for the lock to keep."""
        for row in self.rows.values():
            if isinstance(row.control, SeedControl):
                row.control.set_last(seed)

    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(QSize(272, 0))

    # inside ----------------------------------------------------------------------------------

    def _build(self, on_top: Iterable[str]) -> None:
        groups = {spec.ui.group for spec in self.specs}
        by_group: dict[str, list[str]] = {title: [] for title in on_top if title in groups}
        for spec in self.specs:
            by_group.setdefault(spec.ui.group, []).append(spec.name)
        self.groups: dict[Group, list[str]] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._general = label(wrap=True, problem=True)
        self._general.hide()
        column.addWidget(self._general)
        for title, names in by_group.items():
            group = Group(title, [self.rows[name] for name in names], self._session.theme)
            self.groups[group] = names
            column.addWidget(group)
        self._hidden = push_button("", link=True)
        self._hidden.clicked.connect(self._want_all)
        column.addWidget(self._hidden, 0, Qt.AlignmentFlag.AlignLeading)
        first = next((row.control.edit for row in self.rows.values()), None)
        if first is not None:
            self.setFocusProxy(first)

    def _want_all(self) -> None:
        self.density_wanted.emit(Density.EXPERT.value)

    def _says_itself(self, group: Group) -> bool:
        """Whether a heading would only repeat the label of the group's one field."""
        names = self.groups[group]
        return len(names) == 1 and self.rows[names[0]].spec.title.lower() == group.title.lower()

    def _is_active(self, name: str) -> bool:
        """Whether the field means anything with the other values."""
        when = self.rows[name].spec.ui.visible_when
        return when is None or self._values.get(when[0]) == when[1]

    def _problems(self, values: Values) -> dict[str, str]:
        """What the params class says against `values`, by field; "" for the whole. Fields elsewhere are not judged."""
        try:
            self._params.load(values)
        except StudioError as error:
            found: dict[str, str] = {}
            for place, words in getattr(error, "problems", {"settings": str(error)}).items():
                name = place.partition(".")[0]
                if name in self.rows:
                    found.setdefault(name, _sentence(words))
                elif name not in self._params.model_fields:
                    found[""] = _sentence(words)
            return found
        return {}

    def _edited(self, name: str, value: Any) -> None:
        """The person chose a value that the control finds valid."""
        problems = self._problems({**self._values, name: value})
        words = problems.get(name, "") or problems.get("", "")
        if words:
            self.rows[name].show_problem(words)
            return
        before = self._values
        self._values = {**before, name: value}
        self.rows[name].show_problem("")
        self._remember(name, before[name], value)
        self._settle(before)

    def _wrong(self, name: str, words: str) -> None:
        self.rows[name].show_problem(words)

    def _change(self, name: str, value: Any) -> None:
        """Another value from outside the control, as a step of its own."""
        before = self._values[name]
        self.set_value({name: value})
        if self._history is not None:
            self._history.seal()
        self._remember(name, before, self._values[name])

    def _remember(self, name: str, before: Any, after: Any) -> None:
        if self._history is not None and before != after:
            title = f"change {self.rows[name].spec.title.lower()}"
            undo, redo = partial(self.set_value, {name: before}), partial(self.set_value, {name: after})
            self._history.push(title, undo, redo, merge=f"form:{name}", owner=self._owner)

    def _settle(self, before: Values) -> None:
        self.refresh()
        if before != self._values:
            self.check_fit()
            self.changed.emit()


def _initial(spec: FieldSpec) -> Any:
    """The default; for a field without one, the plainest value that its control can show."""
    if not spec.required:
        return (
            list(spec.default)
            if isinstance(spec.default, tuple | list)
            else getattr(spec.default, "value", spec.default)
        )
    if spec.optional:
        return None
    if spec.kind == "choice":
        return spec.choices[0]
    if spec.kind in ("int", "float") and spec.minimum is not None:
        return spec.minimum
    return EMPTY[spec.kind]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _forget(history: History, owner: object, _gone: object = None) -> None:
    history.drop(owner)
