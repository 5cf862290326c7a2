"""The plan of a painting: which pictures, in what way. Data; `painting.py` carries it out.

Owns Wanted, Place, Plan and Finished.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from torch import Tensor

from .params import MOST, Steered
from .prompting import expansions, wildcards_folder

SEEDS = 2**32


@dataclass(frozen=True)
class Wanted:
    """One picture. number: in the job, from 0. words: encoded already. noise: to begin with, as Layout.shape."""

    number: int
    prompt: str
    negative: str
    seed: int
    variation_seed: int | None = None
    variation: float = 0.0
    words: Any = None
    noise: Tensor | None = None


@dataclass(frozen=True)
class Place:
    """Where a pass lies in its job, for what is told of its progress.

    behind, ahead: work of the passes before and after it, in pixels times steps. before, after: rounds of theirs.
    name: of a round; "" is "picture" where each has one of its own, else "round".
    """

    behind: float = 0.0
    ahead: float = 0.0
    before: int = 0
    after: int = 0
    name: str = ""


@dataclass(frozen=True)
class Plan:
    """One pass over some pictures. Size in pixels.

    call, parts: further arguments of the pipeline's call and constructor. steps_before: steps of the job's passes
    before this one, in files and steering. keep_steps: whether files of the steps are written. preview_by: the tiny
    autoencoder that draws previews, if any. shown: the previews of all pictures, of the newest alone where they make
    one result, or none; framed: what they are put into, if anything. results: whether each picture is one of its own,
    which people stop, save or drop, and which is kept half-way when the job is cancelled; else they are parts of one.
    """

    use: str
    width: int
    height: int
    steps: int
    guidance: float | None = None
    sampler: str = "auto"
    schedule: str = "auto"
    eta: float | None = None
    shift: float | None = None
    clip_skip: int = 0
    items: tuple[Wanted, ...] = ()
    call: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    at_once: int = 0
    start_latents: Path | None = None
    steering: tuple[Steered, ...] = ()
    regions: tuple[Any, ...] = ()
    keep_steps: bool = True
    save_params: dict[str, Any] | None = None
    adapters_key: str = ""
    steps_before: int = 0
    preview_by: str = ""
    place: Place = Place()
    shown: Literal["all", "newest", "none"] = "all"
    framed: Callable[[Image.Image], Image.Image] | None = None
    results: bool = True


@dataclass(frozen=True)
class Finished:
    """latents: (1, ...) as the loop gave them, for a second pass."""

    number: int
    image: Image.Image
    facts: dict[str, Any]
    latents: Any = None


def plan_items(params: Any, data: Path | None = None) -> tuple[Wanted, ...]:
    """The pictures that `params` ask for: prompts expanded, seeds counted up.

    A variation keeps the seed and counts up its second seed instead. data: the studio's folder, with wildcards.
    """
    first = params.seed if params.seed is not None else params.with_seeds().seed or 0
    varies = params.variation > 0
    lean = first + 1 if params.variation_seed is None else params.variation_seed
    found = []
    for number, prompt in enumerate(_prompts(params, first, data)):
        found.append(
            Wanted(
                number,
                prompt,
                params.negative,
                (first if varies else first + number) % SEEDS,
                (lean + number) % SEEDS if varies else None,
                params.variation,
            )
        )
    return tuple(found)


def _prompts(params: Any, first: int, data: Path | None) -> list[str]:
    if params.expanded:
        return list(params.expanded)
    folder = wildcards_folder(data) if data is not None else None
    seeds = [(first + number) % SEEDS for number in range(params.count)]
    return expansions(params.prompt, how=params.expand, count=params.count, seeds=seeds, folder=folder)[:MOST]


def without_picture(call: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an image-to-image call as the text-to-image call of the same family takes them."""
    kept = {name: value for name, value in call.items() if name not in ("image", "strength")}
    if "control_image" in kept:
        kept["image"] = kept["control_image"]  # Batch drops the name that its pipeline does not know
    return kept
