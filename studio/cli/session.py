"""The command line's way to plugins and to the engine. Imports neither until it is used."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.paths import Paths

if TYPE_CHECKING:
    from studio.engine.client import EngineClient
    from studio.host.discover import Plugins

OpenWindow = Callable[[list[str]], int]


@dataclass(frozen=True, slots=True)
class Studio:
    """What every command is given: the folders, and how the window is opened."""

    paths: Paths
    open_window: OpenWindow

    def plugins(self) -> "Plugins":
        """Everything found on disk, without asking the engine."""
        from studio.host.discover import discover, plugin_folders

        return discover(plugin_folders(self.paths))

    @asynccontextmanager
    async def engine(self) -> AsyncIterator["EngineClient"]:
        """A client of the engine, which is started when none runs."""
        from studio.engine import launch

        client = await launch.connect(self._prepared())
        try:
            yield client
        finally:
            await client.close()

    def _prepared(self) -> Paths:
        try:
            return self.paths.prepare()
        except OSError as error:
            raise StudioError(
                "The data folder cannot be used",
                f"{error.filename or self.paths.data}: {error.strerror}",
                "Choose another with --data FOLDER.",
                code="data-folder",
            ) from None

    def ask(self, method: str, **params: Any) -> Any:
        """One question to the engine and its answer."""

        async def question() -> Any:
            async with self.engine() as client:
                return await client.call(method, **params)

        return asyncio.run(question())
