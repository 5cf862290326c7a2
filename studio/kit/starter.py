"""The unobtrusive card that says what a small starter model is for."""

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from studio.kit.theme import Theme


class StarterCard(QFrame):
    """Shown while a starter model is chosen, until it is put away. wanted: open the models panel.

    words: what such a model is and what a larger one does, after its name. for_code: the same of one that writes code.
    """

    wanted = Signal()
    dismissed = Signal()

    def __init__(self, theme: Theme, words: str, parent: QWidget | None = None, *, for_code: str = ""):
        super().__init__(parent)
        self._words, self._for_code = words, for_code
        self.setProperty("notice", "info")
        self.setAccessibleName("About the starter model")
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        more = QPushButton("Models")
        more.setProperty("flat", True)
        more.setToolTip("Opens the models panel, where folders with larger models are added")
        close = QToolButton()
        close.setIcon(theme.icon("mdi6.close"))
        close.setToolTip("Do not show this again")
        close.setAccessibleName("Put this note away")
        more.clicked.connect(self.wanted)
        close.clicked.connect(self.dismissed)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 4, 4)
        row.setSpacing(8)
        row.addWidget(self._label, 1)
        row.addWidget(more)
        row.addWidget(close)
        self.hide()

    def show_model(self, entry: dict[str, Any] | None) -> None:
        """The model that is chosen; nothing is shown for one that is no starter model, or for None."""
        starter = bool(entry and entry.get("starter"))
        if entry and starter:
            name = entry.get("title") or entry.get("id")
            writes_code = "code-generation" in (entry.get("also") or ())
            self._label.setText(f"{name} {self._for_code if writes_code and self._for_code else self._words}")
        self.setVisible(starter)
