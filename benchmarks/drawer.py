"""The real window on a running engine: how long the queue drawer takes to open. Used by benchmarks.queue.

    python -m benchmarks.drawer DATA RUNS

Runs in a process of its own, because a window's process imports nothing that a benchmark may have.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def time_drawer(data: str, runs: int) -> list[float]:
    """Seconds from the toggle until the first rows are painted, for each of `runs` openings."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.drawer", data, str(runs)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout.splitlines()[-1])


async def _measure(data: str, runs: int) -> list[float]:
    from studio.engine import launch
    from studio.paths import Paths
    from studio.ui.app import compose, shut

    paths = Paths(Path(data))
    window = compose(paths, lambda: launch.connect(paths))
    window.resize(1280, 720)
    window.show()
    attached = asyncio.Event()
    window.context.connection.attached.connect(attached.set)
    connecting = asyncio.ensure_future(window.context.connection.run())
    await asyncio.wait_for(attached.wait(), 60)
    await asyncio.sleep(1.0)
    taken = []
    waiting = window.drawer.waiting_list
    for _ in range(runs):
        began = time.perf_counter()
        window.deeds.toggle_queue()
        while waiting.view.model().rowCount() < 1 or waiting.view.model().job_at(0) is None:
            await asyncio.sleep(0)
        waiting.view.viewport().repaint()
        taken.append(time.perf_counter() - began)
        window.deeds.toggle_queue()
        waiting.view.model().clear()
        await asyncio.sleep(0.3)
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await shut(window)
    return taken


def main(data: str, runs: int) -> None:
    os.environ["QT_API"] = "pyside6"
    import qasync
    from PySide6.QtWidgets import QApplication

    app = QApplication(sys.argv[:1])
    with qasync.QEventLoop(app) as loop:
        asyncio.set_event_loop(loop)
        print(json.dumps(loop.run_until_complete(_measure(data, runs))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
