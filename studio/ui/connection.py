"""The window's line to the engine: starts or finds it, notices when it is gone, comes back with back-off.

Owns the EngineClient. Calls made before the engine answers wait for it; calls made while it is away
fail at once with what is known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.wire.messages import Event

log = logging.getLogger(__name__)
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 10.0
WAIT_S = 30.0


class Client(Protocol):
    """What is used of `studio.engine.client.EngineClient`."""

    on_event: Callable[[Event], None]
    closed: asyncio.Event

    async def call(self, method: str, **params: Any) -> Any: ...

    async def call_with_frames(
        self, method: str, frames: Sequence[bytes] = (), **params: Any
    ) -> tuple[Any, list[bytes]]: ...

    async def close(self) -> None: ...


Connect = Callable[[], Awaitable[Client]]


class EngineState(StrEnum):
    STARTING = "starting"
    CONNECTED = "connected"
    LOST = "lost"
    CLOSED = "closed"


class Connection(QObject):
    """`changed`: `state` or `reason` is another now. `attached` and `lost`: the engine came, or went."""

    changed = Signal()
    attached = Signal()
    lost = Signal()

    def __init__(self, connect: Connect, on_event: Callable[[Event], None], parent: QObject | None = None):
        super().__init__(parent)
        self._connect, self._on_event = connect, on_event
        self.state = EngineState.STARTING
        self.reason: StudioError | None = None
        self.hello: dict[str, Any] = {}
        self._client: Client | None = None
        self._ready = asyncio.Event()
        self._now = asyncio.Event()

    async def run(self) -> None:
        """Keeps the connection until cancelled."""
        delay = FIRST_DELAY_S
        while True:
            try:
                await self._attach()
                delay = FIRST_DELAY_S
                assert self._client is not None
                await self._client.closed.wait()
                self._detach(StudioError("The engine has stopped", code="engine-lost"))
            except StudioError as error:
                self._detach(error)
            except (OSError, asyncio.IncompleteReadError) as error:
                self._detach(StudioError("The engine does not answer", str(error), code="engine-lost"))
            self._now.clear()
            try:
                await asyncio.wait_for(self._now.wait(), delay)
            except TimeoutError:
                delay = min(LONGEST_DELAY_S, 2 * delay)

    def retry_now(self) -> None:
        """Does not wait for the next try."""
        self._now.set()

    async def _attach(self) -> None:
        client = await self._connect()
        client.on_event = self._on_event
        self._client = client
        # First the events, then whoever attaches reads the state: nothing falls between the two.
        await client.call("subscribe")
        self.hello = await client.call("hello", client="window", version="")
        self._set(EngineState.CONNECTED, None)
        self._ready.set()
        self.attached.emit()

    def _detach(self, reason: StudioError) -> None:
        was = self.state
        self._client = None
        self._ready.clear()
        log.info("no engine: %s", reason)
        self._set(EngineState.LOST, reason)
        if was is EngineState.CONNECTED:
            self.lost.emit()

    def _set(self, state: EngineState, reason: StudioError | None) -> None:
        self.state, self.reason = state, reason
        self.changed.emit()

    async def call(self, method: str, **params: Any) -> Any:
        """Calls the engine. While it is starting this waits; StudioError code "engine-lost" when it is away."""
        return await (await self._present()).call(method, **params)

    async def call_frames(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> tuple[Any, list[bytes]]:
        """Like call, with raw bytes beside the request and beside the answer."""
        return await (await self._present()).call_with_frames(method, frames, **params)

    async def _present(self) -> Client:
        """The client, once there is one. Raises StudioError code "engine-lost"."""
        if self._client is None and self.state is EngineState.STARTING:
            try:
                await asyncio.wait_for(self._ready.wait(), WAIT_S)
            except TimeoutError:
                raise StudioError(
                    "The engine has not started yet", f"It did not answer within {WAIT_S:.0f} s.", code="engine-lost"
                ) from None
        if self._client is None:
            detail = str(self.reason) if self.reason else ""
            raise StudioError(
                "The engine is not there", detail, "It is being started again; try once more.", code="engine-lost"
            )
        return self._client

    async def come_back(self) -> bool:
        """Waits for an engine that went away; whether it came within half a minute."""
        while self._client is not None and self._client.closed.is_set():
            await asyncio.sleep(0.01)  # Whoever waited for `closed` has not had its turn yet.
        try:
            await asyncio.wait_for(self._ready.wait(), WAIT_S)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        client, self._client = self._client, None
        self._set(EngineState.CLOSED, None)
        if client is not None:
            await client.close()
