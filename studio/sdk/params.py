"""The base of every operation's inputs, and the hints that forms, flags and schemas read from it.

Owns Params, Ui and the field types; imports pydantic only.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from studio.errors import StudioError

SEED_LIMIT = 2**32 - 1


class Density(StrEnum):
    SIMPLE = "simple"
    EXPERT = "expert"


@dataclass(frozen=True, slots=True)
class Ui:
    """How a field is shown. A dataclass, because pydantic takes a model in Annotated for a schema.

    widget: "" (from the type), "prompt", "text", "seed", "model", "slider", "lines" (list of strings), "file",
    "picture" and "mask" (input files that are shown), "hidden" (kept and sent, never shown).
    soft_min, soft_max: the slider's range where the allowed range is wider or open.
    visible_when: (other field, value) that must hold for this control to be shown.
    zero: what 0 means, in a word ("auto"); it is shown in its place.
    choices_from: where choices come from at run time, e.g. "hub:text-generation".
    """

    group: str = "Settings"
    density: Density = Density.SIMPLE
    widget: str = ""
    unit: str = ""
    step: float | None = None
    soft_min: float | None = None
    soft_max: float | None = None
    visible_when: tuple[str, Any] | None = None
    choices_from: str = ""
    placeholder: str = ""
    zero: str = ""


@dataclass(frozen=True, slots=True)
class InputMark:
    """Marks a field that names a file the operation reads."""


Prompt = Annotated[str, Ui(widget="prompt", group="Prompt")]
Seed = Annotated[int | None, Field(ge=0, le=SEED_LIMIT), Ui(widget="seed", group="Seed")]
ModelRef = Annotated[str, Ui(widget="model", group="Model")]
InputFile = Annotated[str, InputMark()]
"""A file the operation reads: a path when it is asked for; in the job and its recipe `input:<sha256><suffix>`,
a copy that is kept under the name of its content, so that the result can be made again after the file is gone."""


class Item(BaseModel):
    """One entry of a list in Params: an adapter with its weight, a region with its prompt. Frozen and closed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _is_writable_text(cls, value: Any) -> Any:
        return _writable(value)


class Params(BaseModel):
    """Inputs of one operation: frozen, closed, versioned.

    A change that an old recipe would not survive raises `version` and adds `migrations[old]`, a function
    from the old dictionary to the next version's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: ClassVar[int] = 1
    migrations: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    @field_validator("*")
    @classmethod
    def _is_writable_text(cls, value: Any) -> Any:
        return _writable(value)

    @classmethod
    def load(cls, values: dict[str, Any], version: int | None = None) -> Self:
        """Validates `values` of `version` (the current one when None), migrating older ones.

        Raises StudioError naming each field and what is wrong with it.
        """
        known = cls.version if version is None else version
        if known > cls.version:
            raise StudioError(
                "These settings come from a newer version",
                f"They are of version {known}; this application knows up to {cls.version}.",
                "Update the application to use them.",
                code="newer",
            )
        while known < cls.version:
            values = cls.migrations[known](dict(values))
            known += 1
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None

    def with_seeds(self, draw: Callable[[], int] | None = None) -> Self:
        """A copy in which every empty seed is a drawn number, so that the job can be repeated."""
        draw = draw or (lambda: random.SystemRandom().randint(0, SEED_LIMIT))
        empty = {
            name: draw()
            for name, field in type(self).model_fields.items()
            if getattr(self, name) is None and any(isinstance(m, Ui) and m.widget == "seed" for m in field.metadata)
        }
        return self.model_copy(update=empty) if empty else self


def _writable(value: Any) -> Any:
    """Half of a character (a lone surrogate) can be neither saved nor given to a model."""
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError("it holds half of a character (a lone surrogate), which is no text") from None
    return value


def invalid(error: ValidationError) -> StudioError:
    """The validation error as one sentence a field; `problems` maps field to message."""
    problems: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"]) or "settings"
        problems[name] = item["msg"].removeprefix("Value error, ")
    detail = " ".join(f"{name.replace('_', ' ')}: {message}." for name, message in problems.items())
    found = StudioError("Some settings are not valid", detail.replace("..", "."), code="invalid")
    found.problems = problems  # type: ignore[attr-defined]
    return found
