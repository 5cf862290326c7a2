"""Several texts from one prompt, written in step: the loop under every text operation.

Owns Written and `write_several`. The prompt is read once, from where something like it was read before; then all rows
take their steps together, each with a sampler of its own, and a row that is done leaves. Where the model's cache
cannot be multiplied, the rows are written one after another, each from what the first left behind.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from studio.sdk.operation import JobCancelled, JobContext

from .continuation import Continuation
from .decoding import Sequence as Fed
from .loading import Language
from .prefix_cache import Reuse
from .streaming import detokeniser

Choose = Callable[[Tensor], Any]
"""Logits (V,) float32 to the next token's id, or to a choice: an object with `token`, `record` and `last`."""


@dataclass(slots=True)
class Written:
    """What came of one prompt, complete to the last token.

    tokens: all that were chosen, an end-of-text token last if one came. text: what they say, behind `lead`, up to the
    stop string, end-of-text left out. stop_reason: "eos" (the model ended), "stop" (a stop string, in `stop`),
    "grammar" (nothing can follow), "rule" (`each` said so), "length" (as many tokens as asked for), "context" (the
    model holds no more), "cancelled". speed: tokens per second of writing, None before the second token. reused: how
    many of the prompt_tokens did not have to be read again; broke: in words what kept it from being more. records:
    what the sampler tells of each token, None where it tells nothing.
    """

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    stop_reason: str = "cancelled"
    stop: str = ""
    speed: float | None = None
    prompt_tokens: int = 0
    reused: int = 0
    broke: str = ""
    records: list[Any] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """For the recipe."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "reused_tokens": self.reused,
            "reuse_broke": self.broke,
            "tokens": len(self.tokens),
            "tokens_per_second": round(self.speed or 0.0, 2),
            "stop_reason": self.stop_reason,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `write_several` was asked: see there."""

    limit: int
    stops: tuple[str, ...] = ()
    ends: frozenset[int] = frozenset()
    lead: str = ""
    each: Callable[[int, int, str, Any], bool | None] | None = None
    show: Callable[[int, str], None] | None = None
    save: Callable[[int, Written], None] | None = None


def write_several(
    ids: Sequence[int],
    chooses: Sequence[Choose],
    ctx: JobContext,
    language: Language,
    *,
    limit: int,
    stops: Iterable[str] = (),
    ends: Iterable[int] = (),
    lead: str = "",
    each: Callable[[int, int, str, Any], bool | None] | None = None,
    show: Callable[[int, str], None] | None = None,
    save: Callable[[int, Written], None] | None = None,
) -> list[Written]:
    """As many texts as there are samplers, the same as each would be alone. Everything else is as with `write`, but
    `each`, `show` and `save` are told first which row it is; rows are saved in order, when all are done."""
    wanted = Wanted(limit, tuple(stops), frozenset(ends), lead, each, show, save)
    with torch.inference_mode():
        return _Rows(list(ids), chooses, ctx, language, wanted).run()


