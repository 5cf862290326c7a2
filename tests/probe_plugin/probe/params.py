"""Inputs of the probe operations."""

from typing import Annotated, Literal

from pydantic import Field

from studio.sdk.params import InputFile, Item, ModelRef, Params, Prompt, Seed


class Noop(Params):
    label: str = ""


class Echo(Params):
    text: Prompt = "one two three"
    chunks: Annotated[int, Field(ge=1, le=100_000)] = 4
    delay_ms: Annotated[float, Field(ge=0)] = 0.0
    label: str = ""


class Steps(Params):
    """`nap_ms` is spent before the first step; `on_cancel` says what to do when the job is cancelled.

    turn: it saves where it may compute once more, and notes whether it may. save_at: after this step it saves what it
    has, and goes on.
    """

    steps: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    delay_ms: Annotated[float, Field(ge=0)] = 0.0
    nap_ms: Annotated[float, Field(ge=0)] = 0.0
    fail_at: int | None = None
    save_at: int | None = None
    on_cancel: Literal["pass", "save", "swallow", "turn"] = "pass"
    seed: Seed = 1
    label: str = ""


class Flood(Params):
    """Steps and streamed pieces; and as many lines on standard output and error."""

    events: Annotated[int, Field(ge=0, le=1_000_000)] = 3000
    prints: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Die(Params):
    """`once_marker`: a file; it is made before dying, and where it exists the job behaves."""

    how: Literal["segv", "kill", "ill", "abrt", "term", "exit0", "exit3", "hang", "spin_nostep", "ignore_term"] = "segv"
    at_step: Annotated[int, Field(ge=0)] = 1
    steps: Annotated[int, Field(ge=0)] = 3
    delay_ms: Annotated[float, Field(ge=0)] = 0.0
    once_marker: str = ""


class Throw(Params):
    how: Literal["error", "studio", "exit", "keyboard", "memory", "base", "disk", "long", "cancelled"] = "error"
    message: str = "thrown on purpose"


class Swallow(Params):
    steps: Annotated[int, Field(ge=0)] = 1000
    delay_ms: Annotated[float, Field(ge=0)] = 1.0


class Disk(Params):
    bytes: Annotated[int, Field(ge=0)] = 1024


class Model(Params):
    model: ModelRef = ""
    how: Literal["good", "error", "memory", "studio", "sticky"] = "good"
    load_ms: Annotated[float, Field(ge=0)] = 0.0
    steps: Annotated[int, Field(ge=0)] = 2


class Piece(Item):
    file: InputFile = ""
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5


class Gather(Params):
    """Reads its files, shows two previews a step, and ends after `steps` or when it is told to."""

    file: InputFile
    pieces: Annotated[list[Piece], Field(max_length=3)] = []
    steps: Annotated[int, Field(ge=1)] = 2
