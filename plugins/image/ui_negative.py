"""The negative prompt below the prompt: folded to one line until it is wanted."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.kit.group import Heading
from studio.kit.plain import PlainEditor
from studio.kit.surface import tip
from studio.kit.theme import Theme

TITLE = "Negative prompt"
HELP = "What is not to be seen. Alt+N folds it; a folded one still counts."


class NegativeBox(QWidget):
    """value: the text, also while it is folded. changed: it is another, whoever changed it."""

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._why = ""
        self.heading = Heading(TITLE)
        self.heading.setChecked(False)
        self.heading.setToolTip(tip(HELP))
        self.editor = PlainEditor(rows=1, most=4)
        self.editor.setUndoRedoEnabled(False)
        self.editor.setPlaceholderText("What is not to be seen")
        self.editor.setAccessibleName(TITLE)
        self.editor.setAccessibleDescription(HELP)
        self.editor.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.heading, 0, Qt.AlignmentFlag.AlignLeading)
        column.addWidget(self.editor)
        self.heading.clicked.connect(self.set_open)
        self.editor.textChanged.connect(self._on_text)
        self._show_state()

    def value(self) -> str:
        return self.editor.text()

    def set_value(self, text: str) -> None:
        self.editor.set_text(text)
        self._show_state()

    def is_open(self) -> bool:
        return self.heading.isChecked()

    def set_open(self, open: bool) -> None:
        self.heading.setChecked(open)
        self.editor.setVisible(open)
        self._show_state()

    def toggle(self) -> None:
        """Alt+N: opens it and puts the keyboard there, or folds it."""
        self.set_open(not self.is_open())
        if self.is_open():
            self.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_available(self, on: bool, why: str = "") -> None:
        """Says where the model reads none. What is written stays."""
        self._why = "" if on else why
        self.editor.setEnabled(on)
        self._show_state()

    def _on_text(self) -> None:
        self._show_state()
        self.changed.emit()

    def _show_state(self) -> None:
        self.heading.setIcon(self._theme.icon("mdi6.chevron-down" if self.is_open() else "mdi6.chevron-right"))
        folded = " ".join(self.editor.text()[:200].split())
        more = f"  ·  {self._why}" if self._why else f"  ·  {folded[:80]}" if folded and not self.is_open() else ""
        self.heading.setText(TITLE + more)
        self.heading.setAccessibleName(f"{TITLE}, {'open' if self.is_open() else 'folded'}")
