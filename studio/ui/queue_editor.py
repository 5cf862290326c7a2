"""Editing a job in the drawer: its settings as a form, for a waiting job or for a copy of any."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.ui.activity import title_of
from studio.ui.session import PanelSession


class JobEditor(QWidget):
    """`form(params_class, session)` builds the kit's form. `closed`: saved, or put away."""

    closed = Signal()

    def __init__(self, session: PanelSession, form: Callable[..., Any], parent: QWidget | None = None):
        super().__init__(parent)
        self._session, self._make_form = session, form
        self._job: dict[str, Any] = {}
        self._duplicate = False
        self._form: Any = None
        self._heading = QLabel()
        self._heading.setObjectName("drawerHeading")
        self._heading.setTextFormat(Qt.TextFormat.PlainText)
        self._problem = QLabel()
        self._problem.setObjectName("formProblem")
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.setWordWrap(True)
        self._area = QScrollArea(widgetResizable=True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.save = QPushButton("Save")
        self.save.setProperty("primary", True)
        cancel = QPushButton("Put away")
        self.save.clicked.connect(self._save)
        cancel.clicked.connect(self.put_away)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in (self._heading, self._area, self._problem):
            layout.addWidget(widget, 1 if widget is self._area else 0)
        layout.addLayout(buttons)
        self._say("")

    def edit(self, job: dict[str, Any], *, duplicate: bool) -> None:
        """Shows the settings of `job`; saving changes it, or queues a copy."""
        self._job, self._duplicate = job, duplicate
        self._heading.setText(f"{'Copy of' if duplicate else 'Edit'}: {title_of(job)[:80]}")
        self.save.setText("Queue the copy" if duplicate else "Save")
        self._say("")
        self._drop_form()
        try:
            form = self._make_form(self._session.params_class(job["operation"]), self._session)
            form.set_density("expert")
            form.set_value(job["params"])
        except StudioError as error:
            self._say(str(error))
            self.save.setEnabled(False)
            return
        self.save.setEnabled(True)
        self._form = form
        self._area.setWidget(form)
        form.setFocus()

    def put_away(self) -> None:
        self._drop_form()
        self.closed.emit()

    def _drop_form(self) -> None:
        old = self._area.takeWidget()
        self._form = None
        if old is not None:
            old.deleteLater()

    def _save(self) -> None:
        if self._form is not None:
            self._session.spawn(self._send(self._form.value()))

    async def _send(self, params: dict[str, Any]) -> None:
        """The form stays open, with the reason, when the engine refuses."""
        self.save.setEnabled(False)
        try:
            method = "duplicate" if self._duplicate else "edit"
            await self._session.call(method, job=self._job["id"], params=params)
        except StudioError as error:
            self._say(str(error))
        else:
            self.put_away()
        finally:
            self.save.setEnabled(True)

    def _say(self, problem: str) -> None:
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
