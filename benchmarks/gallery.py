"""Whether a library of 10,000 pictures scrolls without a pause: the real window over a real engine.

    python -m benchmarks.gallery [PICTURES]

Pictures are generated into the library's folder, then the library panel is opened and scrolled from the first to the
last, back again, and jumped about in, while a timer in the same event loop measures how long nothing else could run.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rig import percentile, report

ASKED_MS = 50.0
TICK_S = 0.002
FRAME_S = 1 / 60
SIDE = 512
KINDS = 40
"""Different pictures; the others are copies with a text of their own, as making them takes long."""


def make_library(folder: Path, count: int) -> None:
    """`count` PNG files of 512 x 512 with recipes, in months of 1,000."""
    from PIL import Image

    from studio.library.recipe import png_with
    from studio.sdk.artifact import Recipe

    draw = random.Random(1)
    plain = folder / "plain.png"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for _ in range(KINDS):
        small = Image.effect_noise((16, 16), 120).convert("RGB")
        tint = Image.new("RGB", small.size, tuple(draw.randrange(256) for _ in range(3)))  # type: ignore[arg-type]
        Image.blend(small, tint, 0.6).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(plain, compress_level=1)
        pictures.append(plain.read_bytes())
    plain.unlink()
    for n in range(count):
        month = folder / f"2026-{n // 1000 + 1:02d}"
        month.mkdir(exist_ok=True)
        recipe = Recipe(operation="image.generate", params={"prompt": f"picture {n} of {words(draw)}", "seed": n},
                        job=f"job{n}", artifact=f"job{n}-1", created=1_700_000_000 + n)  # fmt: skip
        (month / f"picture-{n:05d}-job{n}-1.png").write_bytes(png_with(pictures[n % KINDS], recipe))


def words(draw: random.Random) -> str:
    return " ".join(draw.choice(("fox", "lighthouse", "storm", "tea", "harbour", "moss", "lantern")) for _ in range(8))


class Gaps:
    """How long the event loop could run nothing else, beyond the timer's own pause.

    waited: how long the loop's thread was ready in it and had no processor, because others had all of them.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.waited: list[float] = []
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        last, waited = time.perf_counter(), self._waiting()
        while True:
            await asyncio.sleep(TICK_S)
            now, waits = time.perf_counter(), self._waiting()
            self.seconds.append(max(0.0, now - last - TICK_S))
            self.waited.append(waits - waited)
            last, waited = now, waits

    @property
    def own(self) -> list[float]:
        """The gaps as they are where a processor is free."""
        return [max(0.0, gap - waited) for gap, waited in zip(self.seconds, self.waited, strict=True)]

    @staticmethod
    def _waiting() -> float:
        """Seconds that this thread was ready to run and did not; 0 where the system does not tell."""
        try:
            return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0.0

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def scene(data: Path, count: int) -> dict[str, Any]:
    """Opens the panel, scrolls through everything, and says what was measured."""
    from studio.engine import launch
    from studio.paths import user_paths
    from studio.ui import app

    paths = user_paths(str(data))
    window = app.compose(paths, lambda: launch.connect(paths))
    window.resize(1280, 760)
    app.present(window)
    connecting = asyncio.ensure_future(window.context.connection.run())
    await until(lambda: window.context.connection.state == "connected", 60)
    connection = window.context.connection
    began = time.perf_counter()
    await until_listed(connection, count)
    figures: dict[str, Any] = {"pictures": count, "listed_s": time.perf_counter() - began}
    await asyncio.sleep(1.0)
    began = time.perf_counter()
    window.deeds.open_panel("library.panel")
    panel: Any = window.host.current
    await until(lambda: panel.items.rowCount() == count and panel.items._items, 60)
    figures["first_rows_ms"] = 1000 * (time.perf_counter() - began)
    await until(lambda: pictured(panel) == 1.0, 60)
    figures["first_pictures_ms"] = 1000 * (time.perf_counter() - began)
    await asyncio.sleep(0.5)
    for name, drive in (("cold", sweep), ("warm", sweep), ("jumps", jumps)):
        gaps = Gaps()
        figures |= {f"{name}_{key}": value for key, value in (await drive(panel)).items()}
        await gaps.stop()
        figures[f"{name}_max_gap_ms"] = 1000 * max(gaps.seconds)
        figures[f"{name}_p99_gap_ms"] = 1000 * percentile(gaps.seconds, 0.99)
        figures[f"{name}_max_own_gap_ms"] = 1000 * max(gaps.own)
    for key in ("max_gap_ms", "max_own_gap_ms"):
        figures[key] = max(figures[f"{name}_{key}"] for name in ("cold", "warm", "jumps"))
    figures["search_ms"] = await search(panel)
    connecting.cancel()
    with contextlib.suppress(Exception):
        await connection.call("shutdown")
    await asyncio.gather(connecting, return_exceptions=True)
    await app.shut(window)
    return figures


