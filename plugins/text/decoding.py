"""Our own decode loop: reads the prompt in chunks, then writes token by token, streaming text as it goes.

Owns Sequence (one text's way through a model) and Continuation (what one job has written so far). A step
boundary lies between any two chunks and any two tokens, so a job stops, or lets another one have the device,
at once; between them nothing but this sequence's own cache is touched.
"""

import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Ids
from typing import Any

import torch
from torch import Tensor

from studio.sdk.operation import JobContext

from .loading import Language
from .params import CHUNK
from .streaming import StopStrings, detokeniser

Choose = Callable[[Tensor], Any]
"""Logits (V,) float32 to the next token's id, or to a choice: an object with `token` and `record`."""


class Sequence:
    """Tokens fed to a model, and its cache of them. Logits come as (V,) float32."""

    def __init__(self, language: Language):
        self._language, self._model = language, language.model
        self._device = language.model.device
        self._cache: Any = None
        self._ids: list[int] = []
        self._next = torch.zeros((1, 1), dtype=torch.long, device=self._device)
        self._fixed: dict[str, Any] = {"use_cache": True} if language.cache else {}
        if language.last_only:
            self._fixed["logits_to_keep"] = 1

    def read(self, ids: list[int], between: Callable[[int], None]) -> Tensor:
        """Feeds the prompt, calling `between` with the number of tokens read after each chunk but the last."""
        at = 0
        while True:
            # The first chunk starts from nothing, so any model can take it whole.
            size = CHUNK if self._language.chunked or at == 0 else 1
            size = size if self._language.cache else len(ids)
            logits = self._feed(torch.tensor([ids[at : at + size]], device=self._device))
            self._ids += ids[at : at + size]
            at += size
            if at >= len(ids):
                return logits
            if at % CHUNK == 0 or size > 1 or at % 16 == 0:
                between(at)

    def write(self, token: int) -> Tensor:
        """Feeds one token."""
        self._ids.append(token)
        if not self._language.cache:
            return self._feed(torch.tensor([self._ids], device=self._device))
        return self._feed(self._next.fill_(token))

    def _feed(self, ids: Tensor) -> Tensor:
        # ids: (1, n); logits: (1, n or 1, V). No attention mask: nothing is padded, and making one costs time.
        name = self._language.cache
        if name:
            out = self._model(input_ids=ids, **{name: self._cache}, **self._fixed)
            self._cache = getattr(out, name)
        else:
            out = self._model(input_ids=ids, **self._fixed)
        return out.logits[0, -1].float()


class Continuation:
    """What one job has written. `text` is what was streamed, complete at every step boundary.

    stop_reason: "stop" (a stop string, left out of the text), "eos" (the model ended), "rule" (`each` said so),
    "length" (as many tokens as asked for), "context" (the model holds no more) or, until one of these, "cancelled".
    """

    def __init__(
        self,
        language: Language,
        prompt: Ids[int],
        choose: Choose,
        limit: int,
        stops: Iterable[str] = (),
        ends: Iterable[int] = (),
        each: Callable[[int, str, Any], bool | None] | None = None,
        show: Callable[[str], None] | None = None,
    ):
        self._language, self._prompt, self._choose = language, list(prompt), choose
        room = limit if language.context is None else language.context - len(prompt)
        self._limit, self._asked = min(limit, room), limit
        self._pieces = detokeniser(language.tokenizer, prompt)
        self._stops = StopStrings(stops)
        self._ends = language.ends | set(ends)
        self._each, self._show = each, show
        self._texts: list[str] = []
        self.tokens: list[int] = []
        self.records: list[Any] = []
        self.stop_reason = "cancelled"
        self.seconds = 0.0

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def stop(self) -> str:
        """The stop string that came up, empty when none did."""
        return self._stops.hit

    @property
    def speed(self) -> float | None:
        """Tokens per second of computing, None before the second one: reading the prompt gave the first.

        Loading, reading and waiting for the device do not count.
        """
        return (len(self.tokens) - 1) / self.seconds if self.seconds > 0 and len(self.tokens) > 1 else None

    def run(self, ctx: JobContext) -> None:
        """Writes until it is done. JobCancelled passes through; what was written before stays here."""
        prompt, total = self._prompt, len(self._prompt)
        show = self._show or ctx.stream

        def between(done: int) -> None:
            ctx.stage("Reading the prompt", done, total)
            ctx.check()

        ctx.stage("Reading the prompt", 0, total)
        sequence = Sequence(self._language)
        logits = sequence.read(prompt, between)
        ctx.check()
        begun = time.perf_counter()
        while True:
            reason = self._take(self._choose(logits), show)
            self.seconds += time.perf_counter() - begun
            if reason:
                self.stop_reason = reason
                break
            ctx.step(len(self.tokens), self._asked, rate=self.speed, unit="token")
            begun = time.perf_counter()
            logits = sequence.write(self.tokens[-1])
        self.finish(show)

    def finish(self, show: Callable[[str], None]) -> None:
        """Shows what was still held back, now that no more will come. A second time there is nothing."""
        if not self._stops.hit:
            self._emit(self._stops.push(self._pieces.finish()) + self._stops.finish(), show)

    def _take(self, choice: Any, show: Callable[[str], None]) -> str:
        """Streams what the choice adds; the reason to stop, or nothing."""
        token, record = (choice, None) if isinstance(choice, int) else (choice.token, choice.record)
        self.tokens.append(token)
        self.records.append(record)
        if token in self._ends:
            return "eos"
        piece = self._stops.push(self._pieces.push(token))
        self._emit(piece, show)
        stopped = bool(self._each and self._each(token, piece, record))
        if self._stops.hit:
            return "stop"
        if stopped:
            return "rule"
        if len(self.tokens) >= self._limit:
            return "context" if self._limit < self._asked else "length"
        return ""

    def _emit(self, text: str, show: Callable[[str], None]) -> None:
        if text:
            self._texts.append(text)
            show(text)
