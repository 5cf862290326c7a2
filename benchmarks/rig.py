"""A real engine in a folder of its own for benchmarks, with the tests' probe plugin; and how figures are printed."""

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from studio.engine import launch
from studio.engine.client import EngineClient
from studio.paths import Paths

PROBE = Path(__file__).resolve().parent.parent / "tests" / "probe_plugin"


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[tuple[EngineClient, Paths]]:
    """A client of a fresh engine process; the engine and its folder are gone afterwards."""
    os.environ["ATELIER_PLUGINS"] = str(PROBE)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    paths = Paths(folder / "data").prepare()
    client = await launch.connect(paths)
    try:
        yield client, paths
    finally:
        with contextlib.suppress(Exception):
            await client.call("shutdown")
        await client.close()
        await asyncio.sleep(0.5)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(paths.runtime, ignore_errors=True)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def median_ms(seconds: Sequence[float]) -> float:
    return 1000 * statistics.median(seconds)


def report(title: str, rows: Sequence[tuple[str, str, str]], figures: dict[str, Any]) -> None:
    """A table of (what, measured, asked) and, last, the figures as one line of JSON."""
    print(title)
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print(json.dumps({key: round(v, 3) if isinstance(v, float) else v for key, v in figures.items()}))
    sys.stdout.flush()
