"""Which device this worker computes on, and what must be set before torch is imported.

Owns Device, `choose` and BeforeTorch. Imports no torch: whatever might kill a process is tried in a
sacrificial child (`python -m studio.worker --probe cpu`, see probing.py) whose result is kept in
data/probe.json until the processor, the kernel or torch changes.
"""

import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import atomic
from studio.paths import Paths

log = logging.getLogger(__name__)
ISA = "ONEDNN_MAX_CPU_ISA"
# Gentlest first: some virtual machines advertise AMX and die of SIGILL when it is used.
CAPS = ("", "AVX512_CORE_BF16", "AVX512_CORE_VNNI", "AVX2")
DTYPES = ("float32", "float16", "bfloat16")
# Other ends, as a timeout or the kernel's want of memory, say nothing about the processor.
CRASHES = {"SIGILL", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGABRT", "SIGTRAP"}
PROBE_LIMIT_S = 180
Run = Callable[[str, dict[str, str]], "Outcome"]


@dataclass(frozen=True, slots=True)
class Device:
    """name: "cpu", "cuda" or "mps". dtype: what a backend should compute in unless asked otherwise."""

    name: str
    dtype: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sacrificial child ended: its findings, and "" or the reason it died of."""

    found: dict[str, Any]
    died: str


def choose(paths: Paths, run: Run | None = None) -> Device:
    """The device, from `$ATELIER_DEVICE`, or the best one that passed its probe; else the processor."""
    asked = os.environ.get("ATELIER_DEVICE", "")
    if asked not in ("", "auto", "cpu"):
        return _tried(asked, paths, run) or _processor(f"{asked} was asked for and did not pass its probe")
    hinted = "" if asked == "cpu" else _hinted()
    return (_tried(hinted, paths, run) if hinted else None) or _processor("")


def environment(paths: Paths, run: Run | None = None) -> dict[str, str]:
    """Variables to set before torch is imported; empty where nothing is needed or the person chose."""
    if os.environ.get(ISA):
        return {}
    found = remembered("cpu", paths, lambda: probe_cpu(run or child))
    return {ISA: found["isa"]} if found.get("isa") else {}


def probe_cpu(run: Run) -> dict[str, Any]:
    """Climbs down the instruction sets until torch's matrix products survive and are right.

    Returns {"isa": cap or "", "works": [dtypes], "deaths": {cap: reason}}; of several that leave something to
    be desired, the one that does most. "unsure" says why the probe itself could not be made.
    """
    deaths: dict[str, str] = {}
    best: tuple[int, bool, str, list[str]] | None = None
    for cap in CAPS:
        outcome = run("cpu", {ISA: cap} if cap else {})
        works = [str(dtype) for dtype in outcome.found.get("works", [])]
        if outcome.died:
            deaths[cap or "none"] = outcome.died
            log.warning("a product died with %s=%s: %s; what works: %s", ISA, cap or "(unset)", outcome.died, works)
        if outcome.died and outcome.died not in CRASHES:
            return {"isa": best[2] if best else "", "works": works, "deaths": deaths, "unsure": outcome.died}
        if best is None or (len(works), not outcome.died) > best[:2]:
            best = (len(works), not outcome.died, cap, works)
        if not outcome.died and set(works) >= set(DTYPES):
            break
    assert best is not None
    return {"isa": best[2], "works": best[3], "deaths": deaths}


def child(kind: str, extra: dict[str, str]) -> Outcome:
    """Runs one probe in a process that may die. Its standard output is lines of JSON, the last one counts."""
    command = [sys.executable, "--worker"] if getattr(sys, "frozen", False) else [sys.executable, "-m", "studio.worker"]
    try:
        ended = subprocess.run(
            [*command, "--probe", kind],
            env={**os.environ, **extra, "PYTHONFAULTHANDLER": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return Outcome(_last_line(error.stdout or b""), f"no answer within {PROBE_LIMIT_S} s")
    except OSError as error:
        return Outcome({}, str(error))
    found = _last_line(ended.stdout)
    if ended.returncode == 0:
        return Outcome(found, "")
    if ended.returncode < 0:
        return Outcome(found, signal.Signals(-ended.returncode).name)
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return Outcome(found, f"exit code {ended.returncode}: {said[-1] if said else ''}")


def remembered(kind: str, paths: Paths, probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The kept result for this machine, or that of `probe`, which is then kept unless it is "unsure"."""
    file, key = paths.data / "probe.json", machine_key()
    kept = _read(file)
    found = kept.get(kind)
    if isinstance(found, dict) and found.get("key") == key:
        return found
    found = {**probe(), "key": key, "torch": torch_version(), "cpu": cpu_model()}
    if found.get("unsure"):
        return found
    try:
        atomic.write_file(file, json.dumps({**_read(file), kind: found}, indent=1).encode())
    except (StudioError, OSError) as error:
        log.warning("the probe's result could not be kept: %s", error)
    return found


def machine_key() -> str:
    """Changes with the processor as the kernel sees it, the kernel, the graphics driver, and torch.

    The processor's name alone would not do: virtual machines of one name differ in what survives.
    """
    seen = (cpu_model(), _cpu_line("flags"), _cpu_line("microcode"), platform.release(), torch_version(), _driver())
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:24]


def cpu_model() -> str:
    return _cpu_line("model name") or platform.processor() or platform.machine()


def torch_version() -> str:
    """The installed torch, without importing it; "" without one."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


class BeforeTorch:
    """An import hook that calls `prepare` once, right before the first import of torch in this process."""

    def __init__(self, prepare: Callable[[], None]):
        self._prepare = prepare
        self._lock = threading.Lock()
        self._done = False

    def install(self) -> None:
        sys.meta_path.insert(0, self)  # type: ignore[arg-type]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "torch":
            with self._lock:
                if not self._done:
                    self._prepare()
                    self._done = True


def _tried(name: str, paths: Paths, run: Run | None) -> Device | None:
    def probe() -> dict[str, Any]:
        outcome = (run or child)(name, {})
        # A device that is away now may be back after the next restart or driver update.
        unsure = outcome.died or ("" if outcome.found.get("dtype") else outcome.found.get("why") or "it is not right")
        return {**outcome.found, "unsure": unsure} if unsure else outcome.found

    found = remembered(name, paths, probe)
    if found.get("unsure"):
        log.warning("the device %s is not used: %s", name, found["unsure"])
        return None
    return Device(name, str(found["dtype"]), found)


def _processor(why: str) -> Device:
    if why:
        log.warning("%s; computing on the processor", why)
    return Device("cpu", "float32", {"why": why} if why else {})


def _hinted() -> str:
    """A graphics device that might be there, without touching it."""
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else ""
    if torch_version().endswith("+cpu"):
        return ""
    windows = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"
    signs = [Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"), Path("/dev/kfd"), windows]
    return "cuda" if any(sign.exists() for sign in signs) else ""


def _driver() -> str:
    try:
        return Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_line(name: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.M)
    return found[1].strip() if found else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _last_line(output: bytes) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
