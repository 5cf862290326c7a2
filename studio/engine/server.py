"""The engine's socket: requests in, replies and events out. One of the four doors: a request that fails says so."""

import asyncio
import contextlib
import logging
import traceback
from pathlib import Path
from typing import Any

from studio.engine.asked import Asked
from studio.engine.bus import BACKLOG, Outbox
from studio.engine.core import Engine
from studio.engine.methods import METHODS
from studio.errors import StudioError
from studio.wire.channel import AsyncChannel, Closed, WireError
from studio.wire.messages import Event, Reply, Request, Unknown

log = logging.getLogger(__name__)
IDLE_TICK_S = 0.25
LAST_WORDS_S = 1.0


class Server:
    """Serves the clients of one engine until it is idle, asked to leave, or cancelled."""

    def __init__(self, engine: Engine, socket: Path, idle_s: float):
        self._engine, self._socket, self._idle_s = engine, socket, idle_s
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self.leaving = asyncio.Event()

    async def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._client, self._socket)
        self._socket.chmod(0o600)

    async def serve(self) -> None:
        """Returns when someone asked the engine to leave, or nobody needed it for the idle time."""
        idle = 0.0
        while not self.leaving.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), IDLE_TICK_S)
            idle = 0.0 if self._clients or self._engine.busy else idle + IDLE_TICK_S
            if idle >= self._idle_s:
                return

    async def stop(self) -> None:
        """Takes no more clients and lets go of those it has."""
        if self._server is not None:
            self._server.close()
        self._socket.unlink(missing_ok=True)
        for task in [*self._requests, *self._clients]:
            task.cancel()
        await asyncio.gather(*self._requests, *self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        channel = AsyncChannel(reader, writer)

        def send(event: Event) -> None:
            with contextlib.suppress(Closed):
                channel.send(event)

        outbox = Outbox(send, lambda: channel.pending, channel.abort)
        self._engine.bus.outboxes.add(outbox)
        try:
            while True:
                message = await channel.receive()
                if not isinstance(message, Request):
                    raise WireError(f"a client does not say {type(message).__name__}")
                if channel.pending > BACKLOG:
                    await channel.drain()  # who does not listen need not be asked what else they want
                request = asyncio.create_task(self._answer(channel, outbox, message))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
        except Closed:
            pass
        except (WireError, Unknown) as error:
            log.warning("a client was let go: %s", error)
        finally:
            self._engine.bus.outboxes.discard(outbox)
            outbox.close()
            self._clients.discard(task)
            if channel.pending > 0:
                with contextlib.suppress(TimeoutError, Closed, asyncio.CancelledError):
                    await asyncio.wait_for(channel.drain_all(), LAST_WORDS_S)
            channel.abort()

    async def _answer(self, channel: AsyncChannel, outbox: Outbox, request: Request) -> None:
        frames: list[bytes] = []
        try:
            result = await self._result(outbox, request)
            if isinstance(result, tuple):
                result, frames = result
            reply = Reply(request.id, result, frames=frames)
        except StudioError as error:
            problems = getattr(error, "problems", None)
            reply = Reply(request.id, error={**error.to_dict(), **({"problems": problems} if problems else {})})
        except Exception as error:
            log.exception("%s failed", request.method)
            said = StudioError(
                "The engine failed on this request",
                f"{type(error).__name__}: {error}",
                "This is a mistake in the application; please report it.",
                code="bug",
                log=traceback.format_exc(),
            )
            reply = Reply(request.id, error=said.to_dict())
        outbox.flush()  # what happened before the answer is heard before it
        try:
            channel.send(reply)
        except WireError as error:
            said = StudioError("The answer is too large to be sent", str(error), code="too-large")
            channel.send(Reply(request.id, error=said.to_dict()))
        except Closed:
            pass

    async def _result(self, outbox: Outbox, request: Request) -> Any:
        if request.method == "subscribe":
            kinds = request.params.get("events")
            if kinds is not None and not isinstance(kinds, list):
                raise StudioError("The request is not valid", "“events” must be a list of kinds.", code="bad-request")
            outbox.kinds = frozenset(map(str, kinds)) if kinds is not None else None
            for notice in self._engine.notices:
                parts = {"title": notice.title, "detail": notice.detail, "hint": notice.hint, "level": "warning"}
                outbox.put(Event("notice", "", parts))
            return {}
        if request.method == "shutdown":
            asyncio.get_running_loop().call_later(0.02, self.leaving.set)
            return {}
        method = METHODS.get(request.method)
        if method is None:
            raise StudioError("The engine does not know this request", request.method, code="unknown-method")
        return await method(self._engine, Asked(request.params, request.frames))
