"""Resident tiny models for tests of prompts: parts as jobs share them, and how often a text encoder ran."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from plugins.image.family_table import TABLE
from plugins.image.loading import Loaded
from plugins.image.loading_parts import read_folder
from studio.sdk.operation import ModelInfo
from tests import tiny_pipelines

torch.set_num_threads(1)
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


def resident(family: str, folder: Path, **parts: Any) -> Loaded:
    """The tiny model of `family`; `parts` in place of its own, None takes one away."""
    path = folder / family
    if not path.exists():
        tiny_pipelines.make(family, path)
    found = read_folder(path, torch.float32, "none")
    info = ModelInfo(f"tiny-{family}", str(path), "text-to-image")
    return Loaded(
        info, TABLE[family], found.parts | parts, found.scheduler_class, found.scheduler_config, "cpu",
        torch.float32, found.settings,
    )  # fmt: skip


def bare(loaded: Loaded) -> Any:
    """The pipeline that a program without the studio would make."""
    return loaded.pipeline(loaded.family.uses[0], loaded.make_scheduler())


@contextlib.contextmanager
def runs(loaded: Loaded) -> Iterator[list[str]]:
    """The names of the text encoders that ran, one entry for each run."""
    seen: list[str] = []
    networks = {name: loaded.parts.get(name) for name in ENCODERS}
    hooks = [
        network.register_forward_pre_hook(lambda *_, name=name: seen.append(name))
        for name, network in networks.items()
        if network is not None
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
