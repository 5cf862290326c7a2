"""The values of an axis as a person writes them: lists, ranges, quoted text. Imports neither torch nor Qt.

1, 2, 3         a list                          0.1-1 [5]      five values from 0.1 to 1
1-10            every whole number              "a, b", c      a quoted value may hold commas
1-10 (+2)       from 1 by steps of 2            *              all choices
"""

import csv
import io
import math
import re
from typing import Any

from studio.errors import StudioError
from studio.sdk.fields import FieldSpec

MOST_VALUES = 64
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(
    rf"\s*(?P<low>{NUMBER})\s*-\s*(?P<high>{NUMBER})\s*(?:\(\s*(?P<step>{NUMBER})\s*\)|\[\s*(?P<count>\d+)\s*\])?\s*"
)
YES, NO = {"yes", "on", "true", "1"}, {"no", "off", "false", "0"}
EMPTY = {"auto", "default", "none", "empty"}


def wrong(detail: str, hint: str = "") -> StudioError:
    return StudioError("These values cannot be read", detail, hint, code="axis")


def split(text: str) -> list[str]:
    """The values of a list, without the spaces around them; empty ones are left out unless they are quoted."""
    row = next(csv.reader(io.StringIO(" ".join(text.splitlines())), skipinitialspace=True), [])
    quoted = '""' in text
    return [value.strip() for value in row if value.strip() or quoted]


def numbers(text: str, spec: FieldSpec) -> list[int | float | None]:
    """Numbers and ranges of a whole-number or decimal field. Raises StudioError."""
    found: list[int | float | None] = []
    for part in split(text):
        if spec.optional and part.lower() in EMPTY:
            found.append(None)
            continue
        spread = RANGE.fullmatch(part)
        found += [_within(value, spec) for value in (_spread(spread, spec) if spread else [_number(part)])]
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise wrong(f"“{text[:40]}” is not a number.", "Write 1, 2, 3 or a range: 1-10 (+2), 0.1-1 [5].") from None
    if not math.isfinite(value):
        raise wrong("Numbers must be finite.")
    return value


def _spread(found: re.Match[str], spec: FieldSpec) -> list[float]:
    low, high = float(found["low"]), float(found["high"])
    if found["count"]:
        count = int(found["count"])
        if not 1 <= count <= MOST_VALUES:
            raise wrong(f"A range makes 1 to {MOST_VALUES} values, not {count}.")
        grid = spec.ui.step if spec.kind == "int" and spec.ui.step else 0  # sizes stay multiples of eight
        even = [low + (high - low) * i / max(1, count - 1) for i in range(count)]
        return [round(value / grid) * grid if grid else value for value in even]
    step = abs(float(found["step"])) if found["step"] else 1.0
    if step == 0:
        raise wrong("A range needs a step other than 0.")
    if not found["step"] and spec.kind == "float" and abs(high - low) < 1:
        raise wrong(f"“{found[0].strip()}” needs a step or a count.", f"Such as {found[0].strip()} [5].")
    # A little more, so that 0.1-1 (+0.1) meets its end in spite of rounding.
    count = math.floor(abs(high - low) / step + 1e-9) + 1
    if count > MOST_VALUES:
        raise wrong(f"“{found[0].strip()}” is {count} values; an axis has at most {MOST_VALUES}.")
    way = step if high >= low else -step
    return [low + way * i for i in range(count)]


def _within(value: float, spec: FieldSpec) -> int | float:
    number: int | float = float(f"{value:.10g}")
    if spec.kind == "int":
        number = round(value)
    low, high = spec.minimum, spec.maximum
    if low is not None and (number < low or (spec.above and number == low)):
        raise wrong(f"{number:g} is too little: {'more than' if spec.above else 'at least'} {low:g} is needed.")
    if high is not None and (number > high or (spec.below and number == high)):
        raise wrong(f"{number:g} is too much: {'less than' if spec.below else 'at most'} {high:g} is allowed.")
    return number


def switches(text: str) -> list[bool]:
    found: list[bool] = []
    for part in split(text):
        word = part.lower()
        if word == "*":
            found += [False, True]
        elif word in YES or word in NO:
            found.append(word in YES)
        else:
            raise wrong(f"“{part[:40]}” is neither yes nor no.")
    return found


def chosen(text: str, choices: dict[str, Any], what: str) -> list[Any]:
    """Values by the words for them, in any case; a beginning that only one of them has is enough."""
    found: list[Any] = []
    lower = {words.lower(): value for words, value in choices.items()}
    for part in split(text):
        word = part.lower()
        begins = [value for words, value in lower.items() if words.startswith(word)]
        if word == "*":
            found += choices.values()
        elif word in lower:
            found.append(lower[word])
        elif word and len({repr(value) for value in begins}) == 1:
            found.append(begins[0])
        else:
            known = ", ".join(list(choices)[:12])
            raise wrong(f"There is no {what} “{part[:60]}”.", f"Known: {known}." if known else "There is none yet.")
    return found


def unique(values: list[Any]) -> tuple[Any, ...]:
    """Each once: two cells with the same values would be the same picture."""
    kept: dict[str, Any] = {}
    for value in values:
        kept.setdefault(repr(value), value)
    return tuple(kept.values())


def words(value: Any) -> str:
    """A value as it stands in a heading."""
    if value is None or value == "":
        return "auto" if value is None else "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:59] + "…"
