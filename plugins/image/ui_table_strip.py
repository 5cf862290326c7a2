"""Below the table: what the chosen cell is, what went wrong in it, and what can be done with it."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.error import ErrorView
from studio.kit.session import Session
from studio.kit.surface import label, tool_button

from .ui_table_cells import State


class CellStrip(QWidget):
    """What the chosen cell is and what can be done with it. asked(deed): "values", "open", "retry" or "cancel"."""

    asked = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        theme = session.theme
        self.words = label("", wrap=True, selectable=True)
        self.error = ErrorView(theme)
        self.buttons = {
            "values": tool_button("Use values", icon=theme.icon("form-select"), text=True,
                                  help="Puts the settings of this cell into the form."),
            "open": tool_button("Open", icon=theme.icon("magnify-plus-outline"), text=True,
                                help="Shows the picture large (Return)."),
            "retry": tool_button("Retry", icon=theme.icon("refresh"), text=True, help="Runs this cell once more."),
            "cancel": tool_button("Cancel", icon=theme.icon("close"), text=True,
                                  help="Takes this cell out of the queue."),
        }  # fmt: skip
        line = QHBoxLayout()
        line.setSpacing(theme.shape("space", "half"))
        line.addWidget(self.words, 1)
        for deed, button in self.buttons.items():
            button.clicked.connect(lambda _checked=False, deed=deed: self.asked.emit(deed))
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.error)
        self.show_cell(None)

    def show_cell(self, state: State | None) -> None:
        self.words.setText(f"{state.cell.title}: {state.words()}" if state else "")
        for deed, on in self._offered(state).items():
            self.buttons[deed].setVisible(state is not None)
            self.buttons[deed].setEnabled(on)
        self.show_error(state.error if state is not None and state.state == "failed" else None)

    def show_error(self, error: dict[str, Any] | None) -> None:
        self.error.setVisible(bool(error))
        if error:
            self.error.show_error(error)

    @staticmethod
    def _offered(state: State | None) -> dict[str, bool]:
        if state is None:
            return dict.fromkeys(("values", "open", "retry", "cancel"), False)
        again = state.state in ("failed", "cancelled", "gone") or (not state.job and state.state == "")
        waiting = bool(state.job) and not state.ended and state.state != "cancelling"
        return {"values": True, "open": bool(state.path), "retry": again, "cancel": waiting}
