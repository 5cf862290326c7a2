"""An error where it happened: what, why, what to do, the details folded, and a report to copy."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.errors import StudioError

LOG_HEIGHT = 180


class TroubleView(QFrame):
    """`closed`: the person has read it. `retried`: they want it tried again; offered when `again` is set."""

    closed = Signal()
    retried = Signal()

    def __init__(
        self, error: StudioError, *, closable: bool = True, again: bool = False, parent: QWidget | None = None
    ):
        super().__init__(parent)
        self._error = error
        self.setProperty("error", True)
        self.setAccessibleName(f"Error: {error.title}")
        self._log = QPlainTextEdit(error.log)
        self._log.setReadOnly(True)
        self._log.setFixedHeight(LOG_HEIGHT)
        self._log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._log.setAccessibleName("Details")
        self._log.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 8)
        column.setSpacing(4)
        for text, name in ((error.title, "noticeTitle"), (error.detail, "noticeDetail"), (error.hint, "noticeDetail")):
            if text:
                column.addWidget(_label(text, name))
        column.addWidget(self._log)
        column.addLayout(self._buttons(closable, again))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def _buttons(self, closable: bool, again: bool) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self._fold = _button("Show details")
        self._fold.setVisible(bool(self._error.log))
        self._fold.clicked.connect(self._toggle)
        copy = _button("Copy report")
        copy.clicked.connect(self._copy)
        row.addWidget(self._fold)
        row.addWidget(copy)
        if again:
            retry = _button("Try again")
            retry.clicked.connect(self.retried)
            row.addWidget(retry)
        row.addStretch(1)
        if closable:
            close = _button("Close")
            close.clicked.connect(self.closed)
            row.addWidget(close)
        return row

    def shows(self, error: StudioError) -> bool:
        """Whether this is what is on show already."""
        return (error.title, error.detail) == (self._error.title, self._error.detail)

    @property
    def error(self) -> StudioError:
        return self._error

    @property
    def report(self) -> str:
        error = self._error
        parts = (f"{error.title} [{error.code}]", error.detail, error.hint, error.log)
        return "\n".join(part for part in parts if part)

    def _toggle(self) -> None:
        self._log.setVisible(self._log.isHidden())
        self._fold.setText("Show details" if self._log.isHidden() else "Hide details")

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report)


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _button(text: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
