"""The library's results in rows and columns: says which are looked at, and lets files be dragged out."""

from PySide6.QtCore import QAbstractItemModel, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QStyledItemDelegate, QWidget

LOOK_MS = 30
"""While somebody scrolls, the rows are looked at that often."""


class Grid(QListView):
    """looked(first, last, down): these rows are on screen; `down` when the person goes towards the end."""

    looked = Signal(int, int, bool)

    def __init__(
        self, items: QAbstractItemModel, delegate: QStyledItemDelegate, cell: QSize, parent: QWidget | None = None
    ):
        super().__init__(parent)
        self.setModel(items)
        self.setItemDelegate(delegate)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setGridSize(cell)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self._place, self._down = 0, True
        self._soon = QTimer(self, interval=LOOK_MS, singleShot=True)
        self._soon.timeout.connect(self.look)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        for changed in (items.modelReset, items.rowsInserted, items.rowsRemoved, items.dataChanged):
            changed.connect(self.look_soon)

    def rows_on_screen(self) -> tuple[int, int]:
        """The first and the last row that can be seen, or (0, -1)."""
        total, cell = self.model().rowCount(), self.gridSize()
        if not total or cell.isEmpty():
            return 0, -1
        columns = max(1, self.viewport().width() // cell.width())
        top = self.verticalScrollBar().value() // cell.height()
        bottom = (self.verticalScrollBar().value() + self.viewport().height() - 1) // cell.height()
        return min(top * columns, total - 1), min((bottom + 1) * columns - 1, total - 1)

    def look_soon(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def look(self) -> None:
        self.looked.emit(*self.rows_on_screen(), self._down)

    def _scrolled(self, place: int) -> None:
        self._down, self._place = place >= self._place, place
        self.look_soon()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look_soon()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.look_soon()
