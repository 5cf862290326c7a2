"""The modes of the image panel and what is set in each: one form an operation, shared values carried along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.kit.form import ParamsForm
from studio.kit.models import ModelPicker
from studio.kit.session import Session

from .params import Painting

Values = dict[str, Any]
OUTSIDE = ("prompt", "negative", "model")
"""Params with a place of their own, outside of the forms."""
FIRST = ("Picture", "Frame", "Mask", "Size", "Details", "Pictures")
"""Groups on top of every form: what the mode is about."""


@dataclass(frozen=True)
class Mode:
    id: str
    title: str
    operation: str
    help: str
    capability: str = "text-to-image"
    canvas: str = ""

    @property
    def needs_picture(self) -> bool:
        return self.id != "create"


MODES = {
    mode.id: mode
    for mode in (
        Mode("create", "Create", "image.generate", "Paints pictures from words"),
        Mode("transform", "Transform", "image.transform", "Paints a picture anew, as near to the old one as asked"),
        Mode("inpaint", "Inpaint", "image.inpaint", "Repaints what is under a mask", canvas="mask"),
        Mode("extend", "Extend", "image.outpaint", "Paints on beyond the edges", canvas="frame"),
        Mode("enlarge", "Enlarge", "image.upscale", "Makes a picture larger, with new details if asked"),
        Mode("edit", "Edit", "image.edit", "Changes a picture as a sentence says", "image-editing"),
    )
}
OF_OPERATION = {mode.operation: mode.id for mode in MODES.values()}
SHARED = frozenset(Painting.model_fields) - {"expanded", "steering", "start_latents"} - set(OUTSIDE) | {"picture"}
"""What stays as it is when another mode is chosen."""


@dataclass(frozen=True)
class ModeSet:
    """The modes of a panel. outside: params with a place of their own, outside of the forms; shared: what stays as
    it is when another mode is chosen; first: groups on top of every form."""

    modes: Mapping[str, Mode]
    outside: tuple[str, ...]
    shared: frozenset[str]
    first: tuple[str, ...]


OF_PICTURES = ModeSet(MODES, OUTSIDE, SHARED, FIRST)


class ModelChoice(QWidget):
    """The model picker on top: one for each capability, each with a choice of its own."""

    changed = Signal(object)

    def __init__(self, session: Session, modes: Mapping[str, Mode] = MODES, parent: QWidget | None = None):
        super().__init__(parent)
        line = QVBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        self.pickers: dict[str, ModelPicker] = {}
        for capability in dict.fromkeys(mode.capability for mode in modes.values()):
            picker = ModelPicker(session, capability, described=False)
            picker.changed.connect(self.changed)
            picker.setVisible(not self.pickers)
            line.addWidget(picker)
            self.pickers[capability] = picker
        self._capability = next(iter(self.pickers))

    def show_for(self, capability: str) -> None:
        self._capability = capability
        for name, picker in self.pickers.items():
            picker.setVisible(name == capability)

    def value(self) -> str:
        return self.pickers[self._capability].value()

    def set_value(self, ref: Any) -> None:
        self.pickers[self._capability].set_value(ref)

    def entry(self) -> dict[str, Any] | None:
        return self.pickers[self._capability].entry()

    def all(self) -> dict[str, str]:
        return {name: picker.value() for name, picker in self.pickers.items()}

    def set_all(self, refs: dict[str, Any]) -> None:
        for name, ref in refs.items():
            if name in self.pickers and isinstance(ref, str):
                self.pickers[name].set_value(ref)

    def reload(self) -> None:
        for picker in self.pickers.values():
            picker.reload()


class ModeForms(QWidget):
    """The form of the present mode. value: its fields and "mode". switched(mode): another is on show.

    Forms are built when their mode is first chosen; what a draft says of the others waits until then.
    """

    changed = Signal()
    switched = Signal(str)
    density_wanted = Signal(str)

    def __init__(
        self, session: Session, rest: Callable[[], Values], kinds: ModeSet = OF_PICTURES, parent: QWidget | None = None
    ):
        super().__init__(parent)
        self._session, self._rest, self._kinds = session, rest, kinds
        self._density = "simple"
        self._pending: dict[str, Values] = {}
        self.forms: dict[str, ParamsForm] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.mode = next(iter(kinds.modes.values()))
        self.form(self.mode.id).show()

    @property
    def current(self) -> ParamsForm:
        return self.form(self.mode.id)

    def form(self, mode: str) -> ParamsForm:
        if mode not in self.forms:
            kinds = self._kinds
            params = self._session.params_class(kinds.modes[mode].operation)
            form = ParamsForm(params, self._session, exclude=kinds.outside, rest=self._rest, first=kinds.first)
            form.hide()
            form.set_density(self._density)
            form.set_value(self._pending.pop(mode, {}))
            form.changed.connect(self.changed)
            form.density_wanted.connect(self.density_wanted)
            self._column.addWidget(form)
            self.forms[mode] = form
        return self.forms[mode]

    def value(self) -> Values:
        return {"mode": self.mode.id, **self.current.value()}

    def set_value(self, values: Values) -> None:
        """Shows `values`, in the mode that they name; those that belong to no field are left out."""
        mode = values.get("mode", self.mode.id)
        if mode in self._kinds.modes and mode != self.mode.id:
            self._show(mode)
        self.current.set_value({name: value for name, value in values.items() if name != "mode"})

    def choose(self, mode: str) -> None:
        """The person takes another mode: what both have in common is carried along."""
        if mode == self.mode.id or mode not in self._kinds.modes:
            return
        carried = {name: value for name, value in self.current.value().items() if name in self._kinds.shared}
        self._show(mode)
        self.current.set_value(carried)
        self.changed.emit()

    def all(self) -> dict[str, Values]:
        """Every mode's values, for the draft."""
        return {**self._pending, **{mode: form.value() for mode, form in self.forms.items()}}

    def set_all(self, values: dict[str, Any]) -> None:
        for mode, fields in values.items():
            if mode not in self._kinds.modes or not isinstance(fields, dict):
                continue
            if mode in self.forms:
                self.forms[mode].set_value(fields)
            else:
                self._pending[mode] = fields

    def set_density(self, density: str) -> None:
        self._density = density
        for form in self.forms.values():
            form.set_density(density)

    def set_last_seed(self, seed: int | None) -> None:
        for form in self.forms.values():
            form.set_last_seed(seed)

    def reload_models(self) -> None:
        for form in self.forms.values():
            form.reload_models()

    def _show(self, mode: str) -> None:
        wanted = self.form(mode)
        self.current.hide()
        self.mode = self._kinds.modes[mode]
        wanted.show()
        self.switched.emit(mode)
