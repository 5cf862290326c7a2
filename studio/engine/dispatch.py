"""Sends jobs to workers with everything they need to run."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import studio
from studio.engine import crash
from studio.engine.admission import Admission
from studio.engine.live import Live
from studio.engine.results import Results
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs.state import Job, JobState
from studio.wire import messages as m


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
    ):
        self._post, self._send = post, send
        self._admission, self._results, self._live, self._receipts = admission, results, live, receipts
        self._starts: set[asyncio.Task[None]] = set()

    def start(self, start: ev.Start) -> None:
        """Sends a job to its worker: at once when nothing has to be looked up on disk for it."""
        self._live.begin(start.job.id)
        if not start.job.models:
            self._send_run(start.worker, start.job, {})
            return
        task = asyncio.get_running_loop().create_task(self._with_models(start.worker, start.job))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _with_models(self, worker: str, job: Job) -> None:
        """Looks the models up in a thread; one that is gone fails the job here, in words."""
        try:
            models = await asyncio.to_thread(self._admission.models_of, job)
        except StudioError as error:
            self._post(ev.JobFailed(job.id, time.time(), error.to_dict()))
            return
        self._send_run(worker, job, models)

    def _send_run(self, worker: str, job: Job, models: dict[str, dict[str, Any]]) -> None:
        try:
            operation = self._admission.plugins.operation(job.operation)
            folder = self._results.prepare()
        except StudioError as error:
            self._post(ev.JobFailed(job.id, time.time(), error.to_dict()))
            return
        place = {"folder": str(operation.plugin.folder), "package": operation.plugin.package}
        recipe = {
            "app": studio.__version__,
            "operation": job.operation,
            "operation_version": operation.entry.version,
            "params": job.params,
            "job": job.id,
            "models": [{"ref": ref, "path": str(models[ref]["path"])} for ref in job.models],
            "parents": list(job.parents),
        }
        message = m.Run(
            job=job.id,
            operation=job.operation,
            params=job.params,
            params_target={**place, "target": operation.entry.params},
            backend={**place, "target": operation.entry.backend},
            folder=str(folder),
            receipt=str(self._receipts / f"{job.id}.json"),
            recipe=recipe,
            models=models,
            rank=int(job.priority),
            attempt=job.attempt,
        )
        self._send(worker, message)
        if job.state is JobState.CANCELLING:
            self._send(worker, m.Cancel(job.id))
        crash.point("start.after_send")
