"""Sees files dragged onto a window before any widget in it does, so that they may be dropped anywhere."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget

MARGIN = 24


class DropFilter(QObject):
    """Gives the paths of dropped local files to `take`; other drags go on to the widgets."""

    def __init__(self, window: QWidget, take: Callable[[list[str]], None]):
        super().__init__(window)
        self._window, self._take = window, take
        self._hint = QLabel("Drop it anywhere", window)
        self._hint.setObjectName("dropHint")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._hint.hide()
        window.setAcceptDrops(True)

    def install(self) -> None:
        """Once the window has a native one, which receives the drags."""
        handle = self._window.windowHandle()
        if handle is not None:
            handle.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop):
            assert isinstance(event, QDropEvent)
            return self._dragged(event, kind)
        if kind == QEvent.Type.DragLeave:
            self._hint.hide()
        return super().eventFilter(watched, event)

    def _dragged(self, event: QDropEvent, kind: QEvent.Type) -> bool:
        found = paths_of(event.mimeData())
        if not found:
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if kind == QEvent.Type.DragEnter:
            self._hint.setGeometry(self._window.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN))
            self._hint.raise_()
        self._hint.setVisible(kind != QEvent.Type.Drop)
        if kind == QEvent.Type.Drop:
            self._take(found)
        return True


def paths_of(data: QMimeData) -> list[str]:
    """Local files of a drag."""
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
