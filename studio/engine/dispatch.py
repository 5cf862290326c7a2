"""Sends jobs to workers with everything they need to run."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import studio
from studio.engine import crash
from studio.engine.admission import Admission
from studio.engine.live import Live
from studio.engine.recovery import receipt_path
from studio.engine.results import Results
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import ENDED, Job
from studio.wire import messages as m

log = logging.getLogger(__name__)


class Dispatch:
    """`send` gives a message to a worker by its id; a job that cannot be sent fails through `post`, in words."""

    def __init__(
        self,
        post: Callable[[ev.QueueEvent], None],
        send: Callable[[str, m.Message], None],
        admission: Admission,
        results: Results,
        live: Live,
        receipts: Path,
        data: Path,
    ):
        self._post, self._send = post, send
        self._admission, self._results, self._live, self._receipts = admission, results, live, receipts
        self._data = data
        self._starts: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, list[m.Message]] = {}

    def start(self, start: ev.Start) -> None:
        """Sends a job to its worker: at once when nothing has to be looked up on disk for it."""
        self._live.begin(start.job.id)
        if not start.job.models:
            self._send_run(start.worker, start.job, {})
            return
        self._waiting[start.job.id] = []
        task = asyncio.get_running_loop().create_task(self._with_models(start.worker, start.job))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    def tell(self, worker: str, job: str, message: m.Message) -> None:
        """Tells a worker something about a job, never before it was given the job."""
        if job in self._waiting:
            self._waiting[job].append(message)
        else:
            self._send(worker, message)

    async def settle(self) -> None:
        """Waits for what is still being looked up."""
        while self._starts:
            await asyncio.wait(self._starts)

    async def _with_models(self, worker: str, job: Job) -> None:
        """Looks the models up in a thread; one that is gone fails the job here, in words."""
        models = None
        try:
            models = await asyncio.to_thread(self._admission.models_of, job)
        except Exception as error:  # noqa: BLE001 - the job's door: one that cannot be sent must not wait for ever
            self._fail(job, error)
        finally:
            told = self._waiting.pop(job.id, [])
        if models is not None and job.worker == worker and job.state not in ENDED:
            self._send_run(worker, job, models)
            for message in told:
                self._send(worker, message)

    def _fail(self, job: Job, error: Exception) -> None:
        if not isinstance(error, StudioError):
            log.exception("the job %s could not be started", job.id)
            detail = f"{type(error).__name__}: {error}"
            error = StudioError("The job could not be started", detail, code="bug", log=traceback.format_exc())
        self._post(ev.JobFailed(job.id, time.time(), error.to_dict()))

    def _send_run(self, worker: str, job: Job, models: dict[str, dict[str, Any]]) -> None:
        try:
            operation = self._admission.plugins.operation(job.operation)
            folder = self._results.prepare()
        except Exception as error:  # noqa: BLE001 - the job's door
            self._fail(job, error)
            return
        recipe = {
            "app": studio.__version__,
            "operation": job.operation,
            "operation_version": operation.entry.version,
            "params": job.params,
            "job": job.id,
            "models": [{"ref": ref, "path": str(models[ref]["path"])} for ref in job.models],
            "parents": list(job.parents),
            "title": job.title,
        }
        message = m.Run(
            job=job.id,
            operation=job.operation,
            params=job.params,
            params_target=operation.plugin.place(operation.entry.params),
            backend=operation.plugin.place(operation.entry.backend),
            folder=str(folder),
            receipt=str(receipt_path(self._receipts, job.id)),
            recipe=recipe,
            models=models,
            rank=int(job.priority),
            attempt=job.attempt,
            data=str(self._data),
            device=job.device,
        )
        crash.point("start.before_send")
        self._send(worker, message)
        crash.point("start.after_send")
