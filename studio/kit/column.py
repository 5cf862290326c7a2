"""The column of controls on the right of a panel: what is set scrolls, what starts it stays below."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from studio.kit.theme import Theme


class ControlsColumn(QFrame):
    """`inside` scrolls; `below` and, side by side, `buttons` (the first takes the room) are always on show."""

    def __init__(
        self,
        theme: Theme,
        inside: Sequence[QWidget],
        below: Sequence[QWidget],
        buttons: Sequence[QWidget],
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        one, two = theme.shape("space", "one"), theme.shape("space", "two")
        self.setProperty("column", True)
        self.setFixedWidth(theme.shape("size", "column"))
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        body = QWidget()
        padded = QVBoxLayout(body)
        padded.setContentsMargins(two, two, two, one)
        padded.setSpacing(one)
        for part in inside:
            padded.addWidget(part)
        padded.addStretch(1)
        scroll.setWidget(body)
        line = QHBoxLayout()
        line.setSpacing(one)
        for at, button in enumerate(buttons):
            line.addWidget(button, 0 if at else 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(two, one, two, two)
        foot.setSpacing(one)
        for part in below:
            foot.addWidget(part)
        foot.addLayout(line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(scroll, 1)
        column.addLayout(foot)
