"""What can be asked of text.task, and how much memory it takes. Imports no torch."""

import json
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from studio.errors import StudioError
from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import Density, InputFile, Prompt, Ui

from . import params as base
from .params_format import FormatParams

WORDY = {"short": 160, "medium": 320, "long": 900}
EXTRACTED = 700


class Task(FormatParams, base.ModelParams):
    """A task with a ready prompt on a text of any length."""

    version: ClassVar[int] = 1
    migrations: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    prompt: Prompt = Field(default="", title="Text", description="The text; or give a file.")
    task: Annotated[Literal["summarise", "translate", "rewrite", "extract", "outline"], Ui(group="Task")] = Field(
        default="summarise",
        description="summarise, translate, rewrite, extract data as JSON, or outline as a nested list.",
    )
    file: Annotated[InputFile, Ui(group="Task", widget="file")] = Field(
        default="", description="A text file (.txt, .md) in place of the text."
    )
    length: Annotated[Literal["short", "medium", "long"], Ui(group="Task")] = Field(
        default="medium", description="Of a summary or an outline."
    )
    language: Annotated[str, Ui(group="Task")] = Field(
        default="",
        max_length=60,
        description="To write in; empty is the language of the text, and English for a translation.",
    )
    style: Annotated[str, Ui(group="Task", visible_when=("task", "rewrite"))] = Field(
        default="", max_length=400, description="How to rewrite it: formal, for children, half as long, …"
    )
    focus: Annotated[str, Ui(group="Task", density=Density.EXPERT)] = Field(
        default="", max_length=1000, description="What matters most."
    )
    fields: Annotated[list[str], Ui(group="Task", widget="lines", visible_when=("task", "extract"))] = Field(
        default_factory=list, max_length=40, description="What to extract, one a line: people, places, dates."
    )
    schema_text: Annotated[
        str, Ui(group="Task", density=Density.EXPERT, widget="text", visible_when=("task", "extract"))
    ] = Field(
        default="", max_length=50_000, title="JSON schema", description="Of what is extracted, in place of the fields."
    )
    max_tokens: Annotated[int, Ui(group="Length", unit="tokens", soft_max=2048, zero="auto")] = Field(
        default=0, ge=0, le=8192, description="The most tokens of each answer; auto is what the task needs."
    )
    part_tokens: Annotated[int, Ui(group="Length", density=Density.EXPERT, unit="tokens", zero="auto")] = Field(
        default=0,
        ge=0,
        le=100_000,
        description="A longer text is worked on in parts of this size; auto is as much as the model holds.",
    )

    @field_validator("fields")
    @classmethod
    def _fields_have_names(cls, names: list[str]) -> list[str]:
        found = [name.strip() for name in names if name.strip()]
        if any(len(name) > 80 for name in found) or len(set(found)) < len(found):
            raise ValueError("each is a different short name")
        return found

    @field_validator("schema_text")
    @classmethod
    def _is_a_schema(cls, text: str) -> str:
        if text.strip():
            try:
                found = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"it is no JSON: {error}") from None
            if not isinstance(found, dict):
                raise ValueError("a JSON schema is an object")
        return text

    @model_validator(mode="after")
    def _extracts_something(self) -> "Task":
        if self.prompt and self.file:
            raise ValueError("give a text or a file, not both")
        return self

    def json_schema(self) -> str:
        """The schema of what is extracted, as JSON on one line: every field a list of texts, unless one was given."""
        if self.schema_text.strip():
            return json.dumps(json.loads(self.schema_text), ensure_ascii=False)
        names = self.fields or ["people", "places", "dates", "facts"]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: {"type": "array", "items": {"type": "string"}} for name in names},
            "required": names,
            "additionalProperties": False,
        }
        return json.dumps(schema, ensure_ascii=False)

    def answer_tokens(self, text_tokens: int) -> int:
        """How long an answer to so many tokens may get."""
        if self.max_tokens:
            return self.max_tokens
        if self.task in ("translate", "rewrite"):
            return 2 * text_tokens + 32
        return EXTRACTED if self.task == "extract" else WORDY[self.length]


def read_file(name: str, data: bytes) -> str:
    """A dropped file's text. Raises StudioError for one that is no text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudioError(
            "The file is no text",
            f"{name} is no UTF-8: byte {error.start:,} belongs to no character.",
            "Save it as UTF-8 text, or choose another file.",
            code="not-text",
        ) from None
    if "\0" in text:
        raise StudioError("The file is no text", f"{name} holds a NUL character.", "Choose another.", code="not-text")
    return text.replace("\r\n", "\n")


def estimate(params: Task, find: Callable[[str], ModelInfo | None]) -> Estimate:
    """One part at a time: at most what the context holds. A file counts as one that fills it."""
    text = params.prompt if not params.file else "x" * 200_000
    asked = {"prompt": text, "max_tokens": params.answer_tokens(len(text) // 4)}
    return base.estimate(params.model_copy(update=asked), find)
