"""A proposed change of a file as hunks that are accepted or rejected one by one, also after the file has moved on.

Owns Hunk and Proposal. Pure; lines keep their ends, so that a file without a last line end stays one.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from studio.errors import StudioError

AROUND = 3
"""Lines before and after a hunk by which its place is found again."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """start: the line of the old file it begins at, from 0; old and new: its lines there, before and after the change.

    before, after: lines of the old file around it.
    """

    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        removed, added = len(self.old), len(self.new)
        return f"Line {self.start + 1}: " + (
            f"{added} added" if not removed else f"{removed} removed" if not added else f"{removed} to {added}"
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would become of the text `old`, in hunks from the top down."""

    old: str
    hunks: tuple[Hunk, ...]

    @classmethod
    def between(cls, old: str, new: str) -> "Proposal":
        """The hunks that make `new` of `old`; none where they are the same."""
        before, after = lines_of(old), lines_of(new)
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        changes = (place for kind, *place in matcher.get_opcodes() if kind != "equal")
        return cls(old, tuple(_hunk(before, after, *place) for place in changes))

    def apply(self, chosen: Iterable[int], now: str | None = None) -> str:
        """The text with the chosen hunks. now: the text as it is meanwhile, when that is another.

        All or nothing: raises StudioError when a hunk's place is not to be found, or not for certain.
        """
        text = self.old if now is None else now
        lines = lines_of(text)
        wanted = [self.hunks[number] for number in sorted(set(chosen))]
        places = [place_of(hunk, lines, moved=text != self.old) for hunk in wanted]
        ends = [place + len(hunk.old) for place, hunk in zip(places, wanted, strict=True)]
        if any(place < end for place, end in zip(places[1:], ends, strict=False)):
            raise _lost(wanted[0], "Its places would overlap.")
        for place, hunk in reversed(list(zip(places, wanted, strict=True))):
            lines[place : place + len(hunk.old)] = hunk.new
        return "".join(lines)

    def unified(self, name: str) -> str:
        """The whole change as a patch that `git apply` takes."""
        new = self.apply(range(len(self.hunks)))
        parts = difflib.unified_diff(lines_of(self.old), lines_of(new), f"a/{name}", f"b/{name}")
        ended = (part if part.endswith("\n") else f"{part}\n\\ No newline at end of file\n" for part in parts)
        return "".join(ended)


def _hunk(old: list[str], new: list[str], a: int, b: int, c: int, d: int) -> Hunk:
    around = tuple(old[max(0, a - AROUND) : a]), tuple(old[b : b + AROUND])
    return Hunk(a, tuple(old[a:b]), tuple(new[c:d]), *around)


def place_of(hunk: Hunk, lines: list[str], *, moved: bool) -> int:
    """Where the hunk's old lines stand in `lines`. Raises StudioError where they do not, or in several places."""
    if not moved:
        return hunk.start
    whole = [*hunk.before, *hunk.old, *hunk.after]
    found = _places(whole, lines)
    if len(found) == 1:
        return found[0] + len(hunk.before)
    if not found and hunk.old:
        # The lines around it have changed; its own are enough when they stand there once.
        found = _places(list(hunk.old), lines)
        if len(found) == 1:
            return found[0]
    raise _lost(hunk, "It stands there several times." if found else "Its lines are not there any more.")


def _places(wanted: list[str], lines: list[str]) -> list[int]:
    if not wanted:
        return [0] if not lines else []
    return [at for at in range(len(lines) - len(wanted) + 1) if lines[at : at + len(wanted)] == wanted]


def _lost(hunk: Hunk, why: str) -> StudioError:
    return StudioError(
        "The change does not fit the file any more",
        f"{hunk.title}. {why} The file was changed after the change was proposed; nothing was applied.",
        "Ask again for the file as it is now.",
        code="stale",
    )


def lines_of(text: str) -> list[str]:
    """Lines with their ends, parted at line feeds only: a form feed or U+2028 in a file is no line end there."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
