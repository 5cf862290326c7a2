"""What a Params class says about each field, flattened for forms, flags and documentation.

Owns FieldSpec; imports pydantic only. Everything that shows params reads this and nothing else.
"""

import types
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from studio.sdk.params import InputMark, Item, Params, Ui


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. kind: "int", "float", "bool", "str", "choice", "strings" or "items"; optional: None is allowed.

    above, below: the minimum, the maximum itself is not allowed. item: of "items", what the list holds, and
    `fields` what each of them is asked for. most: how many a list may hold. input: it names a file that is read.
    """

    name: str
    kind: str
    title: str
    description: str
    default: Any
    optional: bool
    required: bool
    minimum: float | None
    maximum: float | None
    multiple_of: float | None
    choices: tuple[Any, ...]
    ui: Ui
    above: bool = False
    below: bool = False
    item: type[Item] | None = None
    fields: "tuple[FieldSpec, ...]" = ()
    most: int | None = None
    input: bool = False


def describe(params: type[Params] | type[Item]) -> list[FieldSpec]:
    """The fields of `params`, or of one item of a list, in the order of their definition."""
    return [_spec(name, field) for name, field in params.model_fields.items()]


def _spec(name: str, field: FieldInfo) -> FieldSpec:
    kind, optional, choices = _kind(field.annotation)
    low = high = multiple = most = None
    ui = Ui()
    above = below = input = False
    item = _item(field.annotation)
    for mark in _metadata(field):
        if isinstance(mark, Ui):
            ui = mark
        elif isinstance(mark, annotated_types.Ge):
            low = mark.ge
        elif isinstance(mark, annotated_types.Gt):
            low, above = mark.gt, True
        elif isinstance(mark, annotated_types.Le):
            high = mark.le
        elif isinstance(mark, annotated_types.Lt):
            high, below = mark.lt, True
        elif isinstance(mark, annotated_types.MultipleOf):
            multiple = mark.multiple_of
        elif isinstance(mark, annotated_types.MaxLen):
            most = mark.max_length
        elif isinstance(mark, InputMark):
            input = True
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return FieldSpec(
        name=name,
        kind=kind,
        title=field.title or name.replace("_", " ").capitalize(),
        description=field.description or "",
        default=None if default is PydanticUndefined else default,
        optional=optional,
        required=field.is_required(),
        minimum=low,  # type: ignore[arg-type]
        maximum=high,  # type: ignore[arg-type]
        multiple_of=multiple,  # type: ignore[arg-type]
        choices=choices,
        ui=ui,
        above=above,
        below=below,
        item=item,
        fields=tuple(describe(item)) if item is not None else (),
        most=most if kind in ("strings", "items") else None,
        input=input,
    )


def _item(annotation: Any) -> type[Item] | None:
    """What a list holds, when those are items."""
    if hasattr(annotation, "__metadata__"):
        return _item(get_args(annotation)[0])
    inside = get_args(annotation)[:1] if get_origin(annotation) in (list, tuple) else ()
    held = inside[0] if inside else None
    return held if isinstance(held, type) and issubclass(held, Item) else None


def _metadata(field: FieldInfo) -> list[Any]:
    """The field's own metadata and, for Optional types, that of the Annotated inside."""
    found = list(field.metadata)
    for part in get_args(field.annotation):
        found += list(getattr(part, "__metadata__", ()))
    return found


def _kind(annotation: Any) -> tuple[str, bool, tuple[Any, ...]]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        kind, _, choices = _kind(inner[0])
        return kind, True, choices
    if origin is Literal:
        return "choice", False, get_args(annotation)
    if origin in (list, tuple):
        return "strings" if _item(annotation) is None else "items", False, ()
    if hasattr(annotation, "__metadata__"):
        return _kind(get_args(annotation)[0])
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return "choice", False, tuple(member.value for member in annotation)
        for base, kind in ((bool, "bool"), (int, "int"), (float, "float"), (str, "str")):
            if issubclass(annotation, base):
                return kind, False, ()
    raise TypeError(f"a params field may not be of type {annotation!r}")
