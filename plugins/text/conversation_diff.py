"""What differs between two versions of a message, word by word. Imports the standard library only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
MOST = 6_000
"""Words of both together that are compared one by one; longer texts are compared line by line."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text. kind: "same", "left" (only the first version has it) or "right"."""

    kind: str
    text: str


def differences(left: str, right: str) -> list[Run]:
    """Both versions as one text: "same" and "left" runs make up the first, "same" and "right" the second."""
    parts = [_WORDS.findall(left), _WORDS.findall(right)]
    if sum(map(len, parts)) > MOST:
        parts = [left.splitlines(keepends=True), right.splitlines(keepends=True)]
    found: list[Run] = []
    for run in _runs(*parts):
        if found and found[-1].kind == run.kind:
            found[-1] = Run(run.kind, found[-1].text + run.text)
        elif run.text:
            found.append(run)
    return found


def _runs(left: list[str], right: list[str]) -> Iterator[Run]:
    for kind, i, j, k, n in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Run("same", "".join(left[i:j]))
        else:
            yield Run("left", "".join(left[i:j]))
            yield Run("right", "".join(right[k:n]))
