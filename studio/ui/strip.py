"""The activity strip: always there, one line high, tells what the machine does. A click opens the queue."""

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget

from studio.errors import StudioError
from studio.sdk.progress import share
from studio.ui.activity import Activity, counted, memory_words, title_of
from studio.ui.connection import EngineState
from studio.wire.messages import Event

ENGINE_WORDS = {
    EngineState.STARTING: "Engine starting…",
    EngineState.CONNECTED: "Ready",
    EngineState.LOST: "Engine stopped, coming back…",
    EngineState.CLOSED: "Closing…",
}
STEPS = 1000


class ElidedLabel(QLabel):
    """One line of plain text that is cut with "…" instead of pushing its neighbours away."""

    def sizeHint(self) -> QSize:
        return QSize(min(super().sizeHint().width(), 360), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        side = Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter
        self.style().drawItemText(
            painter, self.rect(), int(side), self.palette(), self.isEnabled(), text, self.foregroundRole()
        )


class ActivityStrip(QWidget):
    """Feed it events, then `refresh` once a drain. `queue_asked`, `notices_asked`: the person clicked there."""

    queue_asked = Signal()
    notices_asked = Signal()
    retry_asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Activity")
        self.activity = Activity()
        self._engine, self._reason = EngineState.STARTING, ""
        self._dirty = True
        self._dot = QLabel("●")
        self._dot.setObjectName("engineDot")
        self.title_label = ElidedLabel()
        self.title_label.setTextFormat(Qt.TextFormat.PlainText)
        self.title_label.setObjectName("stripTitle")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setRange(0, STEPS)
        self._bar.setFixedSize(160, 4)
        self._bar.setAccessibleName("Progress of the current job")
        self._counts = ElidedLabel()
        self._counts.setObjectName("stripCounts")
        self._counts.setMinimumWidth(190)
        self._memory = QLabel()
        self._memory.setObjectName("stripMuted")
        self._memory.setAccessibleName("Memory of the device")
        self._retry = _button("Try now", "Connects to the engine without waiting")
        self._queue = _button("Queue", "Opens the queue (Ctrl+J)")
        self._notices = _button("", "Shows all notices")
        self._retry.clicked.connect(self.retry_asked)
        self._queue.clicked.connect(self.queue_asked)
        self._notices.clicked.connect(self.notices_asked)
        self._lay_out()
        self.set_notices(0)
        self.refresh()

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 8, 4)
        layout.setSpacing(12)
        for widget in (self._dot, self.title_label, self._bar, self._counts):
            layout.addWidget(widget)
        self._counts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        for widget in (self._retry, self._memory, self._notices, self._queue):
            layout.addWidget(widget)
        self.setFixedHeight(40)

    @property
    def headline(self) -> str:
        """What is going on, as it is shown."""
        return self.title_label.text()

    # What it shows -----------------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        self._dirty = self.activity.take(event) or self._dirty

    def load(self, listing: dict[str, Any]) -> None:
        """The engine's jobs on workers, after attaching."""
        self.activity.load(listing)
        self._dirty = True
        self.refresh()

    def set_engine(self, state: EngineState, reason: StudioError | None) -> None:
        self._engine, self._reason = state, str(reason) if reason else ""
        if state is EngineState.LOST:
            self.activity.reset()
        self._dirty = True
        self.refresh()

    def set_notices(self, count: int) -> None:
        self._notices.setText(f"{count} notice" + ("s" if count != 1 else ""))
        self._notices.setVisible(count > 0)

    def refresh(self) -> None:
        """Shows what events have changed; cheap when nothing has."""
        if not self._dirty:
            return
        self._dirty = False
        job, progress = self.activity.current, self.activity.progress
        self._show_engine(job is not None)
        self.title_label.setText(self._headline(job))
        self._counts.setToolTip(self._reason)
        self._counts.setText(counted(progress) if job else self._reason)
        self._bar.setVisible(job is not None)
        part = share(progress)
        self._bar.setRange(0, STEPS if part is not None else 0)
        if part is not None:
            self._bar.setValue(round(STEPS * part))
        self._memory.setText(memory_words(self.activity.memory))
        self._memory.setVisible(bool(self._memory.text()))
        self._queue.setText(self._queue_words())
        self.setAccessibleDescription(f"{self.title_label.text()} {self._counts.text()}, {self._queue.text()}")

    def _headline(self, job: dict[str, Any] | None) -> str:
        if self._engine is not EngineState.CONNECTED:
            return ENGINE_WORDS[self._engine]
        if job is not None:
            stopping = "Stopping: " if job.get("state") == "cancelling" else ""
            return stopping + title_of(job)
        return "The queue is held" if self.activity.held else ENGINE_WORDS[self._engine]

    def _queue_words(self) -> str:
        waiting = self.activity.waiting
        words = f"{waiting:,} waiting" if waiting else "Queue"
        return f"{words} · held" if self.activity.held else words

    def _show_engine(self, busy: bool) -> None:
        state = "busy" if busy else str(self._engine)
        self._retry.setVisible(self._engine is EngineState.LOST)
        if self._dot.property("state") != state:
            self._dot.setProperty("state", state)
            self._dot.setAccessibleName(ENGINE_WORDS[self._engine])
            self._dot.style().unpolish(self._dot)
            self._dot.style().polish(self._dot)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.queue_asked.emit()


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(text or tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
