"""The library as the engine sees it: an index kept up to date in a thread of its own, and news of what changed."""

import asyncio
import functools
import logging
import re
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from studio.engine.bus import Bus
from studio.errors import StudioError
from studio.library import atomic
from studio.library import folder as disk
from studio.library.index import Changes, Index
from studio.library.recipe import beside
from studio.paths import Paths
from studio.sdk.artifact import Artifact

log = logging.getLogger(__name__)
T = TypeVar("T")
OF_JOB = re.compile(r"-([A-Za-z0-9_]{1,64})-[0-9]+\.[a-z0-9]+$")


class Results:
    """Owns the index of one library folder."""

    def __init__(self, paths: Paths, folder: Path, bus: Bus):
        self._paths, self.folder, self._bus = paths, folder, bus
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="library")
        self._index: Index | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self, unfinished: Collection[str]) -> StudioError | None:
        """Clears the folder of what killed processes left of `unfinished` jobs, then looks for what others changed.

        Nobody may be writing to the folder until this returns. What is to be said about the index.
        """
        await self._in_thread(lambda: self._tidy(unfinished))
        notice = await self.call(lambda index: index.notice)
        self._spawn(self._reconcile())
        return notice

    async def drop_leftovers(self, jobs: Collection[str]) -> None:
        """Removes files of these jobs that nobody was told of: they run again from the start."""
        await self._in_thread(lambda: self._drop_leftovers(jobs))

    async def usable_folder(self, name: str) -> Path:
        """The folder of that name, made if need be. Raises StudioError when it cannot hold results."""
        path = Path(name).expanduser()
        if not path.is_absolute():
            raise StudioError("The folder needs its whole path", name, code="bad-request")
        if path.exists() and not path.is_dir():
            raise StudioError("This is a file, not a folder", str(path), code="bad-request")

        def probe() -> None:
            with atomic.explained(path, None):
                path.mkdir(parents=True, exist_ok=True)
            atomic.write_file(path / ".writable", b"")
            (path / ".writable").unlink(missing_ok=True)

        await asyncio.to_thread(probe)
        return path

    async def use_folder(self, folder: Path) -> None:
        """Moves to another library folder; results made so far stay where they are."""
        await self._in_thread(self._close)
        self.folder = folder
        self._spawn(self._reconcile())

    async def close(self) -> None:
        for task in list(self._tasks):
            await asyncio.wait([task], timeout=10)
        await self._in_thread(self._close)
        self._thread.shutdown()

    def prepare(self) -> Path:
        """The folder, which is made when it is not there. Raises StudioError when the disk refuses."""
        if not self.folder.is_dir():
            try:
                with atomic.explained(self.folder, None):
                    self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StudioError(
                    "The library's folder cannot be used",
                    f"{self.folder}: {error.strerror or error}.",
                    "Choose another folder in the settings, or clear the way.",
                    code="no-folder",
                ) from error
        return self.folder

    def add(self, artifacts: list[dict[str, Any]]) -> None:
        """Lists new results soon, and says so."""
        self._spawn(self._add([Artifact.model_validate(artifact) for artifact in artifacts]))

    async def call(self, work: Callable[[Index], T]) -> T:
        """Runs `work` on the index in its thread."""
        return await self._in_thread(lambda: work(self._opened()))

    async def change(self, work: Callable[[Index], Changes]) -> Changes:
        """As `call`, and tells the clients what is different then."""
        changes = await self.call(work)
        if changes.changed or changes.removed:
            self._bus.publish("library", changed=changes.changed, removed=changes.removed)
        return changes

    async def _add(self, artifacts: list[Artifact]) -> None:
        await self.call(lambda index: [index.add(artifact) for artifact in artifacts])
        self._bus.publish("library", changed=[artifact.id for artifact in artifacts], removed=[])

    def _tidy(self, unfinished: Collection[str]) -> None:
        if self.folder.is_dir():
            disk.sweep(self.folder)
            self._drop_leftovers(unfinished)

    def _drop_leftovers(self, jobs: Collection[str]) -> None:
        """What the index knows was told to people: kept by a cancel, or of an attempt before a retry."""
        for path in published(self.folder, jobs):
            if not self._opened().holds(path):
                log.info("removing %s, which its job did not live to tell of", path)
                path.unlink(missing_ok=True)
                beside(path).unlink(missing_ok=True)

    async def _reconcile(self) -> None:
        await self.change(lambda index: index.reconcile())

    def _opened(self) -> Index:
        if self._index is None:
            self._index = Index(self._paths.data / "library.sqlite", self.folder)
        return self._index

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(work))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StudioError):
            self._bus.notice(error.title, error.detail, error.hint)
        elif error is not None:
            log.error("the library failed", exc_info=error)


def published(folder: Path, jobs: Collection[str]) -> list[Path]:
    """Files in the library whose names say that they are of these jobs."""
    found: list[Path] = []
    if not jobs or not folder.is_dir():
        return found
    for month in folder.iterdir():
        if month.is_dir() and not month.name.startswith("."):
            named = ((OF_JOB.search(path.name), path) for path in month.iterdir())
            found += [path for match, path in named if match and match[1] in jobs]
    return sorted(found)
