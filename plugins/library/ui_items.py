"""The library as a Qt list model that fetches only the pages somebody looks at."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from html import escape
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, QUrl, Signal

from studio.errors import StudioError

PAGE = 100
AT_ONCE = 2
MOST_WAITING = 4
"""Pages that wait to be asked for; the one looked at last goes first, and those passed by long ago are dropped."""

ITEM = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
Item = dict[str, Any]


class LibraryItems(QAbstractListModel):
    """Rows of `library.list`, newest first. `call` asks the engine, `spawn` runs a coroutine.

    `rowCount` is the true total at once; rows that are not here yet have no data and are fetched when
    a view asks for them.
    """

    counted = Signal(int)
    arrived = Signal()

    def __init__(
        self,
        call: Callable[..., Coroutine[Any, Any, Any]],
        spawn: Callable[[Coroutine[Any, Any, Any]], Any],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._call, self._spawn = call, spawn
        self._items: dict[int, Item] = {}
        self._asked: set[int] = set()
        self._waiting: list[int] = []
        self._flying = 0
        self._total = 0
        self._filter: dict[str, Any] = {"trashed": False}
        self._round = 0

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else self._total

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.item(index.row())
        if item is None:
            return None
        if role == ITEM:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return item.get("title") or item.get("excerpt") or item.get("path")
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"<qt>{escape(str(item.get('prompt') or item.get('title') or '')[:400])}</qt>"
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return item.get("excerpt")
        return None

    def item(self, row: int) -> Item | None:
        """The item of a row; None while it is on its way."""
        if not 0 <= row < self._total:
            return None
        if row not in self._items:
            self._ask(row // PAGE)
        return self._items.get(row)

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The ids of those of `rows` that are here; the others are fetched."""
        return [str(item["id"]) for row in rows if (item := self.item(row)) is not None]

    def row_of(self, id: str) -> int:
        """The row of a fetched item, or -1."""
        return next((row for row, item in self._items.items() if item.get("id") == id), -1)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """The files themselves, for any program that takes some."""
        found = QMimeData()
        items = (self._items.get(index.row()) for index in indexes)
        found.setUrls([QUrl.fromLocalFile(str(item["path"])) for item in items if item is not None])
        return found

    def show(self, *, query: str = "", kind: str = "", trashed: bool = False) -> None:
        """Shows what fits these. Everything is fetched anew; what was asked for before is dropped."""
        self._filter = {"trashed": trashed}
        if query.strip():
            self._filter["query"] = query.strip()
        if kind:
            self._filter["kind"] = kind
        self._restart(clear=True)

    def refresh(self) -> None:
        """Looks again, keeping what is on screen until the answer is there."""
        self._restart(clear=False)

    def drop(self, ids: set[str]) -> None:
        """Takes away the rows of `ids` at once, before the engine has said so too."""
        for row in sorted((row for row, item in self._items.items() if item.get("id") in ids), reverse=True):
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._items[row]
            self._items = {at - (at > row): item for at, item in self._items.items()}
            self._total -= 1
            self.endRemoveRows()
        self.counted.emit(self._total)

    def _restart(self, *, clear: bool) -> None:
        self._round += 1
        self._asked, self._waiting, self._flying = set(), [], 0
        if clear:
            self.beginResetModel()
            self._items, self._total = {}, 0
            self.endResetModel()
        self._ask(0)

    def _ask(self, page: int) -> None:
        if page in self._asked:
            return
        self._asked.add(page)
        self._waiting.append(page)
        if len(self._waiting) > MOST_WAITING:
            self._asked.discard(self._waiting.pop(0))
        self._next()

    def _next(self) -> None:
        while self._waiting and self._flying < AT_ONCE:
            self._flying += 1
            self._spawn(self._fetch(self._waiting.pop(), self._round))

    async def _fetch(self, page: int, round: int) -> None:
        try:
            answer = await self._call("library.list", offset=page * PAGE, limit=PAGE, **self._filter)
        except StudioError:
            if round == self._round:
                self._flying -= 1
                self._asked.discard(page)
            raise
        if round != self._round:
            return
        self._flying -= 1
        items, total = list(answer["items"]), int(answer["total"])
        if page == 0 and not self._is_prepended(items, total):
            self.beginResetModel()
            self._items, self._total = dict(enumerate(items)), total
            self._asked = {0}
            self.endResetModel()
        else:
            self._items |= {page * PAGE + i: item for i, item in enumerate(items) if page * PAGE + i < self._total}
            last = min(page * PAGE + len(items), self._total) - 1
            if last >= page * PAGE:
                self.dataChanged.emit(self.index(page * PAGE), self.index(last))
        self.counted.emit(self._total)
        self.arrived.emit()
        self._next()

    def _is_prepended(self, items: list[Item], total: int) -> bool:
        """Whether only new items came in front of what is shown; if so their rows are inserted.

        So the view keeps its place and its selection while things are being made.
        """
        more = total - self._total
        if not self._items or 0 not in self._items or not 0 <= more < len(items):
            return False
        if any(
            items[more + i].get("id") != self._items[i].get("id") for i in range(len(items) - more) if i in self._items
        ):
            return False
        if more:
            self.beginInsertRows(QModelIndex(), 0, more - 1)
            self._items = {row + more: item for row, item in self._items.items()} | dict(enumerate(items[:more]))
            self._total = total
            self._asked = {0}
            self.endInsertRows()
        return True
