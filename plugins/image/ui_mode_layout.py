"""What stands in a panel of several modes: title, modes, results and prompt on the left, the controls on the right."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLayout, QStackedWidget, QVBoxLayout, QWidget

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
from .ui_family import SizeBar
from .ui_grid import BatchGrid
from .ui_modes import Mode, ModeForms, ModelChoice, ModeSet, Values
from .ui_negative import NegativeBox
from .ui_prompt import PromptBox
from .ui_taken import TakenCard
from .ui_tile import STYLE

SMALLEST, LARGEST = 112, 512


class ModeLayout(QWidget):
    """A panel makes parts of its own, `pages` and `foot` in `_build`. kinds: its modes; shown: its results.

    nothing, icon: what stands there while there are none; starts: what its two buttons do.
    """

    kinds: ModeSet
    shown: str
    placeholder: str
    nothing: tuple[str, str]
    icon: str
    starts: tuple[str, ...]
    zoom_wide = 80
    density_changed = Signal(str)
    pages: QStackedWidget
    foot: QWidget

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
        modes = self.kinds.modes
        self.prompt = PromptBox(session, self.placeholder)
        # One history for the whole panel: the editor's own would undo in another order.
        self.prompt.setUndoRedoEnabled(False)
        self.negative = NegativeBox(theme)
        self.model = ModelChoice(session, modes)
        self.forms = ModeForms(session, values, self.kinds)
        self.modes = Segments("Mode", [(mode.id, mode.title, mode.help) for mode in modes.values()])
        self.density = DensitySwitch()
        self.sizes = SizeBar(theme)
        self.presets = PresetBar(theme, values)
        self.fit = FitLine(session, self.forms.mode.operation)
        self.grid = BatchGrid(make_card)
        self.taken = TakenCard(theme)
        self.zoom = self._zoom()
        self.cannot = label(wrap=True, problem=True)
        self.empty = EmptyState(*self.nothing, "Generate", icon=theme.icon(self.icon))
        self.start = StartButtons(*self.starts)
        self.generate, self.stop = self.start.generate, self.start.stop
        self._build(title)

    def _build(self, title: str) -> None:
        """The panel's own parts; ends with `_compose`."""
        raise NotImplementedError

    def _compose(self, left: QLayout) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        inside = [self.presets, self.sizes, self.forms]
        theme = self._session.theme
        row.addWidget(ControlsColumn(theme, inside, [self.cannot, self.fit], [self.generate, self.stop]))
        self.cannot.hide()
        for wanted in (self.density.changed, self.forms.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)

    def _left(self, title: str, second: QLayout, note: QLayout) -> QVBoxLayout:
        """Head, modes, notes, pages and foot, one below the other."""
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(panel_head(self._session.theme, title, [self.density], self.model))
        column.addLayout(second)
        column.addLayout(note)
        column.addWidget(self.pages, 1)
        column.addWidget(self.foot)
        return column

    def _line(self, *parts: QWidget) -> QHBoxLayout:
        """The modes, and `parts` on the other side."""
        line = QHBoxLayout()
        line.setContentsMargins(self._three, 0, self._three, self._one)
        line.setSpacing(self._two)
        line.addWidget(self.modes)
        line.addStretch(1)
        for part in parts:
            line.addWidget(part)
        return line

    def _zoom(self) -> StillSlider:
        slider = StillSlider(Qt.Orientation.Horizontal)
        slider.setFixedWidth(self.zoom_wide)
        slider.setRange(SMALLEST, LARGEST)
        slider.setSingleStep(16)
        slider.setPageStep(48)
        name(slider, f"Size of the {self.shown}", f"How large {self.shown} are shown here")
        slider.setValue(self.grid.side)
        slider.valueChanged.connect(self.grid.set_side)
        return slider

    # what is on show -------------------------------------------------------------------------

    def show_mode(self, mode: Mode) -> None:
        """The models of this mode."""
        self.modes.set_value(mode.id)
        self.model.show_for(mode.capability)

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.forms.set_density(density)

    def show_empty(self, empty: bool) -> None:
        raise NotImplementedError

    def showing(self) -> QWidget | None:
        """The page in front of the results, if any."""
        raise NotImplementedError

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)

    def show_cannot(self, why: str) -> None:
        """Why this mode cannot be used with this model; empty when it can."""
        self.cannot.setText(why)
        self.cannot.setVisible(bool(why))
