"""How many loads model affinity saves when a queue alternates two models that do not fit together.

    python -m benchmarks.affinity [--jobs N] [--plain]

The same pictures are asked for twice of one real engine and worker whose memory holds one of the two models:
one after the other, each submitted when the one before has ended (first in, first out), and all at once. Every
job has one of four LoRAs beside its model (not with --plain). A load is a model that is resident after a job and
was not before it.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import random_pictures, rig
from studio.engine.client import EngineClient

JOBS = 48
CHANNELS = (128, 256)
PATIENCE_S = 600.0


class Watch:
    """Counts loads: the worker says after every job what is resident. `failure`: why a job did not end well."""

    def __init__(self, models: tuple[str, str]):
        self._models, self._resident = set(models), set[str]()
        self._ended: dict[str, asyncio.Event] = {}
        self.loads, self.told = 0, 0
        self.failure = ""

    def hear(self, event: Any) -> None:
        if event.kind == "memory" and "residents" in event.data:
            now = self._models.intersection(event.data["residents"])
            self.loads += len(now - self._resident)
            self._resident = now
            self.told += 1
        elif event.kind == "job" and event.data["state"] in ("finished", "failed", "cancelled"):
            if event.data["state"] != "finished":
                self.failure = str(event.data.get("error") or event.data["state"])
            self.end(event.job).set()

    def end(self, job: str) -> asyncio.Event:
        return self._ended.setdefault(job, asyncio.Event())


async def paint(client: EngineClient, watch: Watch, asked: list[dict[str, Any]], *, one_by_one: bool) -> int:
    """Loads of all the pictures in `asked`."""
    loads, told = watch.loads, watch.told
    await client.call("hold", held=not one_by_one)
    jobs = []
    for number, params in enumerate(asked):
        job = f"{'fifo' if one_by_one else 'queue'}{number:03d}"
        await client.submit("image.generate", params, job=job, priority="batch")
        jobs.append(job)
        if one_by_one:
            await asyncio.wait_for(watch.end(job).wait(), PATIENCE_S)
    await client.call("hold", held=False)
    for job in jobs:
        await asyncio.wait_for(watch.end(job).wait(), PATIENCE_S)
    if watch.failure:
        raise SystemExit(f"a job did not finish: {watch.failure}")
    while watch.told - told < len(asked):  # what is resident after the last one is not heard yet
        await asyncio.sleep(0.05)
    return watch.loads - loads


async def main(count: int, plain: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-models-") as place:
        folder = Path(place)
        size = max(random_pictures.model(folder / name, seed, CHANNELS) for seed, name in enumerate(("one", "two")))
        for number in range(4):
            random_pictures.lora(folder / f"lora{number}.safetensors", number, CHANNELS)
        os.environ["ATELIER_MEMORY"] = str(round(size * 1.7))
        async with rig.engine() as (client, _):
            await client.call("models.add_folder", path=str(folder))
            known = {Path(m["path"]).stem: m["id"] for m in (await client.call("models"))["models"]}
            watch = Watch((known["one"], known["two"]))
            client.on_event = watch.hear
            await client.call("subscribe")
            asked = []
            for number in range(count):
                params = {"prompt": f"picture {number}", "model": known["one" if number % 2 else "two"], "steps": 2}
                if not plain:
                    params["loras"] = [{"model": known[f"lora{number // 2 % 4}"], "weight": 0.5}]
                asked.append({**params, "seed": number})
            fifo = await paint(client, watch, asked, one_by_one=True)
            queued = await paint(client, watch, asked, one_by_one=False)
    figures = {"loads_fifo": fifo, "loads": queued, "jobs": count, "loads_ratio_to_fifo": queued / fifo}
    rows = [
        ("what", "measured", "asked"),
        (f"loads of {count} pictures, first in, first out", str(fifo), ""),
        (f"loads of {count} pictures, queued together", str(queued), ""),
        ("ratio", f"{queued / fifo:.2f}", "<= 0.2"),
    ]
    rig.report("Affinity: two models of which one fits", rows, figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--plain", action="store_true", help="without LoRAs")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.jobs, arguments.plain))
