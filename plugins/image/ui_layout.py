"""The image panel's widgets and where they stand. Knows nothing of jobs."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.kit.segments import Segments
from studio.kit.starter import StarterCard
from studio.kit.surface import tool_button

from .ui_canvas import CanvasSide
from .ui_compare import ComparePage
from .ui_mode_layout import ModeLayout
from .ui_modes import OF_PICTURES
from .ui_viewer import Viewer

PROMPT_WIDE = 2400
LEAST = QSize(240, 160)
CANVAS = 0.58
STARTER = (
    "is a small starter model that has seen only emoji of 64 pixels. It works at once and offline; "
    "a larger model paints about anything."
)
EMPTY = ("No pictures yet", "Say below what is to be seen; the pictures appear here while they are painted.")
VIEWS = (
    ("results", "Results", "The pictures, newest first"),
    ("table", "X/Y/Z", "A table of pictures over up to three settings"),
)


class _Pages(QStackedWidget):
    """As small as the window wants: a page that needs more room than there is shows less."""

    def minimumSizeHint(self) -> QSize:
        return LEAST


class ImageLayout(ModeLayout):
    """Title, modes, work area and prompt on the left; the controls and the buttons on the right."""

    kinds = OF_PICTURES
    shown = "pictures"
    home_changed = Signal(str)
    placeholder = "What is to be seen"
    nothing, icon = EMPTY, "mdi6.image-outline"
    starts = ("Paints what the prompt says",)

    def _build(self, title: str) -> None:
        session, theme = self._session, self._session.theme
        self.viewer = Viewer(session)
        self.compare = ComparePage(session)
        self.side = CanvasSide(session)
        self.starter = StarterCard(theme, STARTER)
        self.draw = tool_button("Draw regions", icon=theme.icon("mdi6.vector-rectangle"),
                                help="Draw regions that have prompts of their own")  # fmt: skip
        self.draw.setCheckable(True)
        self.views = Segments("View", VIEWS)
        self.views.changed.connect(self.show_home)
        self._build_pages()
        self.foot = QWidget()
        self._foot = QVBoxLayout(self.foot)
        self._foot.setSpacing(4)
        self._foot.addWidget(self.prompt)
        self._foot.addWidget(self.negative)
        self._note = QVBoxLayout()
        self._note.setSpacing(self._one)
        self._note.addWidget(self.starter)
        self._note.addWidget(self.taken)
        self._compose(self._left(title, self._line(self.draw, self.zoom, self.views), self._note))
        self.side.needed.connect(self.show_side)
        self.viewer.branching.connect(self.foot.setHidden)

    def _build_pages(self) -> None:
        self.pages = _Pages()
        self.work = QSplitter(Qt.Orientation.Horizontal)
        self.work.setChildrenCollapsible(False)
        self._results = _Pages()
        self._results.addWidget(self.grid)
        self._results.addWidget(self.empty)
        self.work.addWidget(self.side)
        self.work.addWidget(self._results)
        self.work.setStretchFactor(0, 3)
        self.work.setStretchFactor(1, 2)
        self.pages.addWidget(self.work)
        self._home: QWidget = self.work
        self.homes: dict[str, QWidget] = {"results": self.work}
        self.pages.addWidget(self.viewer)
        self.pages.addWidget(self.compare)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lines stay short enough to read: on a wide window the prompt stands in the middle."""
        super().resizeEvent(event)
        room = event.size().width() - self._session.theme.shape("size", "column")
        side = max(self._three, (room - PROMPT_WIDE) // 2)
        self._note.setContentsMargins(self._three, 0, self._three, self._one)
        self._foot.setContentsMargins(side, self._one, side, self._two)

    def show_side(self, on: bool) -> None:
        """The canvas beside the results; the first time it gets the larger part."""
        fresh = on and self.side.isHidden()
        self.side.setVisible(on)
        if fresh:
            room = self.work.width()
            self.work.setSizes([round(room * CANVAS), round(room * (1 - CANVAS))])

    # what is on show -------------------------------------------------------------------------

    def show_empty(self, empty: bool) -> None:
        self._results.setCurrentWidget(self.empty if empty else self.grid)

    def show_home(self, view: str) -> None:
        """ "results" or "table": what lies below the other pages."""
        self.views.set_value(view)
        self._home = self.homes[view]
        self.show_page()
        self.home_changed.emit(view)

    def show_page(self, page: QWidget | None = None) -> None:
        """The viewer or a comparison; what they lie on when None."""
        self.pages.setCurrentWidget(page or self._home)
        self.zoom.setVisible(page is None and self._home is self.work)

    def showing(self) -> QWidget | None:
        """The page in front, if any."""
        now = self.pages.currentWidget()
        return None if now is self._home else now

    def add_table(self, page: QWidget) -> None:
        page.setContentsMargins(self._two, 0, self._two, 0)
        self.pages.addWidget(page)
        self.homes["table"] = page
