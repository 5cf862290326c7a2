"""The worker process: composition, the channel's reader, and what makes the process safe to leave alone.

    python -m studio.worker --fd N [--data DIR]

N is one end of a socket pair. The data folder is `--data`, else `$ATELIER_DATA`, else the user's.
`Hello.facts`: "budget" (bytes jobs and models may use together, 0 unknown), "memory" (total RAM or device
memory), "threads", "torch" (installed version), "device" (what the probe found).
Exit codes: 0 the channel ended or Shutdown, 70 the device is lost, 76 the channel carried garbage.
"""

import argparse
import ctypes
import faulthandler
import logging
import os
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import IO, NoReturn

from studio.hub.hashes import HashCache
from studio.paths import Paths, user_paths
from studio.wire import messages as m
from studio.wire.channel import BlockingChannel, Closed, WireError
from studio.worker import devices, memory
from studio.worker.baton import Baton
from studio.worker.models import Residency
from studio.worker.outbox import Outbox
from studio.worker.provenance import Hashes
from studio.worker.runner import Runner

log = logging.getLogger(__name__)
PROTOCOL_EXIT = 76
PR_SET_PDEATHSIG = 1
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# Threads that wait for each other's part of a product sleep instead of spinning: on a machine that does anything
# else, spinning ones hold up the thread they wait for, and small models write twenty times slower.
THREADS = ("OMP_WAIT_POLICY", "PASSIVE")
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")


def main(argv: list[str]) -> int:
    """Serves one engine until it is gone; never returns from that."""
    parser = argparse.ArgumentParser(prog="studio.worker")
    parser.add_argument("--fd", type=int)
    parser.add_argument("--data")
    parser.add_argument("--probe")
    parser.add_argument("--child", nargs="+", help="run this Python file with these words, in place of a worker")
    options = parser.parse_args(argv)
    if options.probe:
        from studio.worker import probing

        return probing.main(options.probe)
    if options.child:
        sys.argv = options.child
        runpy.run_path(options.child[0], run_name="__main__")
        return 0
    if options.fd is None:
        parser.error("--fd is needed")
    paths = user_paths(options.data)
    _secure()
    lock = _hold_lock(paths)
    channel = _channel(options.fd, lock)
    _serve(channel, paths)


def _serve(channel: BlockingChannel, paths: Paths) -> NoReturn:
    outbox = Outbox(channel)
    baton = Baton(
        moved=lambda job: outbox.send(m.Baton(job)),
        paused=lambda job, paused: outbox.send(m.Paused(job) if paused else m.Resumed(job)),
        share=os.environ.get("ATELIER_SHARE_STEPS") == "1",
    )
    device = devices.choose(paths)
    devices.BeforeTorch(lambda: os.environ.update(devices.environment(paths))).install()
    facts = _facts(device)
    residency = Residency(device.name, budget=lambda: facts["budget"])
    hashes = Hashes(HashCache(paths.data / "hashes.json"))
    runner = Runner(outbox, baton, residency, hashes, device)
    outbox.send(m.Hello(os.getpid(), device.name, device.dtype, facts))
    _read(channel, runner, baton, residency, paths)


def _read(channel: BlockingChannel, runner: Runner, baton: Baton, residency: Residency, paths: Paths) -> NoReturn:
    """Takes messages until the engine is gone; then nothing here is worth another moment."""
    while True:
        try:
            message = channel.receive()
        except Closed:
            os._exit(0)
        except (WireError, m.Unknown) as error:
            log.error("the channel carries what no engine of this version says: %s", error)
            _leave(PROTOCOL_EXIT)
        match message:
            case m.Run():
                runner.start(message)
            case m.Cancel():
                baton.cancel(message.job)
            case m.Pause():
                baton.pause(message.job)
            case m.Resume():
                baton.resume(message.job)
            case m.Steer():
                runner.steer(message.job, message.data)
            case m.Prioritise():
                baton.prioritise(message.job, message.rank)
            case m.Prewarm():
                runner.prewarm(message)
            case m.Unload():
                residency.unload(message.ref)
                runner.tell_memory()
            case m.Shutdown():
                _lock_file(paths).unlink(missing_ok=True)
                _leave(0)
            case _:
                log.error("a worker is not told %s", type(message).__name__)


def _facts(device: devices.Device) -> m.Json:
    total = int(device.facts.get("total") or 0)
    return {
        "budget": int(total * memory.SHARE) if total and not os.environ.get("ATELIER_MEMORY") else memory.budget(),
        "memory": total or memory.machine()[0],
        "threads": os.cpu_count() or 1,
        "torch": devices.torch_version(),
        "device": device.facts,
    }


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def _secure() -> None:
    """Offline, first to be killed when memory runs out, never outliving the engine, telling where it crashed."""
    os.environ.update(OFFLINE)
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault(*THREADS)
    for name in TOKENS:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(line_buffering=True, errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    faulthandler.enable(sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started the engine
    memory.settle_allocator()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")
        except OSError as error:
            log.info("the kernel was not told to end this process first: %s", error)


def _lock_file(paths: Paths) -> Path:
    return paths.runtime / f"worker-{os.getpid()}.lock"


def _hold_lock(paths: Paths) -> IO[bytes] | None:
    """A lock held for life, by which a new engine finds workers of an old one. None where locks do not exist."""
    try:
        import fcntl
    except ImportError:
        return None
    paths.runtime.mkdir(parents=True, exist_ok=True)
    lock = _lock_file(paths).open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _channel(fd: int, lock: IO[bytes] | None) -> BlockingChannel:
    """The channel, closed to whatever this process may start: neither it nor the lock may outlive the worker."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(True)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _forked(sock, lock))
    return BlockingChannel(sock)


def _forked(sock: socket.socket, lock: IO[bytes] | None) -> None:
    """In a forked child, as data loaders make them; flock and connection stay the parent's."""
    os.close(sock.detach())
    if lock is not None:
        lock.close()