class _Rows:
    """One call of `write_several`."""

    def __init__(
        self, ids: list[int], chooses: Sequence[Choose], ctx: JobContext, language: Language, wanted: Wanted
    ):
        self._ids, self._chooses, self._ctx, self._language, self._wanted = ids, chooses, ctx, language, wanted
        room = wanted.limit if language.context is None else min(wanted.limit, language.context - len(ids))
        self._rows = [self._row(i, room) for i in range(len(chooses))]
        self._reuse: Reuse | None = None
        self._broke = ""
        self._saved = 0

    def _row(self, index: int, room: int) -> Continuation:
        wanted, language = self._wanted, self._language
        show, each = wanted.show, wanted.each
        return Continuation(
            detokeniser(language.tokenizer, self._ids),
            room,
            wanted.limit,
            (lambda piece: show(index, piece)) if show else self._ctx.stream,
            wanted.stops,
            language.ends | wanted.ends,
            (lambda token, piece, record: each(index, token, piece, record)) if each else None,
        )

    def run(self) -> list[Written]:
        try:
            for row in self._rows:
                row.say(self._wanted.lead)
            self._write()
            while self._saved < len(self._rows):
                self._save(self._saved)
        except JobCancelled:
            # Perhaps only while saving: then that one is complete and is saved once more, now without waiting.
            for i in range(self._saved, len(self._rows)):
                self._rows[i].finish(self._last_words(i))
                if self._rows[i].tokens and self._rows[i].text:
                    self._save(i)
            raise
        return [self._written(row) for row in self._rows]

    def _write(self) -> None:
        """All rows at once, or where the cache cannot be multiplied one after another."""
        waiting = list(range(len(self._rows)))
        while waiting:
            fed = self._begin()
            try:
                logits = fed.read(self._ids, self._between)
                self._ctx.check()
                now = waiting if fed.spreads else waiting[:1]
                waiting = waiting[len(now) :]
                self._step_on(fed, logits, now)
            finally:
                self._give(fed, range(fed.count))

    def _give(self, fed: Fed, places: Iterable[int]) -> None:
        for place in places:
            self._language.prefixes.give(fed.branch(place))

    def _begin(self) -> Fed:
        branch, reuse = self._language.prefixes.take(self._ids)
        if self._reuse is None:
            self._reuse, self._broke = reuse, reuse.broke(self._ids, self._language.tokenizer)
        self._ctx.note(prompt_tokens=len(self._ids), reused_tokens=self._reuse.reused, reuse_broke=self._broke)
        self._stage(reuse.reused)
        return Fed(self._language, branch, self._ctx.alive)

    def _stage(self, done: int) -> None:
        reused, total = self._reused, len(self._ids)
        words = f" ({reused:,} reused)" if reused else ""
        self._ctx.stage(f"Reading the prompt{words}", done, total)

    def _between(self, done: int) -> None:
        self._stage(done)
        self._ctx.check()

    @property
    def _reused(self) -> int:
        return self._reuse.reused if self._reuse else 0

    def _step_on(self, fed: Fed, logits: Tensor, now: list[int]) -> None:
        """Writes these rows to their ends. logits: (1, V), what follows the prompt."""
        if len(now) > 1:
            fed.spread(len(now))
            logits = logits.expand(len(now), -1)
        begun = time.perf_counter()
        while True:
            rows = [self._rows[i] for i in now]
            done = [row.take(self._chooses[i](values)) for i, row, values in zip(now, rows, logits, strict=True)]
            took = time.perf_counter() - begun
            for row in rows:
                row.seconds += took
            if all(done):
                return
            if any(done):
                self._give(fed, (place for place, over in enumerate(done) if over))
                fed.select([place for place, over in enumerate(done) if not over])
                now = [i for i, over in zip(now, done, strict=True) if not over]
            rows = [self._rows[i] for i in now]
            self._ctx.step(len(rows[0].tokens), self._wanted.limit, rate=_together(rows), unit="token")
            begun = time.perf_counter()
            logits = fed.write([row.tokens[-1] for row in rows])

    def _save(self, index: int) -> None:
        written = self._written(self._rows[index])
        self._ctx.note(**written.facts())
        if self._wanted.save:
            self._wanted.save(index, written)
        self._saved = index + 1

    def _last_words(self, index: int) -> Callable[[str], None]:
        show = self._wanted.show

        def last(text: str) -> None:
            with contextlib.suppress(JobCancelled):  # known already
                show(index, text) if show else self._ctx.stream(text)

        return last

    def _written(self, row: Continuation) -> Written:
        return Written(
            tokens=list(row.tokens),
            text=row.text,
            stop_reason=row.stop_reason,
            stop=row.stop,
            speed=row.speed,
            prompt_tokens=len(self._ids),
            reused=self._reused,
            broke=self._broke,
            records=list(row.records),
        )


def _together(rows: list[Continuation]) -> float | None:
    """Tokens per second of all rows."""
    speeds = [row.speed for row in rows]
    return sum(speed for speed in speeds if speed) if all(speeds) else None
