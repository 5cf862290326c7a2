"""The frame codec, the messages and both kinds of channel."""

import asyncio
import dataclasses
import json
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.wire import messages
from studio.wire.channel import AsyncChannel, BlockingChannel, Closed
from studio.wire.codec import FRAME_COUNT_LIMIT, HEAD_LIMIT, Decoder, WireError, encode

pytestmark = pytest.mark.unit

heads = st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=20), st.none()), max_size=4)
packets = st.tuples(heads, st.lists(st.binary(max_size=50), max_size=3))


@given(st.lists(packets, min_size=1, max_size=5), st.integers(1, 17))
def test_any_split_of_the_stream_gives_the_same_messages(sent, piece):
    data = b"".join(encode(head, frames) for head, frames in sent)
    decoder, got = Decoder(), []
    for start in range(0, len(data), piece):
        got += decoder.feed(data[start : start + piece])
    assert got == [(head, frames) for head, frames in sent]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<IH", HEAD_LIMIT + 1, 0),
        struct.pack("<IH", 2, FRAME_COUNT_LIMIT + 1),
        struct.pack("<IHI", 2, 1, 2**32 - 1),
        struct.pack("<IH", 2, 0) + b"[]",
        struct.pack("<IH", 3, 0) + b"{x}",
        struct.pack("<IH", 200_000, 0) + b"[" * 200_000,
    ],
)
def test_garbage_is_refused(data):
    with pytest.raises(WireError):
        Decoder().feed(data)


def test_numbers_that_are_no_json_are_refused():
    with pytest.raises(ValueError):
        encode({"x": float("nan")})


@pytest.mark.parametrize("kind", messages.TYPES.values(), ids=lambda kind: kind.__name__)
def test_every_message_survives_the_wire(kind):
    samples = {"str": "x", "int": 3, "float": 0.5, "bool": True, "Json": {"a": 1}, "list[Json]": [{"a": 1}]}
    values = {}
    for field in dataclasses.fields(kind):
        if field.name != "frames":
            name = str(field.type.__name__ if isinstance(field.type, type) else field.type)
            values[field.name] = samples.get(name.removesuffix(" | None"), {"a": 1})
    message = kind(**values, frames=[b"\x00\xff"])
    head, frames = messages.pack(message)
    assert messages.unpack(json.loads(json.dumps(head)), frames) == message


def test_unknown_types_and_fields_are_named():
    with pytest.raises(messages.Unknown, match="Nonsense"):
        messages.unpack({"type": "Nonsense"}, [])
    with pytest.raises(messages.Unknown, match="colour"):
        messages.unpack({"type": "Cancel", "job": "a", "colour": 1}, [])


def test_blocking_and_async_channels_talk():
    left, right = socket.socketpair()
    blocking = BlockingChannel(left)

    async def other_side():
        channel = await AsyncChannel.over(right)
        first = await channel.receive()
        channel.send(messages.Stream("j", 0, "héllo 🌍"))
        await channel.drain()
        with pytest.raises(Closed):
            await channel.receive()
        await channel.close()
        return first

    got = []

    def this_side():
        blocking.send(messages.Preview("j", "image/png", frames=[b"p" * 300_000]))
        got.append(blocking.receive())
        blocking.close()

    thread = threading.Thread(target=this_side)
    thread.start()
    first = asyncio.run(other_side())
    thread.join()
    assert isinstance(first, messages.Preview) and first.frames == [b"p" * 300_000]
    assert got == [messages.Stream("j", 0, "héllo 🌍")]


def test_a_closed_peer_is_an_exception_of_its_own():
    left, right = socket.socketpair()
    channel = BlockingChannel(left)
    right.close()
    with pytest.raises(Closed):
        channel.receive()
    with pytest.raises(Closed):
        for _ in range(100):
            channel.send(messages.Shutdown())
    channel.close()
