"""The command palette (Ctrl+K): every action by name. Lies over the window, stops nothing."""

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QPainter, QPalette, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.kit.action import Action
from studio.ui.fuzzy import ranked

ACTION = Qt.ItemDataRole.UserRole + 1
MARKS = Qt.ItemDataRole.UserRole + 2
WIDTH, ROWS, ROW = 560, 10, 36


class ActionModel(QAbstractListModel):
    """The actions that match what was typed, best first."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._all: list[Action] = []
        self._shown: list[tuple[Action, tuple[int, ...]]] = []

    def set_actions(self, actions: Iterable[Action]) -> None:
        self._all = [action for action in actions if action.is_enabled]
        self.filter("")

    def filter(self, typed: str) -> None:
        self.beginResetModel()
        self._shown = ranked(typed, [(action.title, action) for action in self._all])
        self.endResetModel()

    def action_at(self, row: int) -> Action | None:
        return self._shown[row][0] if 0 <= row < len(self._shown) else None

    def rowCount(self, parent: Any = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        action, marks = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return action.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{action.title} {action.shortcut}".strip()
        return {ACTION: action, MARKS: marks}.get(role)


class ActionDelegate(QStyledItemDelegate):
    """Title with the matched letters bold, the shortcut at the far side."""

    def sizeHint(self, option: Any, index: Any) -> QSize:
        return QSize(200, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        self.initStyleOption(option, index)
        option.text = ""  # type: ignore[attr-defined]
        style = option.widget.style()  # type: ignore[attr-defined]
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)  # type: ignore[attr-defined]
        action = index.data(ACTION)
        rect: QRect = option.rect.adjusted(12, 0, -12, 0)  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        selected = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        painter.save()
        painter.setPen(palette.color(role))
        _draw_marked(painter, rect, action.title, index.data(MARKS))
        if not selected:
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        far = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignTrailing
        painter.drawText(rect, int(QStyle.visualAlignment(option.direction, far)), action.shortcut)  # type: ignore[attr-defined]
        painter.restore()


def _draw_marked(painter: QPainter, rect: QRect, text: str, marks: tuple[int, ...]) -> None:
    """One line of text with the letters at `marks` bold."""
    bold = QTextCharFormat()
    bold.setFontWeight(QFont.Weight.Bold)
    formats = []
    for mark in marks:
        found = QTextLayout.FormatRange()
        found.start = len(text[:mark].encode("utf-16-le")) // 2
        found.length, found.format = 1, bold
        formats.append(found)
    layout = QTextLayout(text, painter.font())
    layout.setFormats(formats)
    layout.beginLayout()
    line = layout.createLine()
    line.setLineWidth(rect.width())
    layout.endLayout()
    layout.draw(painter, QPointF(rect.left(), rect.top() + (rect.height() - line.height()) / 2))


class CommandPalette(QFrame):
    """`open` shows it over its parent; Return runs, Esc closes, a click elsewhere closes."""

    closed = Signal()

    def __init__(self, actions: Callable[[], Iterable[Action]], parent: QWidget):
        super().__init__(parent)
        self._over = parent
        self.setObjectName("palette")
        self.setAccessibleName("Command palette")
        self._actions = actions
        self.model = ActionModel(self)
        self.input = QLineEdit()
        self.input.setPlaceholderText("Type the name of an action")
        self.input.setAccessibleName("Name of an action")
        self.input.setClearButtonEnabled(True)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(ActionDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setAccessibleName("Actions")
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._empty = QLabel("No action has this name.")
        self._empty.setObjectName("paletteEmpty")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        for widget in (self.input, self.list, self._empty):
            layout.addWidget(widget)
        self.input.textChanged.connect(self._filter)
        self.input.installEventFilter(self)
        self.list.clicked.connect(self._run_clicked)
        parent.installEventFilter(self)
        self._before: QWidget | None = None
        self.hide()

    def open(self) -> None:
        """Shows all actions and takes the keyboard until it is closed."""
        self._before = self.window().focusWidget()
        self.model.set_actions(self._actions())
        self.input.clear()
        self._filter("")
        self.place()
        self.show()
        self.raise_()
        self.input.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_palette(self) -> None:
        """Puts the keyboard back where it was."""
        if self.isHidden():
            return
        self.hide()
        if self._before is not None:
            self._before.setFocus(Qt.FocusReason.PopupFocusReason)
        self._before = None
        self.closed.emit()

    def run_current(self) -> None:
        action = self.model.action_at(self.list.currentIndex().row())
        if action is not None:
            self.close_palette()
            action.run()

    def place(self) -> None:
        """At the top in the middle of the window."""
        parent = self._over
        width = min(WIDTH, parent.width() - 32)
        rows = max(1, min(ROWS, self.model.rowCount()))
        height = self.input.sizeHint().height() + rows * ROW + 32
        self.setGeometry((parent.width() - width) // 2, min(72, parent.height() // 10), width, height)

    def _filter(self, typed: str) -> None:
        self.model.filter(typed)
        self.list.setCurrentIndex(self.model.index(0))
        self.list.setVisible(self.model.rowCount() > 0)
        self._empty.setVisible(self.model.rowCount() == 0)
        self.place()

    def _run_clicked(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        self.run_current()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.input and event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            return self._key(event)
        if watched is self.input and event.type() == QEvent.Type.FocusOut:
            self.close_palette()
        elif watched is self.parent() and event.type() == QEvent.Type.Resize and self.isVisible():
            self.place()
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: ROWS, Qt.Key.Key_PageUp: -ROWS}
        key = Qt.Key(event.key())
        if key in steps:
            row = self.list.currentIndex().row() + steps[key]
            last = self.model.rowCount() - 1
            wrapped = row % (last + 1) if abs(steps[key]) == 1 and last >= 0 else max(0, min(last, row))
            self.list.setCurrentIndex(self.model.index(wrapped))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.run_current()
        elif key == Qt.Key.Key_Escape:
            self.close_palette()
        else:
            return False
        return True
