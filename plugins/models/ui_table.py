"""The models of this machine as a Qt table model, and how their numbers read."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from studio.kit.amounts import bytes_words, count_words

ENTRY = Qt.ItemDataRole.UserRole + 1
SORT = Qt.ItemDataRole.UserRole + 2
Index = QModelIndex | QPersistentModelIndex
Entry = dict[str, Any]

CAPABILITIES = {
    "text-generation": "Text",
    "text-to-image": "Pictures",
    "text-to-audio": "Sound",
    "text-to-speech": "Speech",
    "text-to-video": "Video",
    "unknown": "Unknown",
}
COLUMNS = ("Name", "Makes", "Family", "Size", "Parameters", "Precision", "Context", "Licence", "State", "Folder")
NOTHING = "–"
NUMBERS = frozenset({"Size", "Parameters", "Context"})


def cell(entry: Entry, column: str) -> str:
    """What stands in a column, in words."""
    match column:
        case "Name":
            return str(entry.get("title") or entry.get("id") or Path(str(entry.get("path", ""))).name)
        case "Makes":
            capability = str(entry.get("capability") or "unknown")
            return CAPABILITIES.get(capability, capability.replace("-", " "))
        case "Family":
            return str(entry.get("family") or NOTHING)
        case "Size":
            return bytes_words(entry["size"]) if entry.get("size") else NOTHING
        case "Parameters":
            return count_words(entry["parameters"]) if entry.get("parameters") else NOTHING
        case "Precision":
            return str(entry.get("dtype") or NOTHING)
        case "Context":
            return f"{int(entry['context']):,}" if entry.get("context") else NOTHING
        case "Licence":
            return str(entry.get("licence") or "not stated")
        case "State":
            if entry.get("problem"):
                return str(entry["problem"].get("title", "Cannot be used"))
            return "Starter model" if entry.get("starter") else "Ready"
    return str(Path(str(entry.get("path", ""))).parent)


class ModelTable(QAbstractTableModel):
    """One row a model; broken ones are listed too, with the reason."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._entries: list[Entry] = []
        self._problem_colour = QColor()

    def set_problem_colour(self, colour: QColor) -> None:
        self._problem_colour = colour

    def set_entries(self, entries: list[Entry]) -> None:
        if entries != self._entries:
            self.beginResetModel()
            self._entries = list(entries)
            self.endResetModel()

    def entry(self, row: int) -> Entry | None:
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if entry is None:
            return None
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return cell(entry, column)
        if role == ENTRY:
            return entry
        if role == SORT:
            return self._order(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(entry, column)
        if role == Qt.ItemDataRole.ForegroundRole and column == "State" and entry.get("problem"):
            return self._problem_colour if self._problem_colour.isValid() else None
        return None

    def _order(self, entry: Entry, column: str) -> Any:
        if column in NUMBERS:
            return int(entry.get(column.lower()) or 0)
        return cell(entry, column).casefold()

    def _tip(self, entry: Entry, column: str) -> str:
        if column == "State" and entry.get("problem"):
            problem = entry["problem"]
            return "\n".join(filter(None, (problem.get("title"), problem.get("detail"), problem.get("hint"))))
        return str(entry.get("path", "")) if column in ("Folder", "Name") else ""


def alignment(column: str) -> int:
    side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
