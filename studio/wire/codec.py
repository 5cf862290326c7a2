"""The frame on every channel: a JSON head and raw byte frames, length-prefixed. No pickle, ever.

Layout, little endian: u32 head length, u16 number of frames, then per frame u32 length, then the head
(UTF-8 JSON) and the frames.
"""

import json
import struct
from typing import Any

PREFIX = struct.Struct("<IH")
LENGTH = struct.Struct("<I")
HEAD_LIMIT = 64 * 1024 * 1024
FRAMES_LIMIT = 256 * 1024 * 1024
FRAME_COUNT_LIMIT = 256

Head = dict[str, Any]


class WireError(Exception):
    """The other side sent something that is no frame; the channel cannot be used any further."""


def encode(head: Head, frames: tuple[bytes, ...] | list[bytes] = ()) -> bytes:
    """One message as bytes. Raises WireError when it is over the limits."""
    body = json.dumps(head, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    if len(body) > HEAD_LIMIT or sum(map(len, frames)) > FRAMES_LIMIT or len(frames) > FRAME_COUNT_LIMIT:
        raise WireError("message too large")
    lengths = b"".join(LENGTH.pack(len(frame)) for frame in frames)
    return b"".join((PREFIX.pack(len(body), len(frames)), lengths, body, *frames))


class Decoder:
    """Turns a byte stream into messages, whatever the pieces it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[Head, list[bytes]]]:
        """The messages completed by `data`. Raises WireError on anything that is no frame."""
        self._buffer += data
        messages: list[tuple[Head, list[bytes]]] = []
        start = 0
        while True:
            found = self._one(start)
            if found is None:
                break
            head, frames, start = found
            messages.append((head, frames))
        if start:
            del self._buffer[:start]
        return messages

    def _one(self, at: int) -> tuple[Head, list[bytes], int] | None:
        buffer = self._buffer
        if len(buffer) - at < PREFIX.size:
            return None
        head_length, count = PREFIX.unpack_from(buffer, at)
        if head_length > HEAD_LIMIT or count > FRAME_COUNT_LIMIT:
            raise WireError("message too large")
        at += PREFIX.size
        if len(buffer) - at < count * LENGTH.size:
            return None
        lengths = [LENGTH.unpack_from(buffer, at + i * LENGTH.size)[0] for i in range(count)]
        if sum(lengths) > FRAMES_LIMIT:
            raise WireError("message too large")
        at += count * LENGTH.size
        if len(buffer) - at < head_length + sum(lengths):
            return None
        try:
            head = json.loads(bytes(buffer[at : at + head_length]))
        except (ValueError, RecursionError) as error:
            raise WireError(f"the head is not JSON: {error}") from None
        if not isinstance(head, dict):
            raise WireError("the head is not an object")
        at += head_length
        frames = []
        for length in lengths:
            frames.append(bytes(buffer[at : at + length]))
            at += length
        return head, frames, at
