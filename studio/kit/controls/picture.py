"""A picture that an operation reads: chosen, dropped or put there by the panel, shown small."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.controls.base import Control
from studio.kit.pictures import Pictures
from studio.kit.session import Session
from studio.kit.surface import label, push_button, tip, tool_button
from studio.sdk.fields import FieldSpec

SIDE = 72
NAME = 22
PATTERNS = "Pictures (*.png *.jpg *.jpeg *.webp *.bmp *.gif *.tif *.tiff);;All files (*)"


class PictureControl(Control):
    """The value is a path or an `input:` name; "" is none. A kept copy has no name to show but what it looks like."""

    def __init__(self, spec: FieldSpec, session: Session, parent: QWidget | None = None):
        super().__init__(spec, session, parent)
        self._value = ""
        self._pictures = Pictures(self)
        self.dialog: QFileDialog | None = None
        self.thumb = QLabel()
        self.thumb.setFixedSize(SIDE, SIDE)
        self.thumb.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.thumb.setProperty("well", True)
        self.said = label(small=True, muted=True, wrap=True)
        self.browse = push_button("Choose…", icon=session.theme.icon("mdi6.image-plus-outline"))
        self.clear = tool_button(
            f"Take away: {spec.title}", icon=session.theme.icon("mdi6.close"), help="Take the picture away"
        )
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.browse)
        buttons.addWidget(self.clear)
        buttons.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addLayout(buttons)
        words.addWidget(self.said)
        words.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.thumb)
        line.addLayout(words, 1)
        self.column.addLayout(line)
        self.takes_keyboard(self.browse)
        self.browse.setAccessibleName(f"Choose: {spec.title}")
        self.browse.clicked.connect(self.open_dialog)
        self.clear.clicked.connect(lambda: self.choose(""))
        self.setAcceptDrops(True)
        self.set_value(spec.default or "")

    def value(self) -> str:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = str(value or "")
        self._show()

    def choose(self, path: str) -> None:
        """Takes a file that the person chose or dropped, or none."""
        self.problem.emit("")
        if path != self._value:
            self.set_value(path)
            self.changed.emit(path)

    def open_dialog(self) -> None:
        """Lets the person choose a file; stops nothing else."""
        if self.dialog is None:
            self.dialog = QFileDialog(self, self.spec.title)
            self.dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            self.dialog.setNameFilter(PATTERNS)
            self.dialog.fileSelected.connect(self.choose)
        if self._value and not self._value.startswith("input:"):
            self.dialog.setDirectory(str(Path(self._value).parent))
        self.dialog.open()

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        found = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if found:
            event.acceptProposedAction()
            self.choose(found[0])

    def _show(self) -> None:
        self.clear.setVisible(bool(self._value))
        self.thumb.setPixmap(QPixmap())
        if not self._value:
            self.said.setText("None. Drop one here.")
            return
        try:
            path = self.session.input_path(self._value)
        except StudioError as error:
            self.said.setText(error.title + ".")
            return
        kept = self._value.startswith("input:")
        self.said.setText("" if kept else _short(path.name))
        self.said.setToolTip("" if kept else tip(str(path)))
        asked, ratio = self._value, self.devicePixelRatioF()
        side = round(SIDE * ratio)

        def then(image: QImage, problem: str) -> None:
            if self._value != asked:
                return
            if image.isNull():
                self.said.setText(f"It cannot be shown: {problem}.")
                return
            image.setDevicePixelRatio(ratio)
            self.thumb.setPixmap(QPixmap.fromImage(image))

        self._pictures.load(path, QSize(side, side), then)


def _short(name: str) -> str:
    """A name that wraps nowhere must not make the column wider."""
    return name if len(name) <= NAME else f"{name[: NAME // 2]}…{name[-NAME // 2 :]}"
