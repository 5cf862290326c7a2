"""An engine's life: who starts it, who finds it, when it leaves, and what the next one makes of what it left."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.engine import launch
from studio.engine.client import EngineClient, socket_path
from studio.engine.journal import SCHEMA, Commit, Journal
from studio.errors import StudioError
from studio.jobs import events as ev
from studio.jobs import machine
from studio.jobs.state import Job, JobState, Queue
from studio.library.writer import write_receipt
from studio.paths import Paths
from studio.wire.channel import AsyncChannel
from studio.wire.messages import Request
from tests.worker.engine_rig import PLUGINS, EngineProcess, Watcher, check_exactly_once, gone

pytestmark = pytest.mark.worker


@pytest.fixture
def engine(tmp_path: Path):
    with EngineProcess(tmp_path) as engine:
        yield engine


async def worker_pid(watcher: Watcher) -> int:
    while True:
        for worker in (await watcher.client.call("status"))["workers"]:
            if worker["pid"]:
                return worker["pid"]
        await asyncio.sleep(0.01)


def test_a_second_engine_leaves_at_once_and_says_so(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            command = [sys.executable, "-m", "studio.engine", "--data", str(engine.paths.data)]
            second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
            assert second.returncode == 0 and f"already: process {engine.pid}" in second.stderr
            assert (await watcher.client.call("hello"))["pid"] == engine.pid

    asyncio.run(scene())


def test_two_who_start_it_at_once_find_one_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_PLUGINS", str(PLUGINS))
    paths = Paths(tmp_path / "data")

    async def scene() -> None:
        clients = await asyncio.gather(*(launch.connect(paths) for _ in range(4)))
        pids = {(await client.call("hello"))["pid"] for client in clients}
        assert len(pids) == 1
        job = await clients[0].submit("probe.noop", {})
        assert (await clients[3].call("job", job=job))["operation"] == "probe.noop"
        await clients[0].call("shutdown")
        for client in clients:
            await asyncio.wait_for(client.closed.wait(), 60)
            await client.close()
        await asyncio.to_thread(gone, pids.pop())

    asyncio.run(scene())


def test_an_engine_that_cannot_start_says_why_to_who_started_it(tmp_path):
    paths = Paths(tmp_path / "data").prepare()
    paths.journal.mkdir()

    async def scene() -> StudioError:
        with pytest.raises(StudioError) as refused:
            await launch.connect(paths)
        return refused.value

    error = asyncio.run(scene())
    assert error.code == "no-engine" and str(paths.journal) in error.log


def test_it_leaves_when_nobody_needs_it_and_not_while_work_is_left(engine):
    async def scene() -> None:
        engine.start("--idle", "0.3")
        client = await engine.connect()
        job = await client.submit("probe.steps", {"steps": 20, "delay_ms": 50})
        await client.close()
        assert await asyncio.to_thread(engine.wait) == 0
        async with engine.life() as watcher:
            assert (await watcher.client.call("job", job=job))["state"] == "finished"

    asyncio.run(scene())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_stops_in_order_and_the_running_job_runs_again(engine, number):
    async def scene() -> None:
        engine.start()
        watcher = await Watcher.attach(engine)
        job = await watcher.submit("probe.steps", {"steps": 60, "delay_ms": 20})
        await watcher.reached(job, "running")
        worker = await worker_pid(watcher)
        os.kill(engine.pid, number)
        assert await asyncio.to_thread(engine.wait) == 0
        await watcher.client.close()
        await asyncio.to_thread(gone, worker)
        assert not Path(socket_path(engine.paths)).exists()
        async with engine.life() as again:
            done = await again.ended(job)
            assert (done["state"], done["deaths"]) == ("finished", 0)
            check_exactly_once(engine.paths, await again.jobs())

    asyncio.run(scene())


def test_no_worker_outlives_its_engine(engine):
    async def scene() -> None:
        engine.start()
        watcher = await Watcher.attach(engine)
        job = await watcher.submit("probe.die", {"how": "spin_nostep", "at_step": 1})
        await watcher.reached(job, "running")
        worker = await worker_pid(watcher)
        assert await asyncio.to_thread(engine.kill) == -9
        await watcher.client.close()
        await asyncio.to_thread(gone, worker)

    asyncio.run(scene())


def test_a_worker_that_was_left_behind_is_ended_before_the_next_begins(engine):
    """A stopped process notices neither the closed channel nor anything else; SIGKILL it does."""
    holder = (
        "import fcntl, os, sys, time\n"
        f"lock = open({str(engine.paths.runtime)!r} + f'/worker-{{os.getpid()}}.lock', 'wb')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\nprint('held', flush=True)\ntime.sleep(600)\n"
    )
    dead = engine.paths.runtime / "worker-1.lock"  # of a worker that is gone; its number is init's now
    dead.write_bytes(b"")
    orphan = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE)
    assert orphan.stdout and orphan.stdout.readline() == b"held\n"

    async def scene() -> None:
        async with engine.life() as watcher:
            assert orphan.poll() == -9
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
        assert not dead.exists()

    try:
        asyncio.run(scene())
    finally:
        orphan.kill()
        orphan.wait()
        orphan.stdout.close()


def test_who_comes_later_sees_what_was_shown_so_far(engine):
    async def scene() -> None:
        text = "".join(f"wörd {i} " for i in range(200))
        async with engine.life() as watcher:
            job = await watcher.submit("probe.echo", {"text": text, "chunks": 100, "delay_ms": 10})
            await watcher.until(lambda: any(e.kind == "stream" and e.job == job for e in watcher.events))
            await watcher.client.close()
            late = await EngineClient.connect(engine.paths)
            seen, kinds = "", []
            async for event in late.follow(job):
                kinds.append(event.kind)
                live = event.data.get("live") or {}
                if event.kind == "job" and live.get("stream"):
                    assert seen == ""
                    seen = live["stream"]
                    assert live["progress"]["total"] == 100
                if event.kind == "stream":
                    assert event.data["at"] == len(seen), "a gap or a repetition"
                    seen += event.data["text"]
            assert seen == text and kinds[0] == "job" and "progress" in kinds
            watcher.client = late

    asyncio.run(scene())


def test_a_job_with_a_receipt_never_runs_again(engine):
    """Killed between the receipt and the news of it: the journal still says that the job waits."""
    commit = Commit()
    for seq, state in enumerate([JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING, JobState.FAILED], 1):
        job = Job(f"job{seq}", "probe.die", {"how": "kill"}, seq=seq, position=seq, state=state)
        commit.save(job.to_dict())
        write_receipt(
            engine.paths.receipts / f"job{seq}.json",
            {"job": f"job{seq}", "artifacts": [], "facts": {"n": seq}, "at": 5},
        )
    write_receipt(engine.paths.receipts / "stranger.json", {"job": "stranger", "artifacts": [], "facts": {}, "at": 5})
    for seq, content in ((8, b'{"half of a rec'), (9, b"{damaged}\n")):
        (engine.paths.receipts / f"job{seq}.json").write_bytes(content)
        commit.save(Job(f"job{seq}", "probe.noop", {}, seq=seq, position=seq).to_dict())
    journal = Journal(engine.paths.journal)
    journal.commit(commit)
    journal.close()

    async def scene() -> None:
        async with engine.life() as watcher:
            jobs = await watcher.all_ended()
            assert {job["state"] for job in jobs.values()} == {"finished"}
            assert [jobs[f"job{n}"]["facts"]["n"] for n in range(1, 5)] == [1, 2, 3, 4]
            # Half a receipt is none; one that the disk damaged later was whole once.
            assert {id for id, job in jobs.items() if job["attempt"]} == {"job8"}
        assert not (engine.paths.receipts / "stranger.json").exists()

    asyncio.run(scene())


def test_what_a_dead_attempt_saved_is_taken_back_and_what_people_were_told_of_stays(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            kept = await watcher.submit("probe.steps", {"steps": 500, "delay_ms": 10, "on_cancel": "save"})
            await watcher.until(lambda: any(e.kind == "stream" and e.job == kept for e in watcher.events))
            await watcher.client.call("cancel", job=kept)
            (saved,) = (await watcher.ended(kept))["artifacts"]
            await watcher.until(
                lambda: any(e.kind == "library" and saved["id"] in e.data["changed"] for e in watcher.events)
            )
            done = await watcher.ended(await watcher.submit("probe.echo"))
            await watcher.client.call("hold", held=True)
            await watcher.client.call("retry", job=kept)
            waiting = await watcher.submit("probe.echo", {"text": "whole"})
        path = Path(done["artifacts"][0]["path"])
        half = path.with_name(f"half-{waiting}-1.md")
        half.write_bytes(path.read_bytes())
        (path.parent / ".x.md.partial-0123456789abcdef.md").write_text("half")
        async with engine.life() as watcher:
            await watcher.client.call("edit", job=kept, params={"steps": 3})
            await watcher.client.call("hold", held=False)
            assert (await watcher.ended(kept))["state"] == "finished"
            assert (await watcher.ended(waiting))["state"] == "finished"
        assert not half.exists() and Path(saved["path"]).exists() and path.exists()
        assert not list(path.parent.glob("*.partial*")) and not list(path.parent.glob(".x*"))

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["broken", "newer"])
def test_a_journal_that_cannot_be_used_is_kept_said_and_begun_anew(engine, how):
    async def scene() -> None:
        async with engine.life() as watcher:
            done = await watcher.ended(await watcher.submit("probe.echo"))
        if how == "broken":
            for copy in (engine.paths.data / "backups").glob("*"):
                copy.unlink()
            pick = random.Random(3)
            engine.paths.journal.write_bytes(pick.randbytes(engine.paths.journal.stat().st_size))
        else:
            import sqlite3

            db = sqlite3.connect(engine.paths.journal)
            db.execute(f"PRAGMA user_version={SCHEMA + 1}")
            db.close()
        async with engine.life() as watcher:
            (notice,) = await watcher.until(watcher.notices)
            (aside,) = engine.paths.data.glob(f"journal.{how}-*.sqlite")
            assert aside.name in notice["detail"]
            assert await watcher.jobs() == {}
            assert (await watcher.ended(await watcher.submit("probe.noop")))["state"] == "finished"
            items = (await watcher.client.call("library.list"))["items"]
            assert [item["path"] for item in items] == [done["artifacts"][0]["path"]]

    asyncio.run(scene())


def test_a_recorded_life_can_be_replayed(engine, tmp_path):
    record = tmp_path / "events.jsonl"

    async def scene() -> dict[str, dict]:
        async with engine.life(ATELIER_EVENT_LOG=str(record)) as watcher:
            jobs = [await watcher.submit("probe.echo", {"text": str(i)}, priority="batch") for i in range(5)]
            die = await watcher.submit("probe.die", {"how": "segv"})
            failing = await watcher.submit("probe.steps", {"fail_at": 2}, depends_on=[jobs[0]])
            await watcher.submit("probe.noop", {}, depends_on=[failing])
            for job in (*jobs, die, failing):
                await watcher.ended(job)
            await watcher.client.call("forget", job=jobs[1])
            return await watcher.all_ended()

    found = asyncio.run(scene())
    queue = Queue()
    for line in record.read_text().splitlines():
        machine.handle(queue, ev.from_json(json.loads(line)))
    assert {id: json.loads(json.dumps(job.to_dict())) for id, job in queue.jobs.items()} == found
    assert {job["error"]["code"] for job in found.values() if job["error"]} == {"worker-died", "probe", "dependency"}


def test_a_client_that_does_not_listen_holds_up_nobody(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            reader, writer = await asyncio.open_unix_connection(socket_path(engine.paths))
            deaf = AsyncChannel(reader, writer)
            deaf.send(Request(1, "subscribe"))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            flood = await watcher.submit("probe.flood", {"events": 30_000, "prints": 2000})
            done = await watcher.ended(flood)
            assert done["state"] == "finished"
            text = "".join(e.data["text"] for e in watcher.events if e.kind == "stream" and e.job == flood)
            assert text == "".join(f"{i}\n" for i in range(30_000))
            deaf.abort()

    asyncio.run(scene())


def test_garbage_on_the_socket_ends_that_client_only(engine):
    async def scene() -> None:
        async with engine.life() as watcher:
            for garbage in (b"GET / HTTP/1.1\r\n\r\n" * 10, b"\0" * 100, random.Random(1).randbytes(5000)):
                reader, writer = await asyncio.open_unix_connection(socket_path(engine.paths))
                writer.write(garbage)
                writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 60) == b""
                writer.close()
            assert (await watcher.client.call("status"))["pid"] == engine.pid

    asyncio.run(scene())


def test_the_history_of_ended_jobs_is_capped(engine):
    async def scene() -> None:
        engine.paths.settings.write_text(json.dumps({"keep_ended": 10}))
        async with engine.life() as watcher:
            jobs = [await watcher.submit("probe.noop", {}) for _ in range(25)]
            await watcher.ended(jobs[-1])
            kept = await watcher.jobs()
            assert list(kept) and set(kept) == set(jobs[-10:])
            receipts = {path.stem for path in engine.paths.receipts.glob("*.json")}
            assert receipts == set(kept)

    asyncio.run(scene())
