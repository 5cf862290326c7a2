"""What every test is given and held to: a data folder of its own, no network, no display, nothing left behind.

A test fails on an unexpected warning (pyproject's filterwarnings), on a log record at WARNING or above unless
it is marked `expects_log`, and on threads, child processes and windows that outlive it.

`./test` runs modules in several processes (pytest-xdist); what a module shares is made once. A test may assume
nothing of the modules before it.
"""

import functools
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

MARK = "ATELIER_TEST_MARK"
PATIENCE_S = float(os.environ.get("ATELIER_TEST_PATIENCE", "60"))
TIERS = ("end2end", "worker", "qt", "unit")
NOT_SLOW = " and not slow"
PROCESSES = 4  # at most: each holds a gigabyte, and the engines and workers of its tests as much again
RUNTIME = Path(tempfile.mkdtemp(prefix="at-"))  # short: a Unix socket's path holds about 100 bytes

os.environ.update(
    QT_QPA_PLATFORM=os.environ.get("ATELIER_TEST_PLATFORM", "offscreen"),
    QT_API="pyside6",
    XDG_RUNTIME_DIR=str(RUNTIME),
    XDG_CONFIG_HOME=str(RUNTIME / "config"),
    XDG_CACHE_HOME=str(RUNTIME / "cache"),
    XDG_DATA_HOME=str(RUNTIME / "share"),
    ATELIER_DATA=str(RUNTIME / "data"),
    HF_HOME=str(RUNTIME / "hf"),
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="false",
    PYTHONFAULTHANDLER="1",
    # Tiny tensors: more threads only wait for each other.
    OMP_NUM_THREADS="1",
)
# What a worker finds out by trying in a child for each new data folder; the tests of that take it away again.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
# transformers sends its talk to the root logger where CI is set; tests are to do the same everywhere.
for name in (
    "CI",
    "HF_TOKEN",
    "ATELIER_PLUGINS",
    "ATELIER_WATCHDOG",
    "ATELIER_CANCEL_GRACE",
    "DBUS_SESSION_BUS_ADDRESS",
    "PYTHONDONTWRITEBYTECODE",  # hundreds of processes would compile the same modules
):
    os.environ.pop(name, None)
os.environ[MARK] = f"session-{uuid.uuid4().hex}"


def pytest_configure(config: pytest.Config) -> None:
    if config.option.markexpr in TIERS:
        config.option.markexpr += NOT_SLOW
    config.addinivalue_line("markers", "expects_log: log records at WARNING or above belong to this test")
    # No test asserts a time: a busy machine draws examples slowly, and that is all that these two find.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for each core that is ours."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, PROCESSES)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """One tier does not import the others: `-m unit` needs no torch."""
    asked = config.option.markexpr.removesuffix(NOT_SLOW)
    tier = collection_path.name if collection_path.parent == Path(__file__).parent else ""
    return True if tier in TIERS and asked in TIERS and tier != asked else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes the longest tests come first, so that none of them has to wait for the others at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=_tier)
    if Path("/dev/nvidia0").exists():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def _tier(item: pytest.Item) -> int:
    return next((at for at, tier in enumerate(TIERS) if item.path.parent.name == tier), len(TIERS))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what fixtures wider than one test left running, then removes the session's folder."""
    for pid in _ours(_processes(), os.environ[MARK]):
        _kill(pid)
    shutil.rmtree(RUNTIME, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`user_paths()` of this test, and of the processes it starts."""
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def short_folder() -> Path:
    """An empty folder with a short path, for programs that put sockets below what they are given."""
    return Path(tempfile.mkdtemp(dir=RUNTIME))


@pytest.fixture
def qtbot(qtbot):
    """Waits longer than pytest-qt's five seconds: a busy machine is no failure."""
    for name in ("waitUntil", "waitSignal", "waitSignals", "waitExposed", "waitActive"):
        setattr(qtbot, name, functools.partial(getattr(qtbot, name), timeout=int(PATIENCE_S * 1000)))
    return qtbot


class _Warnings(logging.Handler):
    """Collects what a test logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def nothing_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails on a log record at WARNING or above, unless the test is marked `expects_log`."""
    handler = _Warnings()
    root = logging.getLogger()
    root.addHandler(handler)
    yield
    root.removeHandler(handler)
    if handler.records and not request.node.get_closest_marker("expects_log"):
        pytest.fail("logged without expects_log:\n" + "\n".join(handler.records), pytrace=False)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails on threads, child processes and visible windows that the test started and left behind."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    threads, known, windows = set(_threads()), _processes(), set(_windows())
    yield
    left = _when_settled(lambda: set(_threads()) - threads)
    processes = _when_settled(lambda: _ours(_processes() - known, mark))
    shown = [window for window in _windows() if window not in windows]
    problems = [f"thread {thread.name}" for thread in left]
    for pid in processes:
        problems.append(f"process {pid}: {_command(pid)}")
        _kill(pid)
    for window in shown:
        problems.append(f"window {type(window).__name__} {window.windowTitle()!r}")
        window.hide()
    if problems:
        pytest.fail("left behind: " + "; ".join(problems), pytrace=False)


def _when_settled(left):
    """What is still there after the time that a clean end may take."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _threads() -> list[threading.Thread]:
    """Live Python threads, without those that libraries keep for the life of the process."""
    kept = ("tqdm_monitor", "Dummy-", "pytest_timeout")
    return [
        thread
        for thread in threading.enumerate()
        if thread.is_alive()
        and not thread.name.startswith(kept)
        and type(thread).__name__ not in ("TMonitor", "_DummyThread")
    ]


def _windows() -> list:
    """Visible top-level widgets; a tooltip on its way out is none."""
    import sys

    widgets = sys.modules.get("PySide6.QtWidgets")
    app = widgets.QApplication.instance() if widgets else None
    if app is None:
        return []
    return [w for w in app.topLevelWidgets() if w.isVisible() and type(w).__name__ != "QTipLabel"]


def _processes() -> set[int]:
    proc = Path("/proc")
    return {int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()} if proc.is_dir() else set()


def _ours(pids: set[int], mark: str) -> set[int]:
    """Those that run and were started under `mark`, orphans included since the environment is inherited, or by us."""
    wanted, me = f"{MARK}={mark}".encode(), os.getpid()
    return {pid for pid in pids - {me} if (_parent(pid) == me or wanted in _environment(pid)) and not _passing(pid)}


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """State and parent of a process; the name before them may hold anything but the last parenthesis."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ["X", "0"]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _passing(pid: int) -> bool:
    """Dead but not collected yet, or a helper that multiprocessing keeps for the life of the process."""
    return _stat(pid)[0] in "ZX" or "multiprocessing.resource_tracker" in _command(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "gone"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
