"""Lets the window's shortcuts win over what a text field would do with the same keys.

On X11 a line edit takes Ctrl+E, Ctrl+U and other keys of Emacs for itself, and an action of that key would
not be heard wherever a person types. Copying, pasting and undoing stay the field's own.
"""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QWidget

from studio.kit.action import Action

StandardKey = QKeySequence.StandardKey
OWN = (
    StandardKey.Undo, StandardKey.Redo, StandardKey.Copy, StandardKey.Cut, StandardKey.Paste, StandardKey.SelectAll,
)  # fmt: skip


class KeyFilter(QObject):
    """Watches only the field that has the keyboard. `actions`: those that can be asked for by key now."""

    def __init__(self, actions: Callable[[], Iterable[Action]], parent: QObject):
        super().__init__(parent)
        self._actions = actions
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focus_changed)

    def _focus_changed(self, old: QWidget | None, now: QWidget | None) -> None:
        if isinstance(old, QLineEdit | QPlainTextEdit):
            old.removeEventFilter(self)
        if isinstance(now, QLineEdit | QPlainTextEdit):
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_taken(event):
            event.ignore()
            return True
        return False

    def _is_taken(self, event: QKeyEvent) -> bool:
        plain = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if plain or any(event.matches(key) for key in OWN):
            return False
        pressed = QKeySequence(event.keyCombination())
        return any(QKeySequence(action.shortcut) == pressed for action in self._actions() if action.shortcut)
