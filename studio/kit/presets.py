"""Named settings of an operation: kept in the data folder, chosen from a list above the form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QWidget

from studio.errors import StudioError
from studio.kit.surface import push_button, tool_button
from studio.kit.theme import Theme

Values = dict[str, Any]
LONGEST = 60


class Presets:
    """The presets of one operation in one file: name -> values. Reading a broken file raises StudioError."""

    def __init__(self, data: Path, operation: str):
        self.path = data / "presets" / f"{operation}.json"

    def read(self) -> dict[str, Values]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StudioError(
                "The presets cannot be read",
                f"{self.path}: {error}",
                "Mend or remove the file; presets that are saved now would take its place.",
                code="presets",
            ) from None
        return {str(name): dict(values) for name, values in found.items() if isinstance(values, dict)}

    def save(self, name: str, values: Values) -> None:
        self._write({**self.read(), name: values})

    def delete(self, name: str) -> None:
        self._write({known: values for known, values in self.read().items() if known != name})

    def _write(self, presets: dict[str, Values]) -> None:
        """The whole file at once: a crash leaves the old one or the new one."""
        partial = self.path.with_suffix(".partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(presets, ensure_ascii=False, indent=1), encoding="utf-8")
            partial.replace(self.path)
        except OSError as error:
            raise StudioError("The preset cannot be saved", str(error), code="presets") from None


class PresetBar(QWidget):
    """A button with the list, and a field for a name while one is saved. applied(name, values): one was chosen.

    `values` gives what a new preset keeps. said(StudioError): something about the file is wrong.
    deleted(name, values): gone from the list, so that the panel can offer to bring it back.
    """

    applied = Signal(str, object)
    deleted = Signal(str, object)
    said = Signal(object)

    def __init__(self, theme: Theme, values: Callable[[], Values], parent: QWidget | None = None):
        super().__init__(parent)
        self._values, self._presets = values, None
        self.button = push_button("Presets", help="Named settings: take, save or delete them")
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill)
        self.button.setMenu(self.menu)
        self.field = QLineEdit()
        self.field.setMaxLength(LONGEST)
        self.field.setPlaceholderText("Name of the preset")
        self.field.setAccessibleName("Name of the preset")
        self.save = push_button("Save", help="Saves the present settings under this name")
        self.close_button = tool_button("Do not save", icon=theme.icon("mdi6.close"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for part in (self.button, self.field, self.save, self.close_button):
            line.addWidget(part)
        self.field.returnPressed.connect(self._save)
        self.save.clicked.connect(self._save)
        self.close_button.clicked.connect(lambda: self._naming(False))
        self._naming(False)

    def show_presets(self, presets: Presets) -> None:
        self._presets = presets
        self._naming(False)

    def _naming(self, on: bool) -> None:
        self.button.setVisible(not on)
        for part in (self.field, self.save, self.close_button):
            part.setVisible(on)
        if on:
            self.field.clear()
            self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def ask_name(self) -> None:
        self._naming(True)

    def _read(self) -> dict[str, Values]:
        try:
            return self._presets.read() if self._presets is not None else {}
        except StudioError as error:
            self.said.emit(error)
            return {}

    def _fill(self) -> None:
        self.menu.clear()
        known = self._read()
        for name, values in known.items():
            self.menu.addAction(name).triggered.connect(self._chooser(name, values))
        if not known:
            self.menu.addAction("None is saved yet").setEnabled(False)
        self.menu.addSeparator()
        self.menu.addAction("Save these settings as…").triggered.connect(self.ask_name)
        if known:
            away = self.menu.addMenu("Delete")
            for name in known:
                away.addAction(name).triggered.connect(self._deleter(name))

    def _chooser(self, name: str, values: Values) -> Callable[[], None]:
        return lambda: self.applied.emit(name, values)

    def _deleter(self, name: str) -> Callable[[], None]:
        return lambda: self._delete(name)

    def _delete(self, name: str) -> None:
        values = self._read().get(name)
        if self._do(lambda presets: presets.delete(name)) and values is not None:
            self.deleted.emit(name, values)

    def _save(self) -> None:
        name = self.field.text().strip()
        if name and self._do(lambda presets: presets.save(name, self._values())):
            self._naming(False)
            self.button.setFocus()

    def _do(self, what: Callable[[Presets], None]) -> bool:
        if self._presets is None:
            return False
        try:
            what(self._presets)
        except StudioError as error:
            self.said.emit(error)
            return False
        return True
