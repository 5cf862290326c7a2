"""Our own decode loop: reads the prompt in chunks, then writes token by token, streaming text as it goes.

Owns Sequence (one text's way through a model) and Continuation (what one job has written so far). A step
boundary lies between any two chunks and any two tokens, so a job stops, or lets another one have the device,
at once; between them nothing but this sequence's own cache is touched.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from studio.sdk.operation import JobContext

from .loading import Language
from .params import CHUNK
from .streaming import StopStrings, detokeniser

Choose = Callable[[Tensor], int]


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

    stop_reason: "stop" (a stop string, left out of the text), "eos" (the model ended), "length" (as many tokens
    as asked for), "context" (the model holds no more) or, until one of these, "cancelled".
    """

    def __init__(self, language: Language, prompt: list[int], choose: Choose, limit: int, stops: Iterable[str] = ()):
        self._language, self._prompt, self._choose = language, prompt, choose
        room = limit if language.context is None else language.context - len(prompt)
        self._limit, self._asked = min(limit, room), limit
        self._pieces = detokeniser(language.tokenizer, prompt)
        self._stops = StopStrings(stops)
        self._texts: list[str] = []
        self.tokens: list[int] = []
        self.stop_reason = "cancelled"
        self.seconds = 0.0

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def speed(self) -> float | None:
        """Tokens per second of computing, None before the second one: reading the prompt gave the first.

        Loading, reading and waiting for the device do not count.
        """
        return (len(self.tokens) - 1) / self.seconds if self.seconds > 0 and len(self.tokens) > 1 else None

    def run(self, ctx: JobContext) -> None:
        """Writes until it is done. JobCancelled passes through; what was written before stays here."""
        prompt, total = self._prompt, len(self._prompt)

        def between(done: int) -> None:
            ctx.stage("Reading the prompt", done, total)
            ctx.check()

        ctx.stage("Reading the prompt", 0, total)
        sequence = Sequence(self._language)
        logits = sequence.read(prompt, between)
        ctx.check()
        begun = time.perf_counter()
        while True:
            token = self._choose(logits)
            self.tokens.append(token)
            reason = self._take(token, ctx)
            self.seconds += time.perf_counter() - begun
            if reason:
                self.stop_reason = reason
                break
            ctx.step(len(self.tokens), self._asked, rate=self.speed, unit="token")
            begun = time.perf_counter()
            logits = sequence.write(token)
        self._emit(self.rest(), ctx)

    def rest(self) -> str:
        """Text still held back when writing ends; call it once."""
        if self._stops.hit:
            return ""
        return self._stops.push(self._pieces.finish()) + self._stops.finish()

    def _take(self, token: int, ctx: JobContext) -> str:
        """Streams what the token adds; the reason to stop, or nothing."""
        if token in self._language.ends:
            return "eos"
        self._emit(self._stops.push(self._pieces.push(token)), ctx)
        if self._stops.hit:
            return "stop"
        if len(self.tokens) >= self._limit:
            return "context" if self._limit < self._asked else "length"
        return ""

    def _emit(self, text: str, ctx: JobContext) -> None:
        if text:
            self._texts.append(text)
            ctx.stream(text)
