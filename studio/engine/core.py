"""The engine: puts its parts together and tells each what concerns it.

Everything that waits (the disk, the catalogue, the library) waits in a thread; the loop only decides.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio.engine import crash, housekeeping, recovery
from studio.engine.admission import Admission, machine_budget
from studio.engine.bus import Bus
from studio.engine.corrections import Corrections
from studio.engine.dispatch import Dispatch
from studio.engine.hearing import Hearing
from studio.engine.live import Live
from studio.engine.pictures import Pictures
from studio.engine.pump import Pump
from studio.engine.results import Results
from studio.engine.settings import SettingsFile
from studio.engine.supervisor import Supervisor
from studio.errors import StudioError
from studio.host.discover import Plugins, discover, plugin_folders
from studio.hub.catalogue import Catalogue
from studio.jobs import events as ev
from studio.jobs.state import ENDED, Queue
from studio.paths import Paths
from studio.wire import messages as m

log = logging.getLogger(__name__)


class Engine:
    """The engine of one data folder. The caller holds the folder's lock."""

    def __init__(
        self, paths: Paths, plugin_folders_: Sequence[Path] | None = None, worker_argv: Sequence[str] | None = None
    ):
        self.paths = paths.prepare()
        self.settings = SettingsFile(paths.settings)
        self.notices: list[StudioError] = [self.settings.notice] if self.settings.notice else []
        self._plugin_folders = plugin_folders(paths) if plugin_folders_ is None else list(plugin_folders_)
        self.plugins = self._discover()
        self.bus, self.live, self.queue = Bus(), Live(), Queue()
        self.catalogue = Catalogue(self.model_folders(), paths.data / "models.json")
        self.admission = Admission(self.plugins, self.catalogue, Corrections(paths.data / "memory.json"), paths.inputs)
        self.results = Results(paths, self.library_folder(), self.bus)
        self.pictures = Pictures(paths.thumbnails)
        self.hearing = Hearing(
            self.post, self.queue, self.bus, self.live, self.results, paths.receipts, self.admission.learn
        )
        self.supervisor = Supervisor(paths, self.queue, self._watchdog_of, self.hearing, self.bus.notice, worker_argv)
        self.dispatch = Dispatch(
            self.post, self.supervisor.send, self.admission, self.results, self.live, paths.receipts, paths.data
        )
        record = os.environ.get("ATELIER_EVENT_LOG")
        self.pump = Pump(
            self.queue,
            self.dispatch.start,
            self._perform,
            self._complain,
            keep_ended=self.settings.values.keep_ended,
            record=Path(record) if record else None,
        )
        self._budget = machine_budget()
        self._opening: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[Any] | None = None
        self._tidied = float("-inf")

    # Settings that others ask for ---------------------------------------------------------------------

    def library_folder(self) -> Path:
        chosen = self.settings.values.library_folder
        return Path(chosen) if chosen else self.paths.library

    def model_folders(self) -> list[Path]:
        return [self.paths.models, *(Path(folder) for folder in self.settings.values.model_folders)]

    async def change_setting(self, key: str, value: Any) -> None:
        """Changes a setting and what follows from it. Raises StudioError when it cannot be."""
        if key == "library_folder" and value:
            value = str(await self.results.usable_folder(str(value)))
        self.settings.set(key, value)
        if key == "library_folder":
            await self.results.use_folder(self.library_folder())
        elif key == "model_folders":
            await self.rescan()
        elif key == "disabled_plugins":
            self.plugins = self.admission.plugins = self._discover()

    async def rescan(self) -> int:
        """Looks at the model folders again and tells the clients; how many models there are."""
        self.catalogue.set_folders(self.model_folders())
        found = await asyncio.to_thread(self.catalogue.scan)
        self.bus.publish("models")
        return len(found)

    @property
    def budget(self) -> int:
        """Bytes a job may need: what the roomiest worker said, or the machine's share before one came."""
        return max((worker.budget for worker in self.queue.workers.values()), default=0) or self._budget

    def _discover(self) -> Plugins:
        return discover(self._plugin_folders, self.settings.values.disabled_plugins)

    def _watchdog_of(self, operation: str) -> float:
        override = os.environ.get("ATELIER_WATCHDOG")
        if override:
            return float(override)
        found = self.plugins.operations().get(operation)
        return found.entry.watchdog_s if found else 120.0

    # Life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads the journal, takes up what was left, and begins to work. Raises StudioError."""
        crash.point("restore.before")
        jobs, meta, notices = await self.pump.open(self.paths.journal)
        self.notices += notices
        crash.point("restore.before_sweep")
        if not notices:  # a queue that was put aside may be brought back, and then needs its receipts
            recovery.sweep_receipts(self.paths.receipts, (str(job.get("id")) for job in jobs))
        crash.point("restore.after_sweep")
        events = recovery.restored(jobs, meta, self.paths.receipts, time.time())
        self.notices += await self.pump.restore(events)
        crash.point("restore.after")
        self.pump.run()
        self._opening = asyncio.create_task(self._open(), name="opening")

    async def _open(self) -> None:
        """Clears the library of what killed workers left; before that nobody may write to it."""
        unfinished = {job.id for job in self.queue.jobs.values() if job.state not in ENDED}
        try:
            notice = await self.results.open(unfinished)
        except StudioError as error:
            notice = error
        if notice is not None:
            self.notices.append(notice)
            self._complain(notice)
        self.supervisor.start()
        self._tidy()

    def _tidy(self) -> None:
        """Clears old steps in a thread, now and then."""
        now = asyncio.get_running_loop().time()
        if now - self._tidied < housekeeping.PAUSE_S or (self._tidying and not self._tidying.done()):
            return
        self._tidied = now
        busy = {job.id for job in self.queue.jobs.values() if job.state not in ENDED}
        self._tidying = asyncio.create_task(asyncio.to_thread(housekeeping.trim_steps, self.paths.steps, busy))

    async def stop(self) -> None:
        """Stops workers, lets what they said last become durable, closes the journal."""
        if self._opening is not None:
            await self._opening
        if self._tidying is not None:
            await asyncio.wait([self._tidying])
        await self.supervisor.stop()
        await self.hearing.settle()
        await self.dispatch.settle()
        await self.pump.close()
        await self.results.close()
        self.pictures.close()

    @property
    def busy(self) -> bool:
        """Whether there is work that the engine must stay for."""
        queue = self.queue
        on_worker = any(queue.active(worker) for worker in queue.workers.values())
        return on_worker or not self.pump.empty or (not queue.held and queue.waiting_count() > 0)

    # Events and effects -------------------------------------------------------------------------------

    def post(self, event: ev.QueueEvent) -> None:
        """Takes an event; what follows from it happens soon."""
        self.pump.post(event)

    async def tell(self, event: ev.QueueEvent) -> None:
        """Takes an event and returns when it is durable. Raises StudioError when the disk refuses a new job."""
        await self.pump.tell(event)

    def _perform(self, effect: ev.Effect, value: Any) -> None:
        match effect:
            case ev.Announce():
                self._announce(value)
            case ev.Tell():
                kinds: dict[str, Callable[[str], m.Message]] = {
                    "cancel": m.Cancel,
                    "pause": m.Pause,
                    "resume": m.Resume,
                }
                self.dispatch.tell(effect.worker, effect.job, kinds[effect.what](effect.job))
            case ev.WantWorker():
                self.supervisor.want()
            case ev.SaveHeld():
                self.publish_counts()
            case ev.Erase():
                recovery.receipt_path(self.paths.receipts, effect.job).unlink(missing_ok=True)
                self.publish_counts()

    def _announce(self, job: dict[str, Any]) -> None:
        self.bus.publish("job", job["id"], **job)
        if job["state"] in ENDED:
            self.live.forget(job["id"])
            if job["artifacts"]:
                self.results.add(job["artifacts"])
            self._tidy()
        self.publish_counts()

    def _complain(self, error: StudioError) -> None:
        self.bus.notice(error.title, error.detail, error.hint, level="error")

    def prewarm(self, operation: str) -> None:
        """Has a worker import what the operation needs. Raises StudioError when there is no such operation."""
        found = self.plugins.operation(operation)
        self.supervisor.prewarm(operation, m.Prewarm(found.plugin.place(found.entry.backend)))

    def publish_counts(self) -> None:
        self.bus.publish("queue", **self.counts())

    def counts(self) -> dict[str, Any]:
        running = sum(len(self.queue.active(worker)) for worker in self.queue.workers.values())
        return {"waiting": self.queue.waiting_count(), "running": running, "held": self.queue.held}
