"""What workers say, turned into events of the queue and into news for the clients."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from studio.engine import recovery
from studio.engine.bus import Bus
from studio.engine.live import Live
from studio.engine.results import Results
from studio.engine.worker_process import WorkerProcess
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import Job, Queue
from studio.wire import messages as m

log = logging.getLogger(__name__)
Learn = Callable[[Job, dict[str, Any]], Coroutine[Any, Any, None]]


class Hearing:
    """`post` takes an event of the queue, `learn` what a run of a job was measured to need."""

    def __init__(
        self,
        post: Callable[[ev.QueueEvent], None],
        queue: Queue,
        bus: Bus,
        live: Live,
        results: Results,
        receipts: Path,
        learn: Learn,
    ):
        self._post, self._queue, self._bus, self._live = post, queue, bus, live
        self._results, self._receipts, self._learn = results, receipts, learn
        self._learning: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()

    def ready(self, worker: WorkerProcess, hello: m.Hello) -> None:
        self._post(ev.WorkerReady(worker.id, hello.device, int(hello.facts.get("budget") or 0)))
        self._bus.publish(
            "memory", used=0, total=int(hello.facts.get("memory") or 0), device=hello.device, dtype=hello.dtype
        )

    def gone(self, worker: WorkerProcess, reason: str, tail: str) -> None:
        """Settles what the worker held: complete jobs are done, what the others left in the library goes."""
        died = ev.WorkerDied(worker.id, reason, time.time(), tail, worker.blamed, worker.wanted)
        task = asyncio.get_running_loop().create_task(self._settle(died))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def settle(self) -> None:
        """Waits until the queue has been told of every worker that is gone."""
        while self._settling:
            await asyncio.wait(self._settling)

    async def _settle(self, died: ev.WorkerDied) -> None:
        known = self._queue.workers.get(died.worker)
        held = set(known.running) if known else set()
        for job in sorted(held):
            receipt = recovery.read_receipt(self._receipts, job)
            if receipt is not None:
                held.discard(job)
                at = float(receipt.get("at") or died.at)
                self._post(ev.JobDone(job, at, list(receipt.get("artifacts", [])), dict(receipt.get("facts", {}))))
        try:
            if held:
                await self._results.drop_leftovers(held)
        except (StudioError, OSError) as error:
            log.warning("what the worker left in the library stays: %s", error)
        finally:
            self._post(died)

    def heard(self, worker: WorkerProcess, message: m.Message) -> None:
        now = time.time()
        match message:
            case m.Progress():
                self._list(message.job)
                self._bus.publish("progress", message.job, **self._live.progress(message))
            case m.Stream():
                self._live.stream(message)
                item = {"item": message.item} if message.item else {}
                self._bus.publish("stream", message.job, at=message.at, text=message.text, **item)
            case m.Preview():
                self._live.preview(message)
                self._bus.publish("preview", message.job, message.frames, media=message.media)
            case m.Saved():
                self._list(message.job)
                self._bus.publish("saved", message.job, artifact=self._live.saved(message))
            case m.Running():
                self._post(ev.JobRunning(message.job, now))
            case m.Done():
                self._post(ev.JobDone(message.job, now, message.artifacts, message.facts))
            case m.Failed():
                self._post(ev.JobFailed(message.job, now, message.error, message.artifacts))
            case m.Cancelled():
                self._post(ev.JobCancelledByWorker(message.job, now, message.artifacts, message.facts))
            case m.Paused():
                self._post(ev.JobPaused(message.job))
            case m.Resumed():
                self._post(ev.JobResumed(message.job))
            case m.Baton():
                self._post(ev.BatonMoved(worker.id, message.job))
            case m.Memory():
                self._post(ev.ResidentsChanged(worker.id, tuple(message.residents)))
                self._bus.publish("memory", used=message.used, total=message.total, residents=message.residents)
                self._measured(message.measured)
            case _:
                log.warning("a worker does not say %s", type(message).__name__)

    def _list(self, job: str) -> None:
        """Results of a job that went on after it had saved them: people see them, so they are the library's.

        The last ones wait for the job's end. A job of one result that dies before its receipt thus leaves none.
        """
        if found := self._live.unlisted(job):
            self._results.add(found)

    def _measured(self, measured: dict[str, Any]) -> None:
        job = self._queue.jobs.get(str(measured.get("job")))
        if job is not None:
            task = asyncio.get_running_loop().create_task(self._learned(job, measured))
            self._learning.add(task)
            task.add_done_callback(self._learning.discard)

    async def _learned(self, job: Job, measured: dict[str, Any]) -> None:
        try:
            await self._learn(job, measured)
        except StudioError as error:
            log.info("nothing was learned from %s: %s", job.id, error)
