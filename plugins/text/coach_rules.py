"""The rules of the prompt coach, each a function from a prompt to what there is to say about it.

Owns Advice. Rules are ordered and chosen by `prompt_coach.py`. Imports the standard library and this plugin's words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .coach_words import (
    AUDIENCE,
    CONFLICTS,
    ENGLISH,
    EXAMPLES,
    FORMATS,
    LENGTHS,
    NEGATIVE,
    PATTERNED,
    REFERS,
    TASKS,
    VAGUE,
    WRITING,
)
from .prompt_variables import variables

LONG_ENOUGH = 40
"""Characters that must follow "the text below" for something to be below."""


@dataclass(frozen=True, slots=True)
class Advice:
    """rule: a short stable word. what was seen, why it matters, and what to write instead. start, end: where, in
    characters of the prompt; equal when it is about the whole."""

    rule: str
    what: str
    why: str
    proposal: str
    start: int = 0
    end: int = 0


def open_variables(prompt: str) -> Iterator[Advice]:
    for variable in variables(prompt):
        if variable.default is None:
            at = prompt.index(variable.name)
            yield Advice(
                "variable",
                f"“{variable.name}” is not filled in.",
                "The model would read the braces as they stand.",
                f"Write what it stands for, or give it a default: {{{{{variable.name}=…}}}}.",
                at,
                at + len(variable.name),
            )


def missing_input(prompt: str) -> Iterator[Advice]:
    found = REFERS.search(prompt)
    if not found:
        return
    after = prompt[found.end() :]
    sentence_end = re.search(r"[.:!?]|\n", after)
    rest = after[sentence_end.end() :] if sentence_end else ""
    quoted = re.search(r"```|<\w+>|^---+\s*$|[\"“]", prompt, re.MULTILINE)
    if len(rest.strip()) < LONG_ENOUGH and not quoted:
        yield Advice(
            "input",
            f"It speaks of “{found[0].strip()}”, and nothing follows.",
            "The model would make the text up.",
            "Put the text below the instruction, between two lines of ---, or drop a file.",
            found.start(),
            found.end(),
        )


def conflicts(text: str) -> Iterator[Advice]:
    for left, right, proposal in CONFLICTS:
        one, two = left.search(text), right.search(text)
        if one and two:
            yield Advice(
                "conflict",
                f"“{one[0]}” and “{two[0]}” pull in opposite directions.",
                "The model follows one of them, and which one is chance.",
                proposal,
                min(one.start(), two.start()),
                max(one.end(), two.end()),
            )


def numbers_that_conflict(text: str) -> Iterator[Advice]:
    unit = r"(words?|sentences?|lines?|points?|items?|paragraphs?|pages?)"
    most = re.search(rf"(?i)\b(?:at most|no more than|up to|under|below|maximum(?: of)?|max\.?) (\d+) {unit}", text)
    least = re.search(rf"(?i)\b(?:at least|no fewer than|no less than|over|minimum(?: of)?|min\.?) (\d+) {unit}", text)
    if most and least and most[2].rstrip("s") == least[2].rstrip("s") and int(least[1]) > int(most[1]):
        yield Advice(
            "conflict",
            f"“{most[0]}” and “{least[0]}” cannot both hold.",
            "The model follows one of them, and which one is chance.",
            "Keep one of the two numbers.",
            min(most.start(), least.start()),
            max(most.end(), least.end()),
        )


def no_task(text: str) -> Iterator[Advice]:
    if "?" not in text and not TASKS.search(text) and _english(text):
        yield Advice(
            "task",
            "It does not say what is to be done.",
            "The model guesses whether to explain, judge, go on or rewrite.",
            "Begin with a verb: Explain …, List …, Rewrite …, or ask a question.",
        )


def only_negative(text: str) -> Iterator[Advice]:
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+|;", text) if s.strip()]
    negative = [s for s in sentences if NEGATIVE.search(s)]
    positive = [s for s in sentences if s not in negative and (TASKS.search(s) or "?" in s)]
    if negative and (not positive or len(negative) > 2 * len(positive)):
        first = negative[0].strip()
        at = text.index(first)
        yield Advice(
            "negative",
            f"It mostly says what not to do (“{_short(first)}”).",
            "A model follows a wish better than a ban, and a ban names what it should not think of.",
            "Say what to write instead: “Use everyday words” in place of “Don't use jargon”.",
            at,
            at + len(first),
        )


def vague(text: str) -> Iterator[Advice]:
    seen: set[str] = set()
    for found in VAGUE.finditer(text):
        word = found[0].lower()
        if word not in seen and len(seen) < 3:
            seen.add(word)
            yield Advice(
                "vague",
                f"“{found[0]}” can mean many things.",
                "Every reading of it is an answer, and yours is only one of them.",
                _instead(word),
                found.start(),
                found.end(),
            )


def no_format(text: str) -> Iterator[Advice]:
    if WRITING.search(text) and not FORMATS.search(text):
        yield Advice(
            "format",
            "It does not say what the answer is to look like.",
            "You get prose of some kind, and every time another one.",
            "Add a form: as a table with the columns …, as a list of …, as an e-mail, as JSON with the fields ….",
        )


def no_length(text: str) -> Iterator[Advice]:
    if WRITING.search(text) and not LENGTHS.search(text):
        yield Advice(
            "length",
            "It does not say how long the answer is to be.",
            "Models tend to a middling length, whatever the question is.",
            "Add a length: in 3 sentences, in about 200 words, at most 5 points.",
        )


def no_example(text: str) -> Iterator[Advice]:
    found = PATTERNED.search(text)
    if found and not EXAMPLES.search(text):
        yield Advice(
            "example",
            f"“{found[0]}” asks for a pattern, and no example shows it.",
            "One example says more about a pattern than three sentences.",
            "Add one: For example: input … → output ….",
            found.start(),
            found.end(),
        )


def no_audience(text: str) -> Iterator[Advice]:
    found = re.search(r"(?i)\b(explain|teach|introduce)\b", text)
    if found and not AUDIENCE.search(text):
        yield Advice(
            "audience",
            "It does not say for whom.",
            "What needs explaining depends on what the reader knows.",
            f"Add the reader: {found[0]} it to a ten-year-old, for a nurse, for somebody who knows Python.",
            found.start(),
            found.end(),
        )


def too_many_tasks(text: str) -> Iterator[Advice]:
    asked = {found[0].lower() for found in TASKS.finditer(text)}
    if len(asked) > 4 or text.count("?") > 4:
        yield Advice(
            "many",
            f"It asks for {max(len(asked), text.count('?'))} things at once.",
            "The later ones are done briefly or forgotten.",
            "Number them, or ask one after the other in the same conversation.",
        )


def instruction_to_go_on_from(text: str) -> Iterator[Advice]:
    polite = re.match(r"(?i)\s*(?:please |can you |could you )?", text)
    found = TASKS.match(text, polite.end() if polite else 0)
    if found and not text.rstrip().endswith(":"):
        yield Advice(
            "continuation",
            "It is an instruction, and this model goes on where the text ends.",
            "It may write more instructions instead of an answer.",
            "Begin the text that you want: “The fox is a small animal that …”, or use the chat.",
            found.start(),
            found.end(),
        )


def _instead(word: str) -> str:
    if word in ("a few", "several", "a couple of", "a lot of", "various"):
        return "Say how many."
    if word in ("something", "anything", "stuff", "things", "thing", "etc", "and so on", "whatever"):
        return "Name them, or say by what you would recognise one."
    return "Say what makes it so: for whom, by what measure, like what."


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39].rstrip() + "…"


def _english(text: str) -> bool:
    return bool(ENGLISH.search(text))
