"""The weights of a prompt: (word:1.2), (word), [word], nesting, escapes, BREAK. Imports no torch.

Owns the reading of brackets and the change of a weight at the cursor. The notation is the web UI's: round brackets
multiply by 1.1 or by the number after the colon, square ones divide by 1.1, a backslash takes a bracket literally.
A bracket without a partner is a plain letter and a problem. Reading takes time linear in the text, however nested.
"""

import re
from dataclasses import dataclass

STEP = 1.1
MOST = 10.0
"""Weights beyond ±10 mean nothing to a text encoder; products of nested brackets end there."""

_MARK = re.compile(r"\\[()\[\]\\]|[()\[\]]|<(?:lora|lyco|hypernet):[^<>\n]{1,200}>|\bBREAK\b")
_NUMBER = re.compile(r":\s*([+-]?(?:\d{1,4}(?:\.\d{0,6})?|\.\d{1,6}))\s*$")
_SHARE = re.compile(r"\s*(?:\d+\.?\d*|\.\d+)\s*")
_PARTNER = {")": "(", "]": "["}
_WORD = re.compile(r"[^\s,.;:!?(){}\[\]|<>\\/]+")


@dataclass(frozen=True)
class Piece:
    """Text under one weight."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Bracket:
    """A pair: [start, end) with its brackets, [start + 1, inner) what it holds, `weight` what it multiplies by."""

    start: int
    end: int
    inner: int
    weight: float


@dataclass(frozen=True)
class Problem:
    """What is wrong with [start, end) of a text, in words."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Reading:
    """chunks: pieces between BREAKs. tags: <lora:…> and the like, which no encoder is to read."""

    chunks: tuple[tuple[Piece, ...], ...]
    brackets: tuple[Bracket, ...]
    problems: tuple[Problem, ...]
    breaks: tuple[tuple[int, int], ...] = ()
    tags: tuple[tuple[int, int], ...] = ()

    @property
    def weighted(self) -> bool:
        return any(piece.weight != 1.0 for chunk in self.chunks for piece in chunk)

    @property
    def plain(self) -> str:
        """The words alone, for encoders that know no weights and no chunks."""
        return " ".join("".join(piece.text for piece in chunk) for chunk in self.chunks)


def read(text: str) -> Reading:
    """What the brackets of `text` say. A text without any is one chunk with one piece: itself."""
    marks = list(_MARK.finditer(text))
    brackets, problems = _pairs(text, marks)
    ends = {pair.end - 1: pair for pair in brackets}
    starts = {pair.start: pair for pair in brackets}
    writer = _Writer()
    at, weights = 0, [1.0]
    for mark in marks:
        closed = ends.get(mark.start())
        writer.add(text[at : closed.inner if closed else mark.start()], weights[-1])
        at = mark.end()
        word = mark.group()
        if word == "BREAK":
            writer.end_chunk()
        elif word[0] == "<":
            pass
        elif word[0] == "\\":
            writer.add(word[1], weights[-1])
        elif mark.start() in starts:
            weights.append(_bounded(weights[-1] * starts[mark.start()].weight))
        elif closed:
            weights.pop()
        else:
            writer.add(word, weights[-1])
    writer.add(text[at:], weights[-1])
    breaks = tuple(mark.span() for mark in marks if mark.group() == "BREAK")
    tags = tuple(mark.span() for mark in marks if mark.group()[0] == "<")
    return Reading(writer.finished(), tuple(brackets), tuple(problems), breaks, tags)


def spans(text: str, reading: Reading) -> list[tuple[int, int, float]]:
    """Stretches of `text` inside brackets and the weight that each stands under, for highlighting."""
    edges: dict[int, list[float]] = {}
    for pair in reading.brackets:
        edges.setdefault(pair.start, []).append(pair.weight)
        edges.setdefault(pair.end, []).append(0.0)
    found, stack, since = [], [1.0], 0
    for at in sorted(edges):
        if len(stack) > 1 and at > since:
            found.append((since, at, stack[-1]))
        since = at
        for change in sorted(edges[at], key=bool):  # what ends here, ends before another begins
            if change == 0.0 and len(stack) > 1:
                stack.pop()
            elif change:
                stack.append(_bounded(stack[-1] * change))
    return found


def adjust_weight(text: str, start: int, end: int, delta: float) -> tuple[str, int, int]:
    """The text with what stands at [start, end) weighted by `delta` more, and where that stands then.

    Without a selection: the innermost brackets around the cursor, else the word there. At 1 the brackets go.
    """
    start, end = sorted((max(0, min(start, len(text))), max(0, min(end, len(text)))))
    pair = _pair_at(read(text).brackets, start, end)
    if pair is not None:
        inside, weight = text[pair.start + 1 : pair.inner], pair.weight
        start, end = pair.start, pair.end
    else:
        if start == end:
            start, end = _word_at(text, start)
        inside, weight = text[start:end], 1.0
    if not inside.strip() or (pair is None and read(inside).problems):
        return text, start, end
    weight = round(min(MOST, max(0.0, weight + delta)), 2)
    if weight == 1.0:
        return text[:start] + inside + text[end:], start, start + len(inside)
    return f"{text[:start]}({inside}:{weight:g}){text[end:]}", start + 1, start + 1 + len(inside)


