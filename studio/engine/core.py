"""The engine: takes events one after another through the queue machine, makes them durable, performs the rest.

Owns the order of things: what a client is told has been written first. Everything that waits (the disk,
the catalogue, the library) waits in a thread; the loop only decides.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from studio.engine import crash
from studio.engine.admission import Admission, machine_budget
from studio.engine.bus import Bus
from studio.engine.dispatch import Dispatch
from studio.engine.hearing import Hearing
from studio.engine.journal import Commit, Journal
from studio.engine.live import Live
from studio.engine.results import Results
from studio.engine.settings import SettingsFile
from studio.engine.supervisor import Supervisor
from studio.errors import StudioError
from studio.host.discover import Plugins, discover, plugin_folders
from studio.hub.catalogue import Catalogue
from studio.jobs import events as ev
from studio.jobs import machine
from studio.jobs.state import ENDED, JobState, Queue
from studio.library import atomic, writer
from studio.paths import Paths
from studio.wire import messages as m

log = logging.getLogger(__name__)
RETRY_S = 1.0
CHANGES: dict[type[ev.QueueEvent], str] = {
    ev.Submitted: "submit",
    ev.JobDone: "done",
    ev.JobFailed: "done",
    ev.JobCancelledByWorker: "done",
    ev.Forgotten: "erase",
}

Pending = tuple[ev.QueueEvent, "asyncio.Future[None] | None"]


class Engine:
    """The engine of one data folder. The caller holds the folder's lock."""

    def __init__(
        self, paths: Paths, plugin_folders_: Sequence[Path] | None = None, worker_argv: Sequence[str] | None = None
    ):
        self.paths = paths.prepare()
        self.settings = SettingsFile(paths.data / "engine.json")
        folders = plugin_folders(paths) if plugin_folders_ is None else list(plugin_folders_)
        self.plugins: Plugins = discover(folders, self.settings.values.disabled_plugins)
        self.bus, self.live, self.queue = Bus(), Live(), Queue()
        self.catalogue = Catalogue(self.model_folders(), paths.data / "models.json")
        self.admission = Admission(self.plugins, self.catalogue)
        self.results = Results(paths, self.library_folder(), self.bus)
        self.supervisor = Supervisor(
            paths, self.queue, self._watchdog_of, Hearing(self.post, self.bus, self.live), self.bus.notice, worker_argv
        )
        self._dispatch = Dispatch(
            self.post, self.supervisor.send, self.admission, self.results, self.live, paths.receipts
        )
        self.notices: list[StudioError] = []
        self._events: asyncio.Queue[Pending] = asyncio.Queue()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._journal: Journal | None = None
        self._unsaved = Commit()
        self._ended: list[str] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._budget = machine_budget()
        self._record: IO[str] | None = None

    # Settings that others ask for ---------------------------------------------------------------------

    def library_folder(self) -> Path:
        chosen = self.settings.values.library
        return Path(chosen) if chosen else self.paths.library

    def model_folders(self) -> list[Path]:
        return [self.paths.models, *(Path(folder) for folder in self.settings.values.model_folders)]

    @property
    def budget(self) -> int:
        """Bytes a job may need: what the roomiest worker said, or the machine's share before one came."""
        return max((worker.budget for worker in self.queue.workers.values()), default=0) or self._budget

    def _watchdog_of(self, operation: str) -> float:
        override = os.environ.get("ATELIER_WATCHDOG")
        if override:
            return float(override)
        found = self.plugins.operations().get(operation)
        return found.entry.watchdog_s if found else 120.0

    # Life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads the journal, takes up what was left, and begins to work."""
        loop = asyncio.get_running_loop()
        record = os.environ.get("ATELIER_EVENT_LOG")
        self._record = Path(record).open("a", encoding="utf-8") if record else None  # noqa: SIM115 - closed in stop
        crash.point("restore.before")
        self._journal = journal = await loop.run_in_executor(self._disk, Journal, self.paths.journal)
        jobs, meta = await loop.run_in_executor(self._disk, journal.load)
        self.notices += journal.notices
        if self.settings.notice:
            self.notices.append(self.settings.notice)
        await loop.run_in_executor(self._disk, journal.backup)
        self._restore(jobs, meta)
        crash.point("restore.after")
        await self.results.open()
        self.supervisor.start()
        self._tasks.append(loop.create_task(self._pump(), name="pump"))
        self._tasks.append(loop.create_task(self._clock(), name="clock"))

    def _restore(self, jobs: list[dict[str, Any]], meta: dict[str, str]) -> None:
        """Feeds the journal's jobs to the queue; what a receipt says is finished never runs again."""
        atomic.sweep(self.paths.receipts, depth=0)
        known = {str(job["id"]) for job in jobs}
        for path in self.paths.receipts.glob("*.json"):
            if path.stem not in known:
                path.unlink(missing_ok=True)
        work = Commit()
        if meta.get("held") == "1":
            self._handle(ev.Held(True), work)
        for values in jobs:
            receipt = None
            if values.get("state") not in ENDED:
                receipt = writer.read_receipt(self.paths.receipts / f"{values['id']}.json")
            try:
                self._handle(ev.Restored(values, receipt), work)
            except (TypeError, ValueError, KeyError) as error:
                self.notices.append(
                    StudioError(
                        "A job of the journal could not be read", f"{values.get('id')}: {error}.", code="journal"
                    )
                )
                continue
            job = self.queue.jobs[str(values["id"])]
            if receipt is not None and job.artifacts:
                self.results.add(job.artifacts)
            if job.state in ENDED:
                self._ended.append(job.id)
        assert self._journal is not None
        if work:
            self._journal.commit(work)

    async def stop(self) -> None:
        """Stops workers, lets what they said last become durable, closes the journal."""
        await self.supervisor.stop()
        await self._events.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        loop = asyncio.get_running_loop()
        if self._journal is not None:
            if self._unsaved:
                try:
                    await loop.run_in_executor(self._disk, self._journal.commit, self._unsaved)
                except StudioError as error:
                    log.warning("%s", error)
            await loop.run_in_executor(self._disk, self._journal.close)
        self._disk.shutdown()
        await self.results.close()
        if self._record:
            self._record.close()

    @property
    def busy(self) -> bool:
        """Whether there is work that the engine must stay for."""
        queue = self.queue
        on_worker = any(queue.active(worker) for worker in queue.workers.values())
        return on_worker or not self._events.empty() or (not queue.held and queue.waiting_count() > 0)

    # Events -------------------------------------------------------------------------------------------

    def post(self, event: ev.QueueEvent) -> None:
        """Takes an event; what follows from it happens soon."""
        self._events.put_nowait((event, None))

    async def tell(self, event: ev.QueueEvent) -> None:
        """Takes an event and returns when it is durable. Raises StudioError when the disk refuses a new job."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._events.put_nowait((event, done))
        await done

    async def _pump(self) -> None:
        """Takes everything that has come, writes it as one transaction, then acts on it."""
        while True:
            batch = [await self._events.get()]
            while not self._events.empty():
                batch.append(self._events.get_nowait())
            try:
                await self._take(batch)
            except Exception:  # a bug in one batch must not stop the queue for ever
                log.exception("a batch of events failed")
                for _, done in batch:
                    if done is not None and not done.done():
                        done.set_exception(StudioError("The engine failed on this request", "See its log.", code="bug"))
            for _ in batch:
                self._events.task_done()

    async def _take(self, batch: list[Pending]) -> None:
        refused = await self._admit(batch)
        work, effects, kinds = Commit(), [], set()
        for event, _ in batch:
            if isinstance(event, ev.Submitted) and event.job["id"] in refused:
                continue
            if isinstance(event, ev.JobDone):
                crash.point("done.before_handle")
            effects += self._handle(event, work)
            kinds.add(CHANGES.get(type(event), "change"))
            if isinstance(event, ev.Submitted):
                self._is_saved(event.job["id"], work)
        self._forget_old(work)
        # A start need not be durable: without it the job is found waiting, and its receipt tells if it was complete.
        for effect, _ in effects:
            if isinstance(effect, ev.Start):
                self._dispatch.start(effect)
        await self._save(work, kinds - {"submit"})
        for effect, value in effects:
            self._perform(effect, value)
        for event, done in batch:
            if done is None or done.done():
                continue
            problem = refused.get(event.job["id"]) if isinstance(event, ev.Submitted) else None
            if problem is not None:
                done.set_exception(problem)
            else:
                done.set_result(None)

    def _is_saved(self, id: str, work: Commit) -> None:
        """Leaves out the row that `_admit` wrote, unless more than starting has become of the job."""
        if self.queue.jobs[id].state in (JobState.QUEUED, JobState.STARTING):
            work.saves.pop(id, None)

    async def _admit(self, batch: list[Pending]) -> dict[str, StudioError]:
        """Makes new jobs durable before the queue knows them, so that one the disk refuses was never there."""
        work, seq = Commit(), self.queue.next_seq
        for event, _ in batch:
            if isinstance(event, ev.Submitted) and event.job["id"] not in self.queue.jobs:
                job = {**event.job, "seq": seq, "position": float(seq), "state": JobState.QUEUED, "created": event.at}
                work.save(job)
                seq += 1
        if not work:
            return {}
        try:
            await self._commit(work, {"submit"})
        except StudioError as problem:
            return dict.fromkeys(work.saves, problem)
        return {}

    async def _save(self, work: Commit, kinds: set[str]) -> None:
        """Writes changes; what the disk refuses is kept and tried again. A change lost is a job run once more."""
        self._unsaved.merge(work)
        if not self._unsaved:
            return
        saving, self._unsaved = self._unsaved, Commit()
        try:
            await self._commit(saving, kinds)
        except StudioError as problem:
            saving.merge(self._unsaved)
            self._unsaved = saving
            self.bus.notice(problem.title, problem.detail, problem.hint, level="error")
            asyncio.get_running_loop().call_later(RETRY_S, self.post, ev.Ticked(time.time()))

    async def _commit(self, work: Commit, kinds: set[str]) -> None:
        for kind in kinds:
            crash.point(f"{kind}.before_commit")
        assert self._journal is not None
        await asyncio.get_running_loop().run_in_executor(self._disk, self._journal.commit, work)
        for kind in kinds:
            crash.point(f"{kind}.after_commit")

    def _handle(self, event: ev.QueueEvent, work: Commit) -> list[tuple[ev.Effect, Any]]:
        """One event through the machine. Of several changes of one job by it, only the last is announced."""
        if self._record:
            self._record.write(json.dumps(ev.to_json(event)) + "\n")
            self._record.flush()
        _, effects = machine.handle(self.queue, event)
        found: list[tuple[ev.Effect, Any]] = []
        last = {effect.job.id: i for i, effect in enumerate(effects) if isinstance(effect, ev.Announce)}
        for i, effect in enumerate(effects):
            if isinstance(effect, ev.Save):
                work.save(effect.job.to_dict())
            elif isinstance(effect, ev.Erase):
                work.erase(effect.job)
            elif isinstance(effect, ev.SaveHeld):
                work.meta["held"] = "1" if effect.held else "0"
                found.append((effect, None))
            elif isinstance(effect, ev.Announce):
                if last[effect.job.id] == i:
                    found.append((effect, effect.job.to_dict()))
            else:
                found.append((effect, None))
        return found

    def _forget_old(self, work: Commit) -> None:
        """Keeps the history of ended jobs to its length. Their receipts are swept at the next start."""
        extra = len(self._ended) - self.settings.values.keep_ended
        if extra > 0:
            old, self._ended = self._ended[:extra], self._ended[extra:]
            for id in old:
                self._handle(ev.Forgotten(id), work)

    # Effects ------------------------------------------------------------------------------------------

    def _perform(self, effect: ev.Effect, value: Any) -> None:
        if isinstance(effect, ev.Announce):
            self._announce(value)
        elif isinstance(effect, ev.Tell):
            kinds: dict[str, Callable[[str], m.Message]] = {"cancel": m.Cancel, "pause": m.Pause, "resume": m.Resume}
            self.supervisor.send(effect.worker, kinds[effect.what](effect.job))
        elif isinstance(effect, ev.WantWorker):
            self.supervisor.want()
        elif isinstance(effect, ev.SaveHeld):
            self.publish_counts()

    def _announce(self, job: dict[str, Any]) -> None:
        id, state = job["id"], job["state"]
        self.bus.publish("job", id, **job)
        if state in ENDED:
            self.live.forget(id)
            self._ended.append(id)
            if job["artifacts"]:
                self.results.add(job["artifacts"])
        self.publish_counts()

    def prewarm(self, operation: str) -> None:
        """Has a worker import what the operation needs. Raises StudioError when there is no such operation."""
        found = self.plugins.operation(operation)
        place = {"folder": str(found.plugin.folder), "package": found.plugin.package, "target": found.entry.backend}
        self.supervisor.prewarm(operation, m.Prewarm(place))

    def publish_counts(self) -> None:
        self.bus.publish("queue", **self.counts())

    def counts(self) -> dict[str, Any]:
        running = sum(len(self.queue.active(worker)) for worker in self.queue.workers.values())
        return {"waiting": self.queue.waiting_count(), "running": running, "held": self.queue.held}

    async def _clock(self) -> None:
        """Wakes jobs whose window has come, and tries again what the disk refused."""
        while True:
            await asyncio.sleep(RETRY_S)
            if self.queue.blocked:
                self.post(ev.Ticked(time.time()))
