"""From logits to the next token: one pure function a stage, and Sampler, which keeps one request's state.

The order is that of transformers: repetition penalty, temperature, top-k, top-p, min-p, typical-p. After the
penalty everything works on candidates sorted from the likeliest down. Mostly the best 1024 decide; where
they cannot (too much probability lies beyond them) the whole vocabulary is sorted, so the result is exact.
The last step is ours and not torch.multinomial: one number of the request's own generator picks from the
cumulative weights in float64, so no other job is disturbed and a seed means the same on every device.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.errors import StudioError

BEST = 1024
COLDEST = 1e-6


@dataclass(frozen=True, slots=True)
class Settings:
    """temperature 0 is greedy. Off: top_k 0, top_p 1, min_p 0, typical_p 1, repetition_penalty 1."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0


def repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """logits: (V,), seen: (n,) distinct token ids. Positive logits are divided, negative ones multiplied.

    Keskar et al. 2019, CTRL, section 4.1, in the form transformers gave it.
    """
    found = logits[seen]
    return logits.index_copy(0, seen, torch.where(found < 0, found * penalty, found / penalty))


def temperature(values: Tensor, heat: float) -> Tensor:
    """Values shifted so that the greatest is 0, divided by the temperature. values: (n,), greatest first."""
    return (values - values[0]) / max(heat, COLDEST)


def top_k(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k greatest logits, sorted from the greatest down, and their token ids."""
    return torch.topk(logits, k) if k < logits.shape[0] else torch.sort(logits, descending=True)


def top_p(probabilities: Tensor, mass: float) -> Tensor:
    """Which of the sorted probabilities stay: the fewest that reach `mass` (Holtzman et al. 2020)."""
    return probabilities.cumsum(0) - probabilities < mass


def min_p(probabilities: Tensor, share: float) -> Tensor:
    """Which of the sorted probabilities are at least `share` of the greatest (Nguyen et al. 2024)."""
    return probabilities >= share * probabilities[0]


def typical_p(probabilities: Tensor, mass: float) -> Tensor:
    """Which stay: those whose surprise is nearest the entropy, up to `mass` (Meister et al. 2023).

    probabilities: (n,), in any order; zeros are never chosen.
    """
    probabilities = probabilities / probabilities.sum()
    surprise = -torch.log(probabilities)
    entropy = torch.where(probabilities > 0, probabilities * surprise, 0.0).sum()
    distance, order = torch.sort((surprise - entropy).abs(), stable=True)
    reached = (probabilities[order].cumsum(0) < mass).sum().clamp(max=len(order) - 1)
    return ((surprise - entropy).abs() <= distance[reached]) & (probabilities > 0)


def pick(weights: Tensor, uniform: float) -> int:
    """The index that `uniform` in [0, 1) falls on. weights: (n,) float64, not negative, in any scale."""
    reached = weights.cumsum(0)
    total = float(reached[-1])
    if not (math.isfinite(total) and total > 0):
        raise not_numbers()
    index = int(torch.searchsorted(reached, uniform * total, right=True))
    # Rounding may reach the total itself; then it is the last one with any weight.
    return index if index < len(weights) else int(torch.searchsorted(reached, total))


def candidates(logits: Tensor, settings: Settings, count: int) -> tuple[Tensor, Tensor] | None:
    """Weights (float64, on the processor) and token ids of the `count` likeliest, 0 for those filtered out.

    None when tokens beyond these would stay too.
    """
    values, ids = top_k(logits, count)
    log_weights = temperature(values.cpu().double(), settings.temperature)
    if not math.isfinite(float(values[0])):
        raise not_numbers()
    weights = torch.exp(log_weights)
    complete = count >= logits.shape[0] or 0 < settings.top_k <= count
    if complete:
        probabilities = weights / weights.sum()
    else:
        rest = (logits - values[0]) / max(settings.temperature, COLDEST)
        probabilities = weights * math.exp(-float(torch.logsumexp(rest, 0)))
    kept = torch.ones_like(probabilities, dtype=torch.bool)
    if settings.top_p < 1:
        kept &= top_p(probabilities, settings.top_p)
    if settings.min_p > 0:
        kept &= min_p(probabilities, settings.min_p)
    if not complete and bool(kept[-1]):
        return None
    weights = torch.where(kept, probabilities, 0.0)
    if settings.typical_p < 1:
        weights = torch.where(typical_p(weights, settings.typical_p), weights, 0.0)
    return weights, ids


def choose(logits: Tensor, settings: Settings, uniform: float) -> int:
    """The next token. logits: (V,) float32; uniform: a number in [0, 1) that makes the choice."""
    if settings.temperature == 0:
        token = int(torch.argmax(logits))
        if not math.isfinite(float(logits[token])):
            raise not_numbers()
        return token
    vocabulary = logits.shape[0]
    if settings.top_k:
        counts = [min(settings.top_k, vocabulary)]
    elif settings.top_p < 1 or settings.min_p > 0:
        counts = [min(BEST, vocabulary), vocabulary]
    elif settings.typical_p < 1:
        counts = [vocabulary]
    else:
        weights = torch.softmax((logits - logits.max()) / max(settings.temperature, COLDEST), 0)
        return pick(weights.cpu().double(), uniform)
    for count in counts:
        found = candidates(logits, settings, count)
        if found:
            weights, ids = found
            return int(ids[pick(weights, uniform)])
    raise AssertionError("the whole vocabulary always decides")


class Sampler:
    """One request's generator and what it has seen."""

    def __init__(self, settings: Settings, seed: int, seen: Iterable[int], room: int, device: str = "cpu"):
        """seen: the prompt's tokens. room: the most tokens that will be generated."""
        self._settings = settings
        self._generator = torch.Generator().manual_seed(seed)
        self._known = set(seen) if settings.repetition_penalty != 1 else set[int]()
        self._seen = torch.empty(len(self._known) + room, dtype=torch.long, device=device)
        self._seen[: len(self._known)] = torch.tensor(sorted(self._known), dtype=torch.long)

    def __call__(self, logits: Tensor) -> int:
        """The next token, which counts as seen from now on. Raises StudioError when logits are no numbers."""
        settings = self._settings
        if settings.repetition_penalty != 1:
            logits = repetition_penalty(logits, self._seen[: len(self._known)], settings.repetition_penalty)
        uniform = 0.0
        if settings.temperature:
            uniform = torch.rand((), generator=self._generator, dtype=torch.float64).item()
        token = choose(logits, settings, uniform)
        if settings.repetition_penalty != 1 and token not in self._known:
            self._seen[len(self._known)] = token
            self._known.add(token)
        return token


def not_numbers() -> StudioError:
    return StudioError(
        "The model computed something that is no number",
        "Its scores for the next token hold NaN or infinity. The weights may be damaged, or the precision "
        "they are computed in is too small for this model.",
        "Choose another model, or load this one again.",
        code="not-finite",
    )
