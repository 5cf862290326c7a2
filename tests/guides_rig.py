"""What tests of LoRAs, ControlNets and reference pictures need: a resident model, and jobs that take turns on it."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from plugins.image.loading import load
from studio.errors import StudioError
from studio.sdk.operation import ModelInfo
from tests import tiny_pipelines
from tests.text_context import Turns

torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


class Models:
    """Loads once per model and key; `loads` tells which. Knows files and folders by their names."""

    def __init__(self, *paths: Path):
        self.infos = {path.name: ModelInfo(path.name, str(path), "adapter") for path in paths}
        self.kept: dict[tuple[str, str], Any] = {}
        self.loads: list[str] = []

    def info(self, ref: str) -> ModelInfo:
        if ref not in self.infos:
            raise StudioError("The model is not known", ref, code="unknown-model")
        return self.infos[ref]

    @contextlib.contextmanager
    def use(self, ref: str, load: Callable[[ModelInfo], Any], *, key: str = "") -> Iterator[Any]:
        if (ref, key) not in self.kept:
            self.loads.append(ref)
            self.kept[ref, key] = load(self.info(ref))
        yield self.kept[ref, key]


class Context:
    """A job. With `turns` it gives the device away at every step, as a worker does that shares steps."""

    device, dtype = "cpu", "float32"

    def __init__(self, models: Models, turns: Turns | None = None, job: str = "job"):
        self.models: Any = models
        self.job, self._turns = job, turns
        self.facts: dict[str, Any] = {}
        self.saved: list[tuple[str, Path]] = []
        self._around: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def input(self, value: str) -> Path:
        return Path(value)

    def stage(self, title: str, done: int | None = None, total: int | None = None) -> None:
        pass

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)

    def check(self) -> None:
        self.step(0)

    def step(self, done: int, total: int | None = None, **more: Any) -> None:
        if self._turns:
            for _, leave in reversed(self._around):
                leave()
            self._turns.boundary(self.job)
            for enter, _ in self._around:
                enter()

    @contextlib.contextmanager
    def around_baton(self, enter: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        self._around.append((enter, leave))
        try:
            enter()
            yield
        finally:
            self._around.remove((enter, leave))
            leave()


def resident(family: str, folder: Path) -> Any:
    """The tiny model of `family` as a worker keeps it: parts that all jobs share."""
    place = tiny_pipelines.make(family, folder / family)
    kind = json.loads((place / "model_index.json").read_text())["_class_name"]
    return load(ModelInfo(f"tiny-{family}", str(place), "text-to-image", kind), "cpu", "float32")


def painted(loaded: Any, ctx: Any = None, *, use: str = "text", parts: Any = None, steps: int = 3, **call: Any) -> Any:
    """A picture's pixels, by a bare pipeline of the job's own, with a boundary after every step."""
    pipeline = loaded.pipeline(use, loaded.make_scheduler(), **(parts or {}))

    def boundary(_pipeline: Any, step: int, _at: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if ctx is not None:
            ctx.step(step + 1, steps)
        return kept

    size = 32 if loaded.family.id in ("sd15", "sdxl") else 64
    given = {"height": size, "width": size, "prompt": "a red cat", "output_type": "pt", **call}
    with torch.inference_mode():
        out = pipeline(
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(7),
            callback_on_step_end=boundary,
            **given,
        )
    return out.images


def together(jobs: dict[str, Callable[[Turns], Any]]) -> tuple[dict[str, Any], list[str]]:
    """Runs the jobs on threads that take turns at every step. Their results, and the order of the steps."""
    turns, results, errors = Turns(list(jobs)), {}, []

    def work(name: str) -> None:
        turns.wait(name)
        try:
            results[name] = jobs[name](turns)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            errors.append(error)
        finally:
            turns.leave(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results, turns.order


def picture(size: int = 32) -> Image.Image:
    """A disc on a slope of grey."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = ((x - size / 2) ** 2 + (y - size / 2) ** 2) < (size / 3) ** 2
    grey = (x * 255 // size).to(torch.uint8)
    pixels = torch.stack([torch.where(disc, torch.tensor(220, dtype=torch.uint8), grey), grey, grey], -1)
    return Image.fromarray(pixels.numpy())
