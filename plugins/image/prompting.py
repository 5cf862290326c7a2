"""What a prompt says before any model reads it: its expansions, its weights, its problems. Imports no torch.

The face of emphasis.py (weights), choices.py (choices) and wildcards.py (files) for the panel and the backends.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal as OneOf

from studio.errors import StudioError

from . import choices, emphasis
from .emphasis import Problem, adjust_weight
from .params import MOST
from .wildcards import FOLDER, Wildcards

__all__ = [
    "Explained",
    "Problem",
    "Span",
    "adjust_weight",
    "expansions",
    "explain",
    "wildcard_names",
    "wildcards_folder",
]

How = OneOf["random", "all"]
SHOWN = 20


@dataclass(frozen=True)
class Span:
    """[start, end) of the prompt. kind: "weight" (text under `weight`), "choice", "wildcard", "break", "tag"."""

    start: int
    end: int
    kind: str
    weight: float = 1.0


@dataclass(frozen=True)
class Explained:
    """What the panel shows of a prompt. combinations: of all its choices, at most choices.MANY.

    makes: pictures of the job; 0 where it would be refused (the problems say why). preview: the first expansions;
    with random choices they are examples unless the seeds are given.
    """

    spans: tuple[Span, ...]
    problems: tuple[Problem, ...]
    combinations: int
    makes: int
    preview: tuple[str, ...]


def wildcards_folder(data: Path) -> Path:
    return data / FOLDER


def wildcard_names(folder: Path) -> list[str]:
    """What can be written between double underscores."""
    return Wildcards(folder).names()


def expansions(
    prompt: str, *, how: How = "random", count: int = 1, seeds: Sequence[int] = (), folder: Path | None = None
) -> list[str]:
    """The prompts of a job's pictures, without choices; weights stay in.

    random: one for each seed, drawn by that seed alone. all: every combination, `count` times over.
    A prompt without choices comes back letter by letter. StudioError: a wildcard that is not there, too many.
    """
    parsed = choices.parse(prompt, Wildcards(folder))
    _refuse_wildcards(parsed, prompt, folder)
    choices.check(parsed.node)
    if how == "random":
        seeds = list(seeds) or list(range(count))
        return [choices.draw(parsed.node, random.Random(seed)) for seed in seeds]
    total = parsed.node.count
    if total * count > MOST:
        raise _too_many(total, count)
    every = list(dict.fromkeys(choices.nth(parsed.node, index) for index in range(total)))
    return every * count


def explain(
    text: str,
    *,
    how: How = "random",
    count: int = 1,
    seeds: Sequence[int] = (),
    folder: Path | None = None,
    first: int = 8,
) -> Explained:
    """Spans to colour, problems, and the first expansions of what is being written; never raises."""
    parsed = choices.parse(text, Wildcards(folder))
    reading = emphasis.read(text)
    problems = [*reading.problems, *parsed.problems]
    total, makes, preview = parsed.node.count, count, ()
    try:
        choices.check(parsed.node)
        if how == "all" and total * count > MOST:
            raise _too_many(total, count)
        preview = _preview(parsed.node, how, count, seeds, first)
        makes = total * count if how == "all" else count
    except StudioError as error:
        problems.append(Problem(0, len(text), f"{error.title}. {error.detail} {error.hint}"))
        makes = 0
    if makes and _missing(parsed):
        makes, preview = 0, ()
    problems.sort(key=lambda problem: problem.start)
    return Explained(_spans(text, reading, parsed), tuple(problems[:SHOWN]), total, makes, preview)


def _preview(node: choices.Node, how: How, count: int, seeds: Sequence[int], first: int) -> tuple[str, ...]:
    if how == "all" or (node.count <= first and not seeds):
        return tuple(dict.fromkeys(choices.nth(node, index) for index in range(min(first, node.count))))
    drawn = (choices.draw(node, random.Random(seed)) for seed in (list(seeds) or range(max(first, count)))[:first])
    return tuple(drawn if seeds else dict.fromkeys(drawn))


def _spans(text: str, reading: emphasis.Reading, parsed: choices.Parsed) -> tuple[Span, ...]:
    found = [Span(start, end, "weight", weight) for start, end, weight in emphasis.spans(text, reading)]
    found += [Span(mark.start, mark.end, mark.kind) for mark in parsed.marks]
    found += [Span(start, end, "break") for start, end in reading.breaks]
    found += [Span(start, end, "tag") for start, end in reading.tags]
    return tuple(found)


def _refuse_wildcards(parsed: choices.Parsed, prompt: str, folder: Path | None) -> None:
    """A file that is not there is refused; brackets that match nothing are plain letters."""
    for problem in _missing(parsed):
        Wildcards(folder)(prompt[problem.start + 2 : problem.end - 2])


def _missing(parsed: choices.Parsed) -> list[Problem]:
    names = {mark.start for mark in parsed.marks if mark.kind == "wildcard"}
    return [problem for problem in parsed.problems if problem.start in names]


def _too_many(total: int, count: int) -> StudioError:
    many = "very many" if total >= choices.MANY else str(total)
    times = f", {count} pictures of each" if count > 1 else ""
    return StudioError(
        "The prompt has too many combinations",
        f"It has {many}{times}; one job makes at most {MOST} pictures.",
        "Take choices out, or let each picture draw its own.",
        code="prompt",
    )
