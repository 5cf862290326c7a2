"""The canvas: one picture with its mask, its frame and its regions, as a panel embeds it.

Owns what goes in and out and what is told when something changes; pixels of the mask are masking.py's, what the
pointer does is stage.py's.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, Signal, SignalInstance
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from studio.kit.canvas.background import Background, png
from studio.kit.canvas.frame import FrameTool, Margins, snapped
from studio.kit.canvas.panning import Key, Modifiers
from studio.kit.canvas.regions import MOST as MOST_REGIONS
from studio.kit.canvas.regions import Region, RegionTool, bounded
from studio.kit.canvas.stage import Stage
from studio.kit.history import History
from studio.kit.theme import Theme

HELP = (
    "Paint what is to change. B brush, E eraser or X, L lasso, R rectangle, [ and ] brush size; plus, minus, 0 and 1 "
    "zoom, arrows and Space pan. Return paints at the middle."
)
RegionRow = tuple[float, float, float, float, str]


class Canvas(Stage):
    """What a panel embeds. Sizes are in pixels of the picture.

    changed: mask, frame or regions are others; each has a signal of its own too.
    noticed(text): something the person should know, such as a mask that was scaled.
    """

    changed = Signal()
    mask_changed = Signal()
    frame_changed = Signal()
    regions_changed = Signal()
    region_selected = Signal(int)
    noticed = Signal(str)

    def __init__(self, theme: Theme, history: History, parent: QWidget | None = None):
        super().__init__(theme, history, parent)
        self._background = Background(self)
        self._owner = object()
        self._frame = FrameTool(self, self._frame_done, self._frame_moving)
        self._regions = RegionTool(self, self._regions_done, self._region_chosen)
        self._tools |= {"frame": self._frame, "regions": self._regions}
        self.setAccessibleName("Canvas")
        self.setAccessibleDescription(HELP)
        self.show_pointer()

    # -- the picture

    def set_picture(self, picture: QImage | None) -> None:
        """Shows another picture, uncopied. A mask of the same size stays, any other is forgotten with its steps."""
        before = self.picture_size()
        self.leave_off()
        self.pyramid.set_image(picture)
        if self.picture_size() != before:
            had = self.has_mask()
            self.masking.reset(self.picture_size())
            self.view.fitted = True
            if had:
                self._tell(self.mask_changed)
        self.content_changed()

    def content(self) -> QRectF:
        return self._frame.frame() if self._mode == "frame" else self.extent()

    def forget(self) -> None:
        """Takes everything done here out of the history: the canvas is going away."""
        self.masking.undo.forget()
        self.history.drop(self._owner)

    # -- the mask

    def has_mask(self) -> bool:
        """Whether anything is painted."""
        return not self.masking.is_empty()

    def mask_image(self) -> QImage:
        """A copy, grey, white = painted; smaller than the picture where that is wider or higher than 8,192 px."""
        return self.masking.image()

    def mask_png(self) -> bytes:
        """The mask as PNG, at once: 8 megapixels hold the window up for about 0.2 s; see `encode_mask`."""
        return png(self.mask_image())

    def encode_mask(self, then: Callable[[bytes], None]) -> None:
        """Calls `then(png)` later, on the window's thread; what is painted meanwhile is not in it."""
        image = self.mask_image()
        self._background.run(lambda: png(image), then)

    async def encoded_mask(self) -> bytes:
        """`encode_mask` for a coroutine."""
        image = self.mask_image()
        return await self._background.result(lambda: png(image))

    def set_mask(self, mask: QImage) -> None:
        """Takes a mask; one of another size is scaled, and the person told. Can be undone."""
        size = mask.size()
        if self.picture() is None or mask.isNull():
            return
        if self.masking.take(mask):
            own = self.picture_size()
            was, now = f"{size.width()} × {size.height()}", f"{own.width()} × {own.height()}"
            self.noticed.emit(f"The mask was {was} px and has been scaled to the picture's {now} px.")

    def clear(self) -> None:
        self.masking.clear()

    def fill(self) -> None:
        self.masking.fill()

    def invert(self) -> None:
        self.masking.invert()

    # -- the frame

    def frame_margins(self) -> Margins:
        """Pixels beyond the picture's left, top, right and bottom edge."""
        return self._frame.margins

    def set_frame_margins(self, left: int, top: int, right: int, bottom: int) -> None:
        """Taken to the nearest multiples of 8; not a step to undo."""
        self._put_frame(snapped((left, top, right, bottom)))

    def clear_frame(self) -> None:
        """Takes all edges back; a step to undo."""
        before = self._frame.margins
        if any(before):
            self._put_frame((0, 0, 0, 0))
            self._frame_done(before)

    def _put_frame(self, margins: Margins) -> None:
        if margins != self._frame.margins:
            self._frame.margins = margins
            self._frame_moving()
            if self._mode == "frame":
                self.content_changed()

    def _frame_moving(self) -> None:
        self.refresh()
        self._tell(self.frame_changed)

    def _frame_done(self, before: Margins) -> None:
        after = self._frame.margins
        put, key = self._put_frame, "frame"
        self.history.push("frame", lambda: put(before), lambda: put(after), merge=key, owner=self._owner)
        self.view.fitted = self.view.fitted or not self.view.shows(self.content())
        self.content_changed()

    # -- the regions

    def regions(self) -> list[RegionRow]:
        """(left, top, right, bottom, label), edges as shares of the picture."""
        return [(*region.edges(), region.label) for region in self._regions.regions]

    def set_regions(self, regions: Sequence[RegionRow]) -> None:
        """At most eight, each kept within the picture; not a step to undo."""
        rows = [bounded(tuple(row[:4]), str(row[4])) for row in regions[:MOST_REGIONS]]
        self._put_regions(tuple(rows))

    def selected_region(self) -> int:
        """-1 for none."""
        return self._regions.selected

    def select_region(self, index: int) -> None:
        self._regions.select(index)

    def can_add_region(self) -> bool:
        return len(self._regions.regions) < MOST_REGIONS

    def add_region(self) -> None:
        self._regions.key(Key.Key_Insert, Modifiers.NoModifier)

    def remove_region(self) -> None:
        if self._regions.selected >= 0:
            self._regions.remove(self._regions.selected)

    def _put_regions(self, regions: tuple[Region, ...]) -> None:
        if regions != self._regions.regions:
            self._regions.regions = regions
            self._regions.select(self._regions.selected)
            self.refresh()
            self._tell(self.regions_changed)

    def _regions_done(self, before: tuple[Region, ...], title: str) -> None:
        after, put = self._regions.regions, self._put_regions
        merge = title if title == "move region" else ""
        self.history.push(title, lambda: put(before), lambda: put(after), merge=merge, owner=self._owner)
        self.refresh()
        self._tell(self.regions_changed)

    def _region_chosen(self) -> None:
        self.region_selected.emit(self._regions.selected)

    def mask_done(self) -> None:
        self._tell(self.mask_changed)

    def _tell(self, signal: SignalInstance) -> None:
        signal.emit()
        self.changed.emit()
