"""Two pictures under one divider: a result and what it was made from, or any two results."""

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.pictures import Pictures
from studio.kit.session import Session
from studio.kit.slider_compare import SliderCompare
from studio.kit.surface import label, tool_button

LARGEST = QSize(16384, 16384)


class ComparePage(QWidget):
    """left: back to the results."""

    left = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self._session = session
        self._pictures = Pictures(self)
        self._images: list[QImage | None] = [None, None]
        self._round = 0
        self.slider = SliderCompare(session.theme)
        self.back = tool_button(
            "Back", icon=session.theme.icon("mdi6.arrow-left"), text=True, help="Back to all results (Esc)"
        )
        self.words = label(small=True)
        head = QHBoxLayout()
        head.addWidget(self.back)
        head.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 0, 24, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.slider, 1)
        self.back.clicked.connect(self.left)

    def show_pair(self, before: str, after: str, labels: tuple[str, str]) -> None:
        """Paths, or names of kept inputs."""
        self._round += 1
        self._images = [None, None]
        self.words.setText("")
        self.slider.set_pictures(None, None)
        self.slider.set_labels(*labels)
        for at, value in enumerate((before, after)):
            self._load(at, value, self._round)

    def _load(self, at: int, value: str, round: int) -> None:
        try:
            path = self._session.input_path(value)
        except StudioError as error:
            self.words.setText(f"{error.title}. {error.detail}")
            return

        def then(image: QImage, problem: str) -> None:
            if round != self._round:
                return
            if image.isNull():
                self.words.setText(f"{path.name} cannot be shown: {problem}.")
            self._images[at] = image
            self.slider.set_pictures(*self._images)

        self._pictures.load(path, LARGEST, then)
