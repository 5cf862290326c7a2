"""The queue under load: from submit to running, jobs a second, and 10,000 waiting jobs.

    python -m benchmarks.queue

Every figure goes through the real engine process, its journal (fsync included) and a real worker.
"""

import asyncio
import os
import statistics
import time
from typing import Any

from benchmarks import rig
from studio.engine.client import EngineClient

WARM_RUNS = 200
THROUGHPUT_JOBS = 1000
WAITING = 10_000


async def submit_to_running(client: EngineClient) -> list[float]:
    """Seconds from the call of submit until this client hears that the job runs, worker warm."""
    heard: dict[str, float] = {}
    ended: dict[str, asyncio.Event] = {}

    def on_event(event: Any) -> None:
        if event.kind == "job":
            if event.data["state"] == "running":
                heard.setdefault(event.job, time.perf_counter())
            if event.data["state"] in ("finished", "failed", "cancelled"):
                heard.setdefault(event.job, time.perf_counter())
                ended.setdefault(event.job, asyncio.Event()).set()

    client.on_event = on_event
    await client.call("subscribe")
    taken = []
    for i in range(WARM_RUNS + 20):
        began = time.perf_counter()
        job = await client.submit("probe.noop", {})
        await asyncio.wait_for(ended.setdefault(job, asyncio.Event()).wait(), 60)
        if i >= 20:
            taken.append(heard[job] - began)
    return taken


async def jobs_per_second(client: EngineClient) -> float:
    """Durable no-op jobs from submit to finished, submitted by 16 tasks at once."""
    done = asyncio.Event()
    left = THROUGHPUT_JOBS

    def on_event(event: Any) -> None:
        nonlocal left
        if event.kind == "job" and event.data["state"] == "finished":
            left -= 1
            if not left:
                done.set()

    client.on_event = on_event

    async def some(count: int) -> None:
        for _ in range(count):
            await client.submit("probe.noop", {}, priority="batch")

    began = time.perf_counter()
    await asyncio.gather(*(some(THROUGHPUT_JOBS // 16 + (i < THROUGHPUT_JOBS % 16)) for i in range(16)))
    await asyncio.wait_for(done.wait(), 300)
    return THROUGHPUT_JOBS / (time.perf_counter() - began)


async def with_ten_thousand(client: EngineClient) -> list[float]:
    """Seconds each of 500 further submits takes when 10,000 jobs wait."""
    client.on_event = lambda event: None
    await client.call("hold", held=True)

    async def some(count: int) -> None:
        for _ in range(count):
            await client.submit("probe.noop", {}, priority="batch")

    await asyncio.gather(*(some(WAITING // 32 + (i < WAITING % 32)) for i in range(32)))
    taken = []
    for _ in range(500):
        began = time.perf_counter()
        await client.submit("probe.noop", {}, priority="batch")
        taken.append(time.perf_counter() - began)
    return taken


def drawer_open(data: str) -> list[float]:
    """Seconds from the toggle of the real queue drawer until its first rows are painted."""
    from benchmarks.drawer import time_drawer

    return time_drawer(data, runs=7)


async def main() -> None:
    async with rig.engine() as (client, paths):
        running = await submit_to_running(client)
        rate = await jobs_per_second(client)
        submits = await with_ten_thousand(client)
        drawer = await asyncio.to_thread(drawer_open, str(paths.data))
    figures = {
        "submit_to_running_ms": rig.median_ms(running),
        "jobs_per_s": rate,
        "submit_p95_ms_10k": 1000 * rig.percentile(submits, 0.95),
        "drawer_open_ms_10k": 1000 * statistics.median(drawer),
        "load_average": os.getloadavg()[0],
    }
    rows = [
        ("what", "measured", "asked"),
        ("warm submit to running, median", f"{figures['submit_to_running_ms']:.1f} ms", "< 10 ms"),
        ("no-op jobs, durable, end to end", f"{rate:.0f} /s", ">= 200 /s"),
        ("submit with 10,000 waiting, p95", f"{figures['submit_p95_ms_10k']:.1f} ms", "< 10 ms"),
        ("drawer opens with 10,000 waiting", f"{figures['drawer_open_ms_10k']:.0f} ms", "< 200 ms"),
    ]
    rig.report("Queue", rows, figures)


if __name__ == "__main__":
    asyncio.run(main())
