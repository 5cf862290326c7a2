"""A long text in parts that a model can hold, cut where it hurts least: between paragraphs, sentences, words.

Owns Passage and `split`. Nothing is lost: the passages with their gaps make the text again. Imports the standard
library only.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Count = Callable[[str], int]
# Each level cuts behind what it matches; the last one cuts anywhere.
PARAGRAPHS, SENTENCES = re.compile(r"\n[ \t\r]*(?:\n[ \t\r]*)+"), re.compile(r"(?<=[.!?…:;])\s+|(?<=[。！？])|\n")
LEVELS = (PARAGRAPHS, SENTENCES, re.compile(r"\s+"))


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a text, and the space between it and the next one."""

    text: str
    gap: str = ""


def split(text: str, most: int, count: Count) -> list[Passage]:
    """Passages of at most `most` tokens each, as few as going along makes; empty for a text that is only space.

    count: the tokens of a text. Only a single character of more than `most` tokens is longer. Space at the beginning
    of the text is in none of them.
    """
    found: list[Passage] = []
    for chunk in _packed(text, most, count):
        bare = chunk.strip()
        before, after = (chunk.split(bare, 1)) if bare else (chunk, "")
        if found and before:
            found[-1] = Passage(found[-1].text, found[-1].gap + before)
        if bare:
            found.append(Passage(bare, after))
    return found


def _packed(text: str, most: int, count: Count) -> Iterator[str]:
    """Pieces put together as long as they fit."""
    pieces: list[str] = []
    room = most
    for piece, size in _pieces(text, most, count, 0):
        if pieces and size > room:
            yield from _fitting("".join(pieces), most, count)
            pieces, room = [], most
        pieces.append(piece)
        room -= size
    yield from _fitting("".join(pieces), most, count)


def _pieces(text: str, most: int, count: Count, level: int) -> Iterator[tuple[str, int]]:
    """The text in pieces that each fit, with their sizes."""
    size = count(text)
    if size <= most or len(text) < 2 or count(text.strip()) <= most:
        if text:
            yield text, size
        return
    if level == len(LEVELS):
        middle = len(text) // 2
        parts = [text[:middle], text[middle:]]
    else:
        parts = list(_cut(text, LEVELS[level]))
        level += 1
    for part in parts:
        yield from _pieces(part, most, count, level)


def _cut(text: str, behind: re.Pattern[str]) -> Iterator[str]:
    at = 0
    for found in behind.finditer(text):
        if found.end() > at:
            yield text[at : found.end()]
            at = found.end()
    if at < len(text):
        yield text[at:]


def _fitting(text: str, most: int, count: Count) -> Iterator[str]:
    """The text; in halves where pieces together have more tokens than each for itself."""
    pieces = [] if count(text.strip()) <= most else [piece for piece, _ in _pieces(text, max(1, most // 2), count, 0)]
    if len(pieces) < 2:
        yield text
        return
    half = len(pieces) // 2
    yield from _fitting("".join(pieces[:half]), most, count)
    yield from _fitting("".join(pieces[half:]), most, count)
