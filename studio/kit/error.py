"""An error where it happened: what, why, what to do, and everything for a report. Never a message box."""

import json
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

DETAILS_HIGH = 160
LOG_SHOWN = 64_000
COPY_HELP = "Copies what happened and its log, to paste into a report"


def report(error: dict[str, Any], about: dict[str, Any] | None = None) -> str:
    """The whole error as text to paste; `about`: what else is known (job, operation, versions)."""
    lines = [f"{error.get('title', '')} [{error.get('code', 'error')}]"]
    lines += [str(error[part]) for part in ("detail", "hint") if error.get(part)]
    lines += [
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in (about or {}).items()
    ]
    return "\n".join([*lines, str(error.get("log", ""))]).rstrip() + "\n"


class ErrorView(QFrame):
    """`show_error` puts another error in. The details fold is there when the error has a log."""

    def __init__(
        self,
        theme: Theme,
        error: StudioError | dict[str, Any] | None = None,
        about: dict[str, Any] | None = None,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self.setProperty("error", True)
        self._theme = theme
        self._error: dict[str, Any] = {}
        self._about: dict[str, Any] = {}
        self._sign = QLabel()
        self._sign.setPixmap(theme.icon("mdi6.alert-circle-outline", "danger").pixmap(18, 18))
        self.title = label(wrap=True, selectable=True, strong=True)
        self.detail = label(wrap=True, selectable=True)
        self.hint = label(wrap=True, selectable=True, muted=True)
        self.fold = tool_button("Details", icon=theme.icon("mdi6.chevron-right"), text=True)
        self.fold.setCheckable(True)
        self.copy = tool_button("Copy report", icon=theme.icon("mdi6.content-copy"), text=True, help=COPY_HELP)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setFixedHeight(DETAILS_HIGH)
        self.log.setAccessibleName("Details of the error")
        self.log.setTabChangesFocus(True)
        self.log.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.fold)
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(4)
        for part in (self.title, self.detail, self.hint):
            words.addWidget(part)
        words.addLayout(buttons)
        words.addWidget(self.log)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 12, 12, 8)
        row.setSpacing(8)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.fold.clicked.connect(self._fold)
        self.copy.clicked.connect(self._copy)
        theme.changed.connect(self._dress)
        self.show_error(error, about)

    def show_error(self, error: StudioError | dict[str, Any] | None, about: dict[str, Any] | None = None) -> None:
        """None hides the view."""
        self._error = error.to_dict() if isinstance(error, StudioError) else dict(error or {})
        self._about = dict(about or {})
        for part, words in (("title", self.title), ("detail", self.detail), ("hint", self.hint)):
            words.setText(str(self._error.get(part, "")))
            words.setVisible(bool(self._error.get(part)))
        log = str(self._error.get("log", ""))
        self.log.setPlainText(log[-LOG_SHOWN:])
        self.fold.setVisible(bool(log))
        self.fold.setChecked(False)
        self._fold(False)
        self.setAccessibleName(f"Error: {self._error.get('title', '')}")
        self.setVisible(bool(self._error))

    def report(self) -> str:
        return report(self._error, self._about)

    def _fold(self, open: bool) -> None:
        self.log.setVisible(open)
        self.fold.setIcon(self._theme.icon("mdi6.chevron-down" if open else "mdi6.chevron-right"))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report())
        self.copy.setText("Copied")

    def _dress(self) -> None:
        self._sign.setPixmap(self._theme.icon("mdi6.alert-circle-outline", "danger").pixmap(18, 18))
