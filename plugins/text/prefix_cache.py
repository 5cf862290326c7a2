"""What was read is not read again: caches of earlier texts, found by their token ids.

Owns PrefixCache, which lives in a resident Language, and Branch, one text that was read. A job takes a branch out,
goes on with it alone, and gives it back; nothing that is in use is ever shared. Where the model's cache can be cut
(full attention), a branch serves every text that begins as it does; where it cannot (a sliding window that is full,
recurrent layers), it serves from its marks: states that were remembered at the ends of turns and chunks.
The last token of a prompt is always left to be read: its logits are wanted.
"""

import bisect
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import caches

SHARE = 8
"""By default an eighth of what jobs and models may use."""

UNKNOWN = 2**30
MARKS = 8
WORTH = 4
WORDS = 24
BLOCK = 256


@dataclass(slots=True)
class Branch:
    """One text that a model has read: its ids, the cache of exactly those, and marks on the way, shortest first."""

    ids: list[int] = field(default_factory=list)
    cache: Any = None
    marks: list[caches.Mark] = field(default_factory=list)

    def reach(self, length: int) -> int:
        """The greatest length up to `length` to which this can go back."""
        if length >= len(self.ids):
            return len(self.ids)
        if caches.is_cut_now(self.cache):
            return length
        return max((mark.length for mark in self.marks if mark.length <= length), default=0)

    def at(self, length: int) -> "Branch":
        """A branch of its own that ends after `length` tokens, as far as `reach` says it can go back."""
        marks = [mark for mark in self.marks if mark.length <= length]
        last = marks[-1] if marks and marks[-1].length == length else None
        return Branch(self.ids[:length], caches.at(self.cache, length, last), marks)

    def remember(self) -> None:
        """Marks the present end, if it could not be cut back to later; too many marks thin out."""
        length = len(self.ids)
        if self.cache is None or caches.is_cut_freely(self.cache) or any(m.length == length for m in self.marks):
            return
        bisect.insort(self.marks, caches.mark(self.cache, length), key=lambda mark: mark.length)
        if len(self.marks) > MARKS:
            # The one whose neighbours are nearest to one another; never the last two, the turns that are edited.
            gaps = [
                (after.length - before, i)
                for i, (before, after) in enumerate(
                    zip([0, *(m.length for m in self.marks[:-3])], self.marks[1:-1], strict=True)
                )
            ]
            del self.marks[min(gaps)[1]]

    def size(self) -> int:
        return caches.size(self.cache, self.marks)


@dataclass(frozen=True, slots=True)
class Reuse:
    """How much of a prompt did not have to be read. was, now: the ids from where it differs from the nearest text.

    same: how many tokens are the same as there, more than `reused` where the cache could not be cut. was is empty when
    nothing differs: the prompt went on from there, or was the same.
    """

    total: int
    reused: int = 0
    same: int = 0
    was: tuple[int, ...] = ()


    def broke(self, ids: Sequence[int], tokenizer: Any) -> str:
        """In words where a prompt stopped being what was read before; empty when it did not, or barely began so."""
        if not self.was or self.same < WORTH:
            return ""
        before, now = _text(tokenizer, ids[: self.same][-12:]), _text(tokenizer, ids[self.same : self.same + 8])
        words = f"after “…{before[-WORDS:]}” it goes on “{now[:WORDS]}…”, not “{_text(tokenizer, self.was)[:WORDS]}…”"
        if self.reused < self.same:
            words += f"; what this model keeps could be taken back to token {self.reused:,} only"
        return words


class PrefixCache:
    """Branches nobody uses now, least recently used first. limit: the most bytes they may take together."""

    def __init__(self, limit: int = UNKNOWN):
        self.limit = chosen_limit(limit)
        self._lock = threading.Lock()
        self._kept: list[tuple[str, Branch]] = []

    def take(self, ids: Sequence[int], kind: str = "") -> tuple[Branch, Reuse]:
        """A branch for a prompt, the caller's alone, and what it saves; at least the prompt's last id is not in it.

        kind: tells apart what may not be mixed: caches of another precision, adapters that are switched on.
        """
        ids, most = list(ids), len(ids) - 1
        with self._lock:
            found = [(branch, common(branch.ids, ids)) for held, branch in self._kept if held == kind]
            if not found:
                return Branch(), Reuse(len(ids))
            reached = [branch.reach(min(same, most)) for branch, same in found]
            best = max(range(len(found)), key=lambda i: (reached[i], found[i][1], i))
            (branch, same), length = found[best], reached[best]
            differs = same < min(len(branch.ids), most)
            was = tuple(branch.ids[same : same + 8]) if differs else ()
            reuse = Reuse(len(ids), length, same, was)
            if not length:
                return Branch(), reuse
            return self._taken(branch, length), reuse

    def _taken(self, branch: Branch, length: int) -> Branch:
        """The branch itself when all of it is used or there is no room for two, else a copy that shares; lock held."""
        whole = length == len(branch.ids)
        if whole or 2 * branch.size() > self.limit:
            self._kept = [(kind, kept) for kind, kept in self._kept if kept is not branch]
        else:
            self._kept.sort(key=lambda item: item[1] is branch)
        if not whole:
            return branch.at(length)
        branch.remember()  # the end of a turn
        return branch

    def give(self, branch: Branch, kind: str = "") -> None:
        """Keeps a branch. Its cache must be that of its ids, and nobody else may use it any more."""
        if branch.cache is None or not branch.ids:
            return
        with self._lock:
            for held, kept in self._kept:
                if held == kind and _covers(kept, branch):
                    self._kept.sort(key=lambda item: item[1] is kept)
                    return
            self._kept = [item for item in self._kept if not (item[0] == kind and _covers(branch, item[1]))]
            self._kept.append((kind, branch))
            self._shrink(self.limit)

    def held(self) -> int:
        """Bytes of what is kept."""
        with self._lock:
            return self._held()

    def reclaim(self, need: int) -> int:
        """Frees at least `need` bytes, if there are as many, the least recently used first; how many it was."""
        with self._lock:
            before = self._held()
            self._shrink(max(0, before - need))
            return before - self._held()

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _held(self) -> int:
        return caches.size([(branch.cache, branch.marks) for _, branch in self._kept])

    def _shrink(self, limit: int) -> None:
        while self._kept and self._held() > limit:
            if len(self._kept) == 1 and len(self._kept[0][1].marks) > 2:
                del self._kept[0][1].marks[:-2]
            else:
                del self._kept[0]


def chosen_limit(default: int) -> int:
    """`$ATELIER_PREFIX_CACHE` in bytes where it is set, 0 for none."""
    chosen = os.environ.get("ATELIER_PREFIX_CACHE", "")
    return int(chosen) if chosen.isdigit() else default


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids are the same at the beginning."""
    most = min(len(one), len(other))
    for at in range(0, most, BLOCK):
        end = min(at + BLOCK, most)
        if one[at:end] != other[at:end]:
            return next(i for i in range(at, end) if one[i] != other[i])
    return most


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    return " ".join(tokenizer.decode(list(ids), skip_special_tokens=False).split())


def _covers(large: Branch, small: Branch) -> bool:
    """Whether `small` is of no use beside `large`."""
    length = len(small.ids)
    return large.ids[:length] == small.ids and large.reach(length) == length
