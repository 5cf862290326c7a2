"""How long the queue drawer takes to open over an engine with many waiting jobs. Used by benchmarks.queue.

    python -m benchmarks.drawer DATA_FOLDER

The time runs from the toggle of the real drawer in the real window until its first rows, fetched from the
running engine of that data folder, are painted.
"""

import json
import os
import subprocess
import sys
import time


def time_drawer(data: str, runs: int = 7) -> list[float]:
    """Seconds of each opening; measured in a process of its own, as Qt wants the main thread."""
    env = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    argv = [sys.executable, "-m", "benchmarks.drawer", data, str(runs)]
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return json.loads(done.stdout.splitlines()[-1])


async def openings(data: str, runs: int) -> list[float]:
    import asyncio

    from PySide6.QtCore import QEvent, QObject

    from studio.engine.client import EngineClient
    from studio.paths import user_paths
    from studio.ui import app

    paths = user_paths(data)
    taken = []
    for _ in range(runs + 1):  # The first brings code and fonts into memory.
        window = app.compose(paths, lambda: EngineClient.connect(paths))
        window.resize(1280, 760)
        window.show()
        connecting = asyncio.ensure_future(window.context.connection.run())
        while window.context.connection.state != "connected":
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        model, shown = window.drawer.waiting, asyncio.Event()

        class Paint(QObject):
            def eventFilter(self, watched, event, model=model, shown=shown) -> bool:
                if event.type() == QEvent.Type.Paint and model.job_at(0) is not None:
                    shown.set()
                return False

        paint = Paint()
        window.drawer.waiting_list.view.viewport().installEventFilter(paint)
        began = time.perf_counter()
        window.deeds.toggle_queue()
        await asyncio.wait_for(shown.wait(), 60)
        taken.append(time.perf_counter() - began)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await app.shut(window)
        await asyncio.sleep(0.05)
    return taken[1:]


def main() -> None:
    import asyncio

    os.environ["QT_API"] = "pyside6"
    import qasync
    from PySide6.QtWidgets import QApplication

    qapp = QApplication([])
    qapp.setQuitOnLastWindowClosed(False)
    with qasync.QEventLoop(qapp) as loop:
        asyncio.set_event_loop(loop)
        taken = loop.run_until_complete(openings(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7))
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
