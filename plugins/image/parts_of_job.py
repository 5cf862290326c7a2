"""A context for one part of a job, so that its steps count on where the parts before it ended.

Owns Part, which stands in for the JobContext while one of several paintings of a job runs, and Newest, which
shows of many pictures the one that came last.
"""

from collections.abc import Sequence
from typing import Any


class Part:
    """Everything of `ctx`, but `step(done, total)` of this part is step `before + done` of `whole`.

    previews: whether the part's own previews are shown; a tile alone would look like the whole.
    """

    def __init__(self, ctx: Any, before: int, whole: int, *, previews: bool = True):
        self._ctx, self._before, self._whole, self._previews = ctx, before, whole, previews

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def step(
        self,
        done: int,
        total: int | None = None,
        *,
        rate: float | None = None,
        unit: str = "it",
        preview: bytes | Sequence[bytes] | None = None,
    ) -> None:
        shown = preview if self._previews else None
        self._ctx.step(min(self._before + done, self._whole), self._whole, rate=rate, unit=unit, preview=shown)


class Newest:
    """Everything of `ctx`, but of the previews only the last that has something to show: a clip is one result."""

    def __init__(self, ctx: Any):
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def step(
        self,
        done: int,
        total: int | None = None,
        *,
        rate: float | None = None,
        unit: str = "it",
        preview: bytes | Sequence[bytes] | None = None,
    ) -> None:
        pictures = [preview] if isinstance(preview, bytes) else [each for each in preview or () if each]
        self._ctx.step(done, total, rate=rate, unit=unit, preview=pictures[-1:] or None)
