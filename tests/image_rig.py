"""Tests of painting in one process: a tiny model that stays loaded, and a job that remembers what it was told."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from plugins.image.loading import Loaded, load
from plugins.image.painting import Finished, Plan, Wanted, paint
from studio.sdk.artifact import Artifact, Kind
from studio.sdk.operation import JobCancelled, ModelInfo, Round
from tests import tiny_pipelines
from tests.text_context import Turns

QUIET = (
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.FluxPosEmbed. is deprecated:FutureWarning"),
)
"""What diffusers warns of in its own code."""

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


def tiny(family: str, folder: Path) -> Loaded:
    path = tiny_pipelines.make(family, folder / family)
    config = json.loads((path / "model_index.json").read_text())
    return load(ModelInfo(family, str(path), "text-to-image", config["_class_name"], config=config), "cpu", "float32")


class Models:
    def __init__(self, *loaded: Loaded):
        self.loaded: dict[str, Any] = {one.info.id: one for one in loaded}
        self.files: dict[str, Path] = {}
        self.used: dict[str, ModelInfo] = {}

    def info(self, ref: str) -> ModelInfo:
        if ref in self.files:
            return ModelInfo(ref, str(self.files[ref]), "adapter")
        return getattr(self.loaded[ref], "info", None) or ModelInfo(ref, "", "")

    @contextlib.contextmanager
    def use(self, ref: str, load: Callable[[ModelInfo], Any], *, key: str = "") -> Iterator[Any]:
        del key
        self.used[ref] = self.info(ref)
        if ref not in self.loaded:
            self.loaded[ref] = load(self.info(ref))
        yield self.loaded[ref]


class Context:
    """A job. orders: step boundary (from 1) -> what people ask there. stop: the boundary where it is cancelled.

    boundaries, rounds, shares: what it told at each step boundary.
    """

    device, dtype = "cpu", "float32"
    may_finish = True

    def __init__(
        self,
        folder: Path,
        *loaded: Loaded,
        orders: dict[int, list[dict[str, Any]]] | None = None,
        stop: int = 0,
        turns: Turns | None = None,
        job: str = "job",
    ):
        self.models: Any = Models(*loaded)
        self.job, self.data, self.steps = job, folder, folder / "steps" / job
        self.facts: dict[str, Any] = {}
        self.boundaries: list[tuple[int, int | None]] = []
        self.rounds: list[str] = []
        self.shares: list[float] = []
        self.previews: list[list[bytes]] = []
        self.saved: list[dict[str, Any]] = []
        self._orders, self._stop, self._turns = orders or {}, stop, turns
        self._around: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def step(
        self,
        done: int,
        total: int | None = None,
        *,
        preview: Any = None,
        round: Round | None = None,
        work: tuple[float, float] | None = None,
        **more: Any,
    ) -> None:
        self.boundaries.append((done, total))
        self.rounds.append("" if round is None else f"{round.name} {round.at}/{round.of}")
        self.shares.append(work[0] / sum(work) if work is not None else done / (total or 1))
        if preview:
            self.previews.append(list(preview))
        if self._stop and len(self.boundaries) == self._stop:
            raise JobCancelled
        self.check()

    def check(self) -> None:
        if self._turns:
            for _, leave in reversed(self._around):
                leave()
            self._turns.boundary(self.job)
            for enter, _ in self._around:
                enter()

    def last_turn(self) -> bool:
        return self.may_finish

    def steering(self) -> list[dict[str, Any]]:
        return self._orders.pop(len(self.boundaries), [])

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        pass

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)

    def input(self, value: str) -> Path:
        return Path(value)

    def save_file(self, suffix: str, kind: Kind, write: Callable[[Path], None], **more: Any) -> Artifact:
        path = self.data / f"{self.job}-{len(self.saved) + 1}{suffix}"
        write(path)
        self.saved.append({"path": path, "rung": self.facts.get("rung", ""), **more})
        return Artifact(id=path.stem, job=self.job, kind=kind, path=str(path), size=path.stat().st_size, sha256="")

    @contextlib.contextmanager
    def around_baton(self, enter: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        self._around.append((enter, leave))
        enter()
        try:
            yield
        finally:
            self._around.pop()
            leave()


def plan(*seeds: int, prompt: str = "a red fox", **more: Any) -> Plan:
    """Pictures of 64 px with these seeds, in 4 steps unless told otherwise."""
    items = tuple(Wanted(number, prompt, "", seed) for number, seed in enumerate(seeds or (1,)))
    values = {"use": "text", "width": 64, "height": 64, "steps": 4, "items": items}
    return Plan(**{**values, **more})


def painted(loaded: Loaded, ctx: Any, wanted: Plan) -> list[Finished]:
    done: list[Finished] = []
    paint(loaded, ctx, wanted, done.append)
    return done


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.size == second.size and first.tobytes() == second.tobytes()
