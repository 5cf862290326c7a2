"""A channel over a socket: blocking for workers, asyncio for the engine and its clients."""

import asyncio
import contextlib
import socket
import threading

from studio.wire.codec import Decoder, WireError, encode
from studio.wire.messages import Message, pack, unpack

CHUNK = 1 << 18


class Closed(Exception):
    """The other side is gone."""


class BlockingChannel:
    """For threads: `send` from any thread, `receive` from one."""

    def __init__(self, sock: socket.socket):
        self._socket = sock
        self._lock = threading.Lock()
        self._decoder = Decoder()
        self._ready: list[Message] = []

    def send(self, message: Message) -> None:
        """Raises Closed when the other side is gone."""
        data = encode(*pack(message))
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self) -> Message:
        """The next message; blocks. Raises Closed at the end, WireError on garbage."""
        while not self._ready:
            try:
                data = self._socket.recv(CHUNK)
            except OSError as error:
                raise Closed(str(error)) from None
            if not data:
                raise Closed("end of stream")
            self._ready = [unpack(head, frames) for head, frames in self._decoder.feed(data)]
        return self._ready.pop(0)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class AsyncChannel:
    """For one asyncio loop. `send` queues into the transport at once; `drain` waits until it has room."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self._decoder = Decoder()
        self._ready: list[Message] = []

    @classmethod
    async def over(cls, sock: socket.socket) -> "AsyncChannel":
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock))

    def send(self, message: Message) -> None:
        """Raises Closed when the channel was closed here."""
        if self._writer.is_closing():
            raise Closed("closed")
        self._writer.write(encode(*pack(message)))

    async def drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise Closed(str(error)) from None

    async def drain_all(self) -> None:
        """Waits until the other side has taken everything. Raises Closed."""
        self._writer.transport.set_write_buffer_limits(high=0)
        await self.drain()

    @property
    def pending(self) -> int:
        """Bytes accepted by `send` that the other side has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    async def receive(self) -> Message:
        """The next message. Raises Closed at the end, WireError on garbage."""
        while not self._ready:
            try:
                data = await self._reader.read(CHUNK)
            except OSError as error:
                raise Closed(str(error)) from None
            if not data:
                raise Closed("end of stream")
            self._ready = [unpack(head, frames) for head, frames in self._decoder.feed(data)]
        return self._ready.pop(0)

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Ends the channel at once; what was not sent yet is dropped."""
        self._writer.transport.abort()


__all__ = ["AsyncChannel", "BlockingChannel", "Closed", "WireError"]
