"""The video panel: clips that travel between prompts, clips from words and from a picture."""

from PySide6.QtWidgets import QVBoxLayout

from studio.kit.empty import EmptyState
from studio.kit.panel import Panel
from studio.kit.session import Session
from studio.sdk.manifest import PanelEntry


class ClipsPanel(Panel):
    """Travel, From words and From a picture."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        column = QVBoxLayout(self)
        column.addWidget(EmptyState("No clips yet", icon=session.theme.icon("mdi6.movie-open-outline")))
