"""What the person was in the middle of: drafts of the panels, the window's place. Saved while they work.

A panel's draft is kept as it was read from the file until the panel is built, so a panel that is not
opened in this session, or whose plugin is broken today, loses nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from studio.ui.store import JsonStore

SAVE_AFTER_MS = 700
LOOK_EVERY_MS = 2000
Source = Callable[[], dict[str, Any]]


class Drafts(QObject):
    """`problem(title, detail)`: something could not be read or written."""

    problem = Signal(str, str)

    def __init__(self, path: Path, parent: QObject | None = None):
        super().__init__(parent)
        self._store = JsonStore(path, durable=False)
        self._values: dict[str, Any] = {}
        self._sources: dict[str, Source] = {}
        self._said = ""
        self._soon = QTimer(self, singleShot=True, interval=SAVE_AFTER_MS)
        self._soon.timeout.connect(self.save)
        # A panel may change in ways that no signal tells of, so all are looked at now and then;
        # an unchanged content is not written.
        self._look = QTimer(self, interval=LOOK_EVERY_MS)
        self._look.timeout.connect(self.save)

    def load(self) -> None:
        """Reads the file. A damaged one is ignored, kept aside and told of."""
        self._values = self._store.read()
        self._look.start()
        if self._store.problem:
            self.problem.emit("Unfinished work could not be read whole", self._store.problem)

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keeps a JSON value under `key`; on disk soon."""
        if self._values.get(key) != value:
            self._values[key] = value
            self.touch()

    def draft(self, panel: str) -> dict[str, Any]:
        """The saved draft of a panel; empty when there is none."""
        drafts = self._values.get("drafts")
        found = drafts.get(panel) if isinstance(drafts, dict) else None
        return found if isinstance(found, dict) else {}

    def add_source(self, panel: str, source: Source) -> None:
        """From now on the draft of `panel` is what `source` says."""
        self._sources[panel] = source

    def remove_source(self, panel: str) -> None:
        self._sources.pop(panel, None)

    def touch(self) -> None:
        """Something has changed: save after a moment of rest."""
        self._soon.start()

    def save(self) -> None:
        """Collects the drafts and writes them, if they differ from what is on disk."""
        drafts = self._values.get("drafts")
        drafts = dict(drafts) if isinstance(drafts, dict) else {}
        for panel, source in self._sources.items():
            drafts[panel] = source()
        self._values["drafts"] = drafts
        if self._store.write(self._values):
            self._said = ""
        elif self._said != self._store.problem:
            self._said = self._store.problem
            self.problem.emit("Unfinished work is not being saved", self._store.problem)

    def close(self) -> None:
        """Saves a last time."""
        self._soon.stop()
        self._look.stop()
        self.save()


def geometry_of(window: QWidget) -> str:
    """The window's place and size as text for a draft file."""
    return bytes(window.saveGeometry().toBase64().data()).decode()


def restore_geometry(window: QWidget, text: Any) -> bool:
    """Puts the window back where it was; False when `text` is no geometry."""
    return isinstance(text, str) and window.restoreGeometry(QByteArray.fromBase64(text.encode()))
