"""The axes of an X/Y/Z table: which fields can vary, what each value changes, and in which order cells are made.

Reads any operation's params; imports neither torch nor Qt. How values are written is axis_values.py's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import StudioError
from studio.sdk.fields import FieldSpec, describe
from studio.sdk.params import Params

from .axis_values import MOST_VALUES, chosen, numbers, split, switches, unique, words, wrong

MOST_CELLS = 400
LETTERS = ("X", "Y", "Z")
HUB = "hub:"
WORDS = ("prompt", "text")
"""Widgets of fields that hold words of a prompt."""
TRANSIENT = {"expanded": [], "steering": []}
"""What belongs to one job alone and would give every cell the same prompt or end."""
Values = dict[str, Any]
Models = Mapping[str, Sequence[Mapping[str, Any]]]
"""Capability -> entries of the catalogue."""


@dataclass(frozen=True)
class Axis:
    """One field that varies. key: its path, "steps", "loras.0.weight", or "prompt~" for search and replace.

    kind: "number", "switch", "choice", "model", "text" or "replace". choices: words -> value. cost: how much is
    done again when it changes: 3 the model is loaded, 2 an adapter or another part, 1 words are encoded, 0 nothing.
    """

    key: str
    title: str
    kind: str
    spec: FieldSpec
    choices: dict[str, Any] = field(default_factory=dict)
    cost: int = 0

    @property
    def path(self) -> tuple[str | int, ...]:
        return tuple(int(part) if part.isdigit() else part for part in self.key.rstrip("~").split("."))


@dataclass(frozen=True)
class Chosen:
    """An axis with its values. `labels` are the headings."""

    axis: Axis
    values: tuple[Any, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One job of a table: its place on each axis, its params and a title."""

    place: tuple[int, int, int]
    params: Values
    title: str


UNSEEN = ("preview_by",)
"""Fields that change no picture."""


def axes(params: type[Params], values: Values, models: Models | None = None) -> list[Axis]:
    """What can vary in these settings, in the form's order; fields of list entries only where there are entries."""
    models, found = models or {}, []
    for spec in describe(params):
        if spec.kind == "items":
            for number, item in enumerate(values.get(spec.name) or ()):
                found += _of_item(spec, number, item, models)
        else:
            # "Its steps" reads well below its group's heading only.
            own = spec.title.startswith("Its ")
            title = f"{spec.ui.group}: {spec.title.lower()}" if own else spec.title
            found += _of_field(spec, spec.name, title, values.get(spec.name), models)
    return found


def capabilities(params: type[Params]) -> list[str]:
    """What to ask the catalogue for, so that model fields can be axes."""
    found: dict[str, None] = {}
    for spec in describe(params):
        for part in (spec, *spec.fields):
            if part.ui.widget == "model":
                found[part.ui.choices_from.removeprefix(HUB)] = None
    return list(found)


def _of_item(spec: FieldSpec, number: int, item: Any, models: Models) -> list[Axis]:
    values = item if isinstance(item, dict) else item.model_dump()
    found: list[Axis] = []
    name = spec.title if spec.title.isupper() or len(spec.title) < 5 else spec.title.removesuffix("s")
    for part in spec.fields:
        title = f"{name} {number + 1} {part.title.lower()}"
        found += _of_field(part, f"{spec.name}.{number}.{part.name}", title, values.get(part.name), models)
    return found


def _of_field(spec: FieldSpec, key: str, title: str, value: Any, models: Models) -> list[Axis]:
    inside = "." in key
    if spec.name in UNSEEN or spec.ui.widget == "hidden" or spec.input or spec.ui.widget in ("file", "picture", "mask"):
        return []
    if spec.kind in ("int", "float"):
        return [Axis(key, title, "number", spec, cost=_cost(key, spec))]
    if spec.kind == "bool":
        return [Axis(key, title, "switch", spec, {"no": False, "yes": True})]
    if spec.kind == "choice":
        choices = {words(choice): choice for choice in spec.choices}
        return [Axis(key, title, "choice", spec, choices, _cost(key, spec))]
    if spec.kind != "str":
        return []
    if spec.ui.widget == "model":
        known = models.get(spec.ui.choices_from.removeprefix(HUB), ())
        return [Axis(key, title, "model", spec, named(known), 2 if inside else 3)]
    found = [Axis(key, title, "text", spec, cost=1)]
    if value and (spec.ui.widget in WORDS or key.endswith(".prompt")):
        found.append(Axis(f"{key}~", f"{title} S/R", "replace", spec, cost=1))
    return found


