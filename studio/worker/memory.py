"""How much memory this process and its device use. Sizes in bytes; 0 where the platform does not say.

Reads /proc and `resource`; asks torch only when somebody else imported it and uses a device.
"""

import contextlib
import ctypes
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows has no such module.
    resource = None

SHARE = 0.8
M_ARENA_MAX = -8


@dataclass(frozen=True, slots=True)
class State:
    """where: "graphics device" or "machine"."""

    used: int
    total: int
    available: int
    where: str = "machine"


def read() -> State:
    """The device's memory when a graphics device is in use, else this machine's."""
    torch = _torch_on_device()
    if torch is not None:
        free, total = torch.cuda.mem_get_info()
        return State(int(torch.cuda.memory_reserved()), int(total), int(free), "graphics device")
    return State(resident(), *machine())


def resident() -> int:
    """Bytes of RAM this process occupies; on platforms without /proc the most it ever did."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return _max_resident()


def machine() -> tuple[int, int]:
    """Total and available RAM."""
    try:
        found = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.M))
        total, available = int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024
    except (OSError, KeyError):
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return 0, 0
        return total, 0
    limit = _cgroup_limit()
    if limit and limit < total:
        return limit, min(available, max(0, limit - resident()))
    return total, available


def budget() -> int:
    """Bytes that jobs and models together may use here; `$ATELIER_MEMORY` says otherwise. 0: unknown."""
    chosen = os.environ.get("ATELIER_MEMORY", "")
    if chosen.isdigit():
        return int(chosen)
    torch = _torch_on_device()
    total = int(torch.cuda.mem_get_info()[1]) if torch is not None else machine()[0]
    return int(total * SHARE)


def begin_peak() -> None:
    """Forgets earlier peaks, so that `peak` tells of what follows."""
    torch = _torch_on_device()
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()
    try:
        with Path("/proc/self/clear_refs").open("w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def peak() -> int:
    """The most memory used since `begin_peak`: the device's, or this process's where there is none."""
    torch = _torch_on_device()
    if torch is not None:
        return int(torch.cuda.max_memory_reserved())
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.M)
        return int(found[1]) * 1024 if found else _max_resident()
    except OSError:
        return _max_resident()


def settle_allocator() -> None:
    """Lets all threads of this process share one pool of memory; to be called before there are several.

    Every job has a thread of its own. With glibc's pool for each of them, a model leaves holes in another pool
    every time it is loaded, and the process grows from switch to switch by a tenth of the model.
    """
    _glibc("mallopt", M_ARENA_MAX, 1)


def give_back() -> None:
    """Returns what the allocator keeps for later to the system."""
    _glibc("malloc_trim", 0)


def _glibc(name: str, *values: int) -> None:
    """Calls what only glibc has."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            getattr(ctypes.CDLL(None), name)(*values)


def words(size: int) -> str:
    """A size as people read it: 3.2 GB."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def _torch_on_device() -> Any:
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # torch may be half-way through its import
    return torch if cuda is not None and getattr(cuda, "is_initialized", bool)() else None


def _max_resident() -> int:
    if resource is None:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _cgroup_limit() -> int:
    """The container's limit, 0 without one."""
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return 0
