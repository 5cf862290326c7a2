"""What resident things keep beside their weights to be quicker, and can do without: it goes before any model does.

A thing may offer `held() -> int`, the bytes it keeps so, and `reclaim(need) -> int`, which frees at least `need` of
them if there are as many and says how many it was. Both are called from any thread, also while jobs use the thing, and
never touch what a job has in its hands. Imports no torch.
"""

from typing import Any


def held(thing: Any) -> int:
    ask: Any = getattr(thing, "held", None)
    return int(ask()) if callable(ask) else 0


def reclaim(thing: Any, need: int) -> int:
    free: Any = getattr(thing, "reclaim", None)
    return int(free(need)) if callable(free) and need > 0 else 0