def named(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Models by title, or by id where a title is not alone."""
    titles = [str(entry.get("title") or entry["id"]) for entry in entries]
    names = [
        title if titles.count(title) == 1 else str(entry["id"]) for entry, title in zip(entries, titles, strict=True)
    ]
    return {name: str(entry["id"]) for name, entry in zip(names, entries, strict=True)}


def _cost(key: str, spec: FieldSpec) -> int:
    if spec.name == "quantised":
        return 3
    if spec.name == "clip_skip":
        return 1
    return 2 if key.startswith("loras.") else 0


def parse(axis: Axis, text: str, values: Values) -> Chosen:
    """The values that `text` names for an axis. Raises StudioError in words for the person."""
    found: list[Any]
    if axis.kind == "number":
        found = numbers(text, axis.spec)
    elif axis.kind == "switch":
        found = switches(text)
    elif axis.kind in ("choice", "model"):
        found = chosen(text, axis.choices, "model" if axis.kind == "model" else "choice")
    else:
        found = split(text)
    if axis.kind == "replace":
        _refuse_absent(axis, found, values)
    kept = unique(found)
    if not kept:
        raise wrong(f"{axis.title} has no values yet.", example(axis))
    if len(kept) > MOST_VALUES:
        raise wrong(f"{axis.title} has {len(kept)} values; an axis has at most {MOST_VALUES}.")
    names = {repr(value): name for name, value in axis.choices.items()}
    return Chosen(axis, kept, tuple(names.get(repr(value), words(value)) for value in kept))


def _refuse_absent(axis: Axis, found: list[str], values: Values) -> None:
    if found and found[0] not in str(_at(values, axis.path) or ""):
        raise wrong(f"“{found[0][:60]}” does not stand in the prompt.", "The first value is what is looked for.")


def example(axis: Axis) -> str:
    """What to write, for the empty line."""
    if axis.kind == "number":
        low, high = axis.spec.ui.soft_min, axis.spec.ui.soft_max
        low = low if low is not None else axis.spec.minimum or 0
        high = high if high is not None else (axis.spec.maximum if axis.spec.kind == "float" else None)
        if axis.spec.name == "seed" or high is None:
            return "1, 2, 3 or 1-10 (+2)"
        if axis.spec.above and low == axis.spec.minimum:
            low = low + (high - low) / 10
        return f"{low:g}-{high:g} [4] or a list"
    if axis.kind in ("choice", "model", "switch"):
        return ", ".join(quoted(name) for name in list(axis.choices)[:3]) + (" or * for all" if axis.choices else "")
    return "searched, other, another" if axis.kind == "replace" else 'one, "two, with a comma"'


def quoted(text: str) -> str:
    """A value as it can stand in a list."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def count(chosen_axes: Sequence[Chosen]) -> int:
    found = 1
    for one in chosen_axes:
        found *= len(one.values)
    return found


def cells(params: type[Params], values: Values, chosen_axes: Sequence[Chosen], seed: Callable[[], int]) -> list[Cell]:
    """Every cell, in the order in which models, then adapters, then words change as rarely as possible.

    All cells share one seed, drawn when the form has none, and make one picture each: what differs between two
    cells is what their headings say. Raises StudioError when a cell's settings do not hold, before any is queued.
    """
    keys = [one.axis.key for one in chosen_axes]
    if len(set(keys)) != len(keys):
        raise wrong("Two axes vary the same field.")
    total = count(chosen_axes)
    if total > MOST_CELLS:
        raise StudioError(
            "The table is too large", f"It would have {total} cells; {MOST_CELLS} are allowed.", code="axis"
        )
    base = common(params, values, seed)
    return [_checked(params, cell(base, chosen_axes, place)) for place in places(chosen_axes)]


def common(params: type[Params], values: Values, seed: Callable[[], int]) -> Values:
    """The settings that all cells share."""
    names = params.model_fields
    found = {name: value for name, value in values.items() if name in names}
    found |= {name: list(value) for name, value in TRANSIENT.items() if name in names}
    if "count" in names:
        found["count"] = 1
    if "expand" in names:
        found["expand"] = "random"
    for spec in describe(params):
        if spec.ui.widget == "seed" and found.get(spec.name) is None:
            found[spec.name] = seed()
    return found


def places(chosen_axes: Sequence[Chosen]) -> list[tuple[int, int, int]]:
    """The places of all cells, the costliest axis outermost; among equals the last axis is."""
    lengths = [len(chosen_axes[i].values) if i < len(chosen_axes) else 1 for i in range(3)]
    costs = [chosen_axes[i].axis.cost if i < len(chosen_axes) else -1 for i in range(3)]
    order = sorted(range(3), key=lambda i: (costs[i], i), reverse=True)
    every = [(x, y, z) for x in range(lengths[0]) for y in range(lengths[1]) for z in range(lengths[2])]
    return sorted(every, key=lambda place: tuple(place[i] for i in order))


def cell(base: Values, chosen_axes: Sequence[Chosen], place: tuple[int, int, int]) -> Cell:
    """One cell; whether its settings hold is not asked."""
    values = base
    # Whole texts first, so that search and replace looks into what another axis has put there.
    for at, one in sorted(enumerate(chosen_axes), key=lambda pair: pair[1].axis.kind == "replace"):
        values = applied(values, one, place[at])
    title = ", ".join(f"{one.axis.title} {one.labels[place[at]]}" for at, one in enumerate(chosen_axes))
    return Cell(place, values, title)


def _checked(params: type[Params], found: Cell) -> Cell:
    try:
        params.load(found.params)
    except StudioError as error:
        raise StudioError(error.title, f"{found.title}: {error.detail}", error.hint, code=error.code) from None
    return found


def applied(values: Values, one: Chosen, at: int) -> Values:
    """A copy of the settings with one value of an axis put in."""
    value = one.values[at]
    if one.axis.kind == "replace":
        value = str(_at(values, one.axis.path) or "").replace(str(one.values[0]), str(value))
    return _put(values, one.axis.path, value)


def _at(values: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if isinstance(values, list) and isinstance(part, int):
            values = values[part] if part < len(values) else None
        else:
            values = values.get(part) if isinstance(values, dict) else getattr(values, str(part), None)
    return values


def _put(values: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    if isinstance(path[0], int):
        return [_put(part, path[1:], value) if i == path[0] else part for i, part in enumerate(values)]
    inside = values if isinstance(values, dict) else values.model_dump()
    return {**inside, path[0]: _put(inside.get(path[0]), path[1:], value)}
