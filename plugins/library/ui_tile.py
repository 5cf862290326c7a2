"""Draws one thing of the library: what it says, what it is called, where it came from."""

import datetime

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QTextLayout, QTextOption
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.kit.theme import Theme

from .ui_items import ITEM, Item

TILE = QSize(248, 176)
GAP = 8
PAD = 12
RADIUS = 8.0


def when(created: float) -> str:
    """A moment as the person's clock tells it: today's time, else the date."""
    if created <= 0:
        return ""
    moment = datetime.datetime.fromtimestamp(created)
    return f"{moment:%H:%M}" if moment.date() == datetime.date.today() else f"{moment:%Y-%m-%d}"


class Tile(QStyledItemDelegate):
    """An excerpt as the thumbnail of a text, with its model and its time below."""

    def __init__(self, theme: Theme, parent: QObject | None = None):
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return TILE + QSize(GAP, GAP)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        item: Item | None = index.data(ITEM)
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        box = QRectF(option.rect).adjusted(GAP / 2, GAP / 2, -GAP / 2, -GAP / 2)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._frame(painter, box, state)
        if item is not None:
            self._content(painter, box.adjusted(PAD, PAD, -PAD, -PAD), item, option.font)  # type: ignore[attr-defined]
        painter.restore()

    def _frame(self, painter: QPainter, box: QRectF, state: QStyle.StateFlag) -> None:
        selected = bool(state & QStyle.StateFlag.State_Selected)
        near = bool(state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus))
        line = "focus" if selected else "outline_hover" if near else "line"
        painter.setPen(QPen(self._theme.colour(line), 2.0 if selected else 1.0))
        painter.setBrush(self._theme.colour("raised"))
        inset = 1.0 if selected else 0.5
        painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), RADIUS, RADIUS)

    def _content(self, painter: QPainter, box: QRectF, item: Item, font: QFont) -> None:
        text, muted = self._theme.colour("text"), self._theme.colour("muted")
        painter.setFont(font)
        line = painter.fontMetrics().lineSpacing()
        foot = QRectF(box.left(), box.bottom() - line, box.width(), line)
        body = QRectF(box.left(), box.top(), box.width(), foot.top() - box.top() - 8)
        excerpt = str(item.get("excerpt") or item.get("prompt") or "")
        if excerpt:
            draw_excerpt(painter, body, excerpt, font, text)
        else:
            painter.setPen(muted)
            painter.drawText(body, Qt.AlignmentFlag.AlignCenter, str(item.get("kind", "")))
        painter.setPen(muted)
        moment = when(float(item.get("created") or 0))
        width = painter.fontMetrics().horizontalAdvance(moment)
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, moment)
        model = painter.fontMetrics().elidedText(
            str(item.get("model") or item.get("kind") or ""),
            Qt.TextElideMode.ElideMiddle,
            int(foot.width() - width - 8),
        )
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, model)


def draw_excerpt(painter: QPainter, box: QRectF, text: str, font: QFont, colour: QColor) -> None:
    """As many whole lines of plain `text` as fit, the last one elided."""
    flat = " ".join(text.split())
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout = QTextLayout(flat, font)
    layout.setTextOption(option)
    metrics = painter.fontMetrics()
    rows = max(1, int(box.height() // metrics.lineSpacing()))
    painter.setPen(colour)
    layout.beginLayout()
    for row in range(rows):
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(box.width())
        top = box.top() + row * metrics.lineSpacing()
        rest = flat.encode("utf-16-le")[2 * line.textStart() :].decode("utf-16-le", "replace")
        shown = rest.encode("utf-16-le")[: 2 * line.textLength()].decode("utf-16-le", "replace")
        if row == rows - 1 and len(rest) > len(shown):
            shown = metrics.elidedText(rest[: len(shown) + 20], Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(QRectF(box.left(), top, box.width(), metrics.lineSpacing()), Qt.AlignmentFlag.AlignLeft, shown)
    layout.endLayout()
