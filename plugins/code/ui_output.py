"""What a run said, while it says it, how it ended, and whether it was shut in."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from studio.kit.surface import label, push_button
from studio.kit.theme import Theme, mono_font

LINES = 5000
WALLS = {
    "namespaces": "Shut in: no network, none of your files",
    "bubblewrap": "Shut in by bubblewrap: no network, none of your files",
    "none": "Not isolated: it could do what you can do",
}


class OutputView(QWidget):
    """mend: the failure is to be given to the model. stop: end the run."""

    mend = Signal()
    stop = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.title = label("Output", heading=True)
        self.said = label(muted=True)
        self.mend_button = push_button("Mend it", primary=True, help="Gives the code and what it said to the model")
        self.stop_button = push_button("Stop", help="Ends the run")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(LINES)
        self.text.setUndoRedoEnabled(False)
        self.text.setAccessibleName("Output of the run")
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 4)
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addWidget(self.said, 1)
        head.addWidget(self.mend_button)
        head.addWidget(self.stop_button)
        inner = QVBoxLayout()
        inner.setContentsMargins(16, 0, 16, 12)
        inner.addWidget(self.text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(inner, 1)
        self.mend_button.clicked.connect(self.mend)
        self.stop_button.clicked.connect(self.stop)
        theme.changed.connect(self._dress)
        self._dress()
        self.ended({})

    def begin(self, what: str) -> None:
        self.title.setText(what)
        self.said.setText("Starting")
        self.text.clear()
        self.stop_button.show()
        self.mend_button.hide()

    def append(self, text: str) -> None:
        """At the end; the view follows where it is there already."""
        bar = self.text.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - 4
        cursor = self.text.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        cursor.insertText(text)
        if follows:
            bar.setValue(bar.maximum())

    def working(self, words: str) -> None:
        self.said.setText(words)

    def ended(self, facts: dict[str, Any], words: str = "", mendable: bool = False) -> None:
        """facts: of the job. words: in place of them, where it did not come to a run."""
        self.stop_button.hide()
        self.mend_button.setVisible(mendable)
        self.said.setText(words or outcome_words(facts))

    def shown(self) -> str:
        return self.text.toPlainText()

    def _dress(self) -> None:
        self.text.setFont(mono_font(self._theme.tokens))


def outcome_words(facts: dict[str, Any]) -> str:
    """How a run ended, in one line."""
    if "exit_code" not in facts:
        return ""
    code, reason = facts["exit_code"], str(facts.get("stopped_because") or "")
    ending = reason.rstrip(".") if reason else "Ended well" if code == 0 else f"Failed with exit code {code}"
    walls = WALLS.get(str(facts.get("isolation")), "")
    return " · ".join(part for part in (ending, f"{facts.get('seconds', 0):g} s", walls) if part)
