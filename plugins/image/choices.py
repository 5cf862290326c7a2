"""Choices in a prompt: {a|b}, {2$$a|b|c}, {3::a|b}, __name__. Imports no torch.

Owns their grammar, their number, drawing one by a seed and counting all of them through. A choice that holds no |
and no $$ is no choice: its braces are text (some models are told things in JSON). Everything is bounded before it is
drawn: depth, the number of parts, the length of what comes out.

The notation is that of the dynamicprompts library; why the library is not used: docs/decisions/0013.
"""

import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.errors import StudioError

from .emphasis import Problem

DEEPEST = 40
LONGEST = 20_000
DEAREST = 500_000
PICKED = 64
MANY = 10**12
"""Counts end here: what is more is very many."""

_MARK = re.compile(r"\\.|[{}|]|__(?=[^\s_])([\w\-./\\*~]{1,200}?)(?<=[^\s_])__", re.DOTALL)
_BOUND = re.compile(r"\s*(?:(\d{1,4})|(\d{0,4})-(\d{0,4}))\$\$(?:([^$|{}]{0,100})\$\$)?")
_WEIGHT = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)::")
_ESCAPED = frozenset("{}|_$")


@dataclass(frozen=True)
class Literal:
    text: str
    count: int = 1

    @property
    def length(self) -> int:
        return len(self.text)

    @property
    def cost(self) -> int:
        return 1


@dataclass(frozen=True)
class Sequence_:
    parts: tuple["Node", ...]
    count: int
    length: int
    cost: int


@dataclass(frozen=True)
class Choice:
    """`least` to `most` of the options, joined by `separator`; weights say how likely each is drawn."""

    options: tuple["Node", ...]
    weights: tuple[float, ...]
    least: int
    most: int
    separator: str
    count: int
    length: int
    cost: int


Node = Literal | Sequence_ | Choice
Wildcard = Callable[[str], Choice]


@dataclass(frozen=True)
class Mark:
    """What a highlighter colours: kind is "choice" (a brace, a bar) or "wildcard"."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Parsed:
    node: Node
    marks: tuple[Mark, ...]
    problems: tuple[Problem, ...]


def parse(text: str, wildcard: Wildcard) -> Parsed:
    """`wildcard` gives the lines of a file by its name; its StudioError becomes a problem at the name."""
    parser = _Parser(text, wildcard)
    node = parser.between(0, len(text), 0)
    marks = tuple(sorted(parser.marks, key=lambda mark: mark.start))
    return Parsed(node, marks, tuple(sorted(parser.problems, key=lambda problem: problem.start)))


def literal(text: str) -> bool:
    """Whether there is nothing in it to choose or to take literally."""
    return _MARK.search(text) is None


def sequence(parts: Sequence[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    count = 1
    for part in parts:
        count = min(MANY, count * part.count)
    return Sequence_(tuple(parts), count, sum(p.length for p in parts), 1 + sum(p.cost for p in parts))


def choice(
    options: Sequence[Node], weights: Sequence[float], least: int = 1, most: int = 1, separator: str = ", "
) -> Choice:
    most = min(most, len(options), PICKED)
    least = min(least, most)
    count = _ways([option.count for option in options], least, most)
    longest = sum(sorted((option.length for option in options), reverse=True)[:most]) + len(separator) * most
    dearest = (
        1 + most + most * len(options) // 20 + sum(sorted((option.cost for option in options), reverse=True)[:most])
    )
    return Choice(tuple(options), tuple(weights), least, most, separator, count, min(longest, MANY), min(dearest, MANY))


def check(node: Node) -> None:
    """Refuses what would grow beyond all bounds, before anything is drawn."""
    if not isinstance(node, Literal) and (node.length > LONGEST or node.cost > DEAREST):
        raise StudioError(
            "The prompt grows too long",
            f"With its choices it can become longer than {LONGEST} characters.",
            "Use fewer choices inside choices, or shorter lines in the wildcards files.",
            code="prompt",
        )


def draw(node: Node, luck: random.Random) -> str:
    """One expansion. The same state of `luck` gives the same."""
    if isinstance(node, Literal):
        return node.text
    if isinstance(node, Sequence_):
        return "".join([draw(part, luck) for part in node.parts])
    wanted = luck.randint(node.least, node.most) if node.most > node.least else node.most
    left = list(range(len(node.options)))
    picked = []
    for _ in range(wanted):
        at = _weighted(left, node.weights, luck)
        picked.append(draw(node.options[left.pop(at)], luck))
    return node.separator.join(picked)


def nth(node: Node, index: int) -> str:
    """Expansion number `index` of node.count; the last choice changes first."""
    if isinstance(node, Literal):
        return node.text
    if isinstance(node, Sequence_):
        return "".join(_mixed(node.parts, index))
    for size in range(node.least, node.most + 1):
        for picked in itertools.combinations(node.options, size):
            ways = min(MANY, math.prod(option.count for option in picked))
            if index < ways:
                return node.separator.join(_mixed(picked, index))
            index -= ways
    raise IndexError(index)


def _mixed(parts: Sequence[Node], index: int) -> list[str]:
    """The digits of `index` in the mixed radix of the parts' counts."""
    found = []
    for part in reversed(parts):
        index, digit = divmod(index, part.count)
        found.append(nth(part, digit))
    return found[::-1]


def _weighted(left: list[int], weights: tuple[float, ...], luck: random.Random) -> int:
    total = sum(weights[at] for at in left)
    if total <= 0:
        return luck.randrange(len(left))
    aim = luck.random() * total
    for position, at in enumerate(left):
        aim -= weights[at]
        if aim < 0:
            return position
    return len(left) - 1


