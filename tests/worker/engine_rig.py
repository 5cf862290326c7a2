"""A real engine process with the probe plugin, killed and started again at will; and what must hold afterwards."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.engine.client import EngineClient
from studio.errors import StudioError
from studio.library.recipe import read_recipe, text_of
from studio.library.writer import read_receipt
from studio.paths import Paths
from studio.wire.messages import Event
from tests.patience import PATIENCE_S

PLUGINS = Path(__file__).resolve().parent.parent / "probe_plugin"
ENDED = ("finished", "failed", "cancelled")


class Nursery:
    """Starts engines quickly; use as a context. The processes that it forks keep the environment it began with in
    /proc: what a test leaves running is ended by EngineProcess, not found by its mark.
    """

    def __init__(self) -> None:
        script = Path(__file__).with_name("engine_nursery.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


class EngineProcess:
    """The engine of one data folder, through its lives. `pid` is that of the present one, 0 without one."""

    def __init__(
        self,
        base: Path,
        nursery: Nursery | None = None,
        prefix: Iterable[str] = (),
        environment: dict[str, str] | None = None,
    ):
        """prefix: a command that runs the engine's command. environment: of all lives instead of the test's own."""
        self.paths = Paths(base / "data").prepare()
        self.output = base / "engine.txt"
        self.pid = 0
        self._nursery, self._prefix, self._environment = nursery, list(prefix), environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.pid:
            self.kill()

    def start(self, *arguments: str, **environment: str) -> None:
        """environment: what this life has besides."""
        assert not self.pid
        given = ["--data", str(self.paths.data), *(arguments or ("--idle", "600"))]
        known = {"ATELIER_PLUGINS": str(PLUGINS), **(self._environment or {})}
        mine = {"ATELIER_CRASH": "", **os.environ, **known, **environment}
        if self._nursery is not None:
            self.pid = self._nursery.ask(start=given, environment=mine, output=str(self.output))["pid"]
            return
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "studio.engine", *given],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=mine,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait(self) -> int:
        """The exit code of the present life, negative for a signal."""
        if self._nursery is not None:
            code = self._nursery.ask(wait=self.pid, seconds=PATIENCE_S)["code"]
            assert code is not None, f"process {self.pid} lives on: {self.said()}"
        else:
            assert self._process is not None
            code = self._process.wait(PATIENCE_S)
        self.pid = 0
        return code

    def kill(self) -> int:
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    async def connect(self) -> EngineClient:
        """Waits until the engine answers. Raises StudioError "engine-lost" when it ends instead."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                return await EngineClient.connect(self.paths)
            if not _alive(self.pid):
                raise StudioError("The engine ended", self.said(), code="engine-lost")
            assert time.monotonic() < deadline, f"nobody answers: {self.said()}"
            await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def life(self, *arguments: str, **environment: str) -> AsyncIterator["Watcher"]:
        """One whole life with a client that hears everything; stopped in order at the end."""
        self.start(*arguments, **environment)
        try:
            watcher = await Watcher.attach(self)
            try:
                yield watcher
                await watcher.client.call("shutdown")
            finally:
                await watcher.client.close()
            assert await asyncio.to_thread(self.wait) == 0, self.said()
        finally:
            if self.pid:
                await asyncio.to_thread(self.kill)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator["Watcher"]:
        """A client of an engine that runs and goes on."""
        watcher = await Watcher.attach(self)
        try:
            yield watcher
        finally:
            await watcher.client.close()

    async def stop(self) -> None:
        """It must leave in order."""
        async with self.watched() as watcher:
            await watcher.client.call("shutdown")
        assert await asyncio.to_thread(self.wait) == 0, self.said()

    def said(self) -> str:
        return self.output.read_text(errors="replace")[-4000:] if self.output.exists() else ""


@contextlib.contextmanager
def running(base: Path, nursery: Nursery, models: Path, **environment: str) -> Iterator[EngineProcess]:
    """An engine for several tests that knows the models of a folder: importing what runs models takes seconds."""

    async def begin() -> None:
        async with engine.watched() as watcher:
            await watcher.client.call("models.add_folder", path=str(models))

    mine = {**os.environ, "ATELIER_PLUGINS": str(PLUGINS), **environment}  # not that of a test that starts it again
    with EngineProcess(base, nursery, environment=mine) as engine:
        engine.start()
        asyncio.run(begin())
        yield engine
        asyncio.run(engine.stop())


class Watcher:
    """A client and everything it heard."""

    def __init__(self, client: EngineClient):
        self.client = client
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        client.on_event = self._hear

    @classmethod
    async def attach(cls, engine: EngineProcess) -> "Watcher":
        watcher = cls(await engine.connect())
        await watcher.client.call("subscribe")
        return watcher

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, test: Callable[[], Any], what: str = "") -> Any:
        """Waits until the events heard make `test` true."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := test()):
                self._changed.clear()
                await self._changed.wait()
        return found

    def states(self, job: str) -> list[str]:
        return [event.data["state"] for event in self.events if event.kind == "job" and event.job == job]

    def notices(self) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == "notice"]

    async def submit(self, operation: str, _params: dict[str, Any] | None = None, **more: Any) -> str:
        return await self.client.submit(operation, _params or {}, **more)

    async def reached(self, job: str, *states: str) -> dict[str, Any]:
        """The job once it is in one of these states, whether that is heard or found."""
        async with asyncio.timeout(PATIENCE_S):
            async for event in self.client.follow(job):
                if event.kind == "job" and event.data["state"] in states:
                    return event.data
        raise AssertionError(f"{job} ended as {(await self.client.call('job', job=job))['state']}")

    async def ended(self, job: str) -> dict[str, Any]:
        return await self.reached(job, *ENDED)

    async def all_ended(self) -> dict[str, dict[str, Any]]:
        """Every job once none waits or runs any more."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.client.call("jobs", states=["queued", "starting", "running", "cancelling"]))["total"]:
                await asyncio.sleep(0.02)
        return await self.jobs()

    async def jobs(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        while True:
            page = await self.client.call("jobs", offset=len(found), limit=1000)
            found |= {job["id"]: job for job in page["jobs"]}
            if len(found) >= page["total"] or not page["jobs"]:
                return found


def gone(pid: int) -> None:
    """Waits until the process is no more."""
    deadline = time.monotonic() + PATIENCE_S
    while _alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.005)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def check_exactly_once(paths: Paths, jobs: dict[str, dict[str, Any]]) -> None:
    """Results, receipts and the queue tell the same story, and nothing lies about half done."""
    left = [path for path in paths.data.rglob("*") if ".partial" in path.name]
    assert not left, f"half-written: {left}"
    receipts = {path.stem: read_receipt(path) for path in paths.receipts.glob("*.json")}
    files: dict[str, list[Path]] = {}
    for path in paths.library.glob("*/*.md"):
        recipe = read_recipe(path)
        files.setdefault(recipe.job, []).append(path)
    for id, job in jobs.items():
        told = sorted(artifact["path"] for artifact in job["artifacts"])
        assert sorted(map(str, files.pop(id, []))) == told, f"{id} is {job['state']} and told of {told}"
        if job["state"] == "finished":
            receipt = receipts.pop(id)
            assert receipt is not None and receipt["artifacts"] == job["artifacts"]
            if job["operation"] == "probe.echo":
                assert [text_of(path) for path in told] == [job["params"]["text"]]
    assert not files, f"results of no job: {files}"
    assert not receipts, f"receipts of jobs that are not finished: {list(receipts)}"
