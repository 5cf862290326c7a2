"""Named rectangles in the picture, as shares of its width and height: drawn, moved, resized, deleted."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QCursor, QPainter, QPen

from studio.kit.canvas.frame import ARROWS, FALLING, LEVEL, RISING, UPRIGHT, knob, tag
from studio.kit.canvas.tool import CLICK, Host, Modifiers, Tool, Touch

MOST = 8
LEAST = 0.02
REACH = 8.0
NUDGE = 0.01
COLOURS = ("focus", "success", "warning", "danger", "info")


@dataclass(frozen=True, slots=True)
class Region:
    """Edges as shares of the picture, 0 to 1. An empty label shows the region's number."""

    left: float
    top: float
    right: float
    bottom: float
    label: str = ""

    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom


def bounded(edges: tuple[float, ...], label: str = "") -> Region:
    """A region inside the picture, with an area, whatever the numbers are."""
    left, right = sorted((min(1.0, max(0.0, edges[0])), min(1.0, max(0.0, edges[2]))))
    top, bottom = sorted((min(1.0, max(0.0, edges[1])), min(1.0, max(0.0, edges[3]))))
    if right - left < LEAST:
        left, right = min(left, 1 - LEAST), min(left, 1 - LEAST) + LEAST
    if bottom - top < LEAST:
        top, bottom = min(top, 1 - LEAST), min(top, 1 - LEAST) + LEAST
    return Region(round(left, 4), round(top, 4), round(right, 4), round(bottom, 4), label)


def moved(region: Region, across: float, down: float) -> Region:
    """The region at another place of the picture, as large as it was."""
    across = min(1 - region.right, max(-region.left, across))
    down = min(1 - region.bottom, max(-region.top, down))
    left, top, right, bottom = region.edges()
    return bounded((left + across, top + down, right + across, bottom + down), region.label)


