"""A notice on a panel: says something, offers one thing to do, and stops nobody."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.kit.surface import label, push_button, restyle, tool_button
from studio.kit.theme import Theme

SIGNS = {
    "info": "mdi6.information-outline",
    "success": "mdi6.check-circle-outline",
    "warning": "mdi6.alert-outline",
    "error": "mdi6.alert-circle-outline",
}
COLOURS = {"info": "info", "success": "success", "warning": "warning", "error": "danger"}


class NoticeLine(QFrame):
    """Hidden until `say`. closed: the person has put it away."""

    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme, self._level = theme, "info"
        self._act: Callable[[], Any] | None = None
        self._sign = QLabel()
        self.title = label(wrap=True, strong=True)
        self.detail = label(wrap=True, selectable=True)
        self.button = push_button("", flat=True)
        self.close_button = tool_button("Put this notice away", icon=theme.icon("mdi6.close"))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.detail)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.button.clicked.connect(self._pressed)
        self.close_button.clicked.connect(self._close)
        theme.changed.connect(self._dress)
        self.hide()

    def say(
        self,
        title: str,
        detail: str = "",
        level: str = "info",
        *,
        button: str = "",
        act: Callable[[], Any] | None = None,
    ) -> None:
        """level: "info", "success", "warning" or "error"."""
        self._level, self._act = level, act
        self.title.setText(title)
        self.detail.setText(detail)
        self.detail.setVisible(bool(detail))
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.setAccessibleName(f"{level}: {title}")
        self._dress()
        self.show()

    def _dress(self) -> None:
        restyle(self, notice=self._level)
        self._sign.setPixmap(self._theme.icon(SIGNS[self._level], COLOURS[self._level]).pixmap(18, 18))

    def _pressed(self) -> None:
        if self._act is not None:
            self._act()

    def _close(self) -> None:
        self.hide()
        self.closed.emit()
