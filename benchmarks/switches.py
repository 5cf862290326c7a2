"""How much the worker's memory grows while two models take turns in it.

    python -m benchmarks.switches [--switches N]

Two picture models of about 430 MB with random weights, of which one fits into the memory that the real worker is
given, are painted with in turn, so that each picture drops one model and loads the other. The worker's resident
memory after the first turns (libraries imported, pools filled) is compared with that after the last.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import random_pictures, rig

SWITCHES = 20
WARM_UP = 4
CHANNELS = (320, 640)
PATIENCE_S = 600.0


async def main(switches: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-models-") as place:
        folder = Path(place)
        size = max(random_pictures.model(folder / name, seed, CHANNELS) for seed, name in enumerate(("one", "two")))
        os.environ["ATELIER_MEMORY"] = str(round(size * 1.7))
        async with rig.engine() as (client, _):
            await client.call("models.add_folder", path=str(folder))
            known = {Path(m["path"]).stem: m["id"] for m in (await client.call("models"))["models"]}
            told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

            def hear(event: Any) -> None:
                if event.kind == "memory" and event.data.get("residents"):
                    told.put_nowait(event.data)
                elif event.kind == "job" and event.data["state"] in ("failed", "cancelled"):
                    told.put_nowait({"error": event.data.get("error")})

            client.on_event = hear
            await client.call("subscribe")
            used = []
            for number in range(WARM_UP + switches):
                name = known["one" if number % 2 else "two"]
                params = {"prompt": "a cat", "model": name, "steps": 2, "seed": number}
                await client.submit("image.generate", params)
                memory = await asyncio.wait_for(told.get(), PATIENCE_S)
                if set(memory.get("residents", ())) != {name}:
                    raise SystemExit(f"{name} was to be resident alone: {memory}")
                used.append(memory["used"])
    first, last = used[WARM_UP - 1], used[-1]
    growth = 100 * (last / first - 1)
    figures = {
        "switches": switches,
        "model_mb": size / 1e6,
        "rss_first_mb": first / 1e6,
        "rss_last_mb": last / 1e6,
        "rss_highest_mb": max(used[WARM_UP:]) / 1e6,
        "rss_growth_pct": growth,
    }
    rows = [
        ("what", "measured", "asked"),
        (f"resident memory after {WARM_UP} turns", f"{first / 1e6:.0f} MB", ""),
        (f"after {switches} more switches of models of {size / 1e6:.0f} MB", f"{last / 1e6:.0f} MB", ""),
        ("growth", f"{growth:.1f} %", "<= 5 %"),
    ]
    rig.report("Model switches", rows, figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=SWITCHES)
    asyncio.run(main(parser.parse_args().switches))
