"""Stages that change the scores of single tokens, as functions of those scores. Scores are logits, float64.

Each takes the values of the tokens that it concerns and gives their new ones; -inf forbids a token.
"""

import math

import torch
from torch import Tensor

from .chain_shape import MOST


def penalise(values: Tensor, counts: Tensor, repetition: float, presence: float, frequency: float) -> Tensor:
    """values, counts: (n,) of tokens that occurred. v > 0: v / r, else v * r; then v - presence - frequency * count.

    Repetition: Keskar et al. 2019, CTRL, section 4.1, in the form transformers gave it. Presence and frequency: as
    defined by OpenAI's completion interface.
    """
    values = torch.where(values > 0, values / repetition, values * repetition)
    return values - presence - frequency * counts


def dry(values: Tensor, lengths: Tensor, multiplier: float, base: float, allowed: int) -> Tensor:
    """values: (n,) of tokens that would go on repeating `lengths` (n,) >= allowed tokens.

    v - multiplier * base ** (length - allowed): "don't repeat yourself", p-e-w 2024 (text-generation-webui #5677).
    """
    return values - (multiplier * base ** (lengths.double() - allowed)).clamp(max=MOST)


def forbid(values: Tensor) -> Tensor:
    """No-repeat n-gram: Paulus et al. 2017, section 2.5."""
    return torch.full_like(values, -math.inf)


def bias(values: Tensor, added: Tensor) -> Tensor:
    """v + b for each; b = -inf forbids."""
    return values + added
