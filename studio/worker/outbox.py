"""What a worker says, in order and in measure.

Owns Outbox: streamed text is merged and leaves at most every STREAM_S, progress and previews at most every
PROGRESS_S a job (the latest wins), everything else at once, after what its job still had waiting.
Nobody reads results from standard output: this channel is the only way out.
"""

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.wire.channel import BlockingChannel, Closed
from studio.wire.messages import Message, Preview, Progress, Stream

STREAM_S = 0.025
PROGRESS_S = 0.05
MEDIA = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))


@dataclass(slots=True)
class _Slot:
    """One job's unsent words, by the text they belong to. sent_chars counts what left; *_at are the moments of the last
    sending."""

    text: dict[int, list[str]] = field(default_factory=dict)
    sent_chars: dict[int, int] = field(default_factory=dict)
    stream_at: float = -math.inf
    progress: Progress | None = None
    preview: Preview | None = None
    progress_at: float = -math.inf
    stage: str | None = None

    def due(self) -> float:
        """When something here should leave; infinity when nothing waits."""
        text = self.stream_at + STREAM_S if self.text else math.inf
        shown = self.progress_at + PROGRESS_S if self.progress or self.preview else math.inf
        return min(text, shown)


class Outbox:
    """Sends from any thread. A channel that is closed ends the process: nobody is left to work for."""

    def __init__(self, channel: BlockingChannel):
        self._channel = channel
        self._lock = threading.Condition()
        self._slots: dict[str, _Slot] = {}
        self._awake_at = math.inf
        threading.Thread(target=self._flush_late, name="outbox", daemon=True).start()

    def send(self, message: Message) -> None:
        """At once; whatever the message's job had waiting goes first."""
        with self._lock:
            self._send(message, self._slots.get(getattr(message, "job", "")))

    def end(self, message: Message, job: str) -> None:
        """The job's last message; its count of streamed characters begins anew after it."""
        with self._lock:
            self._send(message, self._slots.pop(job, None))

    def _send(self, message: Message, slot: _Slot | None) -> None:
        if slot is not None:
            self._flush(slot, message.job, math.inf)  # type: ignore[attr-defined]
        self._put(message)

    def stream(self, job: str, text: str, item: int = 0) -> None:
        if text:
            with self._lock:
                slot = self._slots.setdefault(job, _Slot())
                slot.text.setdefault(item, []).append(text)
                self._flush_due(slot, job)

    def progress(self, message: Progress, preview: Sequence[bytes] = ()) -> None:
        """The first, the last and every newly named stage leave at once."""
        with self._lock:
            slot = self._slots.setdefault(message.job, _Slot())
            urgent = message.stage != slot.stage or message.done == message.total
            slot.stage = message.stage
            slot.progress = message
            if any(preview):
                slot.preview = Preview(message.job, _media(next(filter(None, preview))), list(preview))
            if urgent:
                self._flush(slot, message.job, math.inf)
            else:
                self._flush_due(slot, message.job)

    def _flush_due(self, slot: _Slot, job: str) -> None:
        self._flush(slot, job, time.monotonic())
        due = slot.due()
        if due < self._awake_at:
            self._awake_at = due
            self._lock.notify()

    def _flush(self, slot: _Slot, job: str, now: float) -> None:
        """Sends what is due by `now`; everything when `now` is infinite."""
        moment = time.monotonic()
        if slot.text and now >= slot.stream_at + STREAM_S:
            for item, pieces in slot.text.items():
                text, at = "".join(pieces), slot.sent_chars.get(item, 0)
                self._put(Stream(job, at, text, item))
                slot.sent_chars[item] = at + len(text)
            slot.text.clear()
            slot.stream_at = moment
        if now >= slot.progress_at + PROGRESS_S:
            for waiting in (slot.preview, slot.progress):
                if waiting is not None:
                    self._put(waiting)
                    slot.progress_at = moment
            slot.preview = slot.progress = None

    def _put(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except Closed:
            os._exit(0)

    def _flush_late(self) -> None:
        with self._lock:
            while True:
                now = time.monotonic()
                for job, slot in list(self._slots.items()):
                    if slot.due() <= now:
                        self._flush(slot, job, now)
                self._awake_at = min((slot.due() for slot in self._slots.values()), default=math.inf)
                pause = self._awake_at - time.monotonic()
                self._lock.wait(None if math.isinf(pause) else max(pause, 0.0))


def _media(preview: bytes) -> str:
    return next((media for mark, media in MEDIA if preview.startswith(mark)), "application/octet-stream")
