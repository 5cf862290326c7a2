"""What was written so far, kept the way the stages that look back need it. Imports no torch.

Owns Tally (penalties), Ngrams (no-repeat), Repeats (DRY) and History, which has those that a request needs. Each is
told one token at a time and costs no more than the number of earlier places of that token.
"""

from array import array
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from .marks import TokenMarks
from .params_sampling import SamplingParams
from .stages import StageName


class Tally:
    """How often each token occurs among the last `window` ones (0: all).

    ids[i] occurs counts[i] times; flat arrays, so that a tensor can be made of them at once.
    """

    def __init__(self, window: int):
        self._window = window
        self._recent: deque[int] = deque()
        self._place: dict[int, int] = {}
        self.ids, self.counts = array("q"), array("d")

    def push(self, token: int) -> None:
        place = self._place.get(token)
        if place is None:
            self._place[token] = len(self.ids)
            self.ids.append(token)
            self.counts.append(1)
        else:
            self.counts[place] += 1
        if self._window:
            self._recent.append(token)
            if len(self._recent) > self._window:
                self._forget(self._recent.popleft())

    def _forget(self, token: int) -> None:
        place = self._place[token]
        self.counts[place] -= 1
        if not self.counts[place]:
            del self._place[token]
            moved, count = self.ids.pop(), self.counts.pop()
            if moved != token:
                self.ids[place], self.counts[place], self._place[moved] = moved, count, place

    def copy(self) -> "Tally":
        twin = Tally(self._window)
        twin._recent, twin._place = self._recent.copy(), self._place.copy()
        twin.ids, twin.counts = self.ids[:], self.counts[:]
        return twin


class Ngrams:
    """Which tokens followed each run of `length - 1` tokens."""

    def __init__(self, length: int):
        self._length = length
        self._followers: dict[tuple[int, ...], set[int]] = {}
        self._last: deque[int] = deque(maxlen=length - 1)

    def push(self, token: int) -> None:
        if len(self._last) == self._length - 1:
            self._followers.setdefault(tuple(self._last), set()).add(token)
        self._last.append(token)

    def banned(self) -> Collection[int]:
        """Tokens that would make a run of `length` occur again."""
        return self._followers.get(tuple(self._last), ())

    def copy(self) -> "Ngrams":
        twin = Ngrams(self._length)
        twin._followers = {run: followers.copy() for run, followers in self._followers.items()}
        twin._last = self._last.copy()
        return twin


class Repeats:
    """For each token the length of the longest passage, ending now, that it followed before.

    `_ends[p]` is how long the passage that ends at place p and the one that ends now are the same: one more than
    that of the places before them, or nothing where their last tokens differ. So each token costs its earlier
    places, and the whole text no more than the Z-algorithm would each time.
    """

    def __init__(self, window: int, breakers: Collection[int]):
        self._window, self._breakers = window, breakers
        self._tokens: list[int] = []
        self._places: dict[int, list[int]] = {}
        self._ends: dict[int, int] = {}

    def push(self, token: int) -> None:
        ends: dict[int, int] = {}
        places = self._places.setdefault(token, [])
        if token not in self._breakers:
            start = self._start(len(self._tokens) + 1)
            for place in reversed(places):
                if place < start:
                    break
                ends[place] = self._ends.get(place - 1, 0) + 1
        places.append(len(self._tokens))
        self._tokens.append(token)
        self._ends = ends

    def _start(self, length: int) -> int:
        return max(0, length - self._window) if self._window else 0

    def longest(self, least: int) -> dict[int, int]:
        """Each token that would go on repeating at least `least` tokens, and how many those are."""
        found: dict[int, int] = {}
        start = self._start(len(self._tokens))
        for place, length in self._ends.items():
            # A passage that began before the window counts only with what lies inside.
            length = min(length, place - start + 1)
            follower = self._tokens[place + 1]
            if length >= least and follower not in self._breakers:
                found[follower] = max(found.get(follower, 0), length)
        return found

    def copy(self) -> "Repeats":
        twin = Repeats(self._window, self._breakers)
        twin._tokens, twin._ends = self._tokens.copy(), self._ends
        twin._places = {token: places.copy() for token, places in self._places.items()}
        return twin


class History:
    """What one request has read (prompt) and written (text). A keeper is None where no stage needs it."""

    def __init__(self, settings: SamplingParams, marks: TokenMarks, prompt: Sequence[int], text: Sequence[int] = ()):
        on = settings.working()
        self.tally = Tally(settings.penalty_window) if StageName.PENALTIES in on else None
        self._ngrams = Ngrams(settings.no_repeat) if StageName.NO_REPEAT in on else None
        self._repeats = Repeats(settings.dry_window, marks.breakers) if StageName.DRY in on else None
        for keeper in (self.tally if settings.penalise_prompt else None, self._ngrams, self._repeats):
            if keeper is not None:
                for token in prompt:
                    keeper.push(token)
        for token in text:
            self.push(token)

    def push(self, token: int) -> None:
        """`token` was chosen."""
        for keeper in (self.tally, self._ngrams, self._repeats):
            if keeper is not None:
                keeper.push(token)

    def banned(self) -> Collection[int]:
        return self._ngrams.banned() if self._ngrams is not None else ()

    def repeats(self, least: int) -> Mapping[int, int]:
        return self._repeats.longest(least) if self._repeats is not None else {}

    def copy(self) -> "History":
        twin = History.__new__(History)
        twin.tally, twin._ngrams, twin._repeats = (
            keeper and keeper.copy() for keeper in (self.tally, self._ngrams, self._repeats)
        )
        return twin
