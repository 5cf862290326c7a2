"""A job's context while it works on one part of many: people see which part, not the tokens of each.

Owns PartContext. Imports the sdk only.
"""

from typing import Any

from studio.sdk.operation import JobContext


class PartContext:
    """Passes everything on to the job's own context, but for progress and facts, which are the whole job's to tell."""

    def __init__(self, ctx: JobContext, title: str, done: int, total: int):
        """title: what is going on ("Part 3 of 9"). done, total: how many answers there are so far, and will be."""
        self._ctx, self._title, self._place = ctx, title, (done, total)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def step(self, done: int, total: int | None = None, **_more: Any) -> None:
        self._ctx.stage(f"{self._title} · {done:,} tokens", *self._place)
        self._ctx.check()

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        share = f" {done * 100 // total} %" if done and total else ""
        self._ctx.stage(f"{self._title} · {title[:1].lower()}{title[1:]}{share}", *self._place)

    def note(self, **_facts: Any) -> None:
        pass
