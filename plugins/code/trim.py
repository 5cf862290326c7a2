"""Where an answer in a hole ends: pure rules on text, applied while it streams.

Owns Trimmer. Small models seldom end by themselves; what they write beyond the hole is recognised by what stands
behind the hole, by a block that ends, and by lines that repeat.
"""

from dataclasses import dataclass

CLOSERS = {")": "(", "]": "[", "}": "{"}
GOES_ON = ("else", "elif", "except", "finally", "case")
REPEATS = 3
SAME_LINE = 2
"""So many lines in a row as behind the hole mean that the model has gone on into them."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What stands around the answer. multiline: whether it may hold more than one line."""

    before: str
    after: str
    multiline: bool = True

    @property
    def indent(self) -> int:
        """How far the line with the hole is indented."""
        line = self.before.rpartition("\n")[2]
        return len(line) - len(line.lstrip())

    @property
    def rest(self) -> str:
        """What follows the hole on its own line."""
        return self.after.partition("\n")[0]


class Trimmer:
    """Takes an answer in pieces. `done` once it is complete; `text` is what belongs into the hole."""

    def __init__(self, hole: Hole):
        self._hole = hole
        self._raw = ""
        self.text = ""
        self.done = False
        self.reason = ""

    def push(self, piece: str) -> bool:
        """Whether it is complete now."""
        if not self.done:
            self._raw += piece
            self.text = self._raw
            self._look()
        return self.done

    def finish(self) -> str:
        """The answer when no more comes: without what doubles the text behind the hole."""
        if not self.done:
            self._cut(without_doubled_end(self._raw, self._hole.after), "")
        return self.text

    def _look(self) -> None:
        lines = self._raw.split("\n")
        if not self._hole.multiline and len(lines) > 1:
            first = self._raw.lstrip("\n")
            if "\n" in first or self._raw[:1] != "\n":
                self._cut(without_doubled_end(lines[0], self._hole.after), "line")
            return
        for rule in (self._unbalanced, self._reached, self._left_block, self._repeats):
            if rule(lines):
                return

    def _unbalanced(self, _lines: list[str]) -> bool:
        """A bracket closes that the answer has not opened, and that the text behind the hole closes already."""
        at = unopened(self._raw)
        if at is None or self._raw[at] not in self._hole.rest[:1].strip() + self._hole.after.lstrip()[:1]:
            return False
        self._cut(self._raw[:at], "bracket")
        return True

    def _reached(self, lines: list[str]) -> bool:
        """The answer says the lines that stand behind the hole."""
        behind = [line for line in self._hole.after.split("\n")[1:] if line.strip()][:SAME_LINE]
        if not behind:
            return False
        said = [(number, line) for number, line in enumerate(lines[:-1]) if number and line.strip()]
        for at in range(len(said) - len(behind) + 1):
            if [line for _, line in said[at : at + len(behind)]] == behind and _telling(behind):
                self._cut("\n".join(lines[: said[at][0]]), "reached")
                return True
        return False

    def _left_block(self, lines: list[str]) -> bool:
        """A line is indented less than the hole: it belongs to what is around. Judged when that line is complete."""
        for number, line in enumerate(lines[:-1]):
            if not number or not line.strip():
                continue
            indent = len(line) - len(line.lstrip())
            closing = line.strip()[0] in CLOSERS or line.strip().startswith(GOES_ON)
            at_margin = indent == 0 == self._hole.indent and self._opened(number, lines, closing)
            if indent < self._hole.indent or at_margin:
                self._cut("\n".join(lines[:number]).rstrip(), "block")
                return True
        return False

    def _opened(self, number: int, lines: list[str], closing: bool) -> bool:
        """At the margin: a block was written and the next thing begins."""
        return not closing and any(line[:1].isspace() and line.strip() for line in lines[1:number])

    def _repeats(self, lines: list[str]) -> bool:
        """The same line again and again."""
        whole = [line.strip() for line in lines[:-1]]
        for at in range(len(whole) - REPEATS + 1):
            if whole[at] and len(set(whole[at : at + REPEATS])) == 1:
                self._cut("\n".join(lines[: at + 1]), "repeats")
                return True
        return False

    def _cut(self, text: str, reason: str) -> None:
        self.text, self.done, self.reason = text, bool(reason), reason


def unopened(text: str) -> int | None:
    """The place of the first bracket that closes what `text` did not open; strings and comments are not counted."""
    open: list[str] = []
    quote = ""
    at = 0
    while at < len(text):
        mark = text[at]
        if quote:
            if mark == "\\":
                at += 1
            elif text.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
            elif mark == "\n" and len(quote) == 1:
                quote = ""
        elif mark in "\"'":
            quote = mark * 3 if text.startswith(mark * 3, at) else mark
            at += len(quote) - 1
        elif mark == "#":
            at = text.find("\n", at)
            if at < 0:
                return None
        elif mark in CLOSERS.values():
            open.append(mark)
        elif mark in CLOSERS:
            if not open:
                return at
            if open[-1] == CLOSERS[mark]:
                open.pop()
        at += 1
    return None


def without_doubled_end(text: str, after: str) -> str:
    """The text without its end where the text behind the hole begins with the same; "" when all of it does."""
    rest = after.partition("\n")[0].rstrip()
    if rest and text.rstrip().endswith(rest) and (rest not in CLOSERS or unopened(text) is not None):
        return text.rstrip()[: -len(rest)]
    lines = [line for line in after.split("\n") if line.strip()]
    if text.strip() and lines and text.strip() == lines[0].strip():
        return ""
    return text


def _telling(lines: list[str]) -> bool:
    """Whether these lines say enough to be recognised by: a lone bracket or `pass` stands everywhere."""
    return len(lines) >= SAME_LINE or sum(map(str.isalnum, "".join(lines))) >= 8
