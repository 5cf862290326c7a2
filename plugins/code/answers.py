"""What a model's answer says to do with a file: read strictly, applied whole or refused with the reason.

Owns `edited`, which makes the new text of a file. Three forms are understood: SEARCH/REPLACE blocks, one fenced block
with the new text of what was asked about, and bare code where no fence was opened. A broken answer is refused loudly:
half an edit is worse than none.
"""

import re
from dataclasses import dataclass

from studio.errors import StudioError

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
SEARCH, MIDDLE, REPLACE = (re.compile(rf"^{mark}\s*$") for mark in ("<{5,9} ?SEARCH", "={5,9}", ">{5,9} ?REPLACE"))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced piece of an answer."""

    language: str
    text: str


def edited(answer: str, text: str, start: int = 0, end: int | None = None) -> str:
    """The new text of a file of which `text[start:end]` was asked about. Raises StudioError code "malformed"."""
    end = len(text) if end is None else end
    if any(SEARCH.match(line) for line in answer.splitlines()):
        return _searched(answer, text)
    blocks = blocks_of(answer)
    if len(blocks) > 1:
        raise malformed(f"It holds {len(blocks)} pieces of code, and nothing says which one belongs here.")
    new = blocks[0].text if blocks else ""
    if not blocks:
        raise malformed("It holds no code: neither a fenced block nor SEARCH and REPLACE.")
    if not new.strip() and text[start:end].strip():
        raise malformed("The code in it is empty.")
    return text[:start] + fitted(new, text[start:end]) + text[end:]


def blocks_of(answer: str) -> list[Block]:
    """The fenced blocks. Raises StudioError when one is not closed: the answer was cut off."""
    found: list[Block] = []
    at = 0
    while opening := FENCE.search(answer, at):
        mark = opening[1]
        closing = re.compile(rf"^[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        begin = opening.end() + 1
        end = closing.search(answer, begin)
        if end is None:
            raise malformed("It ends in the middle of its code.", "Allow more tokens, or ask about a smaller piece.")
        found.append(Block(opening[2], answer[begin : end.start()]))
        at = end.end()
    return found


def fitted(new: str, old: str) -> str:
    """The new text of a piece with the indentation and the last line end of the old one."""
    indent = _indent(old)
    if indent and new.strip() and not _indent(new):
        new = "".join(indent + line if line.strip() else line for line in new.splitlines(keepends=True))
    if old.endswith("\n") and not new.endswith("\n"):
        return new + "\n"
    return new if old.endswith("\n") else new.removesuffix("\n")


def _indent(text: str) -> str:
    """What every line that says something begins with."""
    lines = [line for line in text.splitlines() if line.strip()]
    starts = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines]
    shortest = min(starts, key=len, default="")
    return shortest if all(start.startswith(shortest) for start in starts) else ""


def _searched(answer: str, text: str) -> str:
    for old, new in pairs_of(answer):
        text = replaced(text, old, new)
    return text


def pairs_of(answer: str) -> list[tuple[str, str]]:
    """What each SEARCH block looks for and what it is replaced by."""
    found: list[tuple[str, str]] = []
    part, old, new = "", [], []
    for line in answer.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if SEARCH.match(bare):
            if part:
                raise malformed("A SEARCH block begins inside another.")
            part, old, new = "search", [], []
        elif part == "search" and MIDDLE.match(bare):
            part = "replace"
        elif part == "replace" and REPLACE.match(bare):
            found.append(("".join(old), "".join(new)))
            part = ""
        elif REPLACE.match(bare):
            raise malformed("A REPLACE has no SEARCH before it.")
        elif part:
            (old if part == "search" else new).append(line)
    if part:
        raise malformed("It ends in the middle of a SEARCH block.", "Allow more tokens, or ask about a smaller piece.")
    return found


def replaced(text: str, old: str, new: str) -> str:
    """The text with `old`, which must stand in it once, replaced: to the letter, else but for spaces at line ends
    and a common indentation."""
    if not old.strip():
        raise malformed("A SEARCH block looks for nothing.")
    if (count := text.count(old)) == 1:
        return text.replace(old, new)
    if count > 1:
        raise malformed(f"A SEARCH block fits {count} places: {_short(old)}")
    lines, wanted = text.splitlines(keepends=True), old.splitlines()
    places = [at for at in range(len(lines) - len(wanted) + 1) if _alike(lines[at : at + len(wanted)], wanted)]
    if len(places) != 1:
        what = f"fits {len(places)} places" if places else "looks for what is not in the file"
        raise malformed(f"A SEARCH block {what}: {_short(old)}")
    there = "".join(lines[places[0] : places[0] + len(wanted)])
    shift = _indent(there).removesuffix(_indent(old))
    moved = "".join(shift + line if line.strip() else line for line in new.splitlines(keepends=True))
    if moved and there.endswith("\n") and not moved.endswith("\n"):
        moved += "\n"
    return "".join([*lines[: places[0]], moved, *lines[places[0] + len(wanted) :]])


def _alike(there: list[str], wanted: list[str]) -> bool:
    """Whether these lines are the wanted ones, all moved to the right by the same indentation."""
    shifts = set()
    for line, want in zip(there, wanted, strict=True):
        line, want = line.rstrip(), want.rstrip()
        if not want or not line:
            if line != want:
                return False
        elif not line.endswith(want) or line[: len(line) - len(want)].strip():
            return False
        else:
            shifts.add(line[: len(line) - len(want)])
    return len(shifts) == 1


def _short(text: str) -> str:
    first = text.strip().splitlines()[0]
    return f"“{first[:60]}{'…' if len(first) > 60 or len(text.strip().splitlines()) > 1 else ''}”."


def malformed(why: str, hint: str = "Ask again, or use a larger model; nothing was changed.") -> StudioError:
    return StudioError("The model's answer is no edit", why, hint, code="malformed")
