"""What can be asked of the code operations. Imports no torch."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import Density, Item, Params, Prompt, Seed, Ui

from ..text.params import Generate as Continue
from ..text.params import estimate as of_text

Model = Annotated[str, Ui(widget="model", group="Model", choices_from="hub:code-generation")]
MOST_TEXT = 2 << 20
"""Characters of one file."""


class Source(Item):
    """A file of the project, or a part of it, that the model or the run is given."""

    path: str = Field(default="", min_length=1, max_length=500, description="Its path in the project.")
    text: Annotated[str, Ui(widget="text")] = Field(default="", max_length=MOST_TEXT, description="What stands in it.")


class Sampled(Params):
    """What every operation of a model has: which one, how long, how daring."""

    model: Model = Field(default="", description="The language model; empty for the default one.")
    max_tokens: Annotated[int, Ui(group="Length", unit="tokens", soft_min=16, soft_max=1024)] = Field(
        default=256, ge=1, le=8192, description="Stop after this many tokens, about ten to a line of code."
    )
    temperature: Annotated[float, Ui(group="Sampling", widget="slider", step=0.05, soft_min=0, soft_max=1.5)] = Field(
        default=0.2, ge=0, le=5, description="0 always takes the likeliest token, which is often right for code."
    )
    top_p: Annotated[
        float, Ui(group="Sampling", density=Density.EXPERT, widget="slider", step=0.01, soft_min=0, soft_max=1)
    ] = Field(
        default=0.95,
        gt=0,
        le=1,
        title="Top-p",
        description="Choose among the likeliest tokens that together have this probability; 1 is off.",
    )
    seed: Seed = Field(default=None, description="The same seed and settings give the same text; empty draws one.")


class Complete(Sampled):
    """Fills the hole between what stands before and behind the cursor, or goes on where nothing stands behind."""

    before: Prompt = Field(default="", max_length=MOST_TEXT, description="The file up to the cursor.")
    after: Annotated[str, Ui(widget="text", group="Prompt")] = Field(
        default="", max_length=MOST_TEXT, description="The file from the cursor on; empty goes on at the end."
    )
    path: Annotated[str, Ui(group="Prompt", density=Density.EXPERT)] = Field(
        default="", max_length=500, description="The file's path in its project."
    )
    files: Annotated[list[Source], Ui(group="Project", density=Density.EXPERT)] = Field(
        default_factory=list, max_length=200, description="Other files, those that change least first."
    )
    multiline: Annotated[bool, Ui(group="Length")] = Field(
        default=True, title="Several lines", description="Off: the answer ends with the line of the cursor."
    )
    keep: Annotated[bool, Ui(widget="hidden")] = Field(
        default=True, description="Keep the answer as a result. Off while somebody types, when few answers are taken."
    )


class Deed(StrEnum):
    """What is done with code."""

    WRITE = "write"
    EXPLAIN = "explain"
    FIX = "fix"
    TESTS = "tests"
    REFACTOR = "refactor"
    CHANGE = "change"


class Work(Sampled):
    """Asks a model to write, explain, mend, test or change code; an edit comes back as a checked new text."""

    deed: Annotated[Deed, Ui(group="What")] = Field(default=Deed.WRITE, description="What is asked for.")
    instruction: Prompt = Field(
        default="", max_length=20_000, description="What it should do, in words; needed to write or change."
    )
    text: Annotated[str, Ui(widget="text", group="Code")] = Field(
        default="", max_length=MOST_TEXT, description="The file as it is."
    )
    start: Annotated[int, Ui(group="Code", density=Density.EXPERT)] = Field(
        default=0, ge=0, description="The first character of the selected part."
    )
    end: Annotated[int, Ui(group="Code", density=Density.EXPERT, zero="the end")] = Field(
        default=0, ge=0, description="One behind its last character; 0 for the whole file."
    )
    path: Annotated[str, Ui(group="Code", density=Density.EXPERT)] = Field(
        default="", max_length=500, description="The file's path; its ending tells the language."
    )
    failure: Annotated[str, Ui(widget="text", group="Code", density=Density.EXPERT)] = Field(
        default="", max_length=50_000, description="What a run of it said, when that is to be mended."
    )
    files: Annotated[list[Source], Ui(group="Project", density=Density.EXPERT)] = Field(
        default_factory=list, max_length=200, description="Other files, those that change least first."
    )
    max_tokens: Annotated[int, Ui(group="Length", unit="tokens", soft_min=64, soft_max=4096)] = Field(
        default=1024, ge=1, le=16384, description="Stop after this many tokens; an edit that is cut off is refused."
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Work":
        if self.deed in (Deed.WRITE, Deed.CHANGE) and not self.instruction.strip():
            raise ValueError(f"to {self.deed}, say in words what it should be")
        if self.deed is not Deed.WRITE and not self.text.strip():
            raise ValueError(f"to {self.deed}, there must be code")
        if self.end and not self.start <= self.end <= len(self.text):
            raise ValueError(f"the selected part {self.start} to {self.end} is not in the text of {len(self.text)}")
        return self

    def span(self) -> tuple[int, int]:
        """The selected part, else all of it."""
        return (self.start, self.end) if self.end else (0, len(self.text))


class Run(Params):
    """Runs Python code behind walls: no network, nothing of the person's files, limits on everything."""

    files: Annotated[list[Source], Ui(group="Code")] = Field(
        default_factory=list, max_length=500, description="All files that the run sees."
    )
    main: Annotated[str, Ui(group="Code")] = Field(
        default="main.py", min_length=1, max_length=500, description="The file that is run."
    )
    tests: Annotated[bool, Ui(group="Code")] = Field(
        default=False, description="Run its tests: with pytest where it is installed, else with unittest."
    )
    arguments: Annotated[list[str], Ui(group="Code", density=Density.EXPERT, widget="lines")] = Field(
        default_factory=list, max_length=50, description="What the program is given on its command line."
    )
    seconds: Annotated[float, Ui(group="Limits", unit="s", soft_min=1, soft_max=120)] = Field(
        default=20.0, ge=0.1, le=3600, description="It is stopped after this long."
    )
    memory: Annotated[int, Ui(group="Limits", unit="MiB", density=Density.EXPERT, soft_min=64, soft_max=8192)] = Field(
        default=1024, ge=32, le=1 << 20, description="The memory of each of its processes."
    )
    room: Annotated[int, Ui(group="Limits", unit="MiB", density=Density.EXPERT, soft_min=1, soft_max=1024)] = Field(
        default=64, ge=1, le=1 << 16, description="What it may write in all; it is gone when the run ends."
    )
    unprotected: Annotated[bool, Ui(group="Limits", density=Density.EXPERT)] = Field(
        default=False,
        title="Also without walls",
        description="Run it even where this system can shut it in nowhere: it can then do what you can do.",
    )

    @field_validator("files")
    @classmethod
    def _paths_differ(cls, files: list[Source]) -> list[Source]:
        if len({file.path for file in files}) < len(files):
            raise ValueError("two files have the same path")
        return files


def estimate(params: Sampled, find: Callable[[str], ModelInfo | None]) -> Estimate:
    """As a continuation of all the text that the model is given."""
    given = params.model_dump()
    texts = [str(given.get(name) or "") for name in ("before", "after", "instruction", "text", "failure")]
    texts += [file["text"] for file in given["files"]]
    whole = Continue(prompt="x" * min(sum(map(len, texts)), 999_999), model=params.model, max_tokens=params.max_tokens)
    return of_text(whole, find)
