"""The video panel's widgets and where they stand. Knows nothing of jobs."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

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
from studio.kit.surface import label, name

from .ui_card import BatchCard
from .ui_clips_modes import MODES, OF_CLIPS, STOPS, TRAVEL
from .ui_clips_page import ClipPage
from .ui_clips_stops import StopsStrip
from .ui_family import SizeBar
from .ui_grid import BatchGrid
from .ui_layout import LARGEST, SMALLEST
from .ui_modes import Mode, ModeForms, ModelChoice, Values
from .ui_negative import NegativeBox
from .ui_prompt import PromptBox
from .ui_taken import TakenCard
from .ui_tile import STYLE

EMPTY = {
    TRAVEL: ("No clips yet", "Say below what is to be seen at each stop; the clip glides from one to the next."),
    "words": ("No clips yet", "Say below what happens; the clip appears here while it is made."),
    "picture": ("No clips yet", "Choose a picture on the right and say below what happens with it."),
}


class ClipsLayout(QWidget):
    """Title, modes, clips and stops or prompt on the left; the controls and the buttons on the right."""

    density_changed = Signal(str)

    def __init__(
        self,
        title: str,
        session: Session,
        make_card: Callable[[str], BatchCard],
        values: Callable[[], Values],
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._session, theme = session, session.theme
        theme.extend("image", STYLE)
        self._one, self._two, self._three = (theme.shape("space", name) for name in ("one", "two", "three"))
        self.prompt = PromptBox(session, "What happens in the clip")
        self.prompt.setUndoRedoEnabled(False)  # one history for the whole panel
        self.stops = StopsStrip(theme, STOPS)
        self.negative = NegativeBox(theme)
        self.model = ModelChoice(session, MODES)
        self.forms = ModeForms(session, values, OF_CLIPS)
        self.modes = Segments("Mode", [(mode.id, mode.title, mode.help) for mode in MODES.values()])
        self.density = DensitySwitch()
        self.sizes = SizeBar(theme)
        self.presets = PresetBar(theme, values)
        self.fit = FitLine(session, MODES[TRAVEL].operation)
        self.grid = BatchGrid(make_card)
        self.page = ClipPage(session)
        self.taken = TakenCard(theme)
        self.zoom = self._zoom()
        self.empty = EmptyState(*EMPTY[TRAVEL], "Generate", icon=theme.icon("mdi6.movie-open-outline"))
        self.cannot = label(wrap=True, problem=True)
        self.start = StartButtons("Makes the clip", "Stops; of a travel what was made so far is kept")
        self.generate, self.stop = self.start.generate, self.start.stop
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._left(title), 1)
        inside = [self.presets, self.sizes, self.forms]
        row.addWidget(ControlsColumn(theme, inside, [self.cannot, self.fit], [self.generate, self.stop]))
        self.cannot.hide()
        for wanted in (self.density.changed, self.forms.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)
        self.show_mode(MODES[TRAVEL])

    def _left(self, title: str) -> QVBoxLayout:
        head = panel_head(self._session.theme, title, [self.density], self.model)
        second = QHBoxLayout()
        second.setContentsMargins(self._three, 0, self._three, self._one)
        second.setSpacing(self._two)
        second.addWidget(self.modes)
        second.addStretch(1)
        second.addWidget(self.zoom)
        note = QHBoxLayout()
        note.setContentsMargins(self._three, 0, self._three, 0)
        note.addWidget(self.taken)
        self.pages = QStackedWidget()
        for page in (self.grid, self.empty, self.page):
            self.pages.addWidget(page)
        self.foot = QWidget()
        foot = QVBoxLayout(self.foot)
        foot.setContentsMargins(self._three, self._one, self._three, self._two)
        foot.setSpacing(4)
        for part in (self.stops, self.prompt, self.negative):
            foot.addWidget(part)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(second)
        column.addLayout(note)
        column.addWidget(self.pages, 1)
        column.addWidget(self.foot)
        return column

    def _zoom(self) -> StillSlider:
        slider = StillSlider(Qt.Orientation.Horizontal)
        slider.setFixedWidth(96)
        slider.setRange(SMALLEST, LARGEST)
        slider.setSingleStep(16)
        slider.setPageStep(48)
        name(slider, "Size of the clips", "How large clips are shown here")
        slider.setValue(self.grid.side)
        slider.valueChanged.connect(self.grid.set_side)
        return slider

    # what is on show -------------------------------------------------------------------------

    def show_mode(self, mode: Mode) -> None:
        """Stops or prompt, and the models of this mode."""
        self.modes.set_value(mode.id)
        self.model.show_for(mode.capability)
        self.stops.setVisible(mode.id == TRAVEL)
        self.prompt.setVisible(mode.id != TRAVEL)
        self.empty.show_words(*EMPTY[mode.id], "Generate")

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.forms.set_density(density)

    def show_empty(self, empty: bool) -> None:
        if self.pages.currentWidget() is not self.page:
            self.pages.setCurrentWidget(self.empty if empty else self.grid)
        self._empty = empty

    def show_page(self, on: bool) -> None:
        """The clip that is large, or the results."""
        self.pages.setCurrentWidget(self.page if on else self.empty if self._empty else self.grid)
        self.zoom.setVisible(not on)
        self.foot.setVisible(not on)

    @property
    def large(self) -> bool:
        return self.pages.currentWidget() is self.page

    _empty = True

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)

    def show_cannot(self, why: str) -> None:
        """Why this mode cannot be used with this model; empty when it can."""
        self.cannot.setText(why)
        self.cannot.setVisible(bool(why))
