"""The sheet for going on from a step of a picture with another prompt, guidance or sampler."""

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.controls.choice import ChoiceControl
from studio.kit.controls.choose import control_for
from studio.kit.prompt import PromptEditor
from studio.kit.row import Row
from studio.kit.session import Session
from studio.kit.surface import label, push_button
from studio.sdk.fields import describe

from .params import Generate
from .sampler_names import A1111_SAMPLERS
from .ui_steps import Step

FIELDS = ("guidance", "sampler")


class BranchSheet(QFrame):
    """wanted(params): go on so. closed: not after all. `show_branch` fills it, `show_step` says from where."""

    wanted = Signal(object)
    closed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("card", True)
        self.setAccessibleName("Branch")
        self._params: dict[str, Any] = {}
        self._step: Step | None = None
        self.prompt = PromptEditor("What it is to become")
        self.rows: dict[str, Row] = {}
        self.go = push_button("Go on from here", primary=True, help="Paints on from this step (Ctrl+Return)")
        self.cancel = push_button("Close", help="Closes this sheet (Esc)")
        self.why = label(wrap=True, muted=True)
        fields = QHBoxLayout()
        fields.setSpacing(16)
        for spec in describe(Generate):
            if spec.name in FIELDS:
                row = Row(control_for(spec, session), session.theme)
                row.edited.connect(self._edited)
                row.wrong.connect(lambda name, words: self.rows[name].show_problem(words))
                row.reset.connect(self._reset)
                if isinstance(row.control, ChoiceControl):
                    row.control.set_words(A1111_SAMPLERS)
                self.rows[spec.name] = row
                fields.addWidget(row, 1, Qt.AlignmentFlag.AlignTop)
        buttons = QHBoxLayout()
        buttons.addWidget(self.why, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(8)
        column.addWidget(self.prompt)
        column.addLayout(fields)
        column.addLayout(buttons)
        self.go.clicked.connect(self.go_on)
        self.prompt.submitted.connect(self.go_on)
        self.cancel.clicked.connect(self.closed)
        self.hide()

    def show_branch(self, params: dict[str, Any]) -> None:
        """`params`: of the picture's own recipe, one picture."""
        self._params = dict(params)
        drawn = params.get("expanded") or [params.get("prompt", "")]  # what its choices came to
        self.prompt.set_value(str(drawn[0]))
        for name, row in self.rows.items():
            row.control.set_value(params.get(name, row.spec.default))
            row.show_problem("")
            row.show_changed(False)
        self.show()
        self.prompt.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_step(self, step: Step | None) -> None:
        self._step = step
        usable = step is not None and step.usable
        self.go.setEnabled(usable)
        self.go.setText(f"Go on from {step.name}" if step is not None and usable else "Go on from a step")
        words = "" if usable else "Choose a step with the slider."
        if step is not None and not usable:
            words = "Of this step only the picture was kept; choose another one."
        self.why.setText(words)

    def go_on(self) -> None:
        if self._step is None or not self._step.usable or any(row.problem for row in self.rows.values()):
            return
        fields = {name: row.control.value() for name, row in self.rows.items()}
        self.wanted.emit(branch_params(self._params, self._step, {"prompt": self.prompt.value(), **fields}))

    def _edited(self, name: str, _value: Any) -> None:
        self.rows[name].show_problem("")
        self.rows[name].show_changed(True)

    def _reset(self, name: str) -> None:
        self.rows[name].control.set_value(self._params.get(name, self.rows[name].spec.default))
        self.rows[name].show_changed(False)


def branch_params(params: dict[str, Any], step: Step, changed: dict[str, Any]) -> dict[str, Any]:
    """What the picture's operation is asked for to go on from `step`: this picture alone, and nothing steered.

    Everything else stays: picture and mask, crop and blend, a second pass. A prompt that was left as it is stays what
    its choices came to.
    """
    drawn = params.get("expanded") or []
    if drawn and drawn[0] == changed["prompt"]:
        changed = {**changed, "prompt": params.get("prompt", "")}
        drawn = drawn[:1]
    else:
        drawn = []
    begin = {"painted": [{"picture": tile} for tile in step.tiles]} if step.tiles else {"start_latents": step.latents}
    fixed = {"count": 1, "at_once": 0, "expanded": drawn, "steering": []}
    return {**params, **changed, **{name: value for name, value in fixed.items() if name in params}, **begin}