class _Writer:
    """Collects pieces; neighbours of one weight become one."""

    def __init__(self) -> None:
        self._chunks: list[list[tuple[list[str], float]]] = [[]]

    def add(self, text: str, weight: float) -> None:
        if not text:
            return
        chunk = self._chunks[-1]
        if chunk and chunk[-1][1] == weight:
            chunk[-1][0].append(text)
        else:
            chunk.append(([text], weight))

    def end_chunk(self) -> None:
        self._chunks.append([])

    def finished(self) -> tuple[tuple[Piece, ...], ...]:
        chunks = [tuple(Piece("".join(texts), weight) for texts, weight in chunk) for chunk in self._chunks]
        if len(chunks) == 1:
            return (chunks[0] or (Piece(""),),)
        return tuple(kept for chunk in chunks if (kept := _stripped(chunk))) or ((Piece(""),),)


def _stripped(chunk: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """White space beside BREAK is no part of either chunk."""
    if not chunk:
        return ()
    first = Piece(chunk[0].text.lstrip(), chunk[0].weight)
    chunk = (first, *chunk[1:])
    last = Piece(chunk[-1].text.rstrip(), chunk[-1].weight)
    return tuple(piece for piece in (*chunk[:-1], last) if piece.text)


def _pairs(text: str, marks: list[re.Match[str]]) -> tuple[list[Bracket], list[Problem]]:
    found: list[Bracket] = []
    problems: list[Problem] = []
    stack: list[tuple[str, int]] = []
    waiting = {"(": 0, "[": 0}
    for mark in marks:
        word, at = mark.group(), mark.start()
        if word in waiting:
            stack.append((word, at))
            waiting[word] += 1
        elif word in _PARTNER and not waiting[_PARTNER[word]]:
            problems.append(Problem(at, at + 1, f"This {word} closes nothing; write \\{word} for the letter itself."))
        elif word in _PARTNER:
            while stack[-1][0] != _PARTNER[word]:
                problems.append(_never_closed(*_popped(stack, waiting)))
            found.append(_bracket(text, _popped(stack, waiting)[1], at, word))
            if word == "]" and _edits(text[found[-1].start + 1 : at]):
                words = "Prompt editing is not known here: the square brackets only weaken what they hold."
                problems.append(Problem(found[-1].start, found[-1].end, words))
    problems += [_never_closed(*item) for item in stack]
    return sorted(found, key=lambda b: b.start), sorted(problems, key=lambda p: p.start)


def _edits(inside: str) -> bool:
    """Whether it is [from:to:when] or [one|other], which the web UI knows."""
    if len(inside) > 500 or any(letter in inside for letter in "()[]{}"):
        return False
    parts = inside.split(":")
    return "|" in inside or (len(parts) == 3 and bool(_SHARE.fullmatch(parts[2])))


def _popped(stack: list[tuple[str, int]], waiting: dict[str, int]) -> tuple[str, int]:
    word, at = stack.pop()
    waiting[word] -= 1
    return word, at


def _never_closed(word: str, at: int) -> Problem:
    return Problem(at, at + 1, f"This {word} is never closed; write \\{word} for the letter itself.")


def _bracket(text: str, start: int, at: int, word: str) -> Bracket:
    if word == "]":
        return Bracket(start, at + 1, at, 1 / STEP)
    tail = max(start + 1, at - 24)
    number = _NUMBER.search(text[tail:at])
    if number is None:
        return Bracket(start, at + 1, at, STEP)
    return Bracket(start, at + 1, tail + number.start(), _bounded(float(number.group(1))))


def _bounded(weight: float) -> float:
    return min(MOST, max(-MOST, weight))


def _pair_at(brackets: tuple[Bracket, ...], start: int, end: int) -> Bracket | None:
    """The innermost pair around a cursor; of a selection only the pair that it holds or fills."""
    if start == end:
        around = [b for b in brackets if b.start < start < b.end]
    else:
        around = [b for b in brackets if (start, end) in ((b.start + 1, b.inner), (b.start, b.end))]
    return max(around, key=lambda b: b.start, default=None)


def _word_at(text: str, at: int) -> tuple[int, int]:
    """The word that the cursor stands in or at the end of; nothing where there is none."""
    return next((m.span() for m in _WORD.finditer(text) if m.start() <= at <= m.end()), (at, at))
