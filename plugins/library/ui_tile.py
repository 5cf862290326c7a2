"""Draws one thing of the library: its picture or what it says, where it came from, and when."""

import datetime

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPixmap, QPolygonF, QTextLayout, QTextOption
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.kit.theme import Theme

from .ui_items import ITEM, Item
from .ui_thumbs import Thumbs

TILE = QSize(208, 208)
GAP = 8
PAD = 12
EDGE = 6
"""Around a picture, which needs less room than words."""

PICTURED = ("image", "video")
NAMES = {"image": "Picture", "video": "Video", "audio": "Sound", "text": "Text"}
RADIUS = 8.0


def when(created: float) -> str:
    """A moment as the person's clock tells it: today's time, else the date."""
    if created <= 0:
        return ""
    moment = datetime.datetime.fromtimestamp(created)
    return f"{moment:%H:%M}" if moment.date() == datetime.date.today() else f"{moment:%Y-%m-%d}"


class Tile(QStyledItemDelegate):
    """The picture, or an excerpt as the thumbnail of a text, with its model and its time below."""

    def __init__(self, theme: Theme, thumbs: Thumbs, parent: QObject | None = None):
        super().__init__(parent)
        self._theme, self._thumbs = theme, thumbs
        self._frames: dict[tuple[str, int, int, float], QPixmap] = {}
        theme.changed.connect(self._frames.clear)

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
        """Drawn once and then copied: rounded corners are most of what a tile costs, and there are few kinds."""
        selected = bool(state & QStyle.StateFlag.State_Selected)
        near = bool(state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus))
        line = "focus" if selected else "outline_hover" if near else "line"
        ratio = painter.device().devicePixelRatioF()
        key = (line, round(box.width()), round(box.height()), ratio)
        if key not in self._frames:
            self._frames[key] = self._drawn(line, QSize(key[1], key[2]), ratio)
        painter.drawPixmap(box.topLeft(), self._frames[key])

    def _drawn(self, line: str, size: QSize, ratio: float) -> QPixmap:
        frame = QPixmap(size * ratio)
        frame.setDevicePixelRatio(ratio)
        frame.fill(Qt.GlobalColor.transparent)
        painter = QPainter(frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        thick = line == "focus"
        painter.setPen(QPen(self._theme.colour(line), 2.0 if thick else 1.0))
        painter.setBrush(self._theme.colour("raised"))
        inset = 1.0 if thick else 0.5
        painter.drawRoundedRect(QRectF(QPointF(), size).adjusted(inset, inset, -inset, -inset), RADIUS, RADIUS)
        painter.end()
        return frame

    def _content(self, painter: QPainter, box: QRectF, item: Item, font: QFont) -> None:
        text, muted = self._theme.colour("text"), self._theme.colour("muted")
        painter.setFont(font)
        line = painter.fontMetrics().lineSpacing()
        foot = QRectF(box.left(), box.bottom() - line, box.width(), line)
        body = QRectF(box.left(), box.top(), box.width(), foot.top() - box.top() - 8)
        excerpt = str(item.get("excerpt") or item.get("prompt") or "")
        if item.get("kind") in PICTURED:
            self._picture(painter, picture_box(box, foot), item)
        elif excerpt:
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

    def _picture(self, painter: QPainter, box: QRectF, item: Item) -> None:
        """The thumbnail in the middle of `box`; words while there is none, or when there can be none."""
        id, kind = str(item.get("id")), str(item.get("kind"))
        image = self._thumbs.image(id)
        if image is None:
            problem = self._thumbs.problem(id)
            painter.setPen(self._theme.colour("muted" if problem is not None else "faint"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "Cannot be shown" if problem else NAMES.get(kind, kind))
            return
        ratio = painter.device().devicePixelRatioF()
        width, height = image.width() / ratio, image.height() / ratio
        left, top = box.center().x() - width / 2, box.center().y() - height / 2
        # On whole device pixels the picture is copied, not resampled.
        left, top = round(left * ratio) / ratio, round(top * ratio) / ratio
        painter.drawImage(QRectF(left, top, width, height), image)
        if kind == "video":
            self._mark(painter, QRectF(left, top, width, height))

    def _mark(self, painter: QPainter, box: QRectF) -> None:
        """A sign that this one moves."""
        side = 22.0
        place = QRectF(box.right() - side - 4, box.bottom() - side - 4, side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawEllipse(place)
        painter.setBrush(QColor(255, 255, 255))
        x, y = place.center().x(), place.center().y()
        painter.drawPolygon(QPolygonF([QPointF(x - 3.5, y - 5.5), QPointF(x - 3.5, y + 5.5), QPointF(x + 6, y)]))


def picture_box(box: QRectF, foot: QRectF) -> QRectF:
    """Where a picture may be, from the place of the words and that of the line below them."""
    out = PAD - EDGE
    return QRectF(box.left() - out, box.top() - out, box.width() + 2 * out, foot.top() - box.top() - 4 + out)


def picture_room(line: int, ratio: float) -> QSize:
    """Device pixels of a picture in a tile, whose last line is `line` high."""
    width, height = TILE.width() - 2 * EDGE, TILE.height() - PAD - line - 4 - EDGE
    return QSize(round(width * ratio), round(height * ratio))


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