def _ways(counts: list[int], least: int, most: int) -> int:
    """How many combinations of `least` to `most` options there are: elementary symmetric polynomials, bounded."""
    if most == 1:
        return min(MANY, sum(counts) + (least == 0))
    if len(counts) > 2000:
        return MANY
    ways = [1] + [0] * most
    for count in counts:
        for size in range(most, 0, -1):
            ways[size] = min(MANY, ways[size] + ways[size - 1] * count)
    return min(MANY, sum(ways[least:]))


class _Parser:
    def __init__(self, text: str, wildcard: Wildcard):
        self.text, self._wildcard = text, wildcard
        self.marks: list[Mark] = []
        self.problems: list[Problem] = []
        self._found = list(_MARK.finditer(text))
        self._at = 0
        self._ends: dict[int, int] = {}
        self._bars: dict[int, list[int]] = {}
        self._pair()

    def _pair(self) -> None:
        """Which brace closes which, and the bars between them, in one pass."""
        stack: list[int] = []
        bars: dict[int, list[int]] = {}
        for mark in self._found:
            word, at = mark.group(), mark.start()
            if word == "{":
                stack.append(at)
                bars[at] = []
            elif word == "|" and stack:
                bars[stack[-1]].append(at)
            elif word == "}" and stack:
                start = stack.pop()
                if bars[start] or _BOUND.match(self.text, start + 1):
                    self._ends[start], self._bars[start] = at, bars[start]
            elif word == "}":
                words = "This } closes nothing; write \\} for the letter itself."
                self.problems.append(Problem(at, at + 1, words))
        words = "This { is never closed; write \\{ for the letter itself."
        self.problems += [Problem(at, at + 1, words) for at in stack]

    def between(self, start: int, end: int, depth: int) -> Node:
        parts: list[Node] = []
        words: list[str] = []
        at = start
        while (mark := self._next(at)) is not None and mark.start() < end:
            words.append(self.text[at : mark.start()])
            at = mark.end()
            word = mark.group()
            if word[0] == "\\":
                words.append(word[1] if word[1] in _ESCAPED else word)
                continue
            node = self._node(mark, depth)
            if node is None:
                words.append(word)
                continue
            at = self._ends[mark.start()] + 1 if word == "{" else at
            if any(words):
                parts.append(Literal("".join(words)))
            words = []
            parts.append(node)
        words.append(self.text[at:end])
        if any(words) or not parts:
            parts.append(Literal("".join(words)))
        return sequence(parts)

    def _next(self, at: int) -> re.Match[str] | None:
        while self._at < len(self._found) and self._found[self._at].start() < at:
            self._at += 1
        return self._found[self._at] if self._at < len(self._found) else None

    def _node(self, mark: re.Match[str], depth: int) -> Node | None:
        """None: it is text after all."""
        if mark.group(1) is not None:
            return self._file(mark)
        if mark.start() not in self._ends:
            return None
        if depth >= DEEPEST:
            words = f"Choices inside choices go at most {DEEPEST} deep; this one is read as text."
            self.problems.append(Problem(mark.start(), mark.end(), words))
            return None
        return self._choice(mark.start(), depth)

    def _file(self, mark: re.Match[str]) -> Node | None:
        self.marks.append(Mark(mark.start(), mark.end(), "wildcard"))
        try:
            return self._wildcard(mark.group(1))
        except StudioError as error:
            words = " ".join(part for part in (f"{error.title}.", error.detail, error.hint) if part)
            self.problems.append(Problem(mark.start(), mark.end(), words))
            return None

    def _choice(self, start: int, depth: int) -> Choice:
        end, bars = self._ends[start], self._bars[start]
        bound = _BOUND.match(self.text, start + 1, end)
        first = bound.end() if bound else start + 1
        edges = [first - 1, *(bar for bar in bars if bar >= first), end]
        self.marks += [Mark(start, first, "choice"), *(Mark(bar, bar + 1, "choice") for bar in bars)]
        self.marks.append(Mark(end, end + 1, "choice"))
        options, weights = [], []
        for left, right in itertools.pairwise(edges):
            option, weight = self._option(left + 1, right, depth)
            options.append(option)
            weights.append(weight)
        if not bound:
            return choice(options, weights)
        if len(options) == 1 and isinstance(options[0], Choice) and (options[0].least, options[0].most) == (1, 1):
            options, weights = list(options[0].options), list(options[0].weights)  # {2$$__colours__}
        least, most = _bounds(bound, len(options))
        separator = ", " if bound.group(4) is None else bound.group(4)
        return choice(options, weights, least, most, separator)

    def _option(self, start: int, end: int, depth: int) -> tuple[Node, float]:
        weighted = _WEIGHT.match(self.text, start, end)
        if weighted:
            self.marks.append(Mark(start, weighted.end(), "choice"))
            start = weighted.end()
        inside = self.text[start:end]
        start += len(inside) - len(inside.lstrip())
        end = max(start, end - (len(inside) - len(inside.rstrip())))
        return self.between(start, end, depth + 1), float(weighted.group(1)) if weighted else 1.0


def _bounds(bound: re.Match[str], options: int) -> tuple[int, int]:
    exact, low, high = bound.group(1), bound.group(2), bound.group(3)
    if exact:
        return int(exact), int(exact)
    least, most = int(low or 1), int(high) if high else options
    return (least, most) if least <= most else (most, least)
