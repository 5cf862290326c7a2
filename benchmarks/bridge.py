"""What a burst of events costs the window: the longest gap of its event loop, and when the last event is shown.

    python -m benchmarks.bridge [--runs N]

A peer process plays the engine on a real socket with the real protocol and sends 3,000 events at once:
progress, streamed text and states of twenty jobs. The window is the real one, offscreen, with its strip and
the open queue drawer. A 1 ms timer in the window's loop measures gaps; the last event is on screen when the
strip has painted its title.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
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
                    burst(channel)
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


def burst(channel: BlockingChannel) -> None:
    """As fast as the socket takes them; the last one names itself."""
    at = dict.fromkeys(range(JOBS), 0)
    for i in range(EVENTS - 1):
        number, kind = i % JOBS, (i // JOBS) % 4
        id = f"{number:032x}"
        event: Message
        if kind == 0:
            event = Event("job", id, job(number, "running"))
        elif kind == 1:
            event = Event("stream", id, {"at": at[number], "text": "some more words "})
            at[number] += 16
        else:
            event = Event("progress", id, {"done": i, "total": EVENTS, "rate": 100.0, "unit": "tokens", "stage": ""})
        channel.send(event)
    channel.send(Event("job", f"{0:032x}", job(0, "running", LAST)))
    channel.send(Event("progress", f"{0:032x}", {"done": EVENTS, "total": EVENTS, "rate": 1.0, "unit": "tokens"}))


async def measure(paths: Paths) -> tuple[float, float]:
    """Longest gap and time until the last event is painted, in seconds, of one burst."""
    from PySide6.QtCore import QEvent, QObject, Qt, QTimer

    from studio.engine.client import EngineClient
    from studio.ui import app

    window = app.compose(paths, lambda: EngineClient.connect(paths))
    window.resize(1280, 760)
    window.show()
    connecting = asyncio.ensure_future(window.context.connection.run())
    while window.context.connection.state != "connected":
        await asyncio.sleep(0.01)
    window.deeds.toggle_queue()
    await asyncio.sleep(1.0)
    ticks: list[float] = []
    painted = asyncio.Event()
    shown: list[float] = []

    class Paint(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint and not shown and LAST in window.strip.headline:
                shown.append(time.monotonic())
                painted.set()
            return False

    def tick() -> None:
        ticks.append(time.perf_counter())

    paint, timer = Paint(), QTimer(interval=1)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    window.strip.title_label.installEventFilter(paint)
    timer.start()
    await asyncio.sleep(0.05)
    began = (await window.context.connection.call("burst"))["at"]
    await asyncio.wait_for(painted.wait(), 30)
    await asyncio.sleep(0.5)
    timer.stop()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await app.shut(window)
    gap = max(later - earlier for earlier, later in zip(ticks, ticks[1:], strict=False))
    return gap, shown[0] - began


def one(folder: Path, number: int) -> tuple[float, float]:
    paths = Paths(folder / str(number)).prepare()
    path = paths.runtime / "engine.sock"
    call = f"from benchmarks.bridge import peer; peer({str(path)!r})"
    process = subprocess.Popen([sys.executable, "-c", call])
    while not path.exists():
        time.sleep(0.01)
    try:
        return asyncio.get_event_loop().run_until_complete(measure(paths))
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
        one(folder, 0)
        found = [one(folder, number) for number in range(1, runs + 1)]
    shutil.rmtree(folder, ignore_errors=True)
    gaps, lasts = [gap for gap, _ in found], [last for _, last in found]
    figures = {
        "max_gap_ms": rig.median_ms(gaps),
        "worst_gap_ms": 1000 * max(gaps),
        "last_event_ms": rig.median_ms(lasts),
        "worst_last_event_ms": 1000 * max(lasts),
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
    ]
    rig.report(f"A burst of {EVENTS:,} events ({statistics.median(lasts) * 1e6 / EVENTS:.0f} µs each)", rows, figures)


if __name__ == "__main__":
    main()
