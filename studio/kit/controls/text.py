"""Words: one line, several lines, and the path of a file or folder."""

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from studio.kit.controls.base import Control
from studio.kit.plain import PlainEditor
from studio.kit.session import Session
from studio.kit.surface import tool_button
from studio.sdk.fields import FieldSpec


class LineControl(Control):
    """One line of text. An optional one is None when empty."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._value: str | None = None
        self.field = QLineEdit()
        self.field.setPlaceholderText(spec.ui.placeholder)
        self.line = QHBoxLayout()
        self.line.setSpacing(4)
        self.line.addWidget(self.field, 1)
        self.column.addLayout(self.line)
        self.takes_keyboard(self.field)
        self.field.textEdited.connect(self._typed)
        self.set_value(spec.default)

    def value(self) -> str | None:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        shown = str(value or "")
        if self.field.text() != shown:
            self.field.setText(shown)

    def _typed(self, text: str) -> None:
        self.take(None if self.spec.optional and not text else text)

    def take(self, value: str | None) -> None:
        self.problem.emit("")
        if value != self._value:
            self._value = value
            self.changed.emit(value)


class FileControl(LineControl):
    """The path of a file, typed, chosen or dropped. The dialog stops nothing else."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self.browse = tool_button(f"Choose: {spec.title}", icon=session.theme.icon("mdi6.folder-open-outline"))
        self.line.addWidget(self.browse)
        self.browse.clicked.connect(self.open_dialog)
        self.setAcceptDrops(True)
        self.dialog: QFileDialog | None = None

    def open_dialog(self) -> None:
        if self.dialog is None:
            self.dialog = QFileDialog(self, self.spec.title)
            self.dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            self.dialog.fileSelected.connect(self.choose)
        if self._value:
            self.dialog.setDirectory(str(Path(self._value).parent))
        self.dialog.open()

    def choose(self, path: str) -> None:
        self.field.setText(path)
        self.take(path)

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        found = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if found:
            event.acceptProposedAction()
            self.choose(found[0])


class TextControl(Control):
    """Several lines of plain text."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self.editor = PlainEditor(rows=3, most=8)
        self.editor.setPlaceholderText(spec.ui.placeholder)
        self.column.addWidget(self.editor)
        self.takes_keyboard(self.editor)
        self.editor.edited.connect(self._edited)
        self.set_value(spec.default)

    def value(self) -> str | None:
        text = self.editor.text()
        return None if self.spec.optional and not text else text

    def set_value(self, value: Any) -> None:
        self.editor.set_text(str(value or ""))

    def _edited(self) -> None:
        self.problem.emit("")
        self.changed.emit(self.value())
