"""Where the starter code model is tried: places in modules it has not read, drawn with a fixed seed.

Owns the choice of lines, blocks and holes, and the rules that say whether what was put there is right. Needs no
library beyond Python's own.
"""

import ast
import io
import random
import re
import tokenize
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from scripts.starter_code_holes import (
    CLOSING,
    OPENING,
    Span,
    body_of_block,
    inside_brackets,
    line_spans,
    rest_of_line,
    whole_lines,
)

EDITOR_HOLES: tuple[Callable[[str, random.Random], Span | None], ...] = (
    rest_of_line,
    whole_lines,
    body_of_block,
    inside_brackets,
)
WINDOW = 36  # lines around a hole
HEADERS = ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.For | ast.While | ast.With


@dataclass(frozen=True)
class Place:
    """A module's text before the cursor, what its author wrote there, and what follows (empty: not shown)."""

    path: str
    before: str
    truth: str
    after: str = ""
    depth: int = 0  # blanks before the header of a block
    shown: Span = (0, 0)  # of a hole: the part of the module that is shown, from and to


def parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes in strings
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return True


def brackets_right(text: str) -> bool:
    """Every bracket is closed by its like, and every string ends."""
    stack: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.ERRORTOKEN and token.string in "\"'":
                return False
            sign = token.string if token.type == tokenize.OP else ""
            if sign and sign in OPENING:
                stack.append(OPENING.index(sign))
            elif sign and sign in CLOSING and (not stack or stack.pop() != CLOSING.index(sign)):
                return False
    except IndentationError:
        return True  # its own question; everything up to there was right
    except (tokenize.TokenError, SyntaxError):
        return False
    return not stack


def indentation_right(text: str) -> bool:
    """Neither tokenizer nor parser complains of indentation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for _ in tokenize.generate_tokens(io.StringIO(text).readline):
                pass
            ast.parse(text)
        except IndentationError:
            return False
        except (tokenize.TokenError, SyntaxError, ValueError):
            pass
    return True


def statements(text: str) -> list[tuple[int, int]]:
    """Where the first line of each statement starts and ends; docstrings are none."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            begin = starts[node.lineno - 1]
            found.add((begin, text.index("\n", begin)))
    return sorted(found)


def next_lines(modules: dict[str, str], count: int, dice: random.Random) -> list[Place]:
    """The cursor stands at the end of a line; the next line of code is asked for."""
    found = []
    for path, text in modules.items():
        for start, end in statements(text)[3:]:
            before = text[:start].rstrip("\n")
            found.append(Place(path, before, text[start:end]))
    return dice.sample(found, min(count, len(found)))


def line_ends(modules: dict[str, str], count: int, dice: random.Random) -> list[Place]:
    """The cursor stands within a line of code, between two words or signs; the rest of the line is asked for."""
    found = []
    for path, text in modules.items():
        for start, end in statements(text)[3:]:
            line = text[start:end]
            cuts = [m.end() for m in re.finditer(r"\w+|[^\w\s]", line)][:-1]
            if cuts:
                at = start + dice.choice(cuts)
                found.append(Place(path, text[:at], text[at:end]))
    return dice.sample(found, min(count, len(found)))


def blocks(modules: dict[str, str], count: int, dice: random.Random) -> list[Place]:
    """The cursor stands after the colon of a header; its body is asked for.

    Only where the module up to the end of the author's own body parses: within an open `try` no body could.
    """
    found = []
    for path, text in modules.items():
        lines = text.splitlines(keepends=True)
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, HEADERS) or node.body[0].lineno <= node.lineno:
                continue
            header, end = node.body[0].lineno - 1, node.body[-1].end_lineno
            before = "".join(lines[:header])
            if before.endswith(":\n") and parses("".join(lines[:end])):
                body = "\n" + "".join(lines[header:end])
                found.append(Place(path, before[:-1], body, depth=node.col_offset))
    return dice.sample(found, min(count, len(found)))


def holes(modules: dict[str, str], count: int, dice: random.Random) -> list[Place]:
    """Holes of the kinds that editors leave, equally many of each, in a window of WINDOW lines."""
    found: list[Place] = []
    paths = list(modules)
    while len(found) < count:
        path = dice.choice(paths)
        text = modules[path]
        lines = line_spans(text)
        if len(lines) < 8:
            continue
        first = dice.randrange(max(1, len(lines) - WINDOW))
        begin, end = lines[first][0], lines[min(first + WINDOW, len(lines)) - 1][2]
        span = EDITOR_HOLES[len(found) % len(EDITOR_HOLES)](text[begin:end], dice)
        if span is not None:
            at, to = begin + span[0], begin + span[1]
            found.append(Place(path, text[:at], text[at:to], text[to:], shown=(begin, end)))
    return found


def block_end(written: str, depth: int) -> int | None:
    """Where a block ends that was continued after its header: before the first whole line that is indented no
    deeper than `depth` and stands in no bracket or string. None while it goes on."""
    for line in re.finditer(r"\n( *)(?=[^ \n][^\n]*\n)", written):
        if len(line[1]) <= depth and is_closed(f"{' ' * depth}if x:{written[: line.start()]}\n"):
            return line.start()
    return None


def is_closed(text: str) -> bool:
    """Whether no bracket and no string is open at the end."""
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError:
        return False
    except SyntaxError:
        return True
    return True
