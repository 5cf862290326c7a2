"""What the kit's tests build on: params with one field of each kind, and a session without an engine."""

from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from studio.errors import StudioError
from studio.kit.history import History
from studio.kit.theme import Theme
from studio.library import inputs
from studio.paths import Paths
from studio.sdk.fields import FieldSpec, describe
from studio.sdk.params import Density, Params, Prompt, Seed, Ui


class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild_one"


class Everything(Params):
    """One field of every kind."""

    prompt: Prompt = Field("", description="What to begin with")
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-generation")] = ""
    temperature: Annotated[float, Field(ge=0, le=5), Ui(group="Sampling", step=0.05, soft_max=2)] = Field(
        0.8, description="Low is <predictable>, high is surprising"
    )
    top_p: Annotated[float, Field(gt=0, le=1), Ui(group="Sampling", step=0.01)] = 1.0
    tokens: Annotated[int, Field(ge=1, le=8192), Ui(group="Sampling", unit="words")] = 200
    steps: Annotated[int | None, Field(ge=1, le=50), Ui(group="Sampling", density=Density.EXPERT)] = None
    size: Annotated[int, Field(gt=0), Ui(group="Sampling", density=Density.EXPERT)] = 8
    style: Annotated[Literal["photo", "oil_painting"], Ui(group="Look")] = "photo"
    mood: Annotated[Mood, Ui(group="Look")] = Mood.CALM
    upscale: Annotated[bool, Ui(group="Look")] = False
    factor: Annotated[float, Field(ge=1, le=4), Ui(group="Look", visible_when=("upscale", True))] = 2.0
    note: Annotated[str, Ui(group="Words")] = Field("", max_length=5)
    negative: Annotated[str, Ui(group="Words", widget="text")] = ""
    picture: Annotated[str | None, Ui(group="Words", widget="file")] = None
    stop: Annotated[list[str], Ui(group="Words", density=Density.EXPERT)] = Field(default_factory=list, max_length=3)
    seed: Seed = None

    @field_validator("note")
    @classmethod
    def _polite(cls, note: str) -> str:
        if note == "damn":
            raise ValueError("it is not polite")
        return note


class Required(Params):
    """Fields without a default."""

    text: str
    count: Annotated[int, Field(ge=3)]


def spec(name: str, params: type[Params] = Everything) -> FieldSpec:
    return next(found for found in describe(params) if found.name == name)


def entry(id: str = "tales", **changes: Any) -> dict[str, Any]:
    """A model of the catalogue."""
    return {
        "id": id, "title": id.title(), "path": f"/models/{id}", "family": "llama", "size": 20_400_000,
        "parameters": 5_100_000, "starter": False, "problem": None, **changes,
    }  # fmt: skip


class Session:
    """studio.kit.session.Session; coroutines run at once, `entries` is the catalogue, `answers` the engine."""

    def __init__(self, folder: Path, theme: Theme):
        self.theme, self.undo, self.paths = theme, History(), Paths(folder / "data")
        self.entries: list[dict[str, Any]] = [entry(), entry("big")]
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.held: list[Coroutine[Any, Any, Any]] = []
        self.hold = False

    async def call(self, method: str, **params: Any) -> Any:
        self.calls.append((method, params))
        answer = self.answers.get(method, {})
        if isinstance(answer, StudioError):
            raise answer
        return answer

    async def call_frames(self, method: str, frames: Any = (), **params: Any) -> tuple[Any, list[bytes]]:
        return await self.call(method, **params), []

    async def put_input(self, data: bytes, suffix: str, name: str = "") -> str:
        return inputs.keep(self.paths.inputs, data, suffix)

    def input_path(self, value: str) -> Path:
        return inputs.locate(self.paths.inputs, value)

    async def models(self, capability: str = "") -> list[dict[str, Any]]:
        self.calls.append(("models", {"capability": capability}))
        return self.entries

    async def submit(self, operation: str, params: dict[str, Any], **rest: Any) -> str:
        self.calls.append(("submit", {"operation": operation, "params": params, **rest}))
        return "job"

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        if self.hold:
            self.held.append(work)
            return
        self.finish(work)

    def finish(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            work.send(None)
        except StopIteration:
            return
        raise AssertionError("nothing here waits")

    def params_class(self, operation_id: str) -> type[Params]:
        return Everything

    def operations(self) -> dict[str, Any]:
        return {}

    def open_panel(self, panel_id: str, payload: dict[str, Any] | None = None) -> None:
        raise AssertionError("no control opens a panel")

    def notify(self, title: str, detail: str = "", level: str = "info") -> None:
        raise AssertionError("no control says a notice")
