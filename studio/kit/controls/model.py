"""A model of the catalogue as a field of a form, with its fit below."""

from typing import Any

from PySide6.QtWidgets import QWidget

from studio.kit.controls.base import Control
from studio.kit.fit import FitLine
from studio.kit.models import ModelPicker
from studio.kit.session import Session
from studio.sdk.fields import FieldSpec


class ModelControl(Control):
    """`operation`: whose memory the fit is asked for; without it no fit is shown. needed: "" is the default model,
    else it is none."""

    def __init__(
        self,
        spec: FieldSpec,
        session: Session,
        operation: str = "",
        *,
        needed: bool = True,
        parent: QWidget | None = None,
    ):
        super().__init__(spec, session, parent)
        capability = spec.ui.choices_from.removeprefix("hub:") if spec.ui.choices_from.startswith("hub:") else ""
        self.picker = ModelPicker(session, capability, needed=needed)
        self.column.addWidget(self.picker)
        self.fit = FitLine(session, operation) if operation else None
        if self.fit is not None:
            self.column.addWidget(self.fit)
        self.takes_keyboard(self.picker.combo)
        self.picker.changed.connect(self._chosen)
        self.set_value(spec.default)

    def value(self) -> str:
        return self.picker.value()

    def set_value(self, value: Any) -> None:
        self.picker.set_value(value)

    def reload(self) -> None:
        self.picker.reload()

    def check(self, params: dict[str, Any]) -> None:
        if self.fit is not None:
            self.fit.check(params)

    def _chosen(self, ref: str) -> None:
        self.problem.emit("")
        self.changed.emit(ref)
