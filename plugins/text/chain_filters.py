"""Stages that cut tokens away, as functions of sorted values or probabilities; the likeliest one always stays.

values: (n,) logits, greatest first; probabilities: (n,) their softmax, less than 1 together where tokens beyond
these n exist. A result is how many of the first stay, or a mask of those that do.
"""

import math

import torch
from torch import Tensor


def at_least(values: Tensor, threshold: float) -> int:
    """How many of the values reach the threshold; one at least."""
    return max(1, int(torch.count_nonzero(values >= threshold)))


def top_k(values: Tensor, k: int) -> int:
    """Fan et al. 2018, section 5.4. Of equal ones those with the smaller ids stay."""
    return min(k, values.shape[0])


def top_p(probabilities: Tensor, mass: float) -> int:
    """The fewest that reach `mass`: Holtzman et al. 2020."""
    return max(1, int(torch.count_nonzero(probabilities.cumsum(0) - probabilities < mass)))


def min_p(values: Tensor, share: float) -> int:
    """p >= share * p_max, that is v >= v_max + log share: Nguyen et al. 2024."""
    return at_least(values, float(values[0]) + math.log(share))


def top_n_sigma(values: Tensor, deviation: float, n: float) -> int:
    """v >= v_max - n * sigma, sigma over all values: Tang et al. 2024."""
    return at_least(values, float(values[0]) - n * deviation)


def mirostat(values: Tensor, log_total: float, mu: float) -> int:
    """-log2 p <= mu: Basu et al. 2021, algorithm 2."""
    return at_least(values, log_total - mu * math.log(2))


def mirostat_next(mu: float, surprise: float, tau: float, eta: float) -> float:
    """mu - eta * (surprise - tau), after a token of that surprise (bits) was chosen; mu begins at 2 * tau."""
    return mu - eta * (surprise - tau)


def typical_p(values: Tensor, log_total: float, entropy: float, mass: float) -> tuple[Tensor, float]:
    """Those whose surprise is nearest the entropy, until they have `mass`: Meister et al. 2023.

    Gives the mask and how far from the entropy those are that stay; infinitely where these n do not have the mass.
    """
    surprise = log_total - values
    apart = (surprise - entropy).abs()
    distance, order = torch.sort(apart, stable=True)
    reached = int(torch.count_nonzero(torch.exp(-surprise[order]).cumsum(0) < mass))
    if reached >= values.shape[0]:
        return torch.ones_like(apart, dtype=torch.bool), math.inf
    farthest = float(distance[reached])
    return apart <= farthest, farthest


def xtc(count: int, above: int, protected: Tensor) -> Tensor:
    """A mask of `count` without the first `above` but the last of them: exclude top choices, p-e-w 2024 (#6335).

    above: how many reach the threshold. protected: (above,) which of them stay whatever happens.
    """
    mask = torch.ones(count, dtype=torch.bool)
    mask[: max(0, above - 1)] = protected[: max(0, above - 1)]
    return mask
