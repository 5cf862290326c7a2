"""A client's line to the engine: calls, events, and following one job to its end. Needs a running asyncio loop."""

import asyncio
import contextlib
import itertools
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from studio.errors import StudioError
from studio.jobs.state import ENDED
from studio.paths import Paths
from studio.wire.channel import AsyncChannel, Closed, WireError
from studio.wire.messages import Event, Reply, Request, Unknown

log = logging.getLogger(__name__)
SOCKET = "engine.sock"


def _lost() -> StudioError:
    return StudioError(
        "The engine is not there",
        "It has stopped, or was stopped, before it answered.",
        "Accepted jobs are kept; it takes them up when it is started again.",
        code="engine-lost",
    )


class EngineClient:
    """on_event is called in the loop for every event after a `subscribe`. `closed` is set when the engine is gone."""

    def __init__(self, channel: AsyncChannel):
        self.on_event: Callable[[Event], None] = lambda event: None
        self.closed = asyncio.Event()
        self._channel = channel
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._following: dict[str, list[asyncio.Queue[Event | None]]] = {}
        self._subscribed = False
        self._reader = asyncio.get_running_loop().create_task(self._read(), name="engine-client")

    @classmethod
    async def connect(cls, paths: Paths) -> "EngineClient":
        """Raises StudioError code "engine-lost" when no engine answers there."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(paths.runtime / SOCKET))
        except OSError:
            raise _lost() from None
        return cls(AsyncChannel(reader, writer))

    async def call(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> Any:
        """The result of one request. Raises the engine's StudioError, or code "engine-lost"."""
        return (await self.call_with_frames(method, frames, **params))[0]

    async def call_with_frames(
        self, method: str, frames: Sequence[bytes] = (), **params: Any
    ) -> tuple[Any, list[bytes]]:
        if self.closed.is_set():
            raise _lost()
        number = next(self._numbers)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._channel.send(Request(number, method, params, list(frames)))
            await self._channel.drain()
            reply = await answer
        except (Closed, WireError) as error:
            raise StudioError("The request could not be sent", str(error), code="engine-lost") from None
        finally:
            self._waiting.pop(number, None)
        if method == "subscribe":
            self._subscribed = True
        if reply.error is not None:
            error = StudioError.from_dict(reply.error)
            if "problems" in reply.error:
                error.problems = reply.error["problems"]  # type: ignore[attr-defined]
            raise error
        return reply.result, reply.frames

    async def submit(self, operation: str, params: dict[str, Any], **more: Any) -> str:
        """Queues a job, durable when this returns; its id."""
        more.setdefault("job", uuid.uuid4().hex)
        return (await self.call("submit", operation=operation, params=params, **more))["job"]

    async def follow(self, job: str) -> AsyncIterator[Event]:
        """Events of one job: first its state and what it has shown so far, then each change until it has ended."""
        if not self._subscribed:
            await self.call("subscribe")
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._following.setdefault(job, []).append(queue)
        try:
            snapshot = await self.call("job", job=job)
            live = snapshot.pop("live", None) or {}
            shown = len(live.get("stream", ""))
            yield Event("job", job, snapshot)
            if live.get("progress"):
                yield Event("progress", job, live["progress"])
            if shown:
                yield Event("stream", job, {"at": 0, "text": live["stream"]})
            ended = snapshot["state"] in ENDED
            while not ended:
                event = await queue.get()
                if event is None:
                    raise _lost()
                if event.kind == "stream":
                    event, shown = _unseen(event, shown)
                    if event is None:
                        continue
                ended = event.kind == "job" and event.data["state"] in ENDED
                yield event
        finally:
            self._following[job].remove(queue)
            if not self._following[job]:
                del self._following[job]

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._channel.close()

    async def _read(self) -> None:
        try:
            while True:
                message = await self._channel.receive()
                if isinstance(message, Reply):
                    answer = self._waiting.get(message.id)
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                elif isinstance(message, Event):
                    for queue in self._following.get(message.job, ()):
                        queue.put_nowait(message)
                    self.on_event(message)
        except (Closed, WireError, Unknown) as error:
            log.info("the engine is gone: %s", error)
        finally:
            self.closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(_lost())
            for queues in self._following.values():
                for queue in queues:
                    queue.put_nowait(None)


def _unseen(event: Event, shown: int) -> tuple[Event | None, int]:
    """The part of a stream event that was not in the snapshot, and how much was shown then."""
    at, text = event.data["at"], event.data["text"]
    if at == 0 and shown and len(text) < shown:
        return event, len(text)  # the job began again
    skip = max(0, shown - at)
    if skip >= len(text):
        return None, shown
    return Event("stream", event.job, {"at": at + skip, "text": text[skip:]}), at + len(text)
