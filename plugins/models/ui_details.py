"""The models panel's lower half: what a model is, what is wrong with it, and what its card says."""

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from .ui_table import cell


def plain_label(role: str = "") -> QLabel:
    """A label for words from outside: never rich text, selectable."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    if role:
        label.setProperty(*(("level", "error") if role == "error" else (role, True)))
    return label


class Details(QFrame):
    """Shows one entry of the catalogue."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._title = plain_label("heading")
        self._path = plain_label("muted")
        self._problem = plain_label("error")
        self._hint = plain_label()
        self._numbers = plain_label("muted")
        self._notes = plain_label("muted")
        self.card = QPlainTextEdit()
        self.card.setReadOnly(True)
        self.card.setTabChangesFocus(True)
        self.card.setAccessibleName("Model card")
        self.folder_button = QPushButton("Show in folder")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._title, 1)
        head.addWidget(self.folder_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        for widget in (self._numbers, self._path, self._problem, self._hint, self._notes):
            layout.addWidget(widget)
        layout.addWidget(self.card, 1)
        layout.addStretch(0)
        self.show_entry(None)

    def show_entry(self, entry: dict[str, Any] | None) -> None:
        """An entry as `models` gives it; None when no model is selected."""
        self.folder_button.setVisible(entry is not None)
        entry = entry or {}
        problem = entry.get("problem") or {}
        self._title.setText(cell(entry, "Name") if entry else "")
        parts = [cell(entry, name) for name in ("Makes", "Family", "Parameters", "Size", "Precision", "Licence")]
        self._numbers.setText(" · ".join(part for part in parts if part != "–") if entry else "")
        self._problem.setText(". ".join(filter(None, (problem.get("title"), problem.get("detail")))))
        self._hint.setText(str(problem.get("hint", "")))
        self._path.setText(str(entry.get("path", "")))
        self._notes.setText("\n".join(str(note) for note in entry.get("notes") or ()))
        for label in (self._problem, self._hint, self._notes, self._numbers, self._path):
            label.setVisible(bool(label.text()))
        self.card.setVisible(bool(entry))
        text = str(entry.get("card_excerpt") or "")
        self.card.setPlainText(text or ("This model brings no card." if entry else ""))
