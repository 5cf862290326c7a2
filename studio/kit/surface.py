"""Small pieces that every widget of the kit is made of: labels, buttons, words that wrap in a tooltip."""

import html
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QIcon, QResizeEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QToolButton, QWidget


def restyle(widget: QWidget, **properties: Any) -> None:
    """Sets properties that the stylesheet looks at, and lets it look again if one has changed."""
    changed = [name for name, value in properties.items() if widget.property(name) != value]
    for name in changed:
        widget.setProperty(name, properties[name])
    if changed:
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class Mirrored:
    """Lets the stylesheet see, as property "mirrored", whether the widget reads from right to left."""

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)  # type: ignore[misc]
        if event.type() == QEvent.Type.LayoutDirectionChange:
            mirror(self)  # type: ignore[arg-type]


def mirror(widget: QWidget) -> None:
    restyle(widget, mirrored=widget.layoutDirection() == Qt.LayoutDirection.RightToLeft)


def tip(text: str) -> str:
    """A text as tooltip: as plain as it is, but wrapped (Qt wraps rich tooltips only)."""
    return f"<p>{html.escape(text)}</p>" if text else ""


def name(widget: QWidget, title: str, description: str = "") -> None:
    """What a screen reader says, and the help on hover."""
    widget.setAccessibleName(title)
    widget.setAccessibleDescription(description)
    if description:
        widget.setToolTip(tip(description))


class Words(QLabel):
    """Words that wrap, exactly as tall as they need to be: layouts inside layouts get that wrong by themselves."""

    def setText(self, text: str) -> None:
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # it would be the least that heightForWidth says
        self.setFixedHeight(max(0, self.heightForWidth(self.width())))


def label(text: str = "", *, wrap: bool = False, selectable: bool = False, **style: Any) -> QLabel:
    """Plain words; `style` are properties of the stylesheet (muted=True, small=True, heading=True, …)."""
    found = Words() if wrap else QLabel()
    found.setTextFormat(Qt.TextFormat.PlainText)
    found.setWordWrap(wrap)
    for key, value in style.items():
        found.setProperty(key, value)
    if wrap:
        found.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    found.setText(text)
    if selectable:
        found.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    return found


def tool_button(
    title: str, *, icon: QIcon | None = None, text: bool = False, help: str = "", **style: Any
) -> QToolButton:
    """A flat button; with an icon alone unless `text`. Reachable by keyboard, named for screen readers."""
    found = QToolButton()
    found.setAutoRaise(True)
    found.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    found.setText(title)
    if icon is not None:
        found.setIcon(icon)
        beside, alone = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly
        found.setToolButtonStyle(beside if text else alone)
    for key, value in style.items():
        found.setProperty(key, value)
    found.setAccessibleName(title)
    found.setAccessibleDescription(help)
    if help or not text:
        found.setToolTip(tip(help or title))
    return found


def push_button(title: str, *, icon: QIcon | None = None, help: str = "", **style: Any) -> QPushButton:
    found = QPushButton(title)
    if icon is not None:
        found.setIcon(icon)
    for key, value in style.items():
        found.setProperty(key, value)
    name(found, title, help)
    return found
