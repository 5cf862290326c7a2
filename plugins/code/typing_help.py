"""What typing does beyond the letter: indentation after Return and by Tab, the next word of a suggestion. Pure."""

import re
from dataclasses import dataclass

OPENS = (":", "{", "(", "[")
LEAVES = re.compile(r"^\s*(?:return|pass|break|continue|raise)\b")
WORD = re.compile(r"\s*(?:\w+|[^\w\s]+)|\s+")


@dataclass(frozen=True, slots=True)
class Change:
    """text takes the place of start to end; then the cursor is at `cursor`, the selection from `anchor`."""

    start: int
    end: int
    text: str
    cursor: int | None = None
    anchor: int | None = None


def after_return(text: str, start: int, end: int, width: int) -> Change:
    """A new line as deep as the one before, deeper behind what opens a block, less deep behind what leaves one."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    indent = line[: len(line) - len(line.lstrip())]
    told = line.split("#")[0].rstrip()
    behind = text[end : end + 1]
    step = "\t" if indent.startswith("\t") else " " * width
    if told.endswith(OPENS):
        if behind in ("}", ")", "]") and behind:
            new = f"\n{indent}{step}\n{indent}"
            place = start + 1 + len(indent) + len(step)
            return Change(start, end, new, place)
        return Change(start, end, f"\n{indent}{step}")
    if LEAVES.match(line) and indent:
        return Change(start, end, "\n" + indent.removesuffix(step))
    return Change(start, end, "\n" + indent)


def indented(text: str, start: int, end: int, width: int) -> Change:
    """Spaces up to the next stop; a selection of several lines goes deeper as a whole."""
    if "\n" not in text[start:end]:
        column = start - (text.rfind("\n", 0, start) + 1)
        return Change(start, end, " " * (width - column % width))
    first, last = _lines(text, start, end)
    rows = text[first:last].split("\n")
    new = "\n".join(" " * width + row if row.strip() else row for row in rows)
    return Change(first, last, new, first + len(new), first)


def unindented(text: str, start: int, end: int, width: int) -> Change:
    """Every touched line up to one step less deep."""
    first, last = _lines(text, start, end)
    rows = text[first:last].split("\n")
    less = [row[1:] if row.startswith("\t") else row[min(width, len(row) - len(row.lstrip(" "))) :] for row in rows]
    new = "\n".join(less)
    if "\n" in text[start:end]:
        return Change(first, last, new, first + len(new), first)
    gone = len(rows[0]) - len(less[0])
    return Change(first, last, new, max(first, start - gone), max(first, end - gone))


def first_word(text: str) -> str:
    """The beginning of a suggestion up to the end of its first word or sign."""
    found = WORD.match(text)
    return found[0] if found else text


def _lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines that a part touches, without the last line end."""
    if end > start and text[end - 1] == "\n":
        end -= 1
    last = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if last < 0 else last
