"""A worker process that is killed, starved of disk, shouted at, or left alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.wire.channel import BlockingChannel
from studio.wire.messages import Baton, Hello, Memory, Progress, Request, Running, Shutdown
from tests.patience import PATIENCE_S
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = pytest.mark.worker


@pytest.fixture
def worker(tmp_path):
    with worker_process(tmp_path) as process:
        yield process


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("segv", -signal.SIGSEGV),
        ("kill", -signal.SIGKILL),
        ("ill", -signal.SIGILL),
        ("abrt", -signal.SIGABRT),
        ("term", -signal.SIGTERM),
        ("exit0", 0),
        ("exit3", 3),
    ],
)
def test_a_death_is_seen_as_the_end_of_the_channel_with_its_cause(worker: WorkerProcess, how, code):
    job = worker.run("probe.die", {"how": how})
    assert worker.gone() == code
    assert [m.job for m in worker.about(job, Baton)] == [job], "who had the device is not known"
    assert not worker.receipt(job).exists() and not list(worker.library.rglob("*.md"))
    said = worker.output.read_text(errors="replace")
    assert f"probe.die: {how} at step 1" in said
    if how in ("segv", "ill", "abrt"):
        assert "misbehaving.py" in said, "no Python stack of the crash"


def test_a_job_behaves_where_its_marker_says_that_it_died_before(tmp_path: Path):
    params = {"how": "segv", "once_marker": str(tmp_path / "marker")}
    with worker_process(tmp_path) as first:
        job = first.run("probe.die", params)
        assert first.gone() == -signal.SIGSEGV
    with worker_process(tmp_path) as second:
        assert second.run("probe.die", params, job=job, attempt=2) == job
        assert len(second.done(job).artifacts) == 1


@pytest.mark.parametrize("how", ["hang", "spin_nostep", "ignore_term"])
def test_a_job_without_steps_leaves_the_channel_alive_and_ends_with_it(worker: WorkerProcess, how):
    job = worker.run("probe.die", {"how": how, "at_step": 0})
    worker.hear(Running, job)
    worker.channel.send(Shutdown()) if how == "hang" else worker.channel.close()
    assert worker.gone() == 0


def test_a_spinning_job_is_ended_by_sigkill_and_a_deaf_one_does_not_heed_sigterm(worker: WorkerProcess):
    job = worker.run("probe.die", {"how": "ignore_term", "at_step": 0})
    worker.hear(Running, job)
    deadline = time.monotonic() + PATIENCE_S
    while not _ignores_term(worker.process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.process.terminate()
    spinning = worker.run("probe.die", {"how": "spin_nostep", "at_step": 0})
    assert worker.process.poll() is None
    worker.process.kill()
    assert worker.gone() == -signal.SIGKILL
    assert not worker.about(spinning, Running), "two jobs had the device"


def _ignores_term(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
    return bool(ignored >> (signal.SIGTERM - 1) & 1)


def test_prints_and_events_without_end_reach_nobody_through_the_protocol(worker: WorkerProcess):
    job = worker.run("probe.flood", {"events": 20_000, "prints": 20_000})
    worker.done(job)
    assert worker.streamed(job) == "".join(f"{i}\n" for i in range(20_000))
    assert len(worker.about(job)) < 5_000, "a flood was not coalesced"
    assert worker.about(job, Progress)[-1].done == 20_000
    said = worker.output.read_text()
    assert "flood on standard output 19999" in said and "flood on standard error 19999" in said


def test_garbage_on_the_channel_ends_the_worker_with_a_code_of_its_own(worker: WorkerProcess):
    worker.hear(Hello)
    worker.socket.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    assert worker.gone() == 76
    assert "no engine of this version" in worker.output.read_text()


def test_a_message_of_a_newer_engine_ends_the_worker_too(worker: WorkerProcess):
    from studio.wire.codec import encode

    worker.socket.sendall(encode({"type": "Teleport", "job": "x"}))
    assert worker.gone() == 76


def test_a_message_that_is_not_for_workers_is_passed_over(worker: WorkerProcess):
    worker.channel.send(Request(1, "submit"))
    job = worker.run("probe.noop")
    assert worker.done(job).job == job and worker.receipt(job).exists()
    assert {m.job for m in worker.heard if isinstance(m, Baton) and m.job} == {job}, "it made a job of it"


def test_a_run_with_nonsense_inside_fails_and_nothing_else(worker: WorkerProcess):
    for nonsense in (
        {"backend": {}},
        {"backend": {"folder": 3, "package": None, "target": ["x"]}},
        {"params": {"label": [1]}},
        {"recipe": {"models": "none"}},
        {"models": {"a": {"id": 1}}},
        {"folder": "\0"},
    ):
        operation = "probe.echo" if "folder" in nonsense else "probe.noop"
        worker.failed(worker.run(operation, **nonsense))
    worker.done(worker.run("probe.noop"))


def test_the_end_of_the_engine_is_the_end_of_the_worker(worker: WorkerProcess):
    job = worker.run("probe.steps", {"steps": 100_000, "delay_ms": 1})
    worker.hear(Running, job)
    assert worker.close() == 0
    assert not worker.receipt(job).exists()


def test_a_worker_without_an_open_channel_dies_with_its_parent(tmp_path: Path):
    """The other end stays open elsewhere, so that only the parent's death can tell."""
    ours, theirs = socket.socketpair()
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'studio.worker', '--fd', sys.argv[1]],"
        " pass_fds=[int(sys.argv[1])], stdin=subprocess.DEVNULL)\n"
        "time.sleep(100)"
    )
    with (tmp_path / "output").open("wb") as output:
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdout=output, stderr=output,
        )  # fmt: skip
    theirs.close()
    channel = BlockingChannel(ours)
    hello = channel.receive()
    assert isinstance(hello, Hello)
    parent.kill()
    parent.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while _alive(hello.pid):
        assert time.monotonic() < deadline, "it outlived its parent"
        time.sleep(0.02)
    channel.close()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_lock_is_held_for_life_and_by_nobody_that_the_worker_started(worker: WorkerProcess):
    import fcntl

    pid = worker.hear(Hello).pid
    with (worker.paths.runtime / f"worker-{pid}.lock").open("rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(pid, signal.SIGKILL)
        worker.gone()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_child_of_a_plugin_keeps_neither_the_channel_nor_the_lock(tmp_path: Path):
    """Forked and started children of a dead worker must not make it look alive."""
    import fcntl

    before = (
        "import os, subprocess, time\n"
        "from studio.worker import runner\n"
        "def start(self, run, turn, *rest):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        time.sleep(100)\n"
        "    other = subprocess.Popen(['sleep', '100'], close_fds=False)\n"
        "    open(run.folder + '/children', 'w').write(f'{child} {other.pid}')\n"
        "    os.kill(os.getpid(), 9)\n"
        "runner.Runner._run = start"
    )
    with worker_process(tmp_path, before=before) as worker:
        pid = worker.hear(Hello).pid
        worker.run("probe.noop")
        assert worker.gone() == -signal.SIGKILL
        children = [int(word) for word in (worker.library / "children").read_text().split()]
        try:
            assert all(map(_alive, children))
            with (worker.paths.runtime / f"worker-{pid}.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def test_shutdown_leaves_at_once_and_takes_the_lock_file_away(worker: WorkerProcess):
    pid = worker.hear(Hello).pid
    worker.channel.send(Shutdown())
    assert worker.gone() == 0
    assert not (worker.paths.runtime / f"worker-{pid}.lock").exists()


def test_the_environment_is_offline_and_without_tokens(tmp_path: Path):
    tokens = dict.fromkeys(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"), "secret")
    env = {**tokens, "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"}
    before = (
        "import os\nleave = os._exit\n"
        "def told(code):\n"
        "    print({k: v for k, v in os.environ.items() if k[:3] in ('HF_', 'HUG', 'TRA', 'OMP')}, flush=True)\n"
        "    leave(code)\n"
        "os._exit = told"
    )
    with worker_process(tmp_path, env=env, before=before) as worker:
        worker.done(worker.run("probe.noop"))
        worker.close()
        said = worker.output.read_text()
    assert "secret" not in said
    assert "'OMP_WAIT_POLICY': 'PASSIVE'" in said, "threads spin while they wait"
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        assert f"'{name}': '1'" in said


def test_the_kernel_is_told_to_end_the_worker_first(worker: WorkerProcess):
    pid = worker.hear(Hello).pid
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == 700


LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"


def test_a_full_disk_fails_the_job_with_its_reason_and_leaves_no_part_behind(tmp_path: Path):
    with worker_process(tmp_path, before=LIMIT) as worker:
        failed = worker.failed(worker.run("probe.disk", {"bytes": 200_000}))
        assert failed.error["code"] == "disk-full" and str(worker.library) in failed.error["detail"]
        assert not worker.receipt(failed.job).exists()
        failed = worker.failed(worker.run("probe.echo", {"text": "x" * 200_000}))
        assert failed.error["code"] == "disk-full"
        assert not [p for p in worker.library.rglob("*") if p.is_file()]
        worker.done(worker.run("probe.disk", {"bytes": 50_000}))


def test_a_full_disk_at_the_receipt_fails_the_job_and_tells_of_what_it_saved(tmp_path: Path):
    before = (
        "import errno, os\nwrite, opened = os.write, os.open\nreceipts = set()\n"
        "def open_(path, *more, **kinds):\n"
        "    handle = opened(path, *more, **kinds)\n"
        "    (receipts.add if 'receipts' in str(path) else receipts.discard)(handle)\n"
        "    return handle\n"
        "def full(handle, data):\n"
        "    if handle in receipts: raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    return write(handle, data)\n"
        "os.open, os.write = open_, full"
    )
    with worker_process(tmp_path, before=before) as worker:
        failed = worker.failed(worker.run("probe.echo"))
        assert failed.error["code"] == "disk-full" and len(failed.artifacts) == 1
        assert Path(failed.artifacts[0]["path"]).exists()
        assert not list(worker.paths.receipts.iterdir())


def test_a_library_that_cannot_be_written(worker: WorkerProcess):
    """A file where the folder should be, since a test run as root may write into every folder."""
    blocked = worker.paths.data / "blocked"
    blocked.write_text("a file")
    failed = worker.failed(worker.run("probe.echo", folder=str(blocked / "library")))
    assert failed.error["code"] in ("no-folder", "read-only", "plugin") and str(blocked) in str(failed.error)
    before = worker.failed(worker.run("probe.echo", folder="/proc/atelier"))
    assert "/proc" in before.error["detail"]
    worker.done(worker.run("probe.noop"))


def test_a_read_only_library(tmp_path: Path):
    before = (
        "import errno, os\nopen_ = os.open\n"
        "def refuse(path, flags, *more, **named):\n"
        "    if '/library/' in str(path) and flags & os.O_CREAT: raise OSError(errno.EROFS, 'Read-only file system')\n"
        "    return open_(path, flags, *more, **named)\n"
        "os.open = refuse"
    )
    with worker_process(tmp_path, before=before) as worker:
        failed = worker.failed(worker.run("probe.echo"))
        assert failed.error["code"] == "read-only" and str(worker.library) in failed.error["detail"]
        worker.done(worker.run("probe.noop"))


def test_a_lost_device_is_told_and_then_the_worker_leaves(worker: WorkerProcess):
    models = {"m": {"id": "m", "path": "", "capability": "text-generation"}}
    failed = worker.failed(worker.run("probe.model", {"model": "m", "how": "sticky"}, models=models))
    assert failed.fatal and failed.error["code"] == "device-lost"
    assert "illegal memory access" in failed.error["detail"]
    assert worker.gone() == 70


def test_memory_is_told_after_every_job(worker: WorkerProcess):
    jobs = [worker.run("probe.noop") for _ in range(5)]
    for job in jobs:
        worker.done(job)
    worker.wait(lambda heard: len([m for m in heard if isinstance(m, Memory)]) == 5)
    assert [m.measured["job"] for m in worker.heard if isinstance(m, Memory)] == jobs
