"""How long after a cancel the device is free, beyond the step that was running.

    python -m benchmarks.cancel

A job of 50 ms steps is cancelled at random moments; the device is free when the job waiting behind it
runs. The step that could not be interrupted is subtracted.
"""

import asyncio
import random
import statistics
import time
from typing import Any

from benchmarks import rig

STEP_MS = 50
RUNS = 40


async def main() -> None:
    over = []
    pick = random.Random(7)
    async with rig.engine() as (client, _):
        states: dict[tuple[str, str], asyncio.Event] = {}

        def reached(job: str, state: str) -> asyncio.Event:
            return states.setdefault((job, state), asyncio.Event())

        def on_event(event: Any) -> None:
            if event.kind == "job":
                reached(event.job, event.data["state"]).set()
                if event.data["state"] == "finished":
                    reached(event.job, "running").set()

        client.on_event = on_event
        await client.call("subscribe")
        for _ in range(RUNS):
            long = await client.submit("probe.steps", {"steps": 1000, "delay_ms": STEP_MS}, priority="batch")
            await asyncio.wait_for(reached(long, "running").wait(), 60)
            await asyncio.sleep(pick.uniform(0.05, 0.2))
            following = await client.submit("probe.noop", {}, priority="batch")
            began = time.perf_counter()
            await client.call("cancel", job=long)
            await asyncio.wait_for(reached(following, "running").wait(), 60)
            over.append(1000 * (time.perf_counter() - began) - STEP_MS)
            await asyncio.wait_for(reached(long, "cancelled").wait(), 60)
    figures = {"over_step_ms": statistics.median(over), "over_step_worst_ms": max(over), "runs": RUNS}
    rows = [
        ("what", "measured", "asked"),
        ("cancel to free device beyond one step, median", f"{figures['over_step_ms']:.1f} ms", "< 100 ms"),
        ("the worst of the runs", f"{figures['over_step_worst_ms']:.1f} ms", ""),
    ]
    rig.report("Cancel", rows, figures)


if __name__ == "__main__":
    asyncio.run(main())
