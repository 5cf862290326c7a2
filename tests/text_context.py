"""A small JobContext that remembers everything, for tests and benchmarks of the text backend in one process."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.sdk.artifact import Artifact, Kind
from studio.sdk.operation import JobCancelled, ModelInfo
from studio.sdk.operation import Models as AnyModels
from tests.patience import PATIENCE_S

Stop = Callable[["Context", str], bool]


class Models:
    """Loads once per model and key and keeps it; `loads` counts."""

    def __init__(self, *folders: Path):
        self.infos = {folder.name: ModelInfo(folder.name, str(folder), "text-generation") for folder in folders}
        self.kept: dict[tuple[str, str], Any] = {}
        self.loads = 0

    def info(self, ref: str) -> ModelInfo:
        if ref not in self.infos:
            raise StudioError("The model is not known", ref, code="unknown-model")
        return self.infos[ref]

    def budget(self) -> int:
        return 0

    @contextlib.contextmanager
    def use(self, ref: str, load: Callable[[ModelInfo], Any], *, key: str = "") -> Iterator[Any]:
        info = self.info(ref)
        if (ref, key) not in self.kept:
            self.loads += 1
            self.kept[ref, key] = load(info)
        yield self.kept[ref, key]


class Turns:
    """Lets the threads that take part go on strictly in turn, one step boundary each."""

    def __init__(self, names: list[str]):
        self._names, self._at = list(names), 0
        self._changed = threading.Condition()
        self.order: list[str] = []

    def wait(self, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._names[self._at] == name, timeout=PATIENCE_S)
            self.order.append(name)

    def boundary(self, name: str) -> None:
        with self._changed:
            self._at = (self._at + 1) % len(self._names)
            self._changed.notify_all()
        self.wait(name)

    def leave(self, name: str) -> None:
        with self._changed:
            del self._names[self._names.index(name)]
            self._at = self._at % len(self._names) if self._names else 0
            self._changed.notify_all()


class Context:
    """stop(context, boundary): whether the job is cancelled at this boundary ("step", "check" or "stage")."""

    def __init__(self, models: Models, stop: Stop | None = None, turns: Turns | None = None, job: str = "job"):
        self.job, self.device, self.dtype = job, "cpu", "float32"
        self.models: AnyModels = models
        self.pieces: list[str] = []
        self.texts: dict[int, str] = {}
        self.steps: list[tuple[int, int | None, float | None]] = []
        self.stages: list[tuple[str, int | None, int | None]] = []
        self.facts: dict[str, Any] = {}
        self.saved: list[tuple[str, dict[str, Any]]] = []
        self.own: list[dict[str, Any]] = []
        self.checks = 0
        self._stop, self._turns, self._cancelled = stop, turns, False

    @property
    def streamed(self) -> str:
        return "".join(self.pieces)

    def step(
        self, done: int, total: int | None = None, *, rate: float | None = None, unit: str = "it", preview: Any = None
    ) -> None:
        self.steps.append((done, total, rate))
        self._boundary("step")

    def check(self) -> None:
        self.checks += 1
        self._boundary("check")

    def alive(self) -> None:
        self._maybe_cancel("alive")

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        self.stages.append((title, done, total))
        self._maybe_cancel("stage")

    def stream(self, text: str, item: int = 0) -> None:
        assert text
        self.pieces.append(text)
        self.texts[item] = self.texts.get(item, "") + text

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)

    def save_text(
        self, text: str, *, media: str = "text/markdown", params: dict[str, Any] | None = None
    ) -> Artifact:
        if not self._cancelled:
            self._maybe_cancel("save")
        self.saved.append((text, dict(self.facts)))
        self.own.append(params or {})
        return Artifact(id=f"{self.job}-1", job=self.job, kind=Kind.TEXT, path="", size=0, sha256="")

    def save_file(self, suffix: str, kind: Kind, write: Callable[[Path], None], *, media: str) -> Artifact:
        raise NotImplementedError

    def around_baton(
        self, enter: Callable[[], None], leave: Callable[[], None]
    ) -> contextlib.AbstractContextManager[None]:
        raise NotImplementedError

    def _boundary(self, kind: str) -> None:
        self._maybe_cancel(kind)
        if self._turns:
            self._turns.boundary(self.job)

    def _maybe_cancel(self, kind: str) -> None:
        if self._stop and self._stop(self, kind):
            self._cancelled = True
            raise JobCancelled
