"""How long until the window can be used, and how much memory its process takes.

    python -m benchmarks.startup [--runs N]

Every run is a real process of the real program with a fresh data folder, bundled plugins and its engine
starting in the background; offscreen unless QT_QPA_PLATFORM says otherwise. The clock runs from just
before the process is made until the first paint of the window is done and the event loop has come round
once more; typing is possible from then on. Memory is read after the engine is connected and the window idle.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import rig
from studio.paths import Paths

RUNS = 7
HEAVY = ("torch", "transformers", "diffusers", "numpy", "pyqtgraph")


def child(data: str, began: float) -> None:
    """One start, in this process: prints what it measured as JSON and closes the window."""
    import asyncio

    from PySide6.QtCore import QEvent, QObject

    from studio.ui import app

    compose, figures = app.compose, {}

    class Paint(QObject):
        """Sees the first paint; what is posted then runs after it."""

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint and not figures:
                figures["window_s"] = 0.0
                asyncio.get_running_loop().call_later(0.001, measured)
            return False

    def measured() -> None:
        figures["window_s"] = time.monotonic() - began

    async def finish(window) -> None:
        while not (figures.get("window_s") and window.context.connection.state == "connected"):
            await asyncio.sleep(0.01)
        figures["connected_s"] = time.monotonic() - began
        await asyncio.sleep(1.0)
        status = Path("/proc/self/status").read_text().splitlines()
        figures["ui_rss_mb"] = int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) / 1024
        figures["heavy"] = sorted(set(HEAVY) & set(sys.modules))
        await window.context.connection.call("shutdown")
        window.close()

    def watched(*arguments):
        window = compose(*arguments)
        paint = Paint(window)
        window.installEventFilter(paint)
        window.benchmark = asyncio.ensure_future(finish(window))
        return window

    app.compose = watched
    code = app.main(["--data", data])
    print(json.dumps(figures))
    sys.exit(code)


def one(folder: Path, number: int) -> dict:
    """The figures of one start."""
    paths = Paths(folder / str(number))
    env = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    call = f"from benchmarks.startup import child; child({str(paths.data)!r}, {time.monotonic()!r})"
    done = subprocess.run(
        [sys.executable, "-c", call], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    shutil.rmtree(paths.runtime, ignore_errors=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    one(folder, 0)  # Brings the files into the disk cache; the first start after a boot is slower.
    found = [one(folder, number) for number in range(1, runs + 1)]
    shutil.rmtree(folder, ignore_errors=True)
    figures = {
        "window_s": statistics.median(run["window_s"] for run in found),
        "window_worst_s": max(run["window_s"] for run in found),
        "connected_s": statistics.median(run["connected_s"] for run in found),
        "ui_rss_mb": statistics.median(run["ui_rss_mb"] for run in found),
        "heavy_modules": sorted({name for run in found for name in run["heavy"]}),
        "runs": runs,
        "load_average": os.getloadavg()[0],
    }
    rows = [
        ("what", "measured", "asked"),
        ("window can be used, median", f"{figures['window_s']:.2f} s", "< 1.0 s"),
        ("the worst of the runs", f"{figures['window_worst_s']:.2f} s", ""),
        ("engine connected, median", f"{figures['connected_s']:.2f} s", ""),
        ("memory of the window's process", f"{figures['ui_rss_mb']:.0f} MB", "< 200 MB"),
        ("machine-learning modules loaded", " ".join(figures["heavy_modules"]) or "none", "none"),
    ]
    rig.report("Start of the window", rows, figures)


if __name__ == "__main__":
    main()
