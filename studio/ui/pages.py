"""Pages beside the panels: keyboard, about and plugins. Built when they are first opened."""

from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

import studio
from studio.host.discover import Plugin
from studio.kit.action import Action
from studio.ui.queue_commands import HISTORY_COMMANDS, WAITING_COMMANDS
from studio.ui.trouble import TroubleView

COLUMN = 760


class Page(QScrollArea):
    """A column of text of a readable width in the middle of the room."""

    def __init__(self, title: str):
        super().__init__(widgetResizable=True)
        self.setObjectName("page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(title)
        inner, room = QWidget(), QWidget()
        inner.setMaximumWidth(COLUMN)
        self.column = QVBoxLayout(inner)
        self.column.setContentsMargins(24, 24, 24, 24)
        self.column.setSpacing(8)
        outer = QGridLayout(room)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setColumnStretch(0, 1)
        outer.setColumnStretch(1, 1000)
        outer.setColumnStretch(2, 1)
        outer.addWidget(inner, 0, 1)
        self.column.addWidget(words(title, "pageTitle"))
        self.setWidget(room)

    def add_heading(self, text: str) -> None:
        self.column.addSpacing(12)
        self.column.addWidget(words(text, "pageHeading"))

    def add_text(self, text: str, *, muted: bool = False) -> QLabel:
        label = words(text, "pageMuted" if muted else "pageText")
        self.column.addWidget(label)
        return label

    def finish(self) -> None:
        self.column.addStretch(1)


def words(text: str, name: str = "pageText") -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def keyboard_page(window: Iterable[Action], panels: Mapping[str, Sequence[Action]]) -> QWidget:
    """Every shortcut, from the same data that makes them work."""
    page = Page("Keyboard")
    page.add_text("Everything can be reached by name with Ctrl+K. These have keys of their own.", muted=True)
    sections = [("Window", [(a.shortcut, a.title) for a in window if a.shortcut])]
    sections += [(title, [(a.shortcut, a.title) for a in own if a.shortcut]) for title, own in panels.items()]
    seen: dict[str, str] = {}
    for command in (*WAITING_COMMANDS, *HISTORY_COMMANDS):
        seen.setdefault(command.shortcut + command.title, command.shortcut)
    queue = [(key, text.removeprefix(key)) for text, key in seen.items()]
    sections.append(("In the queue", queue))
    for title, rows in sections:
        if rows:
            page.add_heading(title)
            page.column.addWidget(_table(rows))
    page.finish()
    return page


def _table(rows: Sequence[tuple[str, str]]) -> QWidget:
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(1, 1)
    grid.setColumnMinimumWidth(0, 150)
    for row, (key, text) in enumerate(rows):
        grid.addWidget(words(key, "pageKey"), row, 0)
        grid.addWidget(words(text), row, 1)
    return table


def about_page(plugins: Sequence[Plugin], places: str) -> QWidget:
    """What this is, where things are, and every plugin found, the broken ones with the reason."""
    page = Page("Atelier")
    page.add_text(f"Version {studio.__version__}. A studio for generative media on your own machine.")
    page.add_text(places, muted=True)
    page.add_heading("Plugins")
    page.add_text("A plugin is program code with all your rights. Install only what you trust.", muted=True)
    for plugin in plugins:
        _add_plugin(page, plugin)
    page.finish()
    return page


def _add_plugin(page: Page, plugin: Plugin) -> None:
    manifest = plugin.manifest
    name = f"{manifest.name} {manifest.version}" if manifest else plugin.id
    page.column.addSpacing(4)
    page.column.addWidget(words(name, "pageStrong"))
    licence = f"Licence {manifest.licence}" if manifest and manifest.licence else ""
    summary = " · ".join(part for part in (manifest.summary if manifest else "", licence) if part)
    if summary:
        page.add_text(summary)
    page.add_text(str(plugin.folder), muted=True)
    if plugin.problem is not None:
        page.column.addWidget(TroubleView(plugin.problem, closable=False))
