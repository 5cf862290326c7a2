"""What a client hears: everything that matters, in order, and little of what does not."""

import asyncio
from collections.abc import Callable

import pytest

from studio.engine.bus import BACKLOG, MOST_EVENTS, Bus, Outbox
from studio.wire.messages import Event
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit


class Ear:
    """A client that takes everything, or nothing while `deaf`."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.deaf = self.cut = False
        self.bus = Bus()
        self.outbox = Outbox(self.heard.append, lambda: BACKLOG + 1 if self.deaf else 0, self._cut)
        self.outbox.kinds = None
        self.bus.outboxes.add(self.outbox)

    def _cut(self) -> None:
        self.cut = True

    async def until(self, test: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not test():
                await asyncio.sleep(0.002)
        self.outbox.close()

    def kinds(self) -> list[str]:
        return [event.kind for event in self.heard]


def state(ear: Ear, job: str, value: str) -> None:
    ear.bus.publish("job", job, state=value)


def test_the_latest_progress_counts_and_text_is_joined():
    async def scene() -> None:
        ear = Ear()
        for i in range(3000):
            ear.bus.publish("progress", "a", done=i)
            ear.bus.publish("stream", "a", at=2 * i, text="é ")
            ear.bus.publish("queue", waiting=i)
        await ear.until(lambda: ear.heard)
        assert sorted(ear.kinds()) == ["progress", "queue", "stream"]
        found = {event.kind: event.data for event in ear.heard}
        assert found["progress"] == {"done": 2999} and found["queue"] == {"waiting": 2999}
        assert found["stream"] == {"at": 0, "text": "é " * 3000}

    asyncio.run(scene())


def test_states_are_all_told_in_order_and_nothing_is_moved_across_them():
    async def scene() -> None:
        ear = Ear()
        state(ear, "a", "running")
        ear.bus.publish("stream", "a", at=0, text="one")
        ear.bus.publish("progress", "a", done=1)
        state(ear, "a", "queued")
        ear.bus.publish("stream", "a", at=0, text="two")
        ear.bus.publish("progress", "a", done=2)
        state(ear, "a", "finished")
        await ear.until(lambda: len(ear.heard) >= 7)
        told = [event.data.get("state") or event.data.get("text") or event.data["done"] for event in ear.heard]
        assert told == ["running", "one", 1, "queued", "two", 2, "finished"]

    asyncio.run(scene())


def test_texts_of_one_job_are_joined_each_by_itself():
    async def scene() -> None:
        ear = Ear()
        for i in range(100):
            ear.bus.publish("stream", "a", at=i, text="x")
            ear.bus.publish("stream", "a", at=i, text="y", item=1)
        await ear.until(lambda: ear.heard)
        assert [event.data for event in ear.heard] == [
            {"at": 0, "text": "x" * 100},
            {"at": 0, "text": "y" * 100, "item": 1},
        ]

    asyncio.run(scene())


def test_text_with_a_gap_is_not_joined():
    async def scene() -> None:
        ear = Ear()
        for at, text in [(0, "ab"), (2, "cd"), (10, "kl"), (12, "m"), (0, "again")]:
            ear.bus.publish("stream", "a", at=at, text=text)
        await ear.until(lambda: len(ear.heard) >= 3)
        assert [(e.data["at"], e.data["text"]) for e in ear.heard] == [(0, "abcd"), (10, "klm"), (0, "again")]

    asyncio.run(scene())


def test_jobs_are_not_mixed_up():
    async def scene() -> None:
        ear = Ear()
        for job in "ab":
            ear.bus.publish("progress", job, done=1)
            ear.bus.publish("stream", job, at=0, text=job)
        await ear.until(lambda: len(ear.heard) >= 4)
        assert {(e.job, e.data["text"]) for e in ear.heard if e.kind == "stream"} == {("a", "a"), ("b", "b")}

    asyncio.run(scene())


def test_only_what_was_asked_for_is_told():
    async def scene() -> None:
        ear = Ear()
        ear.outbox.kinds = frozenset({"notice"})
        ear.bus.publish("progress", "a", done=1)
        ear.bus.notice("Careful", level="warning")
        await ear.until(lambda: ear.heard)
        assert ear.kinds() == ["notice"] and ear.heard[0].data["title"] == "Careful"

    asyncio.run(scene())


def test_who_does_not_listen_costs_little_and_misses_no_state():
    async def scene() -> None:
        ear = Ear()
        ear.deaf = True
        for i in range(2000):
            ear.bus.publish("progress", "a", done=i)
            ear.bus.publish("stream", "a", at=i, text="x")
            if i % 100 == 0:
                state(ear, "b", str(i))
        await asyncio.sleep(0.05)
        assert not ear.heard
        ear.deaf = False
        await ear.until(lambda: ear.heard)
        assert [e.data["state"] for e in ear.heard if e.kind == "job"] == [str(i) for i in range(0, 2000, 100)]
        assert len(ear.heard) == 22

    asyncio.run(scene())


def test_who_never_listens_is_let_go():
    async def scene() -> None:
        ear = Ear()
        ear.deaf = True
        for i in range(MOST_EVENTS + 1):
            state(ear, "a", str(i))
        await ear.until(lambda: ear.cut)
        assert not ear.heard

    asyncio.run(scene())


def test_a_reply_does_not_overtake_what_happened_before_it():
    async def scene() -> None:
        ear = Ear()
        ear.bus.publish("stream", "a", at=0, text="before")
        ear.outbox.flush()
        assert ear.kinds() == ["stream"]
        ear.bus.publish("stream", "a", at=6, text="after")
        ear.outbox.flush()
        ear.outbox.flush()
        assert [e.data["text"] for e in ear.heard] == ["before", "after"]

    asyncio.run(scene())
