"""The text panel's widgets and where they stand. Knows nothing of jobs."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.kit.column import ControlsColumn
from studio.kit.density import DensitySwitch
from studio.kit.empty import EmptyState
from studio.kit.fit import FitLine
from studio.kit.form import ParamsForm
from studio.kit.head import panel_head
from studio.kit.models import ModelPicker
from studio.kit.prompt import PromptEditor
from studio.kit.session import Session
from studio.kit.start import StartButtons
from studio.kit.starter import StarterCard
from studio.sdk.params import Params

from .ui_card import ResultCard
from .ui_work import WorkArea

READABLE = 960
STARTER = (
    "is a small starter model that has read only fairy tales. It works at once and offline; "
    "a larger model writes about anything."
)
STARTER_OF_CODE = (
    "is a small starter model that has read only the standard library of Python. It works at once and offline; "
    "a larger model writes about anything."
)
OWN = ("prompt", "model")
"""Params with a place of their own, outside of the form."""


class TextLayout(QWidget):
    """Title, work area and prompt on the left; the controls and the buttons on the right."""

    density_changed = Signal(str)

    def __init__(
        self,
        title: str,
        session: Session,
        operation: str,
        params: type[Params],
        make_card: Callable[[str], ResultCard],
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._session = session
        shape = session.theme.shape
        self._one, self._two, self._three = (shape("space", name) for name in ("one", "two", "three"))
        self.form = ParamsForm(params, session, exclude=OWN)
        self.prompt = PromptEditor("Write the beginning; the model goes on from there")
        # One history for the whole panel: the editor's own would undo in another order.
        self.prompt.setUndoRedoEnabled(False)
        self.model = ModelPicker(session, "text-generation", described=False)
        self.density = DensitySwitch()
        self.fit = FitLine(session, operation)
        self.work = WorkArea(make_card)
        self.starter = StarterCard(session.theme, STARTER, for_code=STARTER_OF_CODE)
        self.empty = EmptyState(
            "Nothing written yet",
            "Write the beginning below; the model goes on from there.",
            "Generate",
            icon=session.theme.icon("mdi6.text-box-outline"),
        )
        self.start = StartButtons("Continues the prompt")
        self.generate, self.stop = self.start.generate, self.start.stop
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._left(title), 1)
        row.addWidget(ControlsColumn(session.theme, [self.form], [self.fit], [self.generate, self.stop]))
        for wanted in (self.density.changed, self.form.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)

    def _left(self, title: str) -> QVBoxLayout:
        head = panel_head(self._session.theme, title, [self.density], self.model)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.work)
        self._stack.addWidget(self.empty)
        self._note, self._foot = QHBoxLayout(), QHBoxLayout()
        self._note.addWidget(self.starter)
        self._foot.addWidget(self.prompt)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._note)
        column.addWidget(self._stack, 1)
        column.addLayout(self._foot)
        return column

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lines stay short enough to read: on a wide window the column of texts stands in the middle."""
        super().resizeEvent(event)
        room = event.size().width() - self._session.theme.shape("size", "column")
        side = max(self._three, (room - READABLE) // 2)
        self._note.setContentsMargins(side, 0, side, self._one)
        self._foot.setContentsMargins(side, self._one, side, self._two)
        self.work.set_side(side)

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.form.set_density(density)

    def show_empty(self, empty: bool) -> None:
        self._stack.setCurrentWidget(self.empty if empty else self.work)

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)
