"""The rail: one button a panel, in the order of the manifests; Ctrl+1…8."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QButtonGroup, QScrollArea, QToolButton, QVBoxLayout, QWidget

WIDTH = 80
EDGE = 6
ICON = 24
MakeIcon = Callable[[str], QIcon]


@dataclass(frozen=True, slots=True)
class RailItem:
    """A place to go to. `low`: at the foot of the rail, away from the panels."""

    id: str
    title: str
    icon: str
    shortcut: str = ""
    low: bool = False


class Rail(QWidget):
    """`chosen(id)`: the person wants that panel. `set_current` marks the one on show."""

    chosen = Signal(str)

    def __init__(self, items: Sequence[RailItem], make_icon: MakeIcon, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Panels")
        self.setFixedWidth(WIDTH)
        self._items = list(items)
        self._buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        inner = QWidget()
        inner.setObjectName("railInner")
        column = QVBoxLayout(inner)
        column.setContentsMargins(EDGE, 8, EDGE, 8)
        column.setSpacing(4)
        for item in (item for item in items if not item.low):
            column.addWidget(self._button(item))
        column.addStretch(1)
        for item in (item for item in items if item.low):
            column.addWidget(self._button(item))
        area = QScrollArea(widgetResizable=True)
        area.setObjectName("railArea")
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self.set_icons(make_icon)

    def _button(self, item: RailItem) -> QToolButton:
        button = QToolButton()
        button.setText(button.fontMetrics().elidedText(item.title, Qt.TextElideMode.ElideRight, WIDTH - 2 * EDGE - 6))
        button.setCheckable(True)
        button.setIconSize(QSize(ICON, ICON))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFixedSize(WIDTH - 2 * EDGE - 1, 56)
        button.setToolTip(f"{item.title} ({item.shortcut})" if item.shortcut else item.title)
        button.setAccessibleName(item.title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(partial(self._choose, item.id))
        self._group.addButton(button)
        self._buttons[item.id] = button
        return button

    def _choose(self, id: str, _on: bool = False) -> None:
        self.chosen.emit(id)

    def set_current(self, id: str) -> None:
        """None of the rail's own is marked when `id` is a page without a place in it."""
        self._group.setExclusive(False)
        for known, button in self._buttons.items():
            button.setChecked(known == id)
        self._group.setExclusive(True)

    def set_icons(self, make_icon: MakeIcon) -> None:
        """Draws the icons in the colours of the theme."""
        for item in self._items:
            self._buttons[item.id].setIcon(make_icon(item.icon))

    def button(self, id: str) -> QToolButton | None:
        return self._buttons.get(id)

    def sizeHint(self) -> Any:
        return QSize(WIDTH, 400)
