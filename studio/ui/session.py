"""What panels get of the window: calls to the engine, notices, other panels, undo. Implements kit's Session.

One Session per panel: errors of what a panel spawned appear on that panel, and its jobs carry its id.
"""

import asyncio
import logging
import traceback
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from studio.errors import StudioError
from studio.host.discover import Operation, Plugins
from studio.host.loader import load_params
from studio.kit.history import History
from studio.kit.theme import Theme
from studio.library import inputs
from studio.paths import Paths
from studio.sdk.params import Params
from studio.ui.connection import Connection

log = logging.getLogger(__name__)
ShowError = Callable[[StudioError], None]


class Tasks:
    """Coroutines that were started and not awaited; they live here until they end, and die with the window."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], show: ShowError) -> asyncio.Task[Any]:
        """Runs `work`; what it raises goes to `show`."""
        task = asyncio.ensure_future(_guarded(work, show))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """Cancels what still runs and waits until it is gone."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, Any], show: ShowError) -> Any:
    try:
        return await work
    except StudioError as error:
        show(error)
    except Exception as error:
        log.exception("a request of the window failed")
        show(as_studio_error(error, "Something went wrong in the window"))


def as_studio_error(error: BaseException, title: str) -> StudioError:
    """A bug as something that can be shown, with the traceback for the report."""
    if isinstance(error, StudioError):
        return error
    trace = "".join(traceback.format_exception(error))
    return StudioError(
        title, f"{type(error).__name__}: {error}", "Copy the report and send it to us.", code="bug", log=trace
    )


class Notify(Protocol):
    def __call__(self, title: str, detail: str = "", level: str = "info") -> None: ...


@dataclass(frozen=True)
class Services:
    """What all sessions share; made once, by the composition root."""

    connection: Connection
    plugins: Plugins
    paths: Paths
    theme: Theme
    undo: History
    tasks: Tasks
    notify: Notify
    open_panel: Callable[[str, dict[str, Any]], None]


class PanelSession:
    """kit.session.Session for one panel."""

    def __init__(self, services: Services, panel: str, show_error: ShowError):
        self._services, self._panel, self._show_error = services, panel, show_error
        self.theme, self.paths, self.undo = services.theme, services.paths, services.undo

    async def call(self, method: str, **params: Any) -> Any:
        return await self._services.connection.call(method, **params)

    async def call_frames(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> tuple[Any, list[bytes]]:
        return await self._services.connection.call_frames(method, frames, **params)

    async def put_input(self, data: bytes, suffix: str, name: str = "") -> str:
        answer, _ = await self.call_frames("input.put", [data], suffix=suffix, **({"name": name} if name else {}))
        return str(answer["path" if name else "input"])

    def input_path(self, value: str) -> Path:
        return inputs.locate(self.paths.inputs, value)

    async def submit(
        self,
        operation: str,
        params: dict[str, Any],
        *,
        title: str = "",
        origin: str = "",
        priority: str | None = None,
        parents: Sequence[str] = (),
    ) -> str:
        """Queues a job, durably, and gives its id.

        The id is made here: when the engine dies before its answer, the same request is made again, and
        an engine that has the job already changes nothing.
        """
        job = uuid.uuid4().hex
        request = {"job": job, "operation": operation, "params": params, "title": title}
        request |= {"origin": origin or self._panel, "parents": list(parents)}
        if priority is not None:
            request["priority"] = priority
        try:
            await self.call("submit", **request)
        except StudioError as error:
            if error.code != "engine-lost" or not await self._services.connection.come_back():
                raise
            await self.call("submit", **request)
        return job

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._services.tasks.spawn(work, self._show_error)

    def params_class(self, operation_id: str) -> type[Params]:
        return load_params(self._services.plugins.operation(operation_id))

    def operations(self) -> dict[str, Operation]:
        return self._services.plugins.operations()

    async def models(self, capability: str = "") -> list[dict[str, Any]]:
        reply = await self.call("models", **({"capability": capability} if capability else {}))
        return list(reply["models"])

    def open_panel(self, panel_id: str, payload: dict[str, Any] | None = None) -> None:
        self._services.open_panel(panel_id, payload or {})

    def notify(self, title: str, detail: str = "", level: str = "info") -> None:
        self._services.notify(title, detail, level)
