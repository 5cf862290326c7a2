"""What a burst of events costs the window: the longest gap of its event loop, and when the last event is shown.

    python -m benchmarks.bridge [--runs N]

A peer process plays the engine on a real socket with the real protocol and sends 3,000 events at once, once
as twenty working jobs (progress and streamed text) and once as a thousand short ones (states only, none of
which may be dropped). The window is the real one, offscreen, with text panel, strip and open queue drawer.
A 1 ms timer in the window's loop measures gaps; the last event is on screen when the strip has painted its
title. Its time is counted from when it was sent; that of the whole burst from its first event.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import rig
from studio.paths import Paths
from studio.wire.channel import BlockingChannel, Closed
from studio.wire.messages import Event, Message, Reply, Request

EVENTS, JOBS, RUNS = 3000, 20, 9
LAST = "The last event of the burst"


def job(number: int, state: str, title: str = "") -> dict:
    return {
        "id": f"{number:032x}",
        "operation": "text.generate",
        "params": {"prompt": f"Once upon a time there was a burst of events, number {number}"},
        "state": state,
        "title": title or f"Job {number}",
        "origin": "text.panel",
        "seq": number,
        "created": 1.0,
        "worker": "w1",
        "attempt": 1,
    }


def peer(path: str) -> None:
    """The engine's side: answers what the window asks at its start, and bursts when it is told to."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    channel = BlockingChannel(server.accept()[0])
    try:
        while True:
            message = channel.receive()
            if isinstance(message, Request):
                channel.send(Reply(message.id, answer(message)))
                if message.method == "burst":
                    burst(channel, message.params["kind"])
    except Closed:
        server.close()


def answer(request: Request) -> dict:
    known = [job(number, "running") for number in range(JOBS)]
    if request.method == "jobs" and "running" not in (request.params.get("states") or ["running"]):
        known = []
    return {
        "jobs": {"total": len(known), "waiting": 0, "held": False, "jobs": known},
        "models": {"models": [], "folders": []},
        "library.list": {"total": 0, "items": []},
        "burst": {"at": time.monotonic()},
    }.get(request.method, {})


def burst(channel: BlockingChannel, kind: str) -> None:
    """As fast as the socket takes them. The last one carries its name and when it was sent."""
    for event in working() if kind == "working" else short():
        channel.send(event)
    last = {**job(0, "running", LAST), "facts": {"sent": time.monotonic()}}
    channel.send(Event("job", f"{0:032x}", last))


def working() -> Iterator[Message]:
    """Twenty jobs that work: each starts, reports and streams by turns, and ends but for the first."""
    at = dict.fromkeys(range(JOBS), 0)
    for number in range(JOBS):
        for state in ("starting", "running"):
            yield Event("job", f"{number:032x}", job(number, state))
    for i in range(EVENTS - 3 * JOBS):
        number = i % JOBS
        if i // JOBS % 2:
            yield Event("stream", f"{number:032x}", {"at": at[number], "text": "some more words "})
            at[number] += 16
        else:
            progress = {"done": i, "total": EVENTS, "rate": 100.0, "unit": "tokens", "stage": ""}
            yield Event("progress", f"{number:032x}", progress)
    for number in range(1, JOBS):
        yield Event("job", f"{number:032x}", job(number, "finished"))


