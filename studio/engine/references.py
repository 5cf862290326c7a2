"""What params point to: files that are read and models that take part, also inside lists of items.

Pure walking of values along their FieldSpecs; who looks things up is given as functions.
"""

from collections.abc import Callable, Iterator
from typing import Any

from studio.sdk.fields import FieldSpec

Change = Callable[[FieldSpec, str], str]


def changed(values: dict[str, Any], specs: list[FieldSpec] | tuple[FieldSpec, ...], change: Change) -> dict[str, Any]:
    """A copy of `values` in which `change` gave every non-empty reference its new value."""
    found = dict(values)
    for spec in specs:
        value = found.get(spec.name)
        if spec.kind == "items" and isinstance(value, list):
            found[spec.name] = [changed(item, spec.fields, change) for item in value]
        elif value and isinstance(value, str) and (spec.input or is_model(spec)):
            found[spec.name] = change(spec, value)
    return found


def models(values: dict[str, Any], specs: list[FieldSpec] | tuple[FieldSpec, ...]) -> Iterator[str]:
    """Every model that `values` names, in the order of the fields."""
    for spec in specs:
        value = values.get(spec.name)
        if spec.kind == "items" and isinstance(value, list):
            for item in value:
                yield from models(item, spec.fields)
        elif value and isinstance(value, str) and is_model(spec):
            yield value


def is_model(spec: FieldSpec) -> bool:
    return spec.ui.widget == "model" or spec.ui.choices_from.startswith("hub:")


def capability(spec: FieldSpec) -> str:
    return spec.ui.choices_from.partition(":")[2]
