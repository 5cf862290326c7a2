"""Fuzzy matching of what was typed against names, for the command palette. No Qt."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def match(typed: str, name: str) -> tuple[int, tuple[int, ...]] | None:
    """Score (higher is better) and the matched positions in `name`; None when a letter is missing.

    Letters must come in order. Beginnings of words and runs of letters count most, so "gt" finds
    "Go to Text" before "Right".
    """
    letters = [letter for letter in _folded(typed) if not letter.isspace()]
    folded = _folded(name)
    best: tuple[int, tuple[int, ...]] | None = None
    if not letters:
        return 0, ()
    for start, letter in enumerate(folded):
        if letter != letters[0]:
            continue
        found = _from(letters, folded, start)
        if found is None:
            break
        score = _score(folded, found)
        if best is None or score > best[0]:
            best = score, found
    return best


def _folded(text: str) -> str:
    """Lower case, letter by letter, so that positions stay what they are."""
    return "".join(letter.lower()[0] for letter in text)


def _from(letters: list[str], name: str, start: int) -> tuple[int, ...] | None:
    """Positions of the letters from `start` on: the beginning of a word is preferred when the rest still fits."""
    found, at = [start], start
    for i, letter in enumerate(letters[1:], 1):
        following = name.find(letter, at + 1)
        if following < 0:
            return None
        if following != at + 1:
            word = _word_start(name, letter, at + 1)
            if word >= 0 and _fits(letters[i + 1 :], name, word):
                following = word
        at = following
        found.append(at)
    return tuple(found)


def _fits(letters: list[str], name: str, at: int) -> bool:
    for letter in letters:
        at = name.find(letter, at + 1)
        if at < 0:
            return False
    return True


def _word_start(name: str, letter: str, at: int) -> int:
    while (at := name.find(letter, at)) >= 0:
        if at == 0 or not name[at - 1].isalnum():
            return at
        at += 1
    return -1


def _score(name: str, found: tuple[int, ...]) -> int:
    score, before = 0, -2
    for at in found:
        if at == 0 or not name[at - 1].isalnum():
            score += 8
        if at == before + 1:
            score += 6
        before = at
    spread = found[-1] - found[0] + 1 - len(found)
    return 10 * score - 2 * spread - found[0] - len(name) // 8


def ranked(typed: str, names: Iterable[tuple[str, T]]) -> list[tuple[T, tuple[int, ...]]]:
    """The things whose name matches, best first, with the matched positions; equal ones keep their order."""
    hits = [(found, thing) for name, thing in names if (found := match(typed, name)) is not None]
    hits.sort(key=lambda hit: -hit[0][0])
    return [(thing, found[1]) for found, thing in hits]
