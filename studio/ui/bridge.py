"""Events of the engine on their way to the window: coalesced, in order, a slice at a time.

A worker may report thousands of times a second; a screen shows sixty pictures. The latest progress and
preview of a job win, streamed text is merged, and what a job has become is never dropped. Knows nothing
of widgets: whoever wants events is a sink.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from time import perf_counter

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from studio.wire.messages import Event

log = logging.getLogger(__name__)
Sink = Callable[[Event], None]

INTERVAL_MS = 16
SLICE_S = 0.003
LATEST_WINS = frozenset({"progress", "preview", "memory", "queue", "models"})


class Coalescer:
    """Events that wait to be shown, each as late and as seldom as order allows.

    Two events of one job may become one only when no state of that job lies between them; `_epochs`
    counts those states.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[object, ...], Event] = OrderedDict()
        self._texts: dict[tuple[object, ...], list[str]] = {}
        self._ends: dict[tuple[object, ...], int] = {}
        self._epochs: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        if event.kind == "stream":
            self._add_text(event)
        elif event.kind in LATEST_WINS:
            self._waiting[(event.kind, event.job, self._epochs.get(event.job, 0))] = event
        else:
            if event.kind == "job":
                self._epochs[event.job] = self._epochs.get(event.job, 0) + 1
            self._append(event)

    def take(self) -> Event:
        """The oldest. Raises KeyError when nothing waits."""
        key, event = self._waiting.popitem(last=False)
        parts = self._texts.pop(key, None)
        if parts is not None:
            self._ends.pop(key)
            if len(parts) > 1:
                event = Event("stream", event.job, {**event.data, "text": "".join(parts)})
        if not self._waiting:
            self._epochs.clear()
        return event

    def _append(self, event: Event) -> tuple[object, ...]:
        self._count += 1
        key = ("once", self._count)
        self._waiting[key] = event
        return key

    def _add_text(self, event: Event) -> None:
        key = ("stream", event.job, self._epochs.get(event.job, 0), event.data.get("item", 0))
        text, at = str(event.data.get("text", "")), int(event.data.get("at", 0))
        if key not in self._waiting:
            self._waiting[key], self._texts[key], self._ends[key] = event, [text], at + len(text)
        elif self._ends[key] == at:
            self._texts[key].append(text)
            self._ends[key] += len(text)
        else:
            # A gap or a repetition is for the reader to judge, so it is passed on as it came; what
            # follows must not be merged into the older piece any more.
            self._append(event)
            self._epochs[event.job] = self._epochs.get(event.job, 0) + 1


class Bridge(QObject):
    """Gives events to the sinks, at most one drain every 16 ms and some milliseconds at once.

    `drained`: everything that had come is with the sinks; views repaint now.
    """

    drained = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._waiting = Coalescer()
        self._sinks: list[Sink] = []
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._drain)

    def add_sink(self, sink: Sink) -> None:
        self._sinks.append(sink)

    def remove_sinks(self) -> None:
        """Nobody hears anything any more."""
        self._sinks.clear()

    @property
    def busy(self) -> bool:
        """Whether events wait for the sinks."""
        return len(self._waiting) > 0

    def feed(self, event: Event) -> None:
        """Takes an event; returns at once. For EngineClient.on_event."""
        self._waiting.add(event)
        if not self._timer.isActive():
            since_ms = int(1000 * (perf_counter() - self._last))
            self._timer.start(max(0, INTERVAL_MS - since_ms))

    def _drain(self) -> None:
        began = perf_counter()
        while self._waiting:
            event = self._waiting.take()
            for sink in list(self._sinks):
                sink(event)
            if perf_counter() - began > SLICE_S:
                break
        self._last = perf_counter()
        if self._waiting:
            # The rest of a burst goes on as soon as the window had its turn: input, paint, then this.
            self._timer.start(1)
        self.drained.emit()
