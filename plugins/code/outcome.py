"""What a finished answer would make of the files: checked here, by the backend that keeps it and by the panel that
shows it as changes. Pure.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from .answers import blocks_of, edited, malformed
from .asking import EDITS, opening
from .params import Deed, Work

MARKS = ("```", "~~~", "<<<<<", ">>>>>", "=====")
CHAT, CODE = "chat", "code"
"""How the model was asked: as a conversation, or as code that it goes on with."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """path: of the file. old, new: its text before and after; old is None for a file that is to be made.

    words: what the model said beside the code.
    """

    path: str
    old: str | None
    new: str
    words: str = ""


def outcome(params: Work, answer: str, form: str) -> Outcome | None:
    """None for an answer that is only words. Raises StudioError code "malformed"."""
    if params.deed is Deed.EXPLAIN:
        return None
    path = params.path or "main.py"
    if form == CODE:
        return _gone_on(params, answer, path)
    if params.deed is Deed.TESTS:
        return Outcome(tests_path(path), None, _only_block(answer), _words(answer))
    if params.deed in EDITS:
        return Outcome(path, params.text, edited(answer, params.text, *params.span()), _words(answer))
    return Outcome(path, params.text, _written(params, _only_block(answer)), _words(answer))


def tests_path(path: str) -> str:
    """Where the tests of a file stand: beside it."""
    place = PurePosixPath(path)
    return str(place.with_name(f"test_{place.stem}.py"))


def _gone_on(params: Work, answer: str, path: str) -> Outcome:
    """Of a model that only goes on: what it wrote stands between what it was given."""
    if not answer.strip():
        raise malformed("The model wrote nothing.")
    before, after = opening(params)
    if params.deed is Deed.TESTS:
        own = (before + answer)[len(params.text.rstrip()) :].lstrip("\n")
        return Outcome(tests_path(path), None, own.rstrip() + "\n")
    end = "" if not after or after.startswith("\n") or answer.endswith("\n") else "\n"
    whole = before + answer + end + after
    return Outcome(path, params.text, whole if whole.endswith("\n") else whole + "\n")


def _written(params: Work, code: str) -> str:
    """New code in the place of the selected part, else behind what is there."""
    start, end = (params.start, params.end) if params.end else (len(params.text), len(params.text))
    before, after = params.text[:start], params.text[end:]
    gap = "" if not before.strip() or params.end else "\n" * max(0, 3 - (len(before) - len(before.rstrip("\n"))))
    return before + gap + code + after


def _only_block(answer: str) -> str:
    blocks = [block for block in blocks_of(answer) if block.text.strip()]
    if len(blocks) == 1:
        return blocks[0].text
    if blocks:
        raise malformed(f"It holds {len(blocks)} pieces of code, and nothing says which one is meant.")
    raise malformed("It holds no code in a fenced block.")


def _words(answer: str) -> str:
    """What stands around the code, in one paragraph."""
    for block in blocks_of(answer):
        answer = answer.replace(block.text, "")
    lines = (line.strip() for line in answer.splitlines())
    return " ".join(line for line in lines if line and not line.startswith(MARKS))[:1000]
