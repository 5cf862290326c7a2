"""Flags of an operation, made from its params: parsing, messages that name the flag, and the help text.

Owns the spelling of flags; knows nothing of engines. Imports sdk, errors and show.
"""

import difflib
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.cli.show import check_choice
from studio.errors import StudioError
from studio.sdk.fields import FieldSpec, describe
from studio.sdk.params import Density, Params

TEXT_WIDGETS = ("prompt", "text")
COLUMN = 34
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag that is none of the params: `--json`, or with a value `--priority batch`."""

    name: str
    summary: str
    takes_value: bool = False
    choices: tuple[str, ...] = ()


@dataclass(slots=True)
class Given:
    """What was typed: values of the params by field name, and the switches."""

    values: dict[str, Any] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def usage(detail: str, hint: str = "") -> StudioError:
    return StudioError("The command line is not understood", detail, hint, code="usage")


def parse(
    params: type[Params],
    tokens: Sequence[str],
    switches: Sequence[Switch] = (),
    read_stdin: Callable[[], bytes] = lambda: sys.stdin.buffer.read(),
) -> Given:
    """Values and switches in `tokens`. Raises StudioError (code "usage") naming the flag that is wrong.

    A value follows its flag as the next word, whatever that begins with, or after `=`. A word without a flag
    is the prompt. Of the params a switch hides none: a field of the same name comes first.
    """
    specs = {flag(spec.name): spec for spec in describe(params)}
    extra = {flag(switch.name): switch for switch in switches if flag(switch.name) not in specs}
    given = Given()
    words = list(tokens)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word == "--" or not word.startswith("--"):
            _prompt(given, specs, _next(word, words) if word == "--" else word, read_stdin)
        elif switch := extra.get(name):
            given.switches[switch.name] = _switch(switch, name, equals, value, words)
        elif spec := specs.get(name):
            if spec.kind == "bool":
                given.values[spec.name] = _truth(name, value) if equals else True
                continue
            text = value if equals else _next(name, words)
            _put(given, spec, name, text, read_stdin)
        elif (spec := specs.get("--" + name.removeprefix("--no-"))) and spec.kind == "bool" and not equals:
            given.values[spec.name] = False
        else:
            raise usage(f"There is no flag {name}.", _suggest(name, [*specs, *extra]))
    return given


def load(params: type[Params], given: Given) -> Params:
    """The validated params. Raises StudioError (code "invalid") with one line a flag."""
    try:
        return params.load(given.values)
    except StudioError as error:
        problems: dict[str, str] | None = getattr(error, "problems", None)
        if not problems:
            raise
        lines = [f"{flag(name.partition('.')[0])}: {message}" for name, message in problems.items()]
        raise StudioError("Some flags are not valid", "\n".join(lines), code="invalid") from None


def help_text(operation: str, title: str, summary: str, params: type[Params], switches: Sequence[Switch] = ()) -> str:
    """What `studio run OPERATION --help` prints: every flag with range, choices, default and description."""
    lines = [f"Usage: studio run {operation} [FLAGS]", "", f"  {title}. {summary}".rstrip(), ""]
    specs = describe(params)
    for density, heading in ((Density.SIMPLE, "Flags"), (Density.EXPERT, "Expert flags")):
        chosen = [spec for spec in specs if spec.ui.density is density]
        if chosen:
            lines += [f"{heading}:", *_columns([(_spelling(spec), _about(spec)) for spec in chosen]), ""]
    rows = [
        (flag(s.name) + (f" {'|'.join(s.choices) or 'VALUE'}" if s.takes_value else ""), s.summary) for s in switches
    ]
    lines += ["Running:", *_columns(rows), ""]
    if any(spec.ui.widget in TEXT_WIDGETS for spec in specs):
        lines += ["A text may be @FILE to read a file, - to read standard input, @@ for a leading @.", ""]
    return "\n".join(lines)


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns; what is too long for the left one has a line of its own."""
    width = max((len(left) for left, _ in rows if len(left) <= COLUMN), default=COLUMN)
    found = []
    for left, right in rows:
        if len(left) > COLUMN:
            found.append(f"  {left}")
            left = ""
        found.append(f"  {left.ljust(width)}  {right}".rstrip())
    return found


def _spelling(spec: FieldSpec) -> str:
    name = flag(spec.name)
    if spec.kind == "bool":
        return f"{name}, --no-{name[2:]}"
    if spec.kind == "items":
        return f"{name} {','.join(f'{inner.name}=…' for inner in spec.fields)} or @FILE"
    value = {"int": "N", "float": "X", "choice": "|".join(map(str, spec.choices)), "strings": "TEXT …"}
    return f"{name} {'FILE' if spec.input else value.get(spec.kind, 'TEXT')}"


