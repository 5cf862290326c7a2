"""The image panel's widgets and where they stand. Knows nothing of jobs."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.kit.column import ControlsColumn
from studio.kit.controls.number import StillSlider
from studio.kit.density import DensitySwitch
from studio.kit.empty import EmptyState
from studio.kit.fit import FitLine
from studio.kit.head import panel_head
from studio.kit.presets import PresetBar
from studio.kit.segments import Segments
from studio.kit.session import Session
from studio.kit.start import StartButtons
from studio.kit.starter import StarterCard
from studio.kit.surface import label, name, tool_button

from .ui_canvas import CanvasSide
from .ui_card import BatchCard
from .ui_compare import ComparePage
from .ui_family import SizeBar
from .ui_grid import BatchGrid
from .ui_modes import MODES, ModeForms, ModelChoice, Values
from .ui_negative import NegativeBox
from .ui_prompt import PromptBox
from .ui_taken import TakenCard
from .ui_tile import STYLE
from .ui_viewer import Viewer

PROMPT_WIDE = 2400
SMALLEST, LARGEST = 112, 512
LEAST = QSize(240, 160)
CANVAS = 0.58
STARTER = (
    "is a small starter model that has seen only emoji of 64 pixels. It works at once and offline; "
    "a larger model paints about anything."
)
PLACEHOLDER = "What is to be seen"
VIEWS = (
    ("results", "Results", "The pictures, newest first"),
    ("table", "X/Y/Z", "A table of pictures over up to three settings"),
)


class _Pages(QStackedWidget):
    """As small as the window wants: a page that needs more room than there is shows less."""

    def minimumSizeHint(self) -> QSize:
        return LEAST


class ImageLayout(QWidget):
    """Title, modes, work area and prompt on the left; the controls and the buttons on the right."""

    density_changed = Signal(str)
    home_changed = Signal(str)

    def __init__(
        self,
        title: str,
        session: Session,
        make_card: Callable[[str], BatchCard],
        values: Callable[[], Values],
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._session = session
        theme = session.theme
        theme.extend("image", STYLE)
        self._one, self._two, self._three = (theme.shape("space", name) for name in ("one", "two", "three"))
        self.prompt = PromptBox(session, PLACEHOLDER)
        # One history for the whole panel: the editor's own would undo in another order.
        self.prompt.setUndoRedoEnabled(False)
        self.negative = NegativeBox(theme)
        self.model = ModelChoice(session)
        self.forms = ModeForms(session, values)
        self.modes = Segments("Mode", [(mode.id, mode.title, mode.help) for mode in MODES.values()])
        self.density = DensitySwitch()
        self.sizes = SizeBar(theme)
        self.presets = PresetBar(theme, values)
        self.fit = FitLine(session, MODES["create"].operation)
        self.grid = BatchGrid(make_card)
        self.viewer = Viewer(session)
        self.compare = ComparePage(session)
        self.side = CanvasSide(session)
        self.taken = TakenCard(theme)
        self.starter = StarterCard(theme, STARTER)
        self.zoom = self._zoom()
        self.draw = tool_button("Draw regions", icon=theme.icon("mdi6.vector-rectangle"),
                                help="Draw regions that have prompts of their own")  # fmt: skip
        self.draw.setCheckable(True)
        self.empty = EmptyState(
            "No pictures yet",
            "Say below what is to be seen; the pictures appear here while they are painted.",
            "Generate",
            icon=theme.icon("mdi6.image-outline"),
        )
        self.cannot = label(wrap=True, problem=True)
        self.start = StartButtons("Paints what the prompt says")
        self.generate, self.stop = self.start.generate, self.start.stop
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._left(title), 1)
        inside = [self.presets, self.sizes, self.forms]
        row.addWidget(ControlsColumn(theme, inside, [self.cannot, self.fit], [self.generate, self.stop]))
        self.cannot.hide()
        self.side.needed.connect(self.show_side)
        self.viewer.branching.connect(self.foot.setHidden)
        for wanted in (self.density.changed, self.forms.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)

    def _left(self, title: str) -> QVBoxLayout:
        head = panel_head(self._session.theme, title, [self.density], self.model)
        second = QHBoxLayout()
        second.setContentsMargins(self._three, 0, self._three, self._one)
        second.setSpacing(self._two)
        second.addWidget(self.modes)
        second.addStretch(1)
        second.addWidget(self.draw)
        second.addWidget(self.zoom)
        self.views = Segments("View", VIEWS)
        self.views.changed.connect(self.show_home)
        second.addWidget(self.views)
        self.second = second
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
        self.foot = QWidget()
        self._foot = QVBoxLayout(self.foot)
        self._foot.setSpacing(4)
        self._foot.addWidget(self.prompt)
        self._foot.addWidget(self.negative)
        self._note = QVBoxLayout()
        self._note.setSpacing(self._one)
        self._note.addWidget(self.starter)
        self._note.addWidget(self.taken)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(second)
        column.addLayout(self._note)
        column.addWidget(self.pages, 1)
        column.addWidget(self.foot)
        return column

    def _zoom(self) -> StillSlider:
        slider = StillSlider(Qt.Orientation.Horizontal)
        slider.setFixedWidth(80)
        slider.setRange(SMALLEST, LARGEST)
        slider.setSingleStep(16)
        slider.setPageStep(48)
        name(slider, "Size of the pictures", "How large pictures are shown here")
        slider.setValue(self.grid.side)
        slider.valueChanged.connect(self.grid.set_side)
        return slider

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

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.forms.set_density(density)

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

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)

    def show_cannot(self, why: str) -> None:
        """Why this mode cannot be used with this model; empty when it can."""
        self.cannot.setText(why)
        self.cannot.setVisible(bool(why))
