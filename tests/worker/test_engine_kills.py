"""The engine killed at random moments with a hundred jobs queued: nothing accepted is lost, none is done twice."""

import asyncio
import os
import random

import pytest

from studio.errors import StudioError
from studio.wire.messages import Event
from tests.worker.engine_rig import EngineProcess, Watcher, check_exactly_once, gone

pytestmark = pytest.mark.worker
KILLS = 50
QUEUED = 100


async def fill(watcher: Watcher, accepted: set[str], asked: set[str], round: int) -> None:
    """Tops the queue up to a hundred jobs that wait."""
    waiting = (await watcher.client.call("jobs", states=["queued"], limit=1))["total"]

    async def one(number: int) -> None:
        job = f"k{round}x{number}"
        asked.add(job)
        text = {"text": f"{job} " * 20, "chunks": 4, "delay_ms": number % 3}
        await watcher.submit("probe.echo" if number % 4 else "probe.noop", text if number % 4 else {}, job=job)
        accepted.add(job)

    async with asyncio.TaskGroup() as group:
        for number in range(QUEUED - waiting):
            group.create_task(one(number))


class Moment:
    """When a life ends: while the engine starts, while it is given jobs, or while they run; each at random.

    Counted in what a client hears, but for the start: a busy machine must not make every life end before it began.
    """

    def __init__(self, round: int, pick: random.Random):
        self.seconds = pick.uniform(0.0, 0.2) if round % 3 == 0 else None
        self._kinds = ("job",) if round % 3 == 1 else ("stream", "progress")
        self._left = pick.randint(1, 60)

    def came(self, event: Event) -> bool:
        self._left -= event.kind in self._kinds
        return self.seconds is None and self._left <= 0


async def one_life(engine: EngineProcess, accepted: set[str], asked: set[str], round: int, end: Moment) -> list[int]:
    """A life of the engine that ends at this moment; the workers it had."""
    workers: list[int] = []
    engine.start()
    pid = engine.pid
    if end.seconds is not None:
        asyncio.get_running_loop().call_later(end.seconds, os.kill, pid, 9)
    try:
        watcher = await Watcher.attach(engine)
        watcher.client.on_event = lambda event: os.kill(pid, 9) if end.came(event) else None
        try:
            found = set(await watcher.jobs())
            assert accepted <= found <= asked, (accepted - found, found - asked)
            await fill(watcher, accepted, asked, round)
            while True:
                workers = [
                    worker["pid"] for worker in (await watcher.client.call("status"))["workers"] if worker["pid"]
                ]
                await asyncio.sleep(0.05)
        finally:
            await watcher.client.close()
    except* (StudioError, ConnectionError) as errors:
        for error in errors.exceptions:
            assert getattr(error, "code", "engine-lost") == "engine-lost" or isinstance(error, ExceptionGroup), error
    assert await asyncio.to_thread(engine.wait) == -9
    return workers


def test_fifty_kills_with_a_hundred_jobs_queued(engine: EngineProcess):
    async def scene() -> None:
        pick = random.Random(20)
        accepted: set[str] = set()
        asked: set[str] = set()
        for round in range(KILLS):
            for worker in await one_life(engine, accepted, asked, round, Moment(round, pick)):
                gone(worker)
        async with engine.life() as watcher:
            jobs = await watcher.all_ended()
        assert accepted <= set(jobs) <= asked
        assert {job["state"] for job in jobs.values()} == {"finished"}
        assert len(jobs) > QUEUED
        check_exactly_once(engine.paths, jobs)

    asyncio.run(scene())
