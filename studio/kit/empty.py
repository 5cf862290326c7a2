"""What a place says while nothing is there: what to do next, with one button."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.kit.surface import label, push_button

WIDTH = 420
ICON = 40


class EmptyState(QWidget):
    """acted: the button was pressed. `show_words` changes what is said."""

    acted = Signal()

    def __init__(
        self,
        title: str = "",
        detail: str = "",
        button: str = "",
        *,
        icon: QIcon | None = None,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._act: Callable[[], Any] | None = None
        self._picture = QLabel()
        self._icon = icon
        self.title = label(wrap=True, heading=True)
        self.detail = label(wrap=True, muted=True)
        self.button = push_button("", primary=True)
        middle = Qt.AlignmentFlag.AlignHCenter
        inner = QWidget()
        inner.setMaximumWidth(WIDTH)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._picture, 0, middle)
        for words in (self.title, self.detail):
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
            column.addWidget(words)
        column.addSpacing(8)
        column.addWidget(self.button, 0, middle)
        column.addStretch(3)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 24, 24, 24)
        row.addStretch(1)
        row.addWidget(inner, 1000)  # as wide as it may be; less where there is less room
        row.addStretch(1)
        self.button.clicked.connect(self._pressed)
        self.show_words(title, detail, button)

    def show_words(self, title: str, detail: str = "", button: str = "", act: Callable[[], Any] | None = None) -> None:
        """`act` is called when the button is pressed."""
        self._act = act
        for words, text in ((self.title, title), (self.detail, detail)):
            words.setText(text)
            words.setVisible(bool(text))
        self.button.setText(button)
        self.button.setAccessibleName(button)
        self.button.setVisible(bool(button))
        self.setAccessibleName(title)
        self.set_icon(self._icon)

    def set_icon(self, icon: QIcon | None) -> None:
        self._icon = icon
        self._picture.setVisible(icon is not None)
        if icon is not None:
            self._picture.setPixmap(icon.pixmap(ICON, ICON))

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange:
            self.set_icon(self._icon)

    def _pressed(self) -> None:
        self.acted.emit()
        if self._act is not None:
            self._act()
