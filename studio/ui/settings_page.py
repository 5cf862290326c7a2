"""The settings as a page: looks, folders, plugins. What the engine owns is asked of the engine."""

from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.host.discover import Plugins
from studio.ui.pages import Page, words
from studio.ui.session import PanelSession
from studio.ui.settings import Settings

THEMES = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))
DENSITIES = (("simple", "Simple: the most important controls"), ("expert", "Expert: all controls"))


class SettingsPage(Page):
    """`theme_asked` and `density_asked`: the person chose; whoever composes the window does it."""

    chosen = Signal(str, str)

    def __init__(self, settings: Settings, session: PanelSession, plugins: Plugins):
        super().__init__("Settings")
        self._settings, self._session, self._plugins = settings, session, plugins
        self._library = words("", "pageMuted")
        self._folders = QListWidget()
        self._folders.setAccessibleName("Folders with models")
        self._folders.setFixedHeight(96)
        self._boxes: dict[str, QCheckBox] = {}
        self._choices: dict[str, QComboBox] = {}
        self.add_heading("Looks")
        self._choice("theme", "Theme", THEMES)
        self._choice("density", "Controls", DENSITIES)
        self.add_heading("Results")
        self.column.addWidget(self._library)
        self._row(("Choose another folder…", self._pick_library))
        self.add_heading("Models")
        self.add_text("Folders that are looked through. Nothing in them is changed.", muted=True)
        self.column.addWidget(self._folders)
        self._no_folders = words("No folder was added yet; the models shipped with Atelier are there.", "pageMuted")
        self.column.addWidget(self._no_folders)
        self._folders.hide()
        _add, self._remove = self._row(
            ("Add a folder…", self._pick_models), ("Remove from the list", self._remove_folder)
        )
        self._remove.hide()
        self.add_heading("Plugins")
        self.add_text("A change is used after the next start.", muted=True)
        self._add_plugins()
        self.finish()
        settings.changed.connect(self._show_choices)
        self._show_choices()

    def _choice(self, key: str, title: str, options: tuple[tuple[str, str], ...]) -> None:
        box = QComboBox()
        box.setAccessibleName(title)
        for value, text in options:
            box.addItem(text, value)
        box.activated.connect(partial(self._chose, key, box))
        self._choices[key] = box
        row = QHBoxLayout()
        label = words(title)
        label.setMinimumWidth(200)
        label.setBuddy(box)
        row.addWidget(label)
        row.addWidget(box, 1)
        self.column.addLayout(row)

    def _chose(self, key: str, box: QComboBox, _row: int) -> None:
        self.chosen.emit(key, str(box.currentData()))

    def _show_choices(self, _key: str = "") -> None:
        for key, box in self._choices.items():
            box.setCurrentIndex(box.findData(getattr(self._settings.choices, key)))

    def _row(self, *buttons: tuple[str, Any]) -> list[QPushButton]:
        row, made = QHBoxLayout(), []
        for text, slot in buttons:
            button = QPushButton(text)
            button.clicked.connect(slot)
            row.addWidget(button)
            made.append(button)
        row.addStretch(1)
        self.column.addLayout(row)
        return made

    def _add_plugins(self) -> None:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        for plugin in self._plugins.all:
            problem = plugin.problem
            box = QCheckBox(plugin.manifest.name if plugin.manifest else plugin.id)
            box.setChecked(problem is None or problem.code != "disabled")
            box.setEnabled(problem is None or problem.code == "disabled")
            if problem is not None and problem.code != "disabled":
                box.setText(f"{box.text()}: {problem.title}")
                box.setToolTip(str(problem))
            box.clicked.connect(self._plugins_changed)
            self._boxes[plugin.id] = box
            column.addWidget(box)
        self.column.addWidget(holder)

    # The engine's part -------------------------------------------------------------------------

    def reload(self) -> None:
        """Reads the engine's settings again."""
        self._session.spawn(self._load())

    async def _load(self) -> None:
        found = await self._session.call("settings.get")
        self._library.setText(str(found.get("library") or self._session.paths.library))
        self._folders.clear()
        self._folders.addItems([str(folder) for folder in found.get("model_folders") or ()])
        self._folders.setVisible(self._folders.count() > 0)
        self._no_folders.setVisible(self._folders.count() == 0)
        self._remove.setVisible(self._folders.count() > 0)

    def showEvent(self, event: Any) -> None:
        """Folders are also added and taken away elsewhere."""
        super().showEvent(event)
        self.reload()

    def _plugins_changed(self, _on: bool) -> None:
        off = [id for id, box in self._boxes.items() if not box.isChecked()]
        self._session.spawn(self._session.call("settings.set", key="disabled_plugins", value=off))

    def _pick_library(self) -> None:
        self._pick("Folder for results", self._set_library)

    def _pick_models(self) -> None:
        self._pick("Folder with models", self._add_folder)

    def _pick(self, title: str, use: Any) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(use)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _set_library(self, folder: str) -> None:
        self._session.spawn(self._then_load("settings.set", key="library", value=folder))

    def _add_folder(self, folder: str) -> None:
        self._session.spawn(self._then_load("models.add_folder", path=folder))

    def _remove_folder(self) -> None:
        item = self._folders.currentItem()
        if item is not None:
            self._session.spawn(self._then_load("models.remove_folder", path=item.text()))

    async def _then_load(self, method: str, **params: Any) -> None:
        try:
            await self._session.call(method, **params)
        finally:
            await self._load()
