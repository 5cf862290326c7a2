"""The chat panel's widgets and where they stand. Knows nothing of jobs."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QProgressBar, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from studio.kit.column import ControlsColumn
from studio.kit.density import DensitySwitch
from studio.kit.empty import EmptyState
from studio.kit.fit import FitLine
from studio.kit.form import ParamsForm
from studio.kit.head import panel_head
from studio.kit.models import ModelPicker
from studio.kit.prompt import PromptEditor
from studio.kit.session import Session
from studio.kit.start import StartButtons
from studio.kit.starter import StarterCard
from studio.kit.surface import label, tip, tool_button
from studio.sdk.params import Params

from .ui_chat_list import ConversationList
from .ui_chat_message import MessageCard
from .ui_chat_view import ChatView

READABLE = 880
OWN = ("prompt", "model", "messages", "continue_last", "continued_tokens", "count")
"""Params with a place of their own, or none, in a conversation."""

STARTER = (
    "is a small starter model that has read only fairy tales and never a conversation, so its answers ramble. "
    "A larger chat model answers."
)


class ChatLayout(QWidget):
    """Conversations on the left, messages and what is said next in the middle, the controls on the right."""

    density_changed = Signal(str)

    def __init__(
        self,
        title: str,
        session: Session,
        operation: str,
        params: type[Params],
        show: Callable[[MessageCard, str], None],
    ):
        super().__init__()
        theme = session.theme
        self._session = session
        self.form = ParamsForm(params, session, exclude=OWN, first=("Conversation",))
        self.model = ModelPicker(session, "text-generation", described=False)
        self.density = DensitySwitch()
        self.fit = FitLine(session, operation)
        self.starter = StarterCard(theme, STARTER)
        self.conversations = ConversationList(theme)
        self.view = ChatView(theme, show)
        self.empty = EmptyState(
            "Nothing said yet",
            "Ask something below. Every message can be edited, retried and branched later.",
            icon=theme.icon("mdi6.forum-outline"),
        )
        self.prompt = PromptEditor("Say something")
        self.prompt.setUndoRedoEnabled(False)
        self.coach = label(wrap=True, small=True, muted=True)
        self.coach.hide()
        self.room = QProgressBar()
        self.room.setTextVisible(False)
        self.room.setFixedWidth(96)
        self.room.setAccessibleName("How full the model's context is")
        self.room_said = label(small=True, muted=True)
        self.saved = tool_button("Prompts", icon=theme.icon("mdi6.bookmark-outline"), text=True, help="Saved prompts")
        self.saved.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.saved_menu = QMenu(self.saved)
        self.saved.setMenu(self.saved_menu)
        self.personas = tool_button(
            "Persona", icon=theme.icon("mdi6.account-outline"), text=True, help="System prompts with their settings"
        )
        self.personas.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.persona_menu = QMenu(self.personas)
        self.personas.setMenu(self.persona_menu)
        self.start = StartButtons("Says it and has it answered")
        self.generate, self.stop = self.start.generate, self.start.stop
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._left(title), 1)
        row.addWidget(ControlsColumn(theme, [self.form], [self.fit], [self.generate, self.stop]))
        for wanted in (self.density.changed, self.form.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)

    def _left(self, title: str) -> QVBoxLayout:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.empty)
        line = QHBoxLayout()
        line.setSpacing(8)
        for part in (self.saved, self.personas):
            line.addWidget(part)
        line.addStretch(1)
        line.addWidget(self.room_said)
        line.addWidget(self.room, 0, Qt.AlignmentFlag.AlignVCenter)
        self._foot = QVBoxLayout()
        self._foot.setSpacing(4)
        for part in (self.prompt, self.coach):
            self._foot.addWidget(part)
        self._foot.addLayout(line)
        self._note = QHBoxLayout()
        self._note.addWidget(self.starter)
        talk = QVBoxLayout()
        talk.setSpacing(0)
        talk.addLayout(self._note)
        talk.addWidget(self._stack, 1)
        talk.addLayout(self._foot)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.conversations)
        middle.addLayout(talk, 1)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(panel_head(self._session.theme, title, [self.density], self.model))
        column.addLayout(middle, 1)
        return column

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lines stay short enough to read."""
        super().resizeEvent(event)
        shape = self._session.theme.shape
        room = event.size().width() - shape("size", "column") - self.conversations.width()
        side = max(shape("space", "three"), (room - READABLE) // 2)
        self._note.setContentsMargins(side, 0, side, 8)
        self._foot.setContentsMargins(side, 8, side, 16)
        self.view.set_side(side)

    def show_empty(self, empty: bool) -> None:
        self._stack.setCurrentWidget(self.empty if empty else self.view)

    def show_room(self, share: float, words: str, full: str) -> None:
        """share: of the context that the conversation takes. full: all about it, on hover."""
        self.room.setVisible(bool(words))
        self.room.setRange(0, 1000)
        self.room.setValue(min(1000, round(1000 * share)))
        self.room_said.setText(words)
        for part in (self.room, self.room_said):
            part.setToolTip(tip(full))

    def show_advice(self, words: str, full: str) -> None:
        self.coach.setText(words)
        self.coach.setToolTip(tip(full))
        self.coach.setVisible(bool(words))

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.form.set_density(density)

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)