async def sweep(panel: Any, seconds: float = 12.0) -> dict[str, float]:
    """From the top to the bottom and half-way back, a step each frame; then until all that is shown has its picture."""
    bar = panel.view.verticalScrollBar()
    steps = int(seconds / FRAME_S)
    shown = []
    for step in range(steps + 1):
        at = step / steps
        bar.setValue(round(bar.maximum() * (1.5 * at if at < 2 / 3 else 2 - 1.5 * at)))
        shown.append(pictured(panel))
        await asyncio.sleep(FRAME_S)
    began = time.perf_counter()
    await until(lambda: pictured(panel) == 1.0, 60)
    return {"settled_ms": 1000 * (time.perf_counter() - began), "shown_while_scrolling": sum(shown) / len(shown)}


async def jumps(panel: Any, count: int = 20) -> dict[str, float]:
    """To places drawn by chance, each until its pictures are there."""
    bar, draw, taken = panel.view.verticalScrollBar(), random.Random(2), []
    for _ in range(count):
        bar.setValue(draw.randrange(bar.maximum()))
        began = time.perf_counter()
        await asyncio.sleep(0)
        await until(lambda: pictured(panel) == 1.0, 60)
        taken.append(time.perf_counter() - began)
    return {"median_ms": 1000 * percentile(taken, 0.5), "worst_ms": 1000 * max(taken)}


async def search(panel: Any) -> float:
    """From the words to the answer on screen."""
    began = time.perf_counter()
    panel.head.set_value(query="lighthouse moss")
    before = panel.items._round
    await until(lambda: panel.items.rowCount() > 0 and panel.items._round == before, 60)
    return 1000 * (time.perf_counter() - began)


def pictured(panel: Any) -> float:
    """The share of the rows on screen whose picture can be painted."""
    first, last = panel.view.rows_on_screen()
    rows = range(first, last + 1)
    items = (panel.items._items.get(row) for row in rows)
    return sum(item is not None and panel.thumbs.image(item["id"]) is not None for item in items) / max(1, len(rows))


async def until(holds: Callable[[], Any], seconds: float) -> None:
    end = time.perf_counter() + seconds
    while not holds():
        if time.perf_counter() > end:
            raise TimeoutError("what was waited for did not happen")
        await asyncio.sleep(0.005)


async def until_listed(connection: Any, count: int) -> None:
    while (await connection.call("library.list", limit=1))["total"] < count:
        await asyncio.sleep(0.25)


def child(data: Path, count: int) -> None:
    os.environ["QT_API"] = "pyside6"
    import qasync
    from PySide6.QtWidgets import QApplication

    qapp = QApplication([])
    qapp.setQuitOnLastWindowClosed(False)
    with qasync.QEventLoop(qapp) as loop:
        asyncio.set_event_loop(loop)
        figures = loop.run_until_complete(scene(data, count))
    print(json.dumps(figures))


def main() -> None:
    if len(sys.argv) > 2:
        child(Path(sys.argv[1]), int(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        make_library(folder / "data" / "library", count)
        env = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
        argv = [sys.executable, "-m", "benchmarks.gallery", str(folder / "data"), str(count)]
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=900, check=True)
        figures = json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = [
        (f"{name}: longest gap", f"{figures[f'{name}_max_gap_ms']:.1f} ms", f"<= {ASKED_MS:.0f} ms")
        for name in ("cold", "warm", "jumps")
    ]
    rows += [("longest, less waits for a processor", f"{figures['max_own_gap_ms']:.1f} ms", "")]
    rows += [
        ("first rows after the click", f"{figures['first_rows_ms']:.0f} ms", ""),
        ("first pictures after the click", f"{figures['first_pictures_ms']:.0f} ms", ""),
        ("pictures after a jump, median", f"{figures['jumps_median_ms']:.0f} ms", ""),
        ("shown while scrolling, cold and warm", f"{figures['cold_shown_while_scrolling']:.0%} "
         f"{figures['warm_shown_while_scrolling']:.0%}", ""),
        ("search to answer", f"{figures['search_ms']:.0f} ms", ""),
        ("listing all files the first time", f"{figures['listed_s']:.1f} s", ""),
    ]  # fmt: skip
    report(f"A library of {count:,} pictures", rows, figures)


if __name__ == "__main__":
    main()
