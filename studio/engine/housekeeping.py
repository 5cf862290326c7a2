"""Clears what jobs left between their steps, oldest first, when it takes too much room.

Owns nothing that cannot be made again: results and recipes are elsewhere.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

BUDGET = 4 << 30
PAUSE_S = 60.0


def trim_steps(folder: Path, busy: Collection[str], budget: int = BUDGET) -> list[str]:
    """Removes the oldest jobs' folders below `folder` until the rest is within `budget` bytes.

    Jobs in `busy` are spared. Returns the jobs whose steps are gone.
    """
    if not folder.is_dir():
        return []
    found = sorted((_changed(path), path) for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    sizes = {path: _size(path) for _, path in found}
    total = sum(sizes.values())
    removed = []
    for _, path in found:
        if total <= budget:
            break
        if path.name not in busy:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]
            removed.append(path.name)
    return removed


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # its job has just replaced it
    return total
