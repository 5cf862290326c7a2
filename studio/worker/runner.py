"""Runs jobs, each on a thread of its own: the job's door.

Owns Runner. A job ends in exactly one of Done, Failed and Cancelled, whatever its backend does, except
ending the process. Done means that the receipt is on disk.
"""

import gc
import logging
import os
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from studio.errors import StudioError
from studio.host import loader
from studio.library import writer
from studio.sdk.artifact import Artifact
from studio.sdk.operation import JobCancelled
from studio.sdk.params import Params
from studio.wire.codec import WireError
from studio.wire.messages import Cancelled, Done, Failed, Memory, Message, Prewarm, Progress, Run, Running
from studio.worker import faults, memory
from studio.worker.baton import Baton, Turn
from studio.worker.context import WorkerContext
from studio.worker.devices import Device
from studio.worker.models import POLL_S, JobModels, Residency
from studio.worker.outbox import Outbox
from studio.worker.provenance import Hashes

log = logging.getLogger(__name__)


class Runner:
    """The jobs of this process."""

    def __init__(self, outbox: Outbox, baton: Baton, residency: Residency, hashes: Hashes, device: Device):
        self._outbox, self._baton, self._residency = outbox, baton, residency
        self._hashes, self._device = hashes, device
        # Lazy modules of large libraries do not bear being imported by two threads at once.
        self._importing = threading.Lock()
        self._counting = threading.Lock()
        self._here: set[str] = set()
        self._beside: set[str] = set()
        self._before: dict[str, tuple[int, bool]] = {}
        self._steered: dict[str, SimpleQueue[dict[str, Any]]] = {}

    def start(self, run: Run) -> None:
        """Puts the job in line. A job that is here already is not run a second time."""
        turn = self._baton.enter(run.job, run.rank)
        if turn is None:
            log.error("asked to run %s, which is running", run.job)
            return
        with self._counting:
            self._steered[run.job] = SimpleQueue()
            self._here.add(run.job)
            if len(self._here) > 1:
                self._beside |= self._here
        threading.Thread(target=self._job, args=(run, turn), name=f"job-{run.job[:12]}", daemon=True).start()

    def steer(self, job: str, data: dict[str, Any]) -> None:
        """Hands something on to a running job; of one that has ended nobody minds."""
        with self._counting:
            asked = self._steered.get(job)
        if asked is not None:
            asked.put(data)

    def prewarm(self, asked: Prewarm) -> None:
        """Imports a backend in the background, without the baton; what is wrong is said when a job needs it."""
        threading.Thread(target=self._prewarm, args=(asked.backend,), name="prewarm", daemon=True).start()

    def tell_memory(self, measured: dict[str, Any] | None = None) -> None:
        state = memory.read()
        self._outbox.send(Memory(state.used, state.total, self._residency.residents(), measured or {}))

    def _prewarm(self, backend: dict[str, Any]) -> None:
        try:
            with self._importing:
                loader.load_place(backend)
        except BaseException as error:  # noqa: BLE001 - the plugin's door
            log.warning("prewarming %s failed: %s", backend.get("target"), error)

    def _job(self, run: Run, turn: Turn) -> None:
        try:
            message, fatal = self._outcome(run, turn)
            # Before the end is told: who runs next depends on what is resident.
            measured = self._measured(run.job)
            self.tell_memory(measured if self._baton.holds(turn) else {})
            self._baton.forget(turn)
            self._say_last(message, run.job)
        except BaseException:  # a job that cannot say how it ended must not look alive
            log.exception("the job %s could not be ended", run.job)
            os._exit(1)
        if fatal:
            os._exit(faults.FATAL_EXIT)
        self._baton.release(turn)

    def _measured(self, job: str) -> dict[str, Any]:
        """Of a run: its peak, what was in use before it, whether its models were resident, whether it was alone."""
        before, warm = self._before.pop(job, (0, False))
        with self._counting:
            self._steered.pop(job, None)
            self._here.discard(job)
            alone = job not in self._beside
            self._beside &= self._here
        return {"job": job, "peak": memory.peak(), "before": before, "warm": warm, "alone": alone}

    def _say_last(self, message: Message, job: str) -> None:
        try:
            self._outbox.end(message, job)
        except (WireError, TypeError, ValueError) as error:
            said = StudioError("The job's result could not be told", str(error), code="wire")
            self._outbox.end(Failed(job, said.to_dict()), job)

    def _outcome(self, run: Run, turn: Turn) -> tuple[Message, bool]:
        """The job's last message, and whether the process must leave after it."""
        artifacts: list[Artifact] = []
        facts: dict[str, Any] = {}
        fault: faults.Fault | None = None
        try:
            if run.device:
                self._baton.acquire(turn)
            memory.begin_peak()
            self._before[run.job] = (memory.read().used, set(run.models) <= set(self._residency.residents()))
            known = writer.read_receipt(Path(run.receipt))
            if known is None:
                self._run(run, turn, artifacts, facts)
                if not turn.cancel_raised:
                    known = self._receipt(run, artifacts, facts)
            if known is not None:
                return Done(run.job, known.get("artifacts", []), known.get("facts", {})), False
        except JobCancelled:
            if not turn.cancelled:
                fault = faults.Fault(StudioError("The plugin cancelled a job that nobody cancelled", code="plugin"))
        except BaseException as error:  # noqa: BLE001 - the job's door
            fault = faults.explain(error, f"Running {run.operation}")
        saved = [artifact.model_dump(mode="json") for artifact in artifacts]
        if "torch" in sys.modules:
            gc.collect()  # frames of the failed run hold tensors
        if fault is None:
            return Cancelled(run.job, saved, facts), False
        log.info("job %s failed: %s", run.job, fault.error)
        return Failed(run.job, fault.error.to_dict(), saved, fault.fatal), fault.fatal

    def _run(self, run: Run, turn: Turn, artifacts: list[Artifact], facts: dict[str, Any]) -> None:
        """Fills `artifacts` and `facts`, also when it raises."""
        params_class, backend = self._import(run, turn)
        if not (isinstance(params_class, type) and issubclass(params_class, Params)):
            raise StudioError(f"The params of {run.operation} are not a Params class", code="plugin")
        params = params_class.load(run.params)
        turn.check()
        self._outbox.send(Running(run.job))
        models = JobModels(self._residency, self._hashes, turn, run.models)
        steered = self._steered.get(run.job)
        ctx = WorkerContext(run, turn, self._baton, self._outbox, self._device, models, self._hashes, steered)
        ctx.artifacts, ctx.facts = artifacts, facts
        backend().run(params, ctx)

    def _import(self, run: Run, turn: Turn) -> tuple[Any, Any]:
        """Params class and backend. With the baton, so that an import that kills or hangs is blamed on its job."""
        while not self._importing.acquire(timeout=POLL_S):
            turn.check()
        try:
            turn.check()
            if _module(run.backend) not in sys.modules:
                self._outbox.progress(Progress(run.job, stage="Preparing"))
            return loader.load_place(run.params_target), loader.load_place(run.backend)
        finally:
            self._importing.release()

    def _receipt(self, run: Run, artifacts: list[Artifact], facts: dict[str, Any]) -> dict[str, Any] | None:
        """Publishes that the job is complete. Where it was complete already, that stands."""
        receipt = {
            "job": run.job,
            "artifacts": [artifact.model_dump(mode="json") for artifact in artifacts],
            "facts": facts,
            "at": time.time(),
        }
        try:
            writer.write_receipt(Path(run.receipt), receipt)
        except FileExistsError:
            return writer.read_receipt(Path(run.receipt))
        return receipt


def _module(target: dict[str, Any]) -> str:
    return f"{target.get('package')}.{str(target.get('target')).partition(':')[0]}"
