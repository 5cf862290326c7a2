"""The engine killed at every named point, one data folder through all of its lives."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from studio.engine import crash
from studio.errors import StudioError
from tests.worker.engine_rig import EngineProcess, Watcher, check_exactly_once

pytestmark = pytest.mark.worker


class Story:
    """Does a bit of everything with an engine and remembers what it was promised."""

    def __init__(self, base: Path):
        self.base = base
        self.accepted: dict[str, str] = {}
        self.unsure: set[str] = set()
        self.cancelled: set[str] = set()
        self.forgotten: set[str] = set()
        self.round = 0

    async def tell(self, watcher: Watcher) -> None:
        """Ends with StudioError "engine-lost" somewhere, when the engine is to die."""
        self.round += 1
        marker = self.base / f"died-{self.round}"
        texts = [{"text": f"text {self.round}.{i} " * 5, "chunks": 3} for i in range(3)]
        await asyncio.gather(*(self._submit(watcher, "probe.echo", text) for text in texts))
        failing = await self._submit(watcher, "probe.steps", {"steps": 4, "fail_at": 2})
        await self._submit(watcher, "probe.die", {"how": "kill", "once_marker": str(marker)})
        long = await self._submit(watcher, "probe.steps", {"steps": 200, "delay_ms": 5})
        last = await self._submit(watcher, "probe.noop", {})
        await watcher.client.call("hold", held=True)
        await watcher.client.call("hold", held=False)
        await watcher.ended(failing)
        await watcher.reached(long, "running")
        self.unsure.add(long)
        await watcher.client.call("cancel", job=long)
        self.unsure.discard(long)
        self.cancelled.add(long)
        await watcher.ended(last)
        self.unsure.add(failing)
        await watcher.client.call("forget", job=failing)
        self.forgotten.add(failing)
        self.accepted.pop(failing)

    async def _submit(self, watcher: Watcher, operation: str, params: dict[str, Any]) -> str:
        job = f"r{self.round}x{len(self.accepted) + len(self.unsure) + len(self.forgotten)}x{operation[6:]}"
        job += str(params.get("text", ""))[:8].replace(" ", "").replace(".", "x")
        self.unsure.add(job)
        await watcher.submit(operation, params, job=job)
        self.unsure.discard(job)
        self.accepted[job] = operation
        return job

    def check(self, jobs: dict[str, dict[str, Any]]) -> None:
        """Nothing that was accepted is lost, nothing that was forgotten is back."""
        assert set(self.accepted) - self.unsure <= set(jobs)
        assert not self.forgotten & set(jobs)
        assert set(jobs) <= set(self.accepted) | self.unsure


def test_at_every_named_point_nothing_accepted_is_lost_or_done_twice(engine: EngineProcess, tmp_path: Path):
    async def scene() -> None:
        story = Story(tmp_path)
        for point in crash.POINTS:
            if point.startswith("backup"):
                shutil.rmtree(engine.paths.data / "backups", ignore_errors=True)
            engine.start(ATELIER_CRASH=point)
            try:
                watcher = await Watcher.attach(engine)
                try:
                    story.check(await watcher.jobs())
                    await story.tell(watcher)
                    if point.startswith("backup"):
                        await asyncio.wait_for(watcher.client.closed.wait(), 60)
                    await watcher.client.call("shutdown")
                finally:
                    await watcher.client.close()
            except (StudioError, ConnectionError) as error:
                assert getattr(error, "code", "engine-lost") == "engine-lost", f"{point}: {error}"
            assert await asyncio.to_thread(engine.wait) == -9, f"{point} was never passed\n{engine.said()}"
        async with engine.life() as watcher:
            await watcher.client.call("hold", held=False)
            jobs = await watcher.all_ended()
        story.check(jobs)
        check_exactly_once(engine.paths, jobs)
        for id, job in jobs.items():
            expected = {"probe.echo": "finished", "probe.noop": "finished", "probe.die": "finished"}
            if id in story.cancelled:
                assert job["state"] == "cancelled", id
            elif job["operation"] in expected:
                assert job["state"] == expected[job["operation"]], (id, job["error"])

    asyncio.run(scene())
