"""Choosing a model: a list from the engine, what each is, and a way to add a folder with more."""

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QFileDialog, QSizePolicy, QVBoxLayout, QWidget

from studio.kit.amounts import bytes_words, count_words
from studio.kit.controls.choice import StillCombo
from studio.kit.session import Session
from studio.kit.surface import label, restyle, tip

REF = Qt.ItemDataRole.UserRole + 1
ADD = "\0add"
NOTHING = "There is no model for this yet. Add a folder of models."


def about(entry: dict[str, Any]) -> str:
    """Family, size and kind of a catalogue entry, in one line."""
    parts = [str(entry.get("family") or "")]
    if entry.get("parameters"):
        parts.append(f"{count_words(entry['parameters'])} parameters")
    if entry.get("size"):
        parts.append(bytes_words(entry["size"]))
    parts.append("starter" if entry.get("starter") else "")
    return " · ".join(part for part in parts if part)


class ModelPicker(QWidget):
    """value: a model's id, or "" for the default one (for none, unless `needed`). changed(ref): another was chosen.

    The list is asked for with `reload`, also when the engine says that models have changed. A chosen model
    that is no longer there stays chosen and is marked.
    """

    changed = Signal(object)

    def __init__(
        self,
        session: Session,
        capability: str,
        *,
        described: bool = True,
        needed: bool = True,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._session, self._capability, self._needed = session, capability, needed
        self._value = ""
        self._entries: list[dict[str, Any]] | None = None
        self._round = 0
        self.dialog: QFileDialog | None = None
        self.combo = StillCombo()
        self.combo.setAccessibleName("Model")
        self.items = QStandardItemModel(self)
        self.combo.setModel(self.items)
        self.line = label(small=True)
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.line.setVisible(described)
        self.setFocusProxy(self.combo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.combo)
        column.addWidget(self.line)
        self.combo.activated.connect(self._chosen)
        self._show()

    def value(self) -> str:
        return self._value

    def set_value(self, ref: Any) -> None:
        self._value = str(ref or "")
        self._show()

    def entry(self) -> dict[str, Any] | None:
        """The catalogue entry in use, also when it is the default; None while nothing is known of it."""
        if not self._value and not self._needed:
            return None
        if not self._value:
            return next(iter(self._usable()), None)
        return next((entry for entry in self._entries or () if self._value in (entry["id"], entry["path"])), None)

    def reload(self) -> None:
        """Asks for the list again; the choice stays."""
        self._round += 1
        self._session.spawn(self._fetch(self._round))

    async def _fetch(self, round: int) -> None:
        found = await self._session.models(self._capability)
        if round == self._round:
            self._entries = found
            self._show()

    def _usable(self) -> list[dict[str, Any]]:
        return [entry for entry in self._entries or () if not entry.get("problem")]

    def _show(self) -> None:
        blocker = QSignalBlocker(self.combo)
        self.items.clear()
        first = next(iter(self._usable()), None)
        if self._needed:
            self._add_item(f"{first['title']} (default)" if first else "Default model", "", first)
        else:
            self._add_item("None", "", None)
        for entry in self._usable():
            self._add_item(str(entry["title"]), str(entry["id"]), entry)
        for entry in self._entries or ():
            if entry.get("problem"):
                self._add_item(str(entry["title"]), str(entry["id"]), entry)
        chosen = self.entry()
        known = not self._value or chosen is not None
        if not known:
            waiting = self._entries is None
            self._add_item(self._value + ("" if waiting else " (not found)"), self._value, None)
        self.combo.insertSeparator(self.items.rowCount())
        self._add_item("Add a folder of models…", ADD, None)
        ref = str(chosen["id"]) if chosen and self._value else self._value
        self.combo.setCurrentIndex(self.combo.findData(ref, REF))
        blocker.unblock()
        self._describe(chosen, known)

    def _add_item(self, title: str, ref: str, entry: dict[str, Any] | None) -> None:
        item = QStandardItem(title)
        item.setData(ref, REF)
        problem = (entry or {}).get("problem")
        if entry:
            item.setToolTip(tip(str(problem.get("title", "")) if problem else about(entry)))
        if problem:
            item.setText(f"{title} (cannot be used)")
            item.setEnabled(False)
        self.items.appendRow(item)

    def _describe(self, chosen: dict[str, Any] | None, known: bool) -> None:
        problem = (chosen or {}).get("problem")
        if problem:
            text = " ".join(str(problem.get(part, "")) for part in ("title", "detail")).strip()
        elif chosen:
            text = about(chosen)
        elif self._entries is None:
            text = "Looking for models…"
        elif not self._value and not self._needed:
            text = "" if self._usable() else "No such model is installed. Add a folder of models."
        else:
            text = NOTHING if known else "This model is not in any of the folders."
        missing = self._entries is not None and chosen is None and (self._needed or bool(self._value))
        bad = bool(problem) or missing
        self.line.setText(text)
        self.line.setToolTip(tip(text))
        restyle(self.line, problem=bad)
        self.combo.setToolTip(tip(text))
        self.combo.setAccessibleDescription(text)

    def _chosen(self, row: int) -> None:
        ref = self.items.item(row).data(REF)
        if ref == ADD:
            self._show()
            self.open_dialog()
        elif isinstance(ref, str) and ref != self._value:
            self._value = ref
            self._show()
            self.changed.emit(ref)

    def open_dialog(self) -> None:
        """Lets the person choose a folder; stops nothing else."""
        if self.dialog is None:
            self.dialog = QFileDialog(self, "A folder of models")
            self.dialog.setFileMode(QFileDialog.FileMode.Directory)
            self.dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            self.dialog.fileSelected.connect(self.add_folder)
        self.dialog.open()

    def add_folder(self, path: str) -> None:
        self._session.spawn(self._add_folder(path))

    async def _add_folder(self, path: str) -> None:
        await self._session.call("models.add_folder", path=path)
        self.reload()
