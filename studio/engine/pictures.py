"""Picture files as the engine reads them: few at a time, in threads of their own, so that results and jobs go first."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from studio.errors import StudioError
from studio.library import pictures
from studio.library.thumbnail_store import ThumbnailStore

T = TypeVar("T")
MOST = 64
"""Thumbnails of one request."""

Made = tuple[bytes, StudioError | None]


class Pictures:
    """Owns the kept thumbnails and the threads that decode pictures."""

    def __init__(self, folder: Path):
        self.store = ThumbnailStore(folder)
        # Half of the processors: a window that scrolls needs one too.
        most = max(1, min(4, (os.cpu_count() or 2) // 2))
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="pictures", initializer=_give_way)

    async def about(self, path: Path) -> dict[str, Any]:
        """What a picture file is and says. Raises StudioError."""
        return await self._run(lambda: pictures.about(path))

    async def thumbnails(self, wanted: Sequence[tuple[Path, str]], size: int) -> list[Made]:
        """One for each (path, kind), in order; nothing and the reason for those that cannot be shown."""
        return list(await asyncio.gather(*(self._run(lambda w=w: self._thumbnail(*w, size)) for w in wanted)))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _thumbnail(self, path: Path, kind: str, size: int) -> Made:
        try:
            return self.store.get(path, kind, size) or b"", None
        except StudioError as error:
            return b"", error

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _give_way() -> None:
    """Lets the window's thread go first; on Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
