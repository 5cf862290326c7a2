"""Variables in a saved prompt: `{{name}}`, `{{name=what it is unless it is said}}`.

Owns Variable, `variables` and `fill`. What stands in double braces and is no name (code, a chat template) stays as it
is. Imports errors and the standard library only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio.errors import StudioError

_VARIABLE = re.compile(r"\{\{[ \t]*([^\W\d][\w \-]{0,59}?)[ \t]*(?:=([^{}]*))?\}\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """default: None where a value must be given."""

    name: str
    default: str | None = None


def variables(text: str) -> list[Variable]:
    """Each variable once, in the order of the text; the first default that is given counts."""
    found: dict[str, str | None] = {}
    for match in _VARIABLE.finditer(text):
        name, default = match[1], match[2]
        if found.get(name) is None:
            found[name] = None if default is None else default.strip()
    return [Variable(name, default) for name, default in found.items()]


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables' values, defaults where none is given; what is filled in is not looked at again.

    Raises StudioError naming the variables that have neither.
    """
    known = {variable.name: variable.default for variable in variables(text)}
    known |= {name: value for name, value in values.items() if name in known and value != ""}
    missing = [name for name, value in known.items() if value is None]
    if missing:
        raise StudioError(
            "The prompt has open variables",
            f"Nothing was given for {', '.join(missing)}.",
            "Fill them in, or give them a default: {{name=default}}.",
            code="open-variables",
        )
    return _VARIABLE.sub(lambda match: known[match[1]] or "", text)
