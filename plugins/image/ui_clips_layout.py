"""The video panel's widgets and where they stand. Knows nothing of jobs."""

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from .ui_clips_modes import MODES, OF_CLIPS, STOPS, TRAVEL
from .ui_clips_page import ClipPage
from .ui_clips_stops import StopsStrip
from .ui_mode_layout import ModeLayout
from .ui_modes import Mode

EMPTY = {
    TRAVEL: ("No clips yet", "Say below what is to be seen at each stop; the clip glides from one to the next."),
    "words": ("No clips yet", "Say below what happens; the clip appears here while it is made."),
    "picture": ("No clips yet", "Choose a picture on the right and say below what happens with it."),
}


class ClipsLayout(ModeLayout):
    """Title, modes, clips and stops or prompt on the left; the controls and the buttons on the right."""

    kinds = OF_CLIPS
    shown = "clips"
    zoom_wide = 96
    placeholder = "What happens in the clip"
    nothing, icon = EMPTY[TRAVEL], "mdi6.movie-open-outline"
    starts = ("Makes the clip", "Stops; of a travel what was made so far is kept")

    def _build(self, title: str) -> None:
        self.stops = StopsStrip(self._session.theme, STOPS)
        self.page = ClipPage(self._session)
        self.pages = QStackedWidget()
        for page in (self.grid, self.empty, self.page):
            self.pages.addWidget(page)
        self.foot = QWidget()
        foot = QVBoxLayout(self.foot)
        foot.setContentsMargins(self._three, self._one, self._three, self._two)
        foot.setSpacing(4)
        for part in (self.stops, self.prompt, self.negative):
            foot.addWidget(part)
        note = QHBoxLayout()
        note.setContentsMargins(self._three, 0, self._three, 0)
        note.addWidget(self.taken)
        self._compose(self._left(title, self._line(self.zoom), note))
        self.show_mode(MODES[TRAVEL])

    # what is on show -------------------------------------------------------------------------

    def show_mode(self, mode: Mode) -> None:
        """Stops or prompt, and the models of this mode."""
        super().show_mode(mode)
        self.stops.setVisible(mode.id == TRAVEL)
        self.prompt.setVisible(mode.id != TRAVEL)
        self.empty.show_words(*EMPTY[mode.id], "Generate")

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

    def showing(self) -> QWidget | None:
        return self.page if self.large else None

    _empty = True
