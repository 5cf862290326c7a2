"""The engine killed at random moments with a hundred jobs queued: nothing accepted is lost, none is done twice."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from studio.errors import StudioError
from tests.worker.engine_rig import EngineProcess, Nursery, Watcher, check_exactly_once, gone

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


async def one_life(engine: EngineProcess, accepted: set[str], asked: set[str], round: int, seconds: float) -> list[int]:
    """A life of the engine that ends after these seconds; the workers it had."""
    workers: list[int] = []
    engine.start()
    killing = asyncio.create_task(asyncio.sleep(seconds))
    killing.add_done_callback(lambda task: os.kill(engine.pid, 9))
    try:
        watcher = await Watcher.attach(engine)
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
    await killing
    assert await asyncio.to_thread(engine.wait) == -9
    return workers


def test_fifty_kills_with_a_hundred_jobs_queued(tmp_path: Path):
    async def scene(engine: EngineProcess) -> None:
        pick = random.Random(20)
        accepted: set[str] = set()
        asked: set[str] = set()
        for round in range(KILLS):
            for worker in await one_life(engine, accepted, asked, round, pick.uniform(0.02, 1.2)):
                gone(worker)
        async with engine.life() as watcher:
            jobs = await watcher.all_ended()
        assert accepted <= set(jobs) <= asked
        assert {job["state"] for job in jobs.values()} == {"finished"}
        assert len(jobs) > QUEUED
        check_exactly_once(engine.paths, jobs)

    with Nursery() as nursery, EngineProcess(tmp_path, nursery) as engine:
        asyncio.run(scene(engine))
