"""The engine's client when the engine goes in the middle of a request."""

import asyncio
import gc

import pytest

from studio.engine.client import EngineClient
from studio.errors import StudioError
from studio.wire.channel import Closed

pytestmark = pytest.mark.unit


class Dying:
    """A channel whose other side goes while a request is being sent."""

    def __init__(self):
        self.gone = asyncio.Event()

    def send(self, message):
        self.gone.set()

    async def drain(self):
        await asyncio.sleep(0.01)
        raise Closed("gone")

    async def receive(self):
        await self.gone.wait()
        raise Closed("gone")

    def abort(self):
        self.gone.set()

    async def close(self):
        self.gone.set()


def test_a_request_that_meets_the_engines_end_fails_once_and_in_words():
    complaints = []

    async def scene():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context["message"]))
        client = EngineClient(Dying())
        with pytest.raises(StudioError) as caught:
            await client.call("hello")
        assert caught.value.code == "engine-lost"
        await client.close()
        del client
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(scene())
    gc.collect()
    assert complaints == []
