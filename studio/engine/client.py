"""A client of the engine: the window, the command line and tests talk through this. Imports wire and paths only.

One connection, many calls at once. Events come to `on_event` in the order in which the engine sent them,
and before the reply to any request that was answered after they happened.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from studio.errors import StudioError
from studio.paths import Paths
from studio.wire.channel import AsyncChannel, Closed, WireError
from studio.wire.messages import Event, Reply, Request, Unknown

log = logging.getLogger(__name__)
ENDED = frozenset({"finished", "failed", "cancelled"})
FOLLOWED = frozenset({"job", "progress", "stream", "preview", "saved"})
MARK = Event("mark")
Inbox = asyncio.Queue[Event]


def socket_path(paths: Paths) -> str:
    return str(paths.runtime / "engine.sock")


class EngineClient:
    """`on_event` is called for every event once `subscribe` was called; `closed` is set when the engine is lost."""

    def __init__(self, channel: AsyncChannel):
        self.on_event: Callable[[Event], None] = lambda event: None
        self.closed = asyncio.Event()
        self._channel = channel
        self._pending: dict[int, tuple[asyncio.Future[Reply], Inbox | None]] = {}
        self._followers: dict[str, list[Inbox]] = {}
        self._subscribed = False
        self._last_id = 0
        self._reader = asyncio.create_task(self._read(), name="engine-client")

    @classmethod
    async def connect(cls, paths: Paths) -> "EngineClient":
        """Connects to the engine that runs. Raises OSError when none does; launch.connect starts one."""
        reader, writer = await asyncio.open_unix_connection(socket_path(paths))
        return cls(AsyncChannel(reader, writer))

    async def call(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> Any:
        """The engine's answer. Raises StudioError: the engine's own, or code "engine-lost"."""
        return (await self._ask(method, frames, params)).result

    async def call_with_frames(
        self, method: str, frames: Sequence[bytes] = (), **params: Any
    ) -> tuple[Any, list[bytes]]:
        """Like call, with the raw frames of the answer."""
        reply = await self._ask(method, frames, params)
        return reply.result, reply.frames

    async def _ask(
        self, method: str, frames: Sequence[bytes], params: dict[str, Any], marked: Inbox | None = None
    ) -> Reply:
        """`marked` gets a mark at the place of the reply among the events."""
        if self.closed.is_set():
            raise _lost()
        self._last_id += 1
        request = Request(self._last_id, method, params, list(frames))
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = (answer, marked)
        try:
            self._channel.send(request)
            await self._channel.drain()
            reply = await answer
        except Closed:
            raise _lost() from None
        except WireError as error:
            raise StudioError("The request is too large", str(error), code="bad-request") from None
        finally:
            self._pending.pop(request.id, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: sending may have failed after the engine's loss was told to the answer
        if reply.error is not None:
            raise _error(reply.error)
        if method == "subscribe":
            self._subscribed = True
        return reply

    async def submit(self, operation: str, params: dict[str, Any], **more: Any) -> str:
        """Queues a job; it is durable when this returns its id. more: title, origin, priority, parents, …"""
        job = more.pop("job", None) or uuid.uuid4().hex
        await self.call("submit", job=job, operation=operation, params=params, **more)
        return job

    async def follow(self, job: str) -> AsyncIterator[Event]:
        """First what the job is now (a "job" event with "live"), then its events, until it has ended."""
        mine: Inbox = asyncio.Queue()
        self._followers.setdefault(job, []).append(mine)
        try:
            if not self._subscribed:
                await self.call("subscribe")
            snapshot = (await self._ask("job", (), {"job": job}, mine)).result
            while await mine.get() is not MARK:  # what came before the snapshot is in it
                pass
            yield Event("job", job, snapshot)
            state = snapshot["state"]
            while state not in ENDED:
                event = await mine.get()
                if event is MARK:
                    raise _lost()
                if event.kind == "job":
                    state = event.data["state"]
                yield event
        finally:
            listening = self._followers.get(job, [])
            listening.remove(mine)
            if not listening:
                self._followers.pop(job, None)

    async def close(self) -> None:
        """Ends the connection; jobs go on."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._channel.close()

    async def _read(self) -> None:
        try:
            while True:
                message = await self._channel.receive()
                if isinstance(message, Event):
                    self._hear(message)
                elif isinstance(message, Reply):
                    self._answer(message)
        except Closed:
            pass
        except (WireError, Unknown) as error:
            log.warning("the engine says what this version does not understand: %s", error)
        finally:
            self._lose()

    def _answer(self, reply: Reply) -> None:
        answer, marked = self._pending.get(reply.id, (None, None))
        if marked is not None:
            marked.put_nowait(MARK)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    def _hear(self, event: Event) -> None:
        if event.job in self._followers and event.kind in FOLLOWED:
            for listener in self._followers[event.job]:
                listener.put_nowait(event)
        try:
            self.on_event(event)
        except Exception:
            log.exception("a listener failed on the event %s", event.kind)

    def _lose(self) -> None:
        self.closed.set()
        self._channel.abort()
        for answer, _ in self._pending.values():
            if not answer.done():
                answer.set_exception(_lost())
        for listeners in self._followers.values():
            for listener in listeners:
                listener.put_nowait(MARK)


def _error(parts: dict[str, Any]) -> StudioError:
    found = StudioError.from_dict(parts)
    if isinstance(parts.get("problems"), dict):
        found.problems = parts["problems"]  # type: ignore[attr-defined]
    return found


def _lost() -> StudioError:
    return StudioError(
        "The engine is gone",
        "The process that owns the queue ended or was stopped.",
        "Waiting jobs are kept; it is started again when it is needed.",
        code="engine-lost",
    )
