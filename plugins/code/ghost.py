"""The suggestion behind the cursor: what was asked, what came, and what of it still holds while the person types.

Owns Ghost, one request's state, and Place. Pure: the window asks the engine and paints.
"""

from dataclasses import dataclass

from .trim import Hole, Trimmer

BEFORE, AFTER = 8000, 2000
"""Characters of the file that are sent; the beginning of what is sent moves in steps, so that it stays cached."""
STEP = 2000
RIGHT = 8
"""More than this behind the cursor on its line: the person is in the middle of something, and nothing is suggested."""


@dataclass(frozen=True, slots=True)
class Place:
    """The file on both sides of the cursor."""

    before: str
    after: str

    @property
    def asks(self) -> bool:
        """Whether a suggestion would help here."""
        rest = self.after.partition("\n")[0].strip()
        return len(rest) <= RIGHT and bool(self.before.strip() or self.after.strip())

    @property
    def multiline(self) -> bool:
        """Several lines only where nothing but closing marks follows on the line."""
        return not self.after.partition("\n")[0].strip(" \t)]}:;,\"'")

    def sent(self) -> tuple[str, str]:
        """What a model is given of both sides, whole lines of the first."""
        start = max(0, (len(self.before) - BEFORE + STEP) // STEP * STEP) if len(self.before) > BEFORE else 0
        if start:
            start = self.before.find("\n", start) + 1 or start
        return self.before[start:], self.after[:AFTER]


class Ghost:
    """One request. `show` is what to paint at a place; None when the suggestion holds there no longer."""

    def __init__(self, place: Place, job: str = ""):
        self.job = job
        self.ended = False
        self._place = place
        self._raw = ""
        self._trimmer = Trimmer(Hole(*place.sent(), multiline=place.multiline))

    def push(self, at: int, text: str) -> bool:
        """Takes streamed text that begins at character `at`. Whether no more is needed."""
        have = len(self._raw)
        if at > have:
            return False
        fresh = text[have - at :]
        self._raw += fresh
        return self._trimmer.push(fresh)

    def finish(self, text: str | None) -> None:
        """It has ended; text: the whole answer where the engine told it."""
        self.ended = True
        if text is not None:
            self._trimmer.text = text
        else:
            self._trimmer.finish()

    @property
    def text(self) -> str:
        """What belongs into the hole, as far as it is known."""
        return self._trimmer.text

    def show(self, place: Place) -> str | None:
        """The rest of the suggestion at a place that the person has typed on to; None where it does not fit."""
        asked = self._place
        if place.after != asked.after or not place.before.startswith(asked.before):
            return None
        typed = place.before[len(asked.before) :]
        if self.text.startswith(typed):
            return self.text[len(typed) :]
        # More was typed than has come: it may still be what comes.
        return "" if not self.ended and typed.startswith(self.text) and not self._trimmer.done else None
