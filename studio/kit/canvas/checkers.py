"""The checkerboard that says: here the picture is transparent."""

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QBrush, QPainter, QPixmap

from studio.kit.theme import Theme


def draw_checkers(painter: QPainter, part: QRectF, origin: QPointF, theme: Theme) -> None:
    """Fills `part`; the squares begin at `origin`, so that parts painted one by one join."""
    if part.isEmpty():
        return
    side = theme.shape("space", "one")
    squares = QPixmap(2 * side, 2 * side)
    squares.fill(theme.colour("raised"))
    inside = QPainter(squares)
    inside.fillRect(0, 0, side, side, theme.colour("pressed"))
    inside.fillRect(side, side, side, side, theme.colour("pressed"))
    inside.end()
    painter.setBrushOrigin(origin)
    painter.fillRect(part, QBrush(squares))