class RegionTool(Tool):
    """changed(before, title): the person changed the list. chosen(): another one is selected."""

    def __init__(self, host: Host, changed: Callable[[tuple[Region, ...], str], None], chosen: Callable[[], None]):
        super().__init__(host)
        self._changed, self._chosen = changed, chosen
        self.regions: tuple[Region, ...] = ()
        self.selected = -1
        self._before: tuple[Region, ...] = ()
        self._from: Touch | None = None
        self._origin = QPointF()
        self._held: tuple[int, ...] = ()
        self._over: tuple[int, tuple[int, ...]] = (-1, ())

    def lying(self, region: Region) -> QRectF:
        """Where it lies in the widget."""
        whole = self.host.view.rect_to_widget(self.host.extent())
        left, top = whole.left() + region.left * whole.width(), whole.top() + region.top * whole.height()
        wide, high = region.right - region.left, region.bottom - region.top
        return QRectF(left, top, wide * whole.width(), high * whole.height())

    def select(self, index: int) -> None:
        index = index if 0 <= index < len(self.regions) else -1
        if index != self.selected:
            self.selected = index
            self._chosen()
        self.host.refresh()

    def press(self, at: Touch) -> None:
        index, sides = self.at(at.widget)
        self._from, self._held, self._before = at, sides, self.regions
        self.select(index)

    def move(self, at: Touch) -> None:
        if self._from is None:
            return
        start, end = self._share(self._from.point), self._share(at.point)
        if self.selected < 0:
            self._draw(start, end, at)
        else:
            self._drag(end - start)
        self.host.refresh()

    def _draw(self, start: QPointF, end: QPointF, at: Touch) -> None:
        assert self._from is not None
        way = at.widget - self._from.widget
        if abs(way.x()) + abs(way.y()) > CLICK and len(self.regions) < MOST:
            self.regions = (*self.regions, bounded((start.x(), start.y(), start.x(), start.y())))
            self._origin = start
            self.select(len(self.regions) - 1)
            self._drag(end - start)

    def _drag(self, way: QPointF) -> None:
        old = self._before[self.selected] if self.selected < len(self._before) else None
        if old is None:  # it is being drawn
            start = self._origin
            new = bounded((start.x(), start.y(), start.x() + way.x(), start.y() + way.y()))
        elif self._held:
            edges = list(old.edges())
            for side in self._held:
                edges[side] += way.x() if side in (0, 2) else way.y()
            new = bounded(tuple(edges), old.label)
        else:
            new = moved(old, way.x(), way.y())
        self._put(self.selected, new)

    def release(self, at: Touch) -> None:
        self.move(at)
        self._from, self._held = None, ()
        if self.regions != self._before:
            title = "draw region" if len(self.regions) > len(self._before) else "move region"
            self._changed(self._before, title)
        self.host.refresh()

    def cancel(self) -> bool:
        if self._from is None:
            return False
        self._from, self._held, self.regions = None, (), self._before
        self.select(self.selected)
        return True

    def busy(self) -> bool:
        return self._from is not None

    def hover(self, at: QPointF) -> None:
        self._over = self.at(at)

    def key(self, key: int, modifiers: Modifiers) -> bool:
        """Arrows move, with Shift they move the far edges; Insert adds, Delete removes, Page keys choose."""
        before, count = self.regions, len(self.regions)
        if key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp) and count:
            self.select((self.selected + (1 if key == Qt.Key.Key_PageDown else -1)) % count)
            return True
        if key == Qt.Key.Key_Insert and count < MOST:
            self.regions = (*before, Region(0.25, 0.25, 0.75, 0.75))
            self._changed(before, "add region")
            self.select(count)
            return True
        if self.selected < 0:
            return False
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove(self.selected)
            return True
        if Qt.Key(key) not in ARROWS:
            return False
        self._nudge(ARROWS[Qt.Key(key)], bool(modifiers & Modifiers.ShiftModifier))
        return True

    def remove(self, index: int) -> None:
        before = self.regions
        self.regions = before[:index] + before[index + 1 :]
        self.select(-1)
        self._changed(before, "delete region")

    def _nudge(self, side: int, resize: bool) -> None:
        before, old = self.regions, self.regions[self.selected]
        across, down = ((-NUDGE, 0), (0, -NUDGE), (NUDGE, 0), (0, NUDGE))[side]
        if resize:
            left, top, right, bottom = old.edges()
            self._put(self.selected, bounded((left, top, right + across, bottom + down), old.label))
        else:
            self._put(self.selected, moved(old, across, down))
        if self.regions != before:
            self._changed(before, "move region")

    def _put(self, index: int, region: Region) -> None:
        self.regions = (*self.regions[:index], region, *self.regions[index + 1 :])

    def at(self, place: QPointF) -> tuple[int, tuple[int, ...]]:
        """The region under this place, the selected one first, and which of its edges."""
        order = sorted(range(len(self.regions)), key=lambda index: (index == self.selected, index), reverse=True)
        for index in order:
            lying = self.lying(self.regions[index])
            if lying.adjusted(-REACH, -REACH, REACH, REACH).contains(place):
                ways = (place.x() - lying.left(), place.y() - lying.top())
                ways += (lying.right() - place.x(), lying.bottom() - place.y())
                return index, tuple(side for side, way in enumerate(ways) if abs(way) <= REACH)
        return -1, ()

    def shape(self) -> QCursor:
        index, sides = self._over
        if index < 0:
            return QCursor(Qt.CursorShape.CrossCursor)
        if not sides:
            return QCursor(Qt.CursorShape.SizeAllCursor)
        if len(sides) == 2:
            return QCursor(FALLING if sides in ((0, 1), (2, 3)) else RISING)
        return QCursor(LEVEL if sides[0] in (0, 2) else UPRIGHT)

    def _share(self, point: QPointF) -> QPointF:
        whole = self.host.extent()
        return QPointF(point.x() / max(1.0, whole.width()), point.y() / max(1.0, whole.height()))

    def paint(self, painter: QPainter) -> None:
        for index, region in enumerate(self.regions):
            lying = self.lying(region)
            colour = self.host.colour(COLOURS[index % len(COLOURS)])
            soft = self.host.colour(COLOURS[index % len(COLOURS)])
            soft.setAlpha(60 if index == self.selected else 30)
            painter.setPen(QPen(colour, 2.5 if index == self.selected else 1.5))
            painter.setBrush(soft)
            painter.drawRect(lying)
            label = painter.fontMetrics().elidedText(
                region.label or str(index + 1), Qt.TextElideMode.ElideRight, max(24, int(lying.width()) - 16)
            )
            half = painter.fontMetrics().horizontalAdvance(label) / 2
            tag(painter, QPointF(lying.left() + half + 10, lying.top() + 14), label, self.host)
            if index == self.selected:
                for x in (lying.left(), lying.right()):
                    for y in (lying.top(), lying.bottom()):
                        knob(painter, QPointF(x, y), self.host)
