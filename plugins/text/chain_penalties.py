"""Stages that change the scores of single tokens, as functions of those scores. Scores are logits, float64.

Each takes the values of the tokens that it concerns and gives their new ones; -inf forbids a token.
"""

import math

import numpy as np

from .chain_shape import MOST

Array = np.ndarray


def penalise(values: Array, counts: Array, repetition: float, presence: float, frequency: float) -> Array:
    """values, counts: (n,) of tokens that occurred. v > 0: v / r, else v * r; then v - presence - frequency * count.

    Repetition: Keskar et al. 2019, CTRL, section 4.1, in the form transformers gave it. Presence and frequency: as
    defined by OpenAI's completion interface.
    """
    values = np.where(values > 0, values / repetition, values * repetition)
    return values - presence - frequency * counts


def dry(values: Array, lengths: Array, multiplier: float, base: float, allowed: int) -> Array:
    """values: (n,) of tokens that would go on repeating `lengths` (n,) >= allowed tokens.

    v - multiplier * base ** (length - allowed): "don't repeat yourself", p-e-w 2024 (text-generation-webui #5677).
    """
    # Powers beyond 2 ** 300 make no difference any more, and would overflow.
    beyond = np.minimum(lengths - allowed, 300 / math.log2(max(base, 1.0001)))
    return values - np.minimum(multiplier * base**beyond, MOST)


def forbid(values: Array) -> Array:
    """No-repeat n-gram: Paulus et al. 2017, section 2.5."""
    return np.full_like(values, -math.inf)


def bias(values: Array, added: Array) -> Array:
    """v + b for each; b = -inf forbids."""
    return values + added
