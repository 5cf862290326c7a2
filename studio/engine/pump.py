"""Takes events through the queue machine in batches, makes them durable, then lets their effects happen.

Owns the order of things: what a client is told has been written first. The journal has one thread of its own;
while it writes, the next batch gathers, so many small events share one wait for the disk.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

from studio.engine import crash
from studio.engine.journal import Commit, Damaged, Journal
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs import machine
from studio.jobs.state import ENDED, JobState, Queue

log = logging.getLogger(__name__)
T = TypeVar("T")
RETRY_S = 1.0
RESERVE_S = 60.0
BACKUP_LOOK_S = 600.0
CHANGES: dict[type[ev.QueueEvent], str] = {
    ev.Submitted: "submit",
    ev.JobDone: "done",
    ev.JobFailed: "failed",
    ev.CancelAsked: "cancel",
    ev.JobCancelledByWorker: "cancel",
    ev.WorkerDied: "died",
    ev.Forgotten: "erase",
}

Pending = tuple[ev.QueueEvent, "asyncio.Future[None] | None"]
Found = list[tuple[ev.Effect, Any]]


class Pump:
    """The one place where the queue changes.

    start: sends a job to its worker. perform: every other effect, with the job's state at that moment as a
    dictionary where the effect is an Announce. complain: what people should know.
    """

    def __init__(
        self,
        queue: Queue,
        start: Callable[[ev.Start], None],
        perform: Callable[[ev.Effect, Any], None],
        complain: Callable[[StudioError], None],
        *,
        keep_ended: int,
        record: Path | None = None,
    ):
        self._queue, self._start, self._perform, self._complain = queue, start, perform, complain
        self._keep_ended = keep_ended
        self._events: asyncio.Queue[Pending] = asyncio.Queue()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._journal: Journal | None = None
        self._unsaved = Commit()
        self._refusing = False
        self._ended: dict[str, None] = {}
        self._record: IO[str] | None = record.open("a", encoding="utf-8") if record else None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, path: Path) -> tuple[list[dict[str, Any]], dict[str, str], list[StudioError]]:
        """Opens the journal; its jobs, its meta values, and what to say about it."""
        self._journal = journal = await self._on_disk(lambda: Journal(path))
        jobs, meta = await self._on_disk(journal.load)
        return jobs, meta, journal.notices

    async def restore(self, events: list[ev.QueueEvent]) -> list[StudioError]:
        """Feeds events of an earlier life; what they change is durable when this returns. What could not be read."""
        work, problems = Commit(), []
        for event in events:
            try:
                self._handle(event, work)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                problems.append(StudioError("A job of the queue could not be read", str(error), code="journal"))
        ended = (job for job in self._queue.jobs.values() if job.state in ENDED)
        self._ended = dict.fromkeys(job.id for job in sorted(ended, key=lambda job: (job.ended, job.seq)))
        self._forget_old(work)
        await self._save(work, {"change"})
        return problems

    def run(self) -> None:
        self._tasks.append(asyncio.create_task(self._pump(), name="pump"))
        self._tasks.append(asyncio.create_task(self._clock(), name="clock"))

    async def close(self) -> None:
        """Takes what has come already, writes what is still unsaved, closes the journal."""
        if self._tasks:
            await self._events.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._journal is not None:
            await self._save(Commit(), {"change"})
            crash.point("stop.before_close")
            await self._on_disk(self._journal.close)
        self._disk.shutdown()
        if self._record:
            self._record.close()

    @property
    def empty(self) -> bool:
        return self._events.empty() and not self._unsaved

    def post(self, event: ev.QueueEvent) -> None:
        """Takes an event; what follows from it happens soon."""
        self._events.put_nowait((event, None))

    async def tell(self, event: ev.QueueEvent) -> None:
        """Takes an event and returns when it is durable. Raises StudioError when the disk refuses a new job."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._events.put_nowait((event, done))
        await done

    # A batch ------------------------------------------------------------------------------------------

    async def _pump(self) -> None:
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
        admitted, refused = await self._admit(batch)
        work, kinds = Commit(), set()
        effects: Found = []
        for event, _ in batch:
            if isinstance(event, ev.Submitted) and event.job["id"] in refused:
                continue
            if isinstance(event, ev.JobDone):
                crash.point("done.before_handle")
            effects += self._handle(event, work)
            kinds.add(CHANGES.get(type(event), "change"))
            if isinstance(event, ev.Submitted) and event.job["id"] in admitted:
                admitted.discard(event.job["id"])
                self._is_saved(event.job["id"], work)
        effects += self._forget_old(work)
        # A start need not be durable: without it the job is found waiting, and its receipt tells if it was complete.
        for effect, _ in effects:
            if isinstance(effect, ev.Start):
                self._start(effect)
        await self._save(work, kinds - {"submit"})
        for effect, value in effects:
            if not isinstance(effect, ev.Start):
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
        if self._queue.jobs[id].state in (JobState.QUEUED, JobState.STARTING):
            work.saves.pop(id, None)

    async def _admit(self, batch: list[Pending]) -> tuple[set[str], dict[str, StudioError]]:
        """Makes new jobs durable before the queue knows them, so that one the disk refuses was never there.

        Ids of those that are durable now, and why the others are not.
        """
        work, seq = Commit(), self._queue.next_seq
        for event, _ in batch:
            if not isinstance(event, ev.Submitted):
                continue
            id = event.job["id"]
            if id not in self._queue.jobs and id not in work.saves:
                work.save(
                    {**event.job, "seq": seq, "position": float(seq), "state": JobState.QUEUED, "created": event.at}
                )
                seq += 1
        if not work:
            return set(), {}
        try:
            await self._commit(work, {"submit"}, spend_reserve=False)
        except StudioError as problem:
            return set(), dict.fromkeys(work.saves, problem)
        return set(work.saves), {}

    async def _save(self, work: Commit, kinds: set[str]) -> None:
        """Writes changes; what the disk refuses is kept and tried again. A change lost is a job run once more."""
        self._unsaved.merge(work)
        if not self._unsaved:
            return
        saving, self._unsaved = self._unsaved, Commit()
        try:
            await self._commit(saving, kinds, spend_reserve=True)
        except StudioError as problem:
            saving.merge(self._unsaved)
            self._unsaved = saving
            if not self._refusing:
                self._complain(problem)
            self._refusing = True
        else:
            self._refusing = False

    async def _commit(self, work: Commit, kinds: set[str], *, spend_reserve: bool) -> None:
        journal = self._journal
        assert journal is not None
        for kind in kinds:
            crash.point(f"{kind}.before_commit")
        try:
            await self._on_disk(lambda: journal.commit(work, spend_reserve=spend_reserve))
        except Damaged as damage:
            why, everything = str(damage), self._everything(work)
            self._complain(await self._on_disk(lambda: journal.begin_anew(everything, why)))
        for kind in kinds:
            crash.point(f"{kind}.after_commit")

    def _everything(self, work: Commit) -> Commit:
        """All that memory knows, for a journal that has to be written again."""
        whole = Commit()
        for job in self._queue.jobs.values():
            whole.save(job.to_dict())
        whole.meta["held"] = "1" if self._queue.held else "0"
        whole.merge(work)
        return whole

    def _handle(self, event: ev.QueueEvent, work: Commit) -> Found:
        """One event through the machine. Of several changes of one job by it, only the last is announced."""
        if self._record:
            self._record.write(json.dumps(ev.to_json(event)) + "\n")
            self._record.flush()
        _, effects = machine.handle(self._queue, event)
        found: Found = []
        last = {effect.job.id: i for i, effect in enumerate(effects) if isinstance(effect, ev.Announce)}
        for i, effect in enumerate(effects):
            if isinstance(effect, ev.Save):
                work.save(effect.job.to_dict())
            elif isinstance(effect, ev.Erase):
                work.erase(effect.job)
                self._ended.pop(effect.job, None)
                found.append((effect, None))
            elif isinstance(effect, ev.SaveHeld):
                work.meta["held"] = "1" if effect.held else "0"
                found.append((effect, None))
            elif isinstance(effect, ev.Announce):
                if last[effect.job.id] == i:
                    self._note_end(effect.job.id, effect.job.state)
                    found.append((effect, effect.job.to_dict()))
            else:
                found.append((effect, None))
        return found

    def _note_end(self, id: str, state: JobState) -> None:
        self._ended.pop(id, None)
        if state in ENDED:
            self._ended[id] = None

    def _forget_old(self, work: Commit) -> Found:
        """Keeps the history of ended jobs to its length."""
        found: Found = []
        for id in list(islice(self._ended, max(0, len(self._ended) - self._keep_ended))):
            del self._ended[id]  # one that others still build on stays in the journal
            found += self._handle(ev.Forgotten(id), work)
        return found

    # Time and disk ------------------------------------------------------------------------------------

    async def _clock(self) -> None:
        """Wakes jobs whose window has come, tries again what the disk refused, looks after reserve and backups."""
        journal = self._journal
        assert journal is not None
        chores: list[tuple[float, Callable[[], None]]] = [
            (RESERVE_S, journal.keep_reserve),
            (BACKUP_LOOK_S, journal.backup),
        ]
        due = [time.monotonic() + RESERVE_S, time.monotonic() + RETRY_S]
        while True:
            await asyncio.sleep(RETRY_S)
            if self._queue.blocked or self._unsaved:
                self.post(ev.Ticked(time.time()))
            for i, (every, chore) in enumerate(chores):
                if time.monotonic() >= due[i]:
                    due[i] = time.monotonic() + every
                    await self._on_disk(chore)

    def _on_disk(self, work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._disk, work)
