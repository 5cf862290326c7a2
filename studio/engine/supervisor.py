"""The workers: started when wanted, watched, ended when they hang, replaced with growing patience.

Turns what happens to processes into events of the queue and effects of the queue into messages. Time is
counted in small capped ticks, so a machine that slept does not make its workers look hung.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from studio.engine.hearing import Hearing
from studio.engine.worker_process import WorkerProcess, command, prune_logs
from studio.jobs.state import JobState, Queue
from studio.paths import Paths
from studio.wire import messages as m

log = logging.getLogger(__name__)
TICK_S = 0.25
HELLO_S = 600.0  # a first probe of the device may try several children, each importing torch from a cold disk
GRACE_S = 10.0
LONGEST_BACKOFF_S = 30.0
DEATHS_TO_NAME = 3
DEATHS_WINDOW_S = 300.0
# What shows that a job moves, when it has the device; and what shows that the device changes hands.
SIGNS = (m.Progress, m.Stream, m.Preview, m.Saved, m.Running)
CHANGES = (m.Paused, m.Resumed, m.Baton, m.Done, m.Failed, m.Cancelled)

Watchdog = Callable[[str], float]


class Supervisor:
    """Owns the worker processes of one engine.

    hearing is told what happened; notice says what people should know; watchdog gives the seconds of silence
    that a job of an operation may take. No worker is started before `start`.
    """

    def __init__(
        self,
        paths: Paths,
        queue: Queue,
        watchdog: Watchdog,
        hearing: Hearing,
        notice: Callable[..., None],
        argv: Sequence[str] | None = None,
    ):
        self._paths, self._queue, self._watchdog, self._notice = paths, queue, watchdog, notice
        self._hearing = hearing
        self._argv = list(argv or command("worker"))
        self.workers: dict[str, WorkerProcess] = {}
        self._quiet: dict[str, float] = {}
        self._warned: set[str] = set()
        self._cancelling: dict[str, float] = {}
        self._early_deaths = 0
        self._not_before = 0.0
        self._deaths: dict[str, deque[float]] = {}
        self._prewarm: dict[str, m.Prewarm] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._open = False
        self._grace = float(os.environ.get("ATELIER_CANCEL_GRACE", GRACE_S))

    def start(self) -> None:
        prune_logs(self._paths.logs)
        self._open = True
        self._ticker = asyncio.create_task(self._watch(), name="watchdog")

    async def stop(self) -> None:
        self._open = False
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.gather(*(worker.stop() for worker in list(self.workers.values())))

    def want(self) -> None:
        """Starts a worker unless there is one, or the last ones died too fast; then the ticker does it later."""
        if self.workers or not self._open or time.monotonic() < self._not_before:
            return
        worker = WorkerProcess(self._paths, self._argv, self._ready, self._message, self._gone)
        self.workers[worker.id] = worker
        self._quiet[worker.id] = 0.0
        worker.start()

    def prewarm(self, operation: str, message: m.Prewarm) -> None:
        """Has a worker import a backend before it is needed."""
        self._prewarm[operation] = message
        ready = [worker for worker in self.workers.values() if worker.hello]
        for worker in ready:
            worker.send(message)
        self.want()

    def send(self, worker: str, message: m.Message) -> None:
        if worker in self.workers:
            self.workers[worker].send(message)

    def _ready(self, worker: WorkerProcess, hello: m.Hello) -> None:
        self._quiet[worker.id] = 0.0
        self._hearing.ready(worker, hello)
        for message in self._prewarm.values():
            worker.send(message)

    def _message(self, worker: WorkerProcess, message: m.Message) -> None:
        if isinstance(message, CHANGES) or (isinstance(message, SIGNS) and message.job == self._holder(worker)):
            self._quiet[worker.id] = 0.0
            self._warned.discard(worker.id)
            self._early_deaths = 0
        if isinstance(message, m.Baton) and message.job in self._cancelling:
            self._cancelling[message.job] = 0.0  # a cancelled job that had to wait for the device finishes now
        self._hearing.heard(worker, message)

    def _holder(self, worker: WorkerProcess) -> str:
        """The job that has the device; the first that wants it while the worker has not said."""
        known = self._queue.workers.get(worker.id)
        if known is None:
            return ""
        active = self._queue.active(known)
        return known.baton or (min(active, key=lambda job: (job.priority, job.seq)).id if active else "")

    def _gone(self, worker: WorkerProcess, reason: str, tail: str) -> None:
        self.workers.pop(worker.id, None)
        self._quiet.pop(worker.id, None)
        self._warned.discard(worker.id)
        if not worker.wanted:
            log.warning("%s\n%s", reason, tail)
            if worker.hello is None:
                self._failed_to_start(reason, tail)
            else:
                self._count_death(worker)
        self._hearing.gone(worker, reason, tail)

    def _failed_to_start(self, reason: str, tail: str) -> None:
        self._early_deaths += 1
        wait = min(LONGEST_BACKOFF_S, 0.5 * 2**self._early_deaths)
        self._not_before = time.monotonic() + wait
        last = tail.strip().splitlines()[-1:] or [""]
        self._notice("The worker process does not start", f"{reason} {last[0]}", f"It is tried again in {wait:.0f} s.")

    def _count_death(self, worker: WorkerProcess) -> None:
        """Names the plugin whose jobs keep killing workers."""
        now = time.monotonic()
        known = self._queue.workers.get(worker.id)
        guilty = worker.blamed or (known.baton if known else "")
        job = self._queue.jobs.get(guilty)
        if job is None:
            return
        plugin = job.operation.partition(".")[0]
        deaths = self._deaths.setdefault(plugin, deque(maxlen=DEATHS_TO_NAME))
        deaths.append(now)
        if len(deaths) == DEATHS_TO_NAME and now - deaths[0] < DEATHS_WINDOW_S:
            deaths.clear()
            self._notice(
                f"The plugin {plugin} keeps ending its worker",
                f"{DEATHS_TO_NAME} times within five minutes.",
                "Jobs that did so twice do not run again by themselves.",
                plugin=plugin,
            )

    # Watching -----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            passed, last = min(now - last, 1.0), now
            if not self.workers and any(self._queue.waiting.values()) and not self._queue.held:
                self.want()
            for worker in list(self.workers.values()):
                self._check(worker, passed)

    def _check(self, worker: WorkerProcess, passed: float) -> None:
        known = self._queue.workers.get(worker.id)
        if known is None:
            self._quiet[worker.id] += passed
            if worker.hello is None and self._quiet[worker.id] > HELLO_S:
                worker.kill(f"The worker did not come up within {HELLO_S:.0f} s.")
            return
        active = self._queue.active(known)
        self._check_cancels(worker, {job.id for job in active if job.state is JobState.CANCELLING}, passed)
        if not active:
            self._quiet[worker.id] = 0.0
            return
        self._quiet[worker.id] += passed
        holder = self._holder(worker)
        job = self._queue.jobs[holder]
        allowed = self._watchdog(job.operation)
        quiet = self._quiet[worker.id]
        if quiet > allowed:
            worker.kill(f"The worker did not report for {allowed:g} s and was stopped.", job=holder)
        elif quiet > allowed / 2 and worker.id not in self._warned:
            self._warned.add(worker.id)
            self._notice(
                f"“{job.title or job.operation}” has not moved for {quiet:.0f} s",
                f"It is stopped when it stays silent for {allowed:g} s.",
                level="info",
            )

    def _check_cancels(self, worker: WorkerProcess, cancelling: set[str], passed: float) -> None:
        for job in [job for job in self._cancelling if job not in cancelling]:
            del self._cancelling[job]
        for job in cancelling:
            self._cancelling[job] = self._cancelling.get(job, 0.0) + passed
            if self._cancelling[job] > self._grace:
                worker.kill(f"The job did not stop within {self._grace:g} s, so its worker was stopped.", job=job)
                return

    def describe(self) -> list[dict[str, Any]]:
        found = []
        for worker in self.workers.values():
            known = self._queue.workers.get(worker.id)
            found.append(
                {
                    "id": worker.id,
                    "pid": worker.pid,
                    "state": "ready" if worker.hello else "starting",
                    "device": worker.hello.device if worker.hello else "",
                    "dtype": worker.hello.dtype if worker.hello else "",
                    "facts": worker.hello.facts if worker.hello else {},
                    "jobs": sorted(known.running) if known else [],
                    "residents": sorted(known.residents) if known else [],
                }
            )
        return found
