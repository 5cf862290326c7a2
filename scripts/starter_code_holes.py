"""Where the holes are that the starter code model learns to fill: as an editor's cursor leaves them.

Owns the kinds of holes, each a function from a text and dice to (start, end), or None where the text has no such
place. Pure; the same functions choose the holes of the evaluation.
"""

import random
import re
from collections.abc import Callable

Span = tuple[int, int]
OPENING, CLOSING = "([{", ")]}"
MOST_CHARS, MOST_LINES, MOST_BLOCK = 300, 4, 12


def line_spans(text: str) -> list[tuple[int, int, int]]:
    """For each line that is not blank: where it starts, where its first sign stands, where it ends."""
    return [
        (line.start(), line.end() - len(line[0].lstrip()), line.end())
        for line in re.finditer(r"[^\n]+", text)
        if line[0].strip()
    ]


def some_characters(text: str, dice: random.Random) -> Span | None:
    """Any cut: from one character on, up to MOST_CHARS."""
    start = dice.randrange(len(text))
    return start, min(len(text), start + 1 + min(MOST_CHARS, int(dice.expovariate(1 / 60))))


def rest_of_line(text: str, dice: random.Random) -> Span | None:
    """From within a line to its end, as one types."""
    lines = line_spans(text)
    if not lines:
        return None
    _, first, end = dice.choice(lines)
    return dice.randrange(first, end), end


def whole_lines(text: str, dice: random.Random) -> Span | None:
    """A few lines, from the first sign of the first to the end of the last."""
    lines = line_spans(text)
    if not lines:
        return None
    at = dice.randrange(len(lines))
    last = min(len(lines) - 1, at + dice.randrange(MOST_LINES))
    return lines[at][1], lines[last][2]


def body_of_block(text: str, dice: random.Random) -> Span | None:
    """What stands below a line that ends with a colon, from that line's end or from the body's first sign."""
    lines = line_spans(text)
    headers = [i for i, (_, _, end) in enumerate(lines[:-1]) if text[end - 1] == ":"]
    dice.shuffle(headers)
    for at in headers[:8]:
        depth = lines[at][1] - lines[at][0]
        last = at
        while last + 1 < len(lines) and lines[last + 1][1] - lines[last + 1][0] > depth:
            last += 1
        if 0 < last - at <= MOST_BLOCK:
            start = lines[at][2] if dice.random() < 0.5 else lines[at + 1][1]
            return start, lines[last][2]
    return None


def inside_brackets(text: str, dice: random.Random) -> Span | None:
    """What a pair of brackets holds, whole or its end; now and then with the closing bracket and the line's rest."""
    pairs = [pair for pair in bracket_pairs(text) if 1 < pair[1] - pair[0] <= MOST_CHARS]
    if not pairs:
        return None
    opened, closed = dice.choice(pairs)
    start = opened + 1 if dice.random() < 0.6 else dice.randrange(opened + 1, closed)
    if dice.random() < 0.7:
        return start, closed
    return start, line_end if (line_end := text.find("\n", closed)) > 0 else len(text)


def bracket_pairs(text: str) -> list[Span]:
    """Positions of opening brackets and of those that close them; brackets in strings count too."""
    found, stack = [], []
    for at, sign in enumerate(text):
        if sign in OPENING:
            stack.append((at, sign))
        elif sign in CLOSING and stack:
            opened, kind = stack.pop()
            if OPENING.index(kind) == CLOSING.index(sign):
                found.append((opened, at))
    return found


KINDS: dict[Callable[[str, random.Random], Span | None], float] = {
    some_characters: 0.20,
    rest_of_line: 0.25,
    whole_lines: 0.15,
    body_of_block: 0.15,
    inside_brackets: 0.25,
}


def hole(text: str, dice: random.Random) -> Span:
    """A hole of a kind drawn by its weight; any characters where the text has no such place."""
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    return kind(text, dice) or some_characters(text, dice) or (0, len(text))
