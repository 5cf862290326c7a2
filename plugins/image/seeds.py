"""The noise that pictures begin with: one generator a picture, and leaning from one seed to another."""

from typing import Any

import torch
from torch import Tensor

from .layout import Layout


def generator_of(seed: int) -> torch.Generator:
    """On the processor whatever the device, so that a seed is the same noise everywhere."""
    return torch.Generator("cpu").manual_seed(seed)


def drawn(layout: Layout, generator: torch.Generator) -> Tensor:
    """One picture's first noise (1, ...), drawn as the pipeline draws it."""
    return torch.randn(layout.shape, generator=generator, dtype=layout.dtype)


def first_noise(layout: Layout, wanted: Any, generator: torch.Generator) -> Tensor:
    """Of one picture: given, or drawn and leaning towards its second seed's."""
    if wanted.noise is not None:
        return wanted.noise.reshape(layout.shape).to(layout.dtype)
    noise = drawn(layout, generator)
    if not wanted.variation or wanted.variation_seed is None:
        return noise
    return slerp(noise, drawn(layout, generator_of(wanted.variation_seed)), wanted.variation)


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Along the great circle, so that the length stays that of noise (Shoemake 1985, as one vector each)."""
    a, b = first.double().flatten(), second.double().flatten()
    cosine = (a @ b / (a.norm() * b.norm())).clamp(-1, 1)
    angle = torch.acos(cosine)
    if float(angle.sin()) < 1e-6:  # the same direction
        mixed = a + (b - a) * share
    else:
        mixed = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    return mixed.reshape(first.shape).to(first.dtype)
