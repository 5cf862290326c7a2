"""One message of a conversation: who said it, what, which version of how many, and what can be done with it."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.kit.error import ErrorView
from studio.kit.plain import PlainEditor
from studio.kit.surface import label, push_button, tool_button
from studio.kit.theme import Theme

from .conversation_diff import differences
from .conversation_node import Node
from .ui_chat_markdown import MessageText

WHO = {"user": "You", "assistant": "Model", "system": "System"}
DEEDS = {
    "edit": ("Edit", "mdi6.pencil-outline", "Another version of this message; the old one stays beside it"),
    "retry": ("Retry", "mdi6.refresh", "Another answer; the old one stays beside it"),
    "continue": ("Continue", "mdi6.arrow-right", "The model writes on where this answer ends"),
    "compare": ("Compare", "mdi6.file-compare", "What differs from the version before"),
    "branch": ("Branch here", "mdi6.source-branch", "What you say next follows this message"),
    "good": ("Good", "mdi6.thumb-up-outline", "Remembers that this answer is good"),
    "bad": ("Bad", "mdi6.thumb-down-outline", "Remembers that this answer is bad"),
    "copy": ("Copy", "mdi6.content-copy", "Copies the message"),
    "delete": ("Delete", "mdi6.delete-outline", "Takes it and what follows away; Ctrl+Z brings both back"),
}
OFFERED = {
    "user": ("edit", "branch", "copy", "delete"),
    "assistant": ("retry", "continue", "edit", "compare", "branch", "good", "bad", "copy", "delete"),
    "system": ("edit", "copy", "delete"),
}


class MessageCard(QFrame):
    """asked(deed, id): a button. edited(id, text): another version was written. turned(id, step): to a sibling."""

    asked = Signal(str, str)
    edited = Signal(str, str)
    turned = Signal(str, int)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.id, self.role = "", ""
        self.setProperty("card", True)
        self.who, self.state = label(heading=True), label(muted=True, small=True)
        self.text = MessageText(theme)
        self.editor = PlainEditor(rows=2, most=16)
        self.editor.setAccessibleName("The message")
        self.keep = push_button("Save as a new version", primary=True, help="Beside the old one (Ctrl+Return)")
        self.leave = push_button("Cancel", help="Leaves the message as it is (Esc)")
        self._versions = label(muted=True, small=True)
        self.back = tool_button("Version before", icon=theme.icon("mdi6.chevron-left"), help="The version before")
        self.on = tool_button("Next version", icon=theme.icon("mdi6.chevron-right"), help="The next version")
        self._error: ErrorView | None = None
        self._buttons = {deed: self._button(deed) for deed in DEEDS}
        self._build()
        self.set_editing(False)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # gives way, never widens
        head.addWidget(self.who)
        head.addWidget(self.state, 1)
        for part in (self.back, self._versions, self.on):
            head.addWidget(part)
        foot = QHBoxLayout()
        foot.setSpacing(4)
        for button in self._buttons.values():
            foot.addWidget(button)
        foot.addStretch(1)
        edit = QHBoxLayout()
        edit.setSpacing(8)
        edit.addWidget(self.keep)
        edit.addWidget(self.leave)
        edit.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 8, 16, 8)
        self._column.setSpacing(8)
        self._column.addLayout(head)
        for part in (self.text, self.editor):
            self._column.addWidget(part)
        self._column.addLayout(edit)
        self._column.addLayout(foot)
        self.back.clicked.connect(lambda: self.turned.emit(self.id, -1))
        self.on.clicked.connect(lambda: self.turned.emit(self.id, 1))
        self.keep.clicked.connect(self._keep)
        self.leave.clicked.connect(lambda: self.set_editing(False))

    def _button(self, deed: str) -> Any:
        title, icon, help = DEEDS[deed]
        button = tool_button(title, icon=self._theme.icon(icon), help=help)
        button.clicked.connect(lambda: self.asked.emit(deed, self.id))
        return button

    # showing ---------------------------------------------------------------------------------

    def show_message(self, node: Node, versions: Sequence[Node], stream: str, state: str, working: bool) -> None:
        """stream: what has come so far of an answer that is being written. state: what is going on, in words."""
        self.id, self.role = node.id, node.role
        self.who.setText(WHO.get(node.role, node.role))
        self.state.setText(" · ".join(part for part in (node.model, state) if part))
        self.state.setToolTip(self.state.text())
        if not self.text.compares:
            self.text.show_text(stream if working else node.content, plain=node.role != "assistant")
            if not working:
                self.text.settle()
        self.text.setVisible(bool(self.text.text()) and not self.is_editing)
        at = next((n for n, other in enumerate(versions, 1) if other.id == node.id), 1)
        self._versions.setText(f"{at} of {len(versions)}")
        for part in (self.back, self._versions, self.on):
            part.setVisible(len(versions) > 1)
        self._show_error(node)
        offered = () if working else OFFERED[node.role]
        for deed, button in self._buttons.items():
            possible = deed in offered and (deed != "compare" or len(versions) > 1)
            button.setVisible(possible and not self.is_editing)
        for deed, rating in (("good", 1), ("bad", -1)):
            on = node.rating == rating
            icon = DEEDS[deed][1].removesuffix("-outline") if on else DEEDS[deed][1]
            self._buttons[deed].setIcon(self._theme.icon(icon, "accent_text" if on else "muted"))
        self.setAccessibleName(f"{self.who.text()}: {node.content[:60]}")

    def _show_error(self, node: Node) -> None:
        error = node.facts.get("error")
        if error and self._error is None:
            self._error = ErrorView(self._theme)
            self._column.insertWidget(2, self._error)
        if self._error is not None:
            self._error.show_error(error if isinstance(error, dict) else None)

    def compare(self, before: Node | None, node: Node) -> None:
        """Shows what differs from another version, or the message again."""
        if self.text.compares or before is None:
            self.text.show_text("", plain=True)
            self.text.show_text(node.content, plain=node.role != "assistant")
        else:
            self.text.show_differences(differences(before.content, node.content))

    # editing ---------------------------------------------------------------------------------

    @property
    def is_editing(self) -> bool:
        return not self.editor.isHidden()

    def set_editing(self, on: bool, text: str = "") -> None:
        if on:
            self.editor.set_text(text)
        for part in (self.editor, self.keep, self.leave):
            part.setVisible(on)
        self.text.setVisible(not on and bool(self.text.text()))
        for button in self._buttons.values():
            button.setVisible(not on and button.isVisibleTo(self))
        if on:
            self.editor.setFocus()

    def _keep(self) -> None:
        text = self.editor.text()
        self.set_editing(False)
        self.edited.emit(self.id, text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.is_editing and event.key() == Qt.Key.Key_Escape:
            self.set_editing(False)
        else:
            super().keyPressEvent(event)
