"""What a picture was like between two steps: files to look at and to go on from.

Owns `<picture>-<step>.safetensors` (the latents of one picture, with what is needed to go on) or `.png` (a painted
tile of an enlarged one), and the preview `<picture>-<step>.jpg` beside it, in the job's folder of steps. They are
conveniences: not synced, cleared by age.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL.Image import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from studio.errors import StudioError

from .layout import Layout

log = logging.getLogger(__name__)
SPACES = ("ve", "vp", "flow")
LATER = ("before", "first")
"""Fields that older files do not have."""
LARGEST, MOST_STEPS, HIGHEST = 16_384, 10_000, 1e5
"""Of what a file may say: pixels a side, steps, noise level (a few hundred with the widest schedules)."""


@dataclass(frozen=True)
class Mark:
    """level: the noise level of the latents; space: how they hold it (denoise_hold.py). Size in pixels.

    step, steps: counted through all passes of the job; before: those of the passes before this one. first: where in
    the schedule of its pass the picture began, which strength says.
    """

    family: str
    step: int
    steps: int
    level: float
    space: str
    width: int
    height: int
    seed: int
    sampler: str
    schedule: str
    before: int = 0
    first: int = 0

    @property
    def share(self) -> float:
        """Of the steps of its pass, those that lie behind."""
        return (self.step - self.before - self.first) / max(1, self.steps - self.before - self.first)


class Start(NamedTuple):
    """What painting goes on from. noise: the state of the picture's random generator; None in older files."""

    latents: Tensor
    mark: Mark
    noise: Tensor | None


class StepFiles:
    """The files of one job. Stops writing, with one word in the log, when the disk does not take them."""

    def __init__(self, folder: Path | None):
        self._folder, self._made = folder, False

    def write(self, number: int, latents: Tensor, mark: Mark, noise: Tensor, preview: bytes = b"") -> None:
        """latents: (1, ...) as the loop shows them. noise: the state of the picture's random generator."""
        if self._folder is None:
            return
        values = {key: str(value) for key, value in asdict(mark).items()} | {"sigma": str(mark.level)}
        data = save({"latents": latents.detach().cpu().contiguous(), "noise": noise}, values)
        self._write(f"{number}-{mark.step}", data, ".safetensors", preview)


    def write_tile(self, number: int, tile: Image, preview: bytes) -> None:
        """Tile `number`, from 1, of an enlarged picture, and the picture as it is with it."""
        data = BytesIO()
        tile.save(data, "PNG", compress_level=1)
        self._write(f"0-{number}", data.getvalue(), ".png", preview)

    def _write(self, name: str, data: bytes, suffix: str, preview: bytes) -> None:
        if self._folder is None:
            return
        try:
            if not self._made:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._made = True
            (self._folder / f"{name}{suffix}").write_bytes(data)
            if preview:
                (self._folder / f"{name}.jpg").write_bytes(preview)
        except OSError as error:
            log.info("steps are not kept any more: %s", error)
            self._folder = None


def read_start(path: Path) -> Start:
    """Raises StudioError code "latents" for a file that is none of ours."""
    try:
        with safe_open(str(path), framework="pt") as file:
            values: dict[str, Any] = file.metadata() or {}
            latents = file.get_tensor("latents")
            noise = file.get_tensor("noise") if "noise" in file.keys() else None  # noqa: SIM118 - no mapping
        kinds = Mark.__dataclass_fields__
        told = [name for name in kinds if name in values or name not in LATER]
        mark = Mark(**{name: _as(kinds[name].type, values[name]) for name in told})
        _check(mark, latents, noise)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StudioError(
            "There is nothing to go on from in this file",
            f"The file is none of latents between two steps ({type(error).__name__}).",
            "Choose a step of a picture that was painted here.",
            code="latents",
        ) from None
    return Start(latents, mark, noise)


def _check(mark: Mark, latents: Tensor, noise: Tensor | None) -> None:
    """Raises ValueError for what no painting writes."""
    numbers = latents.is_floating_point() and bool(torch.isfinite(latents).all())
    sized = 0 < mark.width <= LARGEST and 0 < mark.height <= LARGEST
    inside = mark.before >= 0 and 0 <= mark.first < mark.step - mark.before and mark.step <= mark.steps <= MOST_STEPS
    if not (numbers and sized and inside):
        raise ValueError("out of range")
    if noise is not None:
        try:
            torch.Generator().set_state(noise)
        except (RuntimeError, TypeError) as error:
            raise ValueError("no state of a generator") from error
    if mark.space not in SPACES or not 0 < mark.level < HIGHEST:
        raise ValueError("no noise level")


def check_start(mark: Mark, latents: Tensor, family: Any, layout: Layout) -> None:
    """Raises StudioError code "latents" when a picture of this family and layout cannot go on from it."""
    width, height = layout.wide * layout.scale, layout.high * layout.scale
    wrong = ""
    if mark.family != family.id:
        wrong = f"It was painted with a model of the family {mark.family}; this one is {family.title}."
    elif (mark.width, mark.height) != (width, height):
        wrong = f"It is {mark.width} × {mark.height} px; asked is {width} × {height} px."
    elif tuple(latents.shape) != layout.in_loop:
        wrong = f"It holds latents of {_times(latents.shape)}; this model's are {_times(layout.in_loop)}."
    if wrong:
        raise StudioError(
            "Painting cannot go on from this step", wrong, "Choose the same family and size.", code="latents"
        )


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _as(kind: Any, value: str) -> Any:
    return {"int": int, "float": float}.get(getattr(kind, "__name__", str(kind)), str)(value)
