"""`studio` as a person calls it: a process for every command, and the engine behind it asked directly."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.engine.client import EngineClient
from studio.paths import Paths
from tests.patience import PATIENCE_S
from tests.worker.engine_rig import PLUGINS, EngineProcess, Nursery


class Studio:
    """The command line on a data folder of its own."""

    def __init__(self, data: Path, **environment: str):
        self.paths = Paths(data)
        self.environment = {**os.environ, "ATELIER_DATA": str(data), "ATELIER_PLUGINS": str(PLUGINS), **environment}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "studio", *arguments]
        pipe = subprocess.PIPE
        # Unbuffered: what was read ahead would be lost to communicate().
        return subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment)

    def __call__(self, *arguments: str, stdin: bytes = b"", expect: int = 0) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        assert process.returncode == expect, (out, err)
        return subprocess.CompletedProcess(arguments, process.returncode, out.decode(), err.decode())

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def newest(self) -> dict[str, Any]:
        """The job that was asked for last."""
        return self.json("jobs", "--limit", "1")["jobs"][0]

    def wait(self, id: str, *states: str) -> dict[str, Any]:
        """The job once it is in one of these states."""

        async def asked() -> dict[str, Any]:
            async with self._client() as client:
                while (job := await client.call("job", job=id))["state"] not in states:
                    await asyncio.sleep(0.02)
                return job

        return asyncio.run(asyncio.wait_for(asked(), PATIENCE_S))

    def ask(self, method: str, **params: Any) -> Any:
        """The running engine's answer, without a process between."""

        async def asked() -> Any:
            async with self._client() as client:
                return await client.call(method, **params)

        return asyncio.run(asyncio.wait_for(asked(), PATIENCE_S))

    def running(self) -> dict[str, Any]:
        """The one job that runs, once one does."""

        async def asked() -> dict[str, Any]:
            async with self._client() as client:
                while not (jobs := (await client.call("jobs", states=["running"]))["jobs"]):
                    await asyncio.sleep(0.02)
                return jobs[0]

        return asyncio.run(asyncio.wait_for(asked(), PATIENCE_S))

    @contextlib.asynccontextmanager
    async def _client(self):
        """A client of the running engine, as soon as one runs."""
        while True:
            with contextlib.suppress(OSError):
                client = await EngineClient.connect(self.paths)
                break
            await asyncio.sleep(0.02)
        try:
            yield client
        finally:
            await client.close()


def on_one_engine(base: Path, nursery: Nursery, **environment: str) -> Iterator[Studio]:
    """A fixture's life: an engine that runs before the first command and is stopped after the last."""
    with EngineProcess(base, nursery) as engine:
        engine.start(**environment)
        yield Studio(engine.paths.data)
        asyncio.run(engine.stop())


def on_its_own(data: Path, **environment: str) -> Iterator[Studio]:
    """A fixture's life: the first command starts the engine."""
    studio = Studio(data, **environment)
    yield studio
    studio("engine", "stop")