def _about(spec: FieldSpec) -> str:
    parts = [spec.description.rstrip(".") or spec.title]
    if (spec.minimum is not None or spec.maximum is not None) and spec.ui.widget != "seed":
        low, high = ("" if bound is None else f"{bound:.12g}" for bound in (spec.minimum, spec.maximum))
        parts.append(f"{low}…{high}{' ' + spec.ui.unit if spec.ui.unit else ''}")
    if spec.kind in ("strings", "items"):
        parts.append("may be given several times")
    if spec.ui.widget == "seed" and spec.default is None:
        parts.append("drawn when not given")
    elif spec.required:
        parts.append("required")
    elif spec.default not in (None, "", [], ()) and spec.ui.widget not in TEXT_WIDGETS:
        default = spec.default
        parts.append(f"default {', '.join(map(str, default)) if isinstance(default, list) else default}")
    return "; ".join(parts)


def _switch(switch: Switch, name: str, equals: str, value: str, words: list[str]) -> Any:
    if not switch.takes_value:
        return _truth(name, value) if equals else True
    text = value if equals else _next(name, words)
    if switch.choices:
        check_choice(name, text, switch.choices)
    return text


def _prompt(given: Given, specs: dict[str, FieldSpec], word: str, read_stdin: Callable[[], bytes]) -> None:
    """Takes a word without a flag for the prompt, when there is one and it was not given yet."""
    prompts = [spec for spec in specs.values() if spec.ui.widget == "prompt"]
    if len(prompts) != 1 or prompts[0].name in given.values:
        raise usage(f"{word!r} follows no flag.", "Put a text of several words in quotes.")
    _put(given, prompts[0], flag(prompts[0].name), word, read_stdin)


def _put(given: Given, spec: FieldSpec, name: str, text: str, read_stdin: Callable[[], bytes]) -> None:
    if spec.kind == "strings":
        given.values.setdefault(spec.name, []).append(text)
    elif spec.kind == "items":
        given.values.setdefault(spec.name, []).extend(_items(name, text, spec, read_stdin))
    elif spec.input and text:
        given.values[spec.name] = text if text.startswith("input:") else str(Path(text).expanduser().absolute())
    elif spec.ui.widget in TEXT_WIDGETS:
        given.values[spec.name] = _text(name, text, read_stdin)
    elif spec.optional and spec.kind != "str" and text.lower() == "none":
        given.values[spec.name] = None
    else:
        given.values[spec.name] = text


def _items(name: str, text: str, spec: FieldSpec, read_stdin: Callable[[], bytes]) -> list[dict[str, Any]]:
    """One item; or with `@FILE`, or `-` for standard input, all of a JSON list of objects.

    The list may also be an entry, of the field's name, of one object: {"messages": [...]}.
    """
    if text != "-" and not re.match("@(?!@)", text):
        return [_item(name, text[1:] if text.startswith("@@") else text, spec, read_stdin)]
    try:
        found = json.loads(_text(name, text, read_stdin).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise usage(f"{name}: this is no JSON: {error}.") from None
    if isinstance(found, dict) and spec.name in found:
        found = found[spec.name]
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise usage(f"{name}: the JSON is no list of objects.", f'[{{"{spec.fields[0].name}": …}}, …] is one.')
    return found


def _item(name: str, text: str, spec: FieldSpec, read_stdin: Callable[[], bytes]) -> dict[str, Any]:
    """One item of a list: `model=ink,weight=0.8`, or a JSON object. The first word may leave out its name.

    A comma that no `name=` follows belongs to the value before it.
    """
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise usage(f"{name}: this is no JSON object: {error}.") from None
        return dict(found)
    inner = {field.name: field for field in spec.fields}
    parts = re.split(rf",(?=(?:{'|'.join(map(re.escape, inner))})=)", text)
    given = Given()
    for number, part in enumerate(parts):
        key, equals, value = part.partition("=")
        if not equals or key not in inner:
            if number:
                raise usage(f"{name}: {part!r} is no field. Known: {', '.join(inner)}.")
            key, value = next(iter(inner)), part
        if inner[key].kind == "bool":
            given.values[key] = _truth(f"{name} {key}", value)
        else:
            _put(given, inner[key], f"{name} {key}", value, read_stdin)
    return given.values


def _text(name: str, text: str, read_stdin: Callable[[], bytes]) -> str:
    """The text itself, of a file, or of standard input, exactly as it is there."""
    if text.startswith("@@"):
        return text[1:]
    try:
        if text == "-":
            return read_stdin().decode()
        if text.startswith("@"):
            return Path(text[1:]).expanduser().read_bytes().decode()
    except OSError as error:
        raise usage(f"{name}: {text[1:]} cannot be read: {error.strerror}.", "@@ begins a text with an @.") from None
    except UnicodeDecodeError as error:
        raise usage(f"{name}: what was read is no UTF-8 text (byte {error.start}).") from None
    return text


def _next(name: str, words: list[str]) -> str:
    if not words:
        raise usage(f"{name} needs a value.")
    return words.pop(0)


def _truth(name: str, text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise usage(f"{name} takes yes or no, not {text!r}.")


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {' '.join(known)}"
