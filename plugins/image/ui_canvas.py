"""The canvas beside the results: a mask to paint, a frame to drag, regions to draw, in step with the form."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.canvas import Canvas, CanvasTools
from studio.kit.desk import Desk
from studio.kit.empty import EmptyState
from studio.kit.pictures import Pictures
from studio.kit.session import Session

REST_MS = 700
SIDES = ("left", "top", "right", "bottom")
LARGEST = QSize(16384, 16384)
ASK = {
    "mask": ("Nothing to repaint yet", "Drop a picture here, or use one of the results as input. Then paint over it."),
    "frame": ("Nothing to extend yet", "Drop a picture here, or use one of the results as input. Then drag its frame."),
    "regions": ("No picture", "Drop a picture here."),
}
Values = dict[str, Any]


class CanvasSide(QWidget):
    """The canvas with its tools, and what is said while there is no picture. wanted: the person wants to choose one.

    needed(on): it has something to do, or no longer.
    """

    wanted = Signal()
    needed = Signal(bool)

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self.canvas = Canvas(session.theme, session.undo)
        self.tools = CanvasTools(self.canvas, session.theme)
        self.empty = EmptyState("", "", "Choose a picture…", icon=session.theme.icon("mdi6.image-plus-outline"))
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.canvas)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 0, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.tools)
        column.addWidget(self.pages, 1)
        self.setMinimumWidth(280)
        self.empty.acted.connect(self.wanted)
        self.hide()

    def show_there(self, there: bool, mode: str) -> None:
        self.pages.setCurrentWidget(self.canvas if there else self.empty)
        self.tools.setEnabled(there)
        title, detail = ASK[mode]
        self.empty.show_words(title, detail, "Choose a picture…")


class CanvasLink(QObject):
    """Keeps canvas and form alike. `mode`: "mask", "frame", "regions", or "" for no canvas.

    said(title, detail): something the person should know.
    """

    said = Signal(str, str)

    def __init__(self, session: Session, side: CanvasSide, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._side, self._desk = session, side, desk
        self._canvas = side.canvas
        self._pictures = Pictures(self)
        self._mode = ""
        self._shown = ""
        self._blank = QSize()
        self._mask = ""
        self._dirty = False
        self._putting = False
        self._then: list[Callable[[str], None]] = []
        self._soon = QTimer(self, interval=REST_MS, singleShot=True)
        self._soon.timeout.connect(self._keep_mask)
        self._canvas.mask_changed.connect(self._on_mask)
        self._canvas.frame_changed.connect(self._on_frame)
        self._canvas.regions_changed.connect(self._on_regions)
        self._canvas.noticed.connect(lambda text: self.said.emit(text, ""))

    # what is shown ---------------------------------------------------------------------------

    def show_mode(self, mode: str, size: tuple[int, int] = (0, 0)) -> None:
        """`size`: of the picture that will be painted, where there is none yet."""
        self._mode = mode
        self._side.needed.emit(bool(mode))
        if not mode:
            return
        self._canvas.set_mode(mode)
        self._blank = QSize(*size)
        self.follow()

    def follow(self) -> None:
        """The form has changed: the canvas shows what it says."""
        if not self._mode:
            return
        values = self._desk.values()
        self._show_picture(str(values.get("picture") or ""))
        self._putting = True
        try:
            if self._mode == "frame":
                self._canvas.set_frame_margins(*(int(values.get(side) or 0) for side in SIDES))
            if self._mode == "regions":
                rows = [(r["left"], r["top"], r["right"], r["bottom"], r["prompt"][:40]) for r in values["regions"]]
                if rows != self._canvas.regions():
                    self._canvas.set_regions(rows)
        finally:
            self._putting = False
        if self._mode == "mask" and not self._dirty:
            self._show_mask(str(values.get("mask") or ""))

    def _show_picture(self, value: str) -> None:
        wanted = value or (f"blank {self._blank.width()} {self._blank.height()}" if self._mode == "regions" else "")
        if wanted == self._shown:
            return
        self._shown = wanted
        if not value:
            self._side.show_there(self._mode == "regions", self._mode)
            self._canvas.set_picture(_blank(self._blank) if self._mode == "regions" else None)
            return
        self._load(value, lambda: self._shown == wanted, self._take_picture)

    def _take_picture(self, image: QImage) -> None:
        self._side.show_there(not image.isNull(), self._mode or "mask")
        self._canvas.set_picture(None if image.isNull() else image)
        self._mask = "" if not self._dirty else self._mask
        self.follow()

    def _show_mask(self, value: str) -> None:
        if value == self._mask or self._canvas.picture() is None:
            return
        self._mask = value
        if not value:
            self._put_mask(QImage())
        else:
            self._load(value, lambda: self._mask == value, self._put_mask)

    def _put_mask(self, image: QImage) -> None:
        self._putting = True
        try:
            if image.isNull():
                if self._canvas.has_mask():
                    self._canvas.clear()
            else:
                self._canvas.set_mask(image)
        finally:
            self._putting = False

    def _load(self, value: str, still: Callable[[], bool], then: Callable[[QImage], None]) -> None:
        try:
            path = self._session.input_path(value)
        except StudioError as error:
            self.said.emit(error.title, error.detail)
            then(QImage())
            return

        def loaded(image: QImage, problem: str) -> None:
            if still():
                if image.isNull():
                    self.said.emit(f"{path.name} cannot be shown", f"{problem[:1].upper()}{problem[1:]}.")
                then(image)

        self._pictures.load(path, LARGEST, loaded)

    # what was done ---------------------------------------------------------------------------

    def ready(self, then: Callable[[str], None]) -> bool:
        """Calls `then` with the mask's name once it is kept; False when it is already in the form."""
        if self._mode != "mask" or not self._dirty:
            return False
        self._then.append(then)
        self._soon.stop()
        self._keep_mask()
        return True

    def _on_mask(self) -> None:
        if not self._putting and self._mode == "mask":
            self._dirty = True
            self._soon.start()

    def _keep_mask(self) -> None:
        if self._canvas.has_mask():
            self._canvas.encode_mask(lambda data: self._session.spawn(self._put(data)))
        else:
            self._dirty = False
            self._told("")

    async def _put(self, data: bytes) -> None:
        self._dirty = self._soon.isActive()
        self._told(await self._session.put_input(data, ".png"))

    def _told(self, name: str) -> None:
        self._mask = name
        self._desk.put({"mask": name})
        waiting, self._then = self._then, []
        for then in waiting:
            then(name)

    def _on_frame(self) -> None:
        if not self._putting and self._mode == "frame":
            self._desk.put(dict(zip(SIDES, self._canvas.frame_margins(), strict=True)))

    def _on_regions(self) -> None:
        if not self._putting and self._mode == "regions":
            items = list(self._desk.values().get("regions") or ())
            self._desk.put({"regions": merged(items, self._canvas.regions())})


def merged(items: Sequence[Values], rows: Sequence[tuple[float, float, float, float, str]]) -> list[Values]:
    """The form's regions after the canvas's: moved ones keep their words, one that is gone takes them along."""
    edges = [tuple(item[side] for side in SIDES) for item in items]
    if len(rows) < len(items):
        kept = [items[edges.index(row[:4])] for row in rows if row[:4] in edges]
        if len(kept) == len(rows):
            return kept
    found = []
    for at, row in enumerate(rows):
        old = items[at] if at < len(items) else {"prompt": "", "weight": 1.0}
        found.append({**old, **dict(zip(SIDES, row[:4], strict=True))})
    return found


def _blank(size: QSize) -> QImage:
    image = QImage(size.expandedTo(QSize(64, 64)), QImage.Format.Format_RGB32)
    image.fill(QColor(Qt.GlobalColor.white))
    return image
