"""What each client still has to hear, merged so that a slow one costs nothing and misses nothing that matters.

The latest progress and preview of a job replace the ones not sent yet; streamed text is joined; changes
of state are kept, all of them, in order.
"""

import asyncio
from collections.abc import Callable

from studio.wire.messages import Event

FLUSH_S = 0.016
STATE_S = 0.0005
BACKLOG = 4 << 20
MOST_EVENTS = 200_000
LATEST = frozenset({"progress", "preview", "memory", "queue"})

Send = Callable[[Event], None]


class Outbox:
    """One client's events. `send` gives one to its channel; `pending` tells how much that has not passed on."""

    def __init__(self, send: Send, pending: Callable[[], int], overrun: Callable[[], None]):
        self._send, self._pending, self._overrun = send, pending, overrun
        self._events: dict[int, Event] = {}
        self._latest: dict[tuple[str, str, int], int] = {}
        self._texts: dict[int, list[str]] = {}
        self._ends: dict[tuple[str, str, int], int] = {}
        self._next = 0
        self._flushing: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        self.kinds: frozenset[str] | None = frozenset()

    def put(self, event: Event) -> None:
        """Takes an event. Changes of state leave almost at once; the rest at most every FLUSH_S."""
        if self.kinds is not None and event.kind not in self.kinds:
            return
        self._merge(event)
        loop = asyncio.get_running_loop()
        mergeable = event.kind in LATEST or event.kind == "stream"
        due = max(loop.time(), self._last + FLUSH_S) if mergeable else loop.time() + STATE_S
        if self._flushing is None or due < self._flushing.when():
            self.close()
            self._flushing = loop.call_at(due, self._flush)

    def close(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None

    def flush(self) -> None:
        """Sends what waits now, for a reply that must not overtake it."""
        self.close()
        events, self._events = self._events, {}
        self._latest.clear()
        self._ends.clear()
        self._last = asyncio.get_running_loop().time()
        for number, event in events.items():
            text = self._texts.get(number)
            if text is not None and len(text) > 1:
                event = Event("stream", event.job, {**event.data, "text": "".join(text)})
            self._send(event)
        self._texts.clear()

    def _merge(self, event: Event) -> None:
        key = (event.kind, event.job, event.data.get("item", 0) if event.kind == "stream" else 0)
        waiting = self._latest.get(key)
        if event.kind == "job":
            for kind, job, item in [key for key in self._latest if key[1] == event.job]:
                if kind in ("progress", "stream", "preview"):
                    del self._latest[kind, job, item]
        elif event.kind in LATEST and waiting is not None:
            self._events[waiting] = event
            return
        elif event.kind == "stream" and waiting is not None and event.data["at"] == self._ends[key]:
            self._texts[waiting].append(event.data["text"])
            self._ends[key] += len(event.data["text"])
            return
        self._events[self._next] = event
        if event.kind in LATEST or event.kind == "stream":
            self._latest[key] = self._next
        if event.kind == "stream":
            self._texts[self._next] = [event.data["text"]]
            self._ends[key] = event.data["at"] + len(event.data["text"])
        self._next += 1

    def _flush(self) -> None:
        self._flushing = None
        if len(self._events) > MOST_EVENTS:
            self._events.clear()
            self._overrun()
        elif self._pending() > BACKLOG:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)
        else:
            self.flush()


class Bus:
    """All clients' outboxes."""

    def __init__(self) -> None:
        self.outboxes: set[Outbox] = set()

    def publish(self, kind: str, job: str = "", frames: list[bytes] | None = None, /, **data: object) -> None:
        for outbox in self.outboxes:
            outbox.put(Event(kind, job, dict(data), frames or []))

    def notice(self, title: str, detail: str = "", hint: str = "", *, level: str = "warning", plugin: str = "") -> None:
        """Something people should know that belongs to no single request."""
        self.publish("notice", title=title, detail=detail, hint=hint, level=level, plugin=plugin)
