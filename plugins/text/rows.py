"""Several texts from one prompt, written in step: the loop under every text operation.

Owns `write_several`. The prompt is read once, from where something like it was read before; then all rows
take their steps together, each with a sampler of its own, and a row that is done leaves. Where the model's cache
cannot be multiplied, the rows are written one after another, each from what the first left behind.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.sdk.operation import JobCancelled, JobContext

from .assisted import write_assisted
from .continuation import Continuation
from .drafts import Drafts
from .feeding import Feeding
from .loading import Language
from .opening import opened
from .pair import Guide
from .prefix_cache import Reuse
from .streaming import detokeniser
from .written import Choose, Wanted, Written


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
    guide: Guide | None = None,
    drafts: Drafts | None = None,
    kv_bits: int = 0,
    compiled: bool = False,
) -> list[Written]:
    """As many texts as there are samplers, the same as each would be alone. Everything else is as with `write`, but
    `each`, `show` and `save` are told first which row it is; rows are saved in order, when all are done."""
    wanted = Wanted(limit, tuple(stops), frozenset(ends), lead, each, show, save, guide, drafts, kv_bits, compiled)
    with torch.inference_mode():
        return _Rows(list(ids), chooses, ctx, language, wanted).run()


class _Rows:
    """One call of `write_several`."""

    def __init__(
        self, ids: list[int], chooses: Sequence[Choose], ctx: JobContext, language: Language, wanted: Wanted
    ):
        self._ids, self._chooses, self._ctx, self._language, self._wanted = ids, chooses, ctx, language, wanted
        longest = max(len(ids), len(wanted.guide.ids) if wanted.guide else 0)
        self._room = wanted.limit if language.context is None else min(wanted.limit, language.context - longest)
        self._rows = [self._row(i, self._room) for i in range(len(chooses))]
        self._reuse: Reuse | None = None
        self._broke = ""
        self._saved = 0
        self._compiling = 0.0

    def _row(self, index: int, room: int) -> Continuation:
        wanted, language = self._wanted, self._language
        show, each = wanted.show, wanted.each
        return Continuation(
            detokeniser(language.tokenizer, self._ids),
            room,
            wanted.limit,
            (lambda piece: show(index, piece)) if show else (lambda piece: self._ctx.stream(piece, index)),
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
        """All rows at once; one after another where the cache cannot be multiplied, and with drafts."""
        waiting = list(range(len(self._rows)))
        while waiting:
            fed = self._begin()
            try:
                if self._wanted.drafts:
                    self._assist(fed, self._wanted.drafts, waiting.pop(0))
                else:
                    logits = self._read(fed)
                    now = waiting if fed.spreads else waiting[:1]
                    waiting = waiting[len(now) :]
                    self._step_on(fed, logits, now)
            finally:
                self._compiling += fed.compiling
                self._give(fed, range(fed.count))

    def _read(self, fed: Feeding) -> Tensor:
        logits = fed.read(self._ids, self._between)
        self._ctx.check()
        return logits

    def _assist(self, fed: Feeding, drafts: Drafts, index: int) -> None:
        drafter = drafts.begin(self._ids, self._language, self._ctx)
        row, choose = self._rows[index], self._chooses[index]
        try:
            logits = self._read(fed)
            write_assisted(fed, logits, row, choose, drafter, drafts.first, self._ids, self._room, self._ctx)
        finally:
            drafter.close()

    def _give(self, fed: Feeding, places: Iterable[int]) -> None:
        for place in places:
            for branch in fed.branches(place):
                self._language.prefixes.give(branch, self._wanted.kind)

    def _begin(self) -> Feeding:
        fed, reuse = opened(self._ids, self._wanted, self._room, self._language, self._ctx)
        if self._reuse is None:
            self._reuse, self._broke = reuse, reuse.broke(self._ids, self._language.tokenizer)
        self._ctx.note(prompt_tokens=len(self._ids), reused_tokens=self._reuse.reused, reuse_broke=self._broke)
        self._stage(reuse.reused)
        return fed

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

    def _step_on(self, fed: Feeding, logits: Tensor, now: list[int]) -> None:
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
                show(index, text) if show else self._ctx.stream(text, index)

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
            drafted=row.guessed,
            accepted=row.guessed_right,
            compiling=self._compiling,
        )


def _together(rows: list[Continuation]) -> float | None:
    """Tokens per second of all rows."""
    speeds = [row.speed for row in rows]
    return sum(speed for speed in speeds if speed) if all(speeds) else None
