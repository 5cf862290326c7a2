"""What would make a prompt better, by rules: concrete, quick, and silent when there is nothing to say.

Owns `advise`. The rules read English; of other languages only those about length, variables and missing input apply.
No model is asked. Imports the standard library and this plugin's rules.
"""

import re
from collections.abc import Callable, Iterator

from . import coach_rules as rules
from .coach_rules import Advice

QUOTED = (
    re.compile(r"```.*?(?:```|\Z)", re.DOTALL),
    re.compile(r"<(\w+)>.*?</\1>", re.DOTALL),
    re.compile(r"^---+\s*$.*\Z", re.DOTALL | re.MULTILINE),
    re.compile(r"^>.*$", re.MULTILINE),
    re.compile(r"`[^`\n]+`|\"[^\"\n]*\"|“[^”\n]*”"),
)
RULES: tuple[Callable[[str], Iterator[Advice]], ...] = (
    rules.conflicts,
    rules.numbers_that_conflict,
    rules.no_task,
    rules.only_negative,
    rules.vague,
    rules.no_format,
    rules.no_length,
    rules.no_example,
    rules.no_audience,
    rules.too_many_tasks,
)


def advise(prompt: str, *, chat: bool = True, with_input: bool = False) -> list[Advice]:
    """The most important first; empty for an empty prompt.

    chat: the model answers; else it goes on where the prompt ends. with_input: a file or earlier messages come with
    the prompt, so what it refers to may be there.
    """
    text = own_words(prompt)
    if not text.strip():
        return []
    found = list(rules.open_variables(prompt))
    if not chat:
        return found + list(rules.instruction_to_go_on_from(text))
    if not with_input:
        found += rules.missing_input(prompt)
    return found + [advice for rule in RULES for advice in rule(text)]


def own_words(prompt: str) -> str:
    """The prompt with what it quotes blanked out: code, quotations, what stands below a line. Places stay."""
    for quoted in QUOTED:
        prompt = quoted.sub(lambda found: re.sub(r"\S", " ", found[0]), prompt)
    return prompt


__all__ = ["Advice", "advise", "own_words"]
