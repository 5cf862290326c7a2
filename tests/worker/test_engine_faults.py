"""Workers that die, hang and misbehave under a real engine: the job is told why, the next one runs."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from tests.worker.engine_rig import EngineProcess, Watcher, check_exactly_once, gone

pytestmark = pytest.mark.worker

REASONS = {
    "segv": "SIGSEGV (signal 11)",
    "kill": "SIGKILL (signal 9)",
    "ill": "SIGILL (signal 4)",
    "abrt": "SIGABRT (signal 6)",
    "exit0": "exit code 0 in the middle of the job",
    "exit3": "exit code 3 in the middle of the job",
    "hang": "did not report for 1.5 s and was stopped",
    "spin_nostep": "did not report for 1.5 s and was stopped",
}


async def worker_pid(watcher: Watcher) -> int:
    (worker,) = (await watcher.client.call("status"))["workers"]
    return worker["pid"]


def test_every_way_to_die_is_tried_once_more_then_quarantined_and_the_next_job_runs(engine):
    async def scene() -> None:
        async with engine.life(ATELIER_WATCHDOG="1.5") as watcher:
            for how, reason in REASONS.items():
                dying = await watcher.submit("probe.die", {"how": how})
                following = await watcher.submit("probe.echo", {"text": f"after {how}"})
                dead = await watcher.ended(dying)
                assert (dead["state"], dead["deaths"], dead["quarantined"]) == ("failed", 2, True), dead
                assert reason in dead["error"]["detail"] and f"probe.die: {how} at step 1" in dead["error"]["log"]
                assert watcher.states(dying).count("running") == 2 and "queued" in watcher.states(dying)
                assert (await watcher.ended(following))["state"] == "finished"
            named = [notice for notice in watcher.notices() if notice.get("plugin") == "probe"]
            assert named and "probe" in named[0]["title"]
            check_exactly_once(engine.paths, await watcher.jobs())

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["segv", "hang"])
def test_one_death_is_forgiven(engine, tmp_path, how):
    async def scene() -> None:
        async with engine.life(ATELIER_WATCHDOG="1.5") as watcher:
            job = await watcher.submit("probe.die", {"how": how, "once_marker": str(tmp_path / "marker")})
            done = await watcher.ended(job)
            assert (done["state"], done["deaths"], done["error"]) == ("finished", 1, None)
            check_exactly_once(engine.paths, await watcher.jobs())

    asyncio.run(scene())


def test_a_quarantined_job_does_not_stop_the_next_start_and_can_be_retried(engine, tmp_path):
    async def scene() -> None:
        marker = tmp_path / "marker"
        async with engine.life() as watcher:
            job = await watcher.submit("probe.die", {"how": "segv", "steps": 1})
            assert (await watcher.ended(job))["quarantined"]
        async with engine.life() as watcher:
            assert (await watcher.client.call("job", job=job))["state"] == "failed"
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            assert watcher.states(job) == []
            again = (await watcher.client.call("duplicate", job=job, params={"once_marker": str(marker)}))["job"]
            assert (await watcher.ended(again))["state"] == "finished"

    asyncio.run(scene())


def test_a_worker_killed_from_outside_between_jobs_harms_nobody(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            await watcher.ended(await watcher.submit("probe.noop"))
            pid = await worker_pid(watcher)
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(gone, pid)
            done = await watcher.ended(await watcher.submit("probe.echo"))
            assert done["state"] == "finished"
            assert await worker_pid(watcher) != pid

    asyncio.run(scene())


def test_only_the_job_that_had_the_device_is_blamed(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            slow = await watcher.submit("probe.steps", {"steps": 40, "delay_ms": 20}, priority="batch")
            await watcher.reached(slow, "running")
            dying = await watcher.submit("probe.die", {"how": "segv"})
            assert (await watcher.ended(dying))["quarantined"]
            done = await watcher.ended(slow)
            assert (done["state"], done["deaths"]) == ("finished", 0)
            check_exactly_once(engine.paths, await watcher.jobs())

    asyncio.run(scene())


def test_a_cancel_that_is_not_heard_ends_the_worker_after_its_grace(engine):
    async def scene() -> None:
        async with engine.life(ATELIER_CANCEL_GRACE="0.5") as watcher:
            job = await watcher.submit("probe.die", {"how": "hang", "at_step": 1})
            await watcher.until(lambda: any(e.kind == "progress" and e.job == job for e in watcher.events))
            await watcher.client.call("cancel", job=job)
            assert (await watcher.ended(job))["state"] == "cancelled"
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["error", "studio", "exit", "keyboard", "memory", "base", "disk", "long", "cancelled"])
def test_whatever_a_backend_throws_fails_its_job_in_words(engine, how):
    async def scene() -> None:
        async with engine.life() as watcher:
            failed = await watcher.ended(await watcher.submit("probe.throw", {"how": how}))
            assert failed["state"] == "failed" and failed["error"]["title"] and failed["deaths"] == 0
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"

    asyncio.run(scene())


def test_broken_plugins_are_listed_and_refused_in_words(engine):
    async def refused(watcher: Watcher, operation: str) -> StudioError:
        with pytest.raises(StudioError) as found:
            await watcher.submit(operation)
        return found.value

    async def scene() -> None:
        async with engine.life() as watcher:
            plugins = {plugin["id"]: plugin for plugin in (await watcher.client.call("hello"))["plugins"]}
            assert plugins["broken_manifest"]["problem"]["code"] == "manifest" and "problem" not in plugins["probe"]
            assert (await refused(watcher, "broken_manifest.x")).code == "plugin"
            thrown = await refused(watcher, "import_throws.params")
            assert (
                thrown.code == "plugin" and "the params cannot be imported" in str(thrown) and "Traceback" in thrown.log
            )
            assert (await refused(watcher, "probe.nothing")).code == "unknown-operation"
            for operation in ("import_throws.backend", "import_throws.exit"):
                failed = await watcher.ended(await watcher.submit(operation))
                assert failed["state"] == "failed" and failed["error"]["code"] == "plugin", failed["error"]
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"

    asyncio.run(scene())


def test_a_plugin_whose_params_leave_the_program_does_not_take_the_engine_along(engine, tmp_path):
    plugin = tmp_path / "plugins" / "leaver"
    plugin.mkdir(parents=True)
    (plugin / "plugin.toml").write_text(
        'id = "leaver"\nname = "Leaver"\n[[operation]]\nid = "leaver.go"\ntitle = "Go"\n'
        'params = "params:P"\nbackend = "backend:B"\n'
    )
    (plugin / "params.py").write_text("import sys\nsys.exit(5)\n")

    async def scene() -> None:
        async with engine.life("--plugins", str(tmp_path / "plugins"), "--idle", "600") as watcher:
            with pytest.raises(StudioError) as refused:
                await watcher.submit("leaver.go")
            assert refused.value.code == "plugin"
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"

    asyncio.run(scene())


def test_a_library_that_is_in_the_way_fails_the_job_with_the_path_and_nothing_else(engine, tmp_path):
    async def scene() -> None:
        library = tmp_path / "results"
        async with engine.life() as watcher:
            await watcher.client.call("settings.set", key="library_folder", value=str(library))
            assert (await watcher.ended(await watcher.submit("probe.echo")))["state"] == "finished"
            library.rename(tmp_path / "away")
            library.write_text("a file in its place")
            failed = await watcher.ended(await watcher.submit("probe.echo"))
            assert failed["state"] == "failed" and str(library) in failed["error"]["detail"], failed
            library.unlink()
            (tmp_path / "away").rename(library)
            assert (await watcher.ended(await watcher.submit("probe.echo")))["state"] == "finished"

    asyncio.run(scene())


def mounts(options: str, folder: Path) -> list[str]:
    """A command that runs the engine where `folder` is a small disk of its own; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs -o {options} none "{folder}" && exec "$@"'
    prefix = ["unshare", "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("this system lets us mount nothing")
    return prefix


@pytest.mark.parametrize(("options", "code"), [("size=256k", "disk-full"), ("ro", "read-only")])
def test_a_full_and_a_read_only_library_fail_the_job_with_path_and_reason(tmp_path, options, code):
    engine = EngineProcess(tmp_path, prefix=mounts(options, tmp_path / "data" / "library"))

    async def scene() -> None:
        async with engine.life() as watcher:
            failed = await watcher.ended(await watcher.submit("probe.disk", {"bytes": 1_000_000}))
            assert failed["state"] == "failed" and failed["error"]["code"] == code, failed["error"]
            assert str(engine.paths.library) in failed["error"]["detail"]
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            if code == "disk-full":
                small = await watcher.ended(await watcher.submit("probe.disk", {"bytes": 10_000}))
                assert small["state"] == "finished", small["error"]

    with engine:
        asyncio.run(scene())


def test_on_a_full_disk_the_queue_refuses_new_jobs_and_loses_none(tmp_path):
    engine = EngineProcess(tmp_path, prefix=mounts("size=12m", tmp_path / "data"))
    big: dict[str, Any] = {"text": "x" * 1_000_000}

    async def scene() -> None:
        accepted: list[str] = []

        async def submit_many() -> None:
            for _ in range(30):
                job = await watcher.submit("probe.flood", {"events": 10}, title="t", origin="o" * 900_000)
                accepted.append(job)

        engine.start()
        watcher = await Watcher.attach(engine)
        await watcher.client.call("hold", held=True)
        with pytest.raises(StudioError) as refused:
            await submit_many()
        assert refused.value.code == "disk-full", refused.value
        assert 1 <= len(accepted) < 30
        with pytest.raises(StudioError):
            await watcher.submit("probe.echo", big)
        await watcher.client.call("cancel", job=accepted[0])  # a change of state still has room: the reserve
        found = await watcher.jobs()
        assert set(found) == set(accepted) and found[accepted[0]]["state"] == "cancelled"
        await watcher.client.call("shutdown")
        await watcher.client.close()
        assert await asyncio.to_thread(engine.wait) == 0, engine.said()

    with engine:
        asyncio.run(scene())
