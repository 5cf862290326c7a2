"""What a backend is, and everything it may ask of the worker. Imports no torch and no Qt.

A backend is a class with `run(params, ctx)`. It computes only between two calls of `ctx.step` or
`ctx.check`: there the job may be cancelled, paused, or hand the device to a more urgent job, so a
backend calls one of them after every token chunk, denoising step, training step or audio chunk.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from studio.sdk.artifact import Artifact, Kind
from studio.sdk.params import Params


class JobCancelled(BaseException):
    """Raised by the context at a step boundary. A backend may save what it has, then lets it pass.

    It may come while another job has the device: who must compute to save asks `ctx.last_turn()` first.
    """


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the catalogue, as a backend and an estimate see it. Sizes in bytes."""

    id: str
    path: str
    capability: str
    family: str = ""
    size: int = 0
    parameters: int = 0
    dtype: str = ""
    sha256: str = ""
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Memory an operation needs, in bytes: weights that stay, working memory that comes and goes.

    rungs: ways to make it fit, gentlest first, as words for the person.
    """

    weights: int = 0
    working: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    rungs: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.weights + self.working


@dataclass(frozen=True, slots=True)
class Round:
    """Which of a job's rounds it is in: number `at`, from 1, of `of`. name: what a round is, "picture", "tile"."""

    at: int
    of: int
    name: str = "round"


class Models(Protocol):
    """The worker's resident models."""

    def use(self, ref: str, load: Callable[[ModelInfo], Any], *, key: str = "") -> AbstractContextManager[Any]:
        """The object that `load` makes from the model `ref`, kept resident between jobs.

        `load` runs in one thread of the process at a time. `key` tells apart several objects made of one
        model. The object may keep more than its weights: `held()` says how many bytes it can do without,
        `reclaim(need)` frees some of them when room is needed, from any thread. Raises StudioError when the
        model is unknown, unsafe, broken or does not fit.
        """
        ...

    def info(self, ref: str) -> ModelInfo: ...

    def budget(self) -> int:
        """Bytes that jobs and models together may use here; 0 where nobody knows."""
        ...


class JobContext(Protocol):
    """What a backend may ask for. Every method may raise JobCancelled."""

    job: str
    device: str
    dtype: str
    models: Models
    data: Path
    """The studio's data folder: for files that people keep there, such as wildcards."""

    steps: Path
    """This job's folder for what it was like between two steps. Made by whoever writes; cleared when it is old."""

    def step(
        self,
        done: int,
        total: int | None = None,
        *,
        rate: float | None = None,
        unit: str = "it",
        preview: bytes | Sequence[bytes] | None = None,
        round: Round | None = None,
        work: tuple[float, float] | None = None,
    ) -> None:
        """One step boundary: reports progress, then waits for the device's baton if it went elsewhere.

        done, total: what a person counts; of a job that goes through its steps several times, those of this `round`.
        work: what is done of the whole job and what is still to do, in any unit, where rounds are not equally long.
        rate: units per second, measured by the caller, or None to let the worker measure.
        preview: a small encoded picture (bytes) shown while the job runs; of a job that makes several, one for
        each, b"" where there is nothing to show.
        """
        ...

    def check(self) -> None:
        """A step boundary without progress."""
        ...

    def alive(self) -> None:
        """Raises JobCancelled and does nothing else: for the middle of a step, where nobody else may compute."""
        ...

    def last_turn(self) -> bool:
        """After JobCancelled: whether this job may compute once more, to finish what it saves.

        Takes the device back, before all others, where another job had it, and enters `around_baton` again. False
        when that one's step does not end soon: then save without computing, or nothing.
        """
        ...

    def steering(self) -> list[dict[str, Any]]:
        """What people asked of this job since the last call, while it runs: the operation says what is understood."""
        ...

    def input(self, value: str) -> Path:
        """The file of an InputFile field. Raises StudioError when none was given or it is gone."""
        ...

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        """Names what is going on before the first step ("Loading tales-5m", "Reading the prompt")."""
        ...

    def stream(self, text: str, item: int = 0) -> None:
        """Appends text to the result that people watch. Never dropped, never reordered.

        item: which of its texts, of a job that writes several; counted from 0, as they are saved.
        """
        ...

    def note(self, **facts: Any) -> None:
        """Facts for the recipe: stop reason, tokens, speed, the memory rung that was used."""
        ...

    def save_text(
        self, text: str, *, media: str = "text/markdown", params: dict[str, Any] | None = None
    ) -> Artifact:
        """Writes a text result with its recipe; on disk before this returns.

        params: values that this result's recipe has instead of the job's.
        """
        ...

    def save_file(
        self,
        suffix: str,
        kind: Kind,
        write: Callable[[Path], None],
        *,
        media: str,
        params: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Artifact:
        """Lets `write` fill a temporary file, embeds the recipe, publishes it. On disk before this returns.

        params: values that this result's recipe has instead of the job's. facts: what is true of this result alone.
        """
        ...

    def around_baton(self, enter: Callable[[], None], leave: Callable[[], None]) -> AbstractContextManager[None]:
        """While active, `leave` runs before the baton goes to another job and `enter` after it came back.

        `enter` runs once at the beginning and `leave` once at the end as well.
        For whatever a job sets on shared modules: adapters, attention processors, tiling.
        """
        ...


class Backend(Protocol):
    def run(self, params: Any, ctx: JobContext) -> None: ...


EstimateFunction = Callable[[Params, Callable[[str], ModelInfo | None]], Estimate]
