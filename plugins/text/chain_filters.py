"""Stages that cut tokens away, as functions of sorted values or probabilities; the likeliest one always stays.

values: (n,) logits, greatest first; probabilities: (n,) their softmax, less than 1 together where tokens beyond
these n exist. A result is how many of the first stay, or a mask of those that do.
"""

import math

import numpy as np


def at_least(values: np.ndarray, threshold: float) -> int:
    """How many of the values reach the threshold; one at least."""
    return max(1, int(np.count_nonzero(values >= threshold)))


def top_k(values: np.ndarray, k: int) -> int:
    """Fan et al. 2018, section 5.4. Of equal ones those with the smaller ids stay."""
    return min(k, len(values))


def top_p(probabilities: np.ndarray, mass: float) -> int:
    """The fewest that reach `mass`: Holtzman et al. 2020."""
    return max(1, int(np.count_nonzero(probabilities.cumsum() - probabilities < mass)))


def min_p(values: np.ndarray, share: float) -> int:
    """p >= share * p_max, that is v >= v_max + log share: Nguyen et al. 2024."""
    return at_least(values, float(values[0]) + math.log(share))


def top_n_sigma(values: np.ndarray, deviation: float, n: float) -> int:
    """v >= v_max - n * sigma, sigma over all values: Tang et al. 2024."""
    return at_least(values, float(values[0]) - n * deviation)


def mirostat(values: np.ndarray, log_total: float, mu: float) -> int:
    """-log2 p <= mu: Basu et al. 2021, algorithm 2."""
    return at_least(values, log_total - mu * math.log(2))


def mirostat_next(mu: float, surprise: float, tau: float, eta: float) -> float:
    """mu - eta * (surprise - tau), after a token of that surprise (bits) was chosen; mu begins at 2 * tau."""
    return mu - eta * (surprise - tau)


def typical_p(values: np.ndarray, log_total: float, entropy: float, mass: float) -> tuple[np.ndarray, float]:
    """Those whose surprise is nearest the entropy, until they have `mass`: Meister et al. 2023.

    Gives the mask and how far from the entropy those are that stay; infinitely where these n do not have the mass.
    """
    surprise = log_total - values
    apart = np.abs(surprise - entropy)
    order = np.argsort(apart, kind="stable")
    reached = int(np.count_nonzero(np.exp(-surprise[order]).cumsum() < mass))
    if reached >= len(values):
        return np.ones(len(values), np.bool_), math.inf
    farthest = float(apart[order[reached]])
    return apart <= farthest, farthest


def xtc(count: int, above: int, protected: np.ndarray) -> np.ndarray:
    """A mask of `count` without the first `above` but the last of them: exclude top choices, p-e-w 2024 (#6335).

    above: how many reach the threshold. protected: (above,) which of them stay whatever happens.
    """
    mask = np.ones(count, np.bool_)
    mask[: max(0, above - 1)] = protected[: max(0, above - 1)]
    return mask
