"""The cells on screen: pictures in a table with headings, each showing what its job has come to."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from studio.kit.theme import Theme
from studio.kit.thumbs import Thumbs

from .ui_table_cells import RUNS, Place, State, Table

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
PAD = 6
STEP = 64
"""Thumbnails are asked for at sizes of this grid, so that zooming a little reads no file again."""


class CellModel(QAbstractTableModel):
    """One layer (z) of a table: x goes across, y down."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.table: Table | None = None
        self.layer = 0

    def set_table(self, table: Table | None, layer: int) -> None:
        self.beginResetModel()
        self.table, self.layer = table, layer
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return self.table.length(1) if self.table and not parent.isValid() else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return self.table.length(0) if self.table and not parent.isValid() else 0

    def state(self, index: Index) -> State | None:
        if self.table is None or not index.isValid():
            return None
        return self.table.states.get((index.column(), index.row(), self.layer))

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        state = self.state(index)
        if state is None:
            return None
        if role in (Role.AccessibleTextRole, Role.ToolTipRole):
            return f"{state.cell.title}: {state.words()}"
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if self.table is None:
            return None
        way = 0 if orientation == Qt.Orientation.Horizontal else 1
        words = self.table.label(way, section)
        if role == Role.DisplayRole:
            return words
        if role in (Role.ToolTipRole, Role.AccessibleTextRole):
            return f"{self.table.title(way)}: {words}" if words else None
        return None

    def touch(self, place: Place) -> None:
        if place[2] == self.layer:
            index = self.index(place[1], place[0])
            self.dataChanged.emit(index, index)


class CellPainter(QStyledItemDelegate):
    """Paints the file, else the newest preview, else words."""

    def __init__(self, theme: Theme, thumbs: Thumbs, view: "CellView"):
        super().__init__(view)
        self._theme, self._thumbs, self._view = theme, thumbs, view
        self._frames: dict[Place, tuple[bytes, QPixmap]] = {}

    def forget(self) -> None:
        self._frames.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._view.side(), self._view.side())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        state = self._view.cells.state(index)
        if state is None:
            return
        box = QRect(option.rect).adjusted(PAD, PAD, -PAD, -PAD)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(box, self._theme.colour("segment"))
        pixmap = self._pixmap(state, index)
        if pixmap is not None and not pixmap.isNull():
            size = pixmap.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRect(0, 0, size.width(), size.height())
            place.moveCenter(box.center())
            painter.drawPixmap(place, pixmap)
        if state.state == "failed" or pixmap is None or pixmap.isNull():
            painter.setPen(self._theme.colour("danger" if state.state == "failed" else "muted"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, state.words())
        if state.state in RUNS:
            self._bar(painter, box, state.share)
        self._ring(painter, box, option.state)  # type: ignore[attr-defined]
        painter.restore()

    def _pixmap(self, state: State, index: Index) -> QPixmap | None:
        if state.path:
            side = -(-int(self._view.side() * self._view.devicePixelRatioF()) // STEP) * STEP
            kept = QPersistentModelIndex(index)
            found = self._thumbs.get(state.path, side, lambda: self._view.touch(kept))
            if found is not None and not found.isNull():
                return found
        if not state.frame:
            return None
        data, pixmap = self._frames.get(state.cell.place, (b"", QPixmap()))
        if data is not state.frame:
            pixmap = QPixmap.fromImage(QImage.fromData(state.frame))
            self._frames[state.cell.place] = (state.frame, pixmap)
        return pixmap

    def _bar(self, painter: QPainter, box: QRect, share: float) -> None:
        line = QRectF(box.left(), box.bottom() - 2, box.width(), 3)
        painter.fillRect(line, self._theme.colour("pressed"))
        line.setWidth(line.width() * share)
        painter.fillRect(line, self._theme.colour("focus"))

    def _ring(self, painter: QPainter, box: QRect, state: QStyle.StateFlag) -> None:
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("focus"), 2))
            painter.drawRect(QRectF(box).adjusted(-2, -2, 2, 2))


class CellView(QTableView):
    """chosen(place): another cell is current. opened(place): double click or Return."""

    chosen = Signal(object)
    opened = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._side = 160
        self.cells = CellModel(self)
        self.thumbs = Thumbs(self)
        self.setModel(self.cells)
        self.painter_ = CellPainter(theme, self.thumbs, self)
        self.setItemDelegate(self.painter_)
        self.setAccessibleName("Table of pictures")
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setHighlightSections(False)
            header.setTextElideMode(Qt.TextElideMode.ElideMiddle)
            header.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        self.verticalHeader().setMaximumWidth(160)
        self.doubleClicked.connect(self._open)
        theme.changed.connect(self.viewport().update)
        self.set_side(self._side)

    def side(self) -> int:
        return self._side

    def set_side(self, side: int) -> None:
        """How large a cell is shown."""
        self._side = side
        self.horizontalHeader().setDefaultSectionSize(side)
        self.verticalHeader().setDefaultSectionSize(side)
        self.viewport().update()

    def set_table(self, table: Table | None, layer: int = 0) -> None:
        self.painter_.forget()
        self.cells.set_table(table, layer)
        named = table is not None and len(table.chosen) > 1
        self.verticalHeader().setVisible(named)
        self.horizontalHeader().setVisible(table is not None and bool(table.chosen))

    def place(self) -> Place | None:
        """The current cell."""
        index = self.currentIndex()
        return (index.column(), index.row(), self.cells.layer) if index.isValid() else None

    def choose(self, place: Place) -> None:
        self.setCurrentIndex(self.cells.index(place[1], place[0]))

    def touch(self, index: Index) -> None:
        """A picture has been read."""
        if index.isValid():
            self.update(QModelIndex(index))  # type: ignore[call-overload]

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.chosen.emit(self.place())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What is said about the chosen cell below must not push it out of sight."""
        super().resizeEvent(event)
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open(self, index: Index) -> None:
        if index.isValid():
            self.opened.emit((index.column(), index.row(), self.cells.layer))