def short() -> Iterator[Message]:
    """A thousand jobs that do nothing: nothing but states, none of which may be dropped."""
    for number in range(JOBS, JOBS + EVENTS // 3):
        for state in ("starting", "running", "finished"):
            yield Event("job", f"{number:032x}", job(number, state) | {"origin": "probe.operations"})


async def measure(paths: Paths, kind: str) -> tuple[float, float, float]:
    """Of one burst, in seconds: longest gap, sending the last event to its paint, first event to that paint."""
    from PySide6.QtCore import QEvent, QObject, Qt, QTimer

    from studio.engine.client import EngineClient
    from studio.ui import app

    window = app.compose(paths, lambda: EngineClient.connect(paths))
    window.resize(1280, 760)
    app.present(window)
    connecting = asyncio.ensure_future(window.context.connection.run())
    while window.context.connection.state != "connected":
        await asyncio.sleep(0.01)
    window.deeds.toggle_queue()
    await asyncio.sleep(1.0)
    ticks: list[float] = []
    painted = asyncio.Event()
    shown: list[float] = []
    sent: list[float] = []

    class Paint(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint and not shown and LAST in window.strip.headline:
                shown.append(time.monotonic())
                painted.set()
            return False

    def tick() -> None:
        ticks.append(time.perf_counter())

    def note(event: Event) -> None:
        if "sent" in event.data.get("facts", ()):
            sent.append(event.data["facts"]["sent"])

    window.context.bridge.add_sink(note)
    paint, timer = Paint(), QTimer(interval=1)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    window.strip.title_label.installEventFilter(paint)
    timer.start()
    await asyncio.sleep(0.05)
    began = (await window.context.connection.call("burst", kind=kind))["at"]
    await asyncio.wait_for(painted.wait(), 30)
    await asyncio.sleep(0.3)
    timer.stop()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await app.shut(window)
    gap = max(later - earlier for earlier, later in itertools.pairwise(ticks))
    return gap, shown[0] - sent[0], shown[0] - began


def one(folder: Path, number: int, kind: str) -> tuple[float, float, float]:
    paths = Paths(folder / f"{kind}-{number}").prepare()
    path = paths.runtime / "engine.sock"
    call = f"from benchmarks.bridge import peer; peer({str(path)!r})"
    process = subprocess.Popen([sys.executable, "-c", call])
    while not path.exists():
        time.sleep(0.01)
    try:
        return asyncio.get_event_loop().run_until_complete(measure(paths, kind))
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(paths.runtime, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["QT_API"] = "pyside6"
    import qasync
    from PySide6.QtWidgets import QApplication

    qapp = QApplication([])
    qapp.setQuitOnLastWindowClosed(False)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    with qasync.QEventLoop(qapp) as loop:
        asyncio.set_event_loop(loop)
        one(folder, 0, "working")
        working_jobs = [one(folder, number, "working") for number in range(1, runs + 1)]
        short_jobs = [one(folder, number, "short") for number in range(1, runs + 1)]
    shutil.rmtree(folder, ignore_errors=True)
    both = working_jobs + short_jobs
    figures = {
        "max_gap_ms": max(rig.median_ms([run[0] for run in found]) for found in (working_jobs, short_jobs)),
        "last_event_ms": max(rig.median_ms([run[1] for run in found]) for found in (working_jobs, short_jobs)),
        "worst_gap_ms": 1000 * max(run[0] for run in both),
        "worst_last_event_ms": 1000 * max(run[1] for run in both),
        "working_gap_ms": rig.median_ms([run[0] for run in working_jobs]),
        "working_burst_ms": rig.median_ms([run[2] for run in working_jobs]),
        "short_gap_ms": rig.median_ms([run[0] for run in short_jobs]),
        "short_burst_ms": rig.median_ms([run[2] for run in short_jobs]),
        "events": EVENTS,
        "runs": runs,
        "load_average": os.getloadavg()[0],
    }
    rows = [
        ("what", "measured", "asked"),
        ("longest gap of a burst, median", f"{figures['max_gap_ms']:.1f} ms", "< 20 ms"),
        ("the longest of all bursts", f"{figures['worst_gap_ms']:.1f} ms", ""),
        ("last event on screen, median", f"{figures['last_event_ms']:.0f} ms", "< 100 ms"),
        ("the latest of all bursts", f"{figures['worst_last_event_ms']:.0f} ms", ""),
        ("whole burst of working jobs", f"{figures['working_burst_ms']:.0f} ms", ""),
        ("whole burst of short jobs", f"{figures['short_burst_ms']:.0f} ms", ""),
    ]
    rig.report(f"A burst of {EVENTS:,} events", rows, figures)


if __name__ == "__main__":
    main()
