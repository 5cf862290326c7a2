"""The card that says what was taken from a dropped picture, what could not be, and offers the other way."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.surface import label, push_button, restyle, tool_button
from studio.kit.theme import Theme


class TakenCard(QFrame):
    """One message with at most one button; the next one takes its place."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._act: Callable[[], Any] | None = None
        self.setProperty("notice", "info")
        self.title = label(wrap=True, strong=True, selectable=True)
        self.detail = label(wrap=True, selectable=True)
        self.button = push_button("")
        self.close_button = tool_button("Put this note away", icon=theme.icon("mdi6.close"))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.detail)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 8, 8, 8)
        line.setSpacing(8)
        line.addLayout(words, 1)
        line.addWidget(self.button)
        line.addWidget(self.close_button)
        self.button.clicked.connect(self._pressed)
        self.close_button.clicked.connect(self.hide)
        self.hide()

    def say(
        self,
        title: str,
        details: Sequence[str] = (),
        button: str = "",
        act: Callable[[], Any] | None = None,
        *,
        level: str = "info",
    ) -> None:
        """level: "info", "warning" or "error"."""
        self._act = act
        restyle(self, notice=level)
        self.title.setText(title)
        detail = " ".join(part for part in details if part)
        self.detail.setText(detail)
        self.detail.setVisible(bool(detail))
        self.button.setText(button)
        self.button.setAccessibleName(button)
        self.button.setVisible(bool(button))
        self.setAccessibleName(f"{title}. {detail}")
        self.show()

    def _pressed(self) -> None:
        self.hide()
        if self._act is not None:
            self._act()
