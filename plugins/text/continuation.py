"""What is written after one prompt: tokens become text, and something says when it is enough.

Owns Continuation. It computes nothing and knows no model: it takes what was chosen, one token at a time.
"""

from collections.abc import Callable, Iterable
from typing import Any

from .streaming import Detokeniser, StopStrings

Each = Callable[[int, str, Any], bool | None]
Show = Callable[[str], None]


class Continuation:
    """What one row of one job has written. `text` is what was shown, complete at every step boundary.

    limit: the most tokens; asked: how many were asked for, more where the model's context is what limits.
    stop_reason: "stop" (a stop string, left out of the text), "eos" (the model ended), "grammar" (the sampler said that
    nothing can follow), "rule" (`each` said so), "length" (as many tokens as asked for), "context" (the model holds no
    more) or, until one of these, "cancelled".
    seconds: time spent on computing; guessed, guessed_right: drafts that were tried, and those that were what the
    sampler chose. All three are added to by whoever computes.
    """

    def __init__(
        self,
        pieces: Detokeniser,
        limit: int,
        asked: int,
        show: Show,
        stops: Iterable[str] = (),
        ends: Iterable[int] = (),
        each: Each | None = None,
    ):
        self._pieces, self._limit, self._asked = pieces, limit, asked
        self._stops, self._ends = StopStrings(stops), frozenset(ends)
        self._each, self._show = each, show
        self._texts: list[str] = []
        self.tokens: list[int] = []
        self.records: list[Any] = []
        self.stop_reason = "cancelled"
        self.seconds = 0.0
        self.guessed = self.guessed_right = 0

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def stop(self) -> str:
        """The stop string that came up, empty when none did."""
        return self._stops.hit

    @property
    def ended(self) -> bool:
        return self.stop_reason != "cancelled"

    @property
    def speed(self) -> float | None:
        """Tokens per second of computing, None before the second one: reading the prompt gave the first.

        Loading, reading and waiting for the device do not count.
        """
        return (len(self.tokens) - 1) / self.seconds if self.seconds > 0 and len(self.tokens) > 1 else None

    def say(self, text: str) -> None:
        """Shows text that no token stands for."""
        if text:
            self._texts.append(text)
            self._show(text)

    def take(self, choice: Any) -> bool:
        """Shows what the choice adds; whether it was the last one.

        choice: a token's id, or an object with `token`, `record` and `last`.
        """
        token, record, last = (
            (choice, None, False) if isinstance(choice, int) else (choice.token, choice.record, choice.last)
        )
        self.tokens.append(token)
        self.records.append(record)
        if reason := self._reason(token, record, last):
            self.stop_reason = reason
            self.finish()
        return bool(reason)

    def _reason(self, token: int, record: Any, last: bool) -> str:
        if token in self._ends:
            return "eos"
        piece = self._stops.push(self._pieces.push(token))
        self.say(piece)
        stopped = bool(self._each and self._each(token, piece, record))
        if self._stops.hit:
            return "stop"
        if last:
            return "grammar"
        if stopped:
            return "rule"
        if len(self.tokens) >= self._limit:
            return "context" if self._limit < self._asked else "length"
        return ""

    def finish(self, show: Show | None = None) -> None:
        """Shows what was still held back, now that no more will come. A second time there is nothing."""
        self._show = show or self._show
        if not self._stops.hit:
            self.say(self._stops.push(self._pieces.finish()) + self._stops.finish())

