"""JSON that models write: found in an answer, and what several parts gave put together. Standard library only."""

import json
from collections.abc import Iterable
from typing import Any


def find_json(text: str) -> Any:
    """The first object or list in an answer, whatever stands around it; None when there is none, or it is cut off."""
    decoder, end = json.JSONDecoder(), len(text.rstrip())
    for at, character in enumerate(text):
        if character in "{[":
            try:
                return decoder.raw_decode(text, at)[0]
            except json.JSONDecodeError as error:
                if error.pos >= end or error.msg.startswith("Unterminated"):
                    return None  # what is inside of it is only a part
            except RecursionError:
                return None
    return None


def merged(values: Iterable[Any]) -> Any:
    """What the parts of one text gave as one value: lists joined without repetition, entries by name, the first of
    what can only be once and is not empty."""
    found: Any = None
    for value in values:
        found = value if found is None else _two(found, value)
    return found


def _two(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        both = {key: _two(value, second[key]) if key in second else value for key, value in first.items()}
        return both | {key: value for key, value in second.items() if key not in first}
    if isinstance(first, list) and isinstance(second, list):
        return first + [value for value in second if value not in first]
    return second if first in (None, "", [], {}) else first
