"""What resident things keep beside their weights to be quicker, and can do without: it goes before any model does.

A thing may offer `held() -> int`, the bytes it keeps so, and `reclaim(need) -> int`, which frees at least `need` of
them if there are as many and says how many it was. Both are called from any thread, also while jobs use the thing, and
never touch what a job has in its hands. Imports no torch.
"""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Spare(Protocol):
    def held(self) -> int: ...

    def reclaim(self, need: int) -> int: ...


def held(thing: Any) -> int:
    return thing.held() if isinstance(thing, Spare) else 0


def reclaim(thing: Any, need: int) -> int:
    return thing.reclaim(need) if isinstance(thing, Spare) and need > 0 else 0
