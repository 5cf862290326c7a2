"""Samplers against numbers worked out by hand and against those of transformers."""

import collections
import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as hf

from plugins.text import sampling as s
from studio.errors import StudioError

pytestmark = pytest.mark.worker

PLAIN = s.Settings(temperature=1.0)


def logits_of(*probabilities: float) -> torch.Tensor:
    return torch.log(torch.tensor(probabilities))


def support(logits: torch.Tensor, chosen: s.Settings) -> dict[int, float]:
    """Each token that can be chosen and its probability, found by asking `choose` at many places."""
    weights = None
    for count in (min(s.BEST, len(logits)), len(logits)):
        count = min(chosen.top_k or count, len(logits))
        weights = s.candidates(logits, chosen, count)
        if weights:
            break
    assert weights
    values, ids = weights
    values = values / values.sum()
    return {int(id): float(value) for id, value in zip(ids, values, strict=True) if value > 0}


def reference(logits: torch.Tensor, chosen: s.Settings, before: list[int]) -> dict[int, float]:
    """The same by transformers, in its order."""
    steps: list = []
    if chosen.repetition_penalty != 1:
        steps.append(hf.RepetitionPenaltyLogitsProcessor(chosen.repetition_penalty))
    if chosen.temperature != 1:
        steps.append(hf.TemperatureLogitsWarper(chosen.temperature))
    if chosen.top_k:
        steps.append(hf.TopKLogitsWarper(chosen.top_k))
    if chosen.top_p < 1:
        steps.append(hf.TopPLogitsWarper(chosen.top_p))
    if chosen.min_p:
        steps.append(hf.MinPLogitsWarper(chosen.min_p))
    if chosen.typical_p < 1:
        steps.append(hf.TypicalLogitsWarper(chosen.typical_p))
    scores = logits[None].double()
    for step in steps:
        scores = step(torch.tensor([before]), scores)
    probabilities = scores.softmax(-1)[0]
    return {i: float(value) for i, value in enumerate(probabilities) if value > 0}


def test_top_k_by_hand() -> None:
    found = support(logits_of(0.1, 0.4, 0.2, 0.3), s.Settings(top_k=2))
    assert found == pytest.approx({1: 0.4 / 0.7, 3: 0.3 / 0.7})


def test_top_p_by_hand() -> None:
    """The fewest that reach the mass: 0.4 + 0.3 are short of 0.75, so the third one stays as well."""
    logits = logits_of(0.1, 0.4, 0.2, 0.3)
    assert set(support(logits, s.Settings(top_p=0.75))) == {1, 3, 2}
    assert set(support(logits, s.Settings(top_p=0.65))) == {1, 3}
    assert set(support(logits, s.Settings(top_p=1e-6))) == {1}


def test_min_p_by_hand() -> None:
    logits = logits_of(0.5, 0.3, 0.14, 0.06)
    assert set(support(logits, s.Settings(min_p=0.25))) == {0, 1, 2}
    assert set(support(logits, s.Settings(min_p=0.3))) == {0, 1}
    assert set(support(logits, s.Settings(min_p=1.0))) == {0}


def test_typical_p_by_hand() -> None:
    """Entropy 1.168 nats; surprises 0.693, 1.386, 1.897, 2.303: nearest first are the second and the first."""
    logits = logits_of(0.5, 0.25, 0.15, 0.1)
    assert set(support(logits, s.Settings(typical_p=0.2))) == {1}
    assert set(support(logits, s.Settings(typical_p=0.5))) == {1, 0}
    assert set(support(logits, s.Settings(typical_p=0.8))) == {1, 0, 2}


def test_temperature_by_hand() -> None:
    """Half the temperature squares the odds."""
    found = support(logits_of(0.6, 0.3, 0.1), s.Settings(temperature=0.5, top_k=3))
    assert found == pytest.approx({0: 0.36 / 0.46, 1: 0.09 / 0.46, 2: 0.01 / 0.46}, rel=1e-5)


def test_repetition_penalty_by_hand() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0, -1.0])
    found = s.repetition_penalty(logits, torch.tensor([0, 1]), 2.0)
    assert found.tolist() == [1.0, -4.0, 1.0, -1.0]
    assert logits.tolist() == [2.0, -2.0, 1.0, -1.0]


SETTINGS = [
    s.Settings(temperature=heat, top_k=k, top_p=p, min_p=share, typical_p=typical)
    for heat, k, p, share, typical in itertools.product((0.7, 1.0, 1.6), (0, 40), (1.0, 0.9), (0.0, 0.05), (1.0, 0.7))
    if (k, p, share, typical) != (0, 1.0, 0.0, 1.0)
]


@pytest.mark.parametrize("spread", [1.0, 4.0])
@pytest.mark.parametrize("vocabulary", [300, 5000])
def test_the_same_tokens_stay_as_with_transformers(vocabulary: int, spread: float) -> None:
    """Both where the best 1024 decide and where the whole vocabulary must be sorted."""
    generator = torch.Generator().manual_seed(vocabulary)
    for chosen in SETTINGS:
        logits = torch.randn(vocabulary, generator=generator) * spread
        found, expected = support(logits, chosen), reference(logits, chosen, [])
        assert set(found) == set(expected), chosen
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-9), chosen


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=30, unique=True), st.sampled_from(SETTINGS))
@settings(deadline=None)
def test_something_always_stays_and_it_holds_the_likeliest_without_typical_p(
    values: list[float], chosen: s.Settings
) -> None:
    found = support(torch.tensor(values), chosen)
    assert found and sum(found.values()) == pytest.approx(1.0)
    if chosen.typical_p == 1:
        assert max(range(len(values)), key=lambda i: torch.tensor(values)[i].item()) in found


def test_the_penalty_counts_prompt_and_text_like_transformers() -> None:
    chosen = s.Settings(temperature=0.0, repetition_penalty=1.3)
    sampler, before = s.Sampler(chosen, 0, [5, 5, 9], 50), [5, 5, 9]
    generator = torch.Generator().manual_seed(1)
    reference_penalty: Any = hf.RepetitionPenaltyLogitsProcessor(1.3)
    for _ in range(50):
        logits = torch.randn(40, generator=generator) * 2
        expected = int(reference_penalty(torch.tensor([before]), logits[None].clone()).argmax())
        assert sampler(logits.clone()) == expected
        before.append(expected)


def test_the_best_are_enough_or_the_whole_is_asked() -> None:
    """The short way and the long way are the same distribution; where it cannot be known the short way says so."""
    generator = torch.Generator().manual_seed(3)
    peaked, flat = torch.randn(5000, generator=generator) * 5, torch.zeros(5000)
    for chosen in (s.Settings(top_p=0.9), s.Settings(min_p=0.02)):
        short, whole = s.candidates(peaked, chosen, s.BEST), s.candidates(peaked, chosen, 5000)
        assert short and whole
        assert torch.equal(short[1], whole[1][: s.BEST])
        assert torch.allclose(short[0] / short[0].sum(), (whole[0] / whole[0].sum())[: s.BEST], atol=1e-7)
        assert float(whole[0][s.BEST :].sum()) == 0
        assert s.candidates(flat, chosen, s.BEST) is None
        assert s.candidates(flat, chosen, 5000) is not None


def chi_square(counts: list[int], probabilities: list[float]) -> float:
    total = sum(counts)
    return sum((n - total * p) ** 2 / (total * p) for n, p in zip(counts, probabilities, strict=True))


@pytest.mark.parametrize("chosen", [PLAIN, s.Settings(top_k=6), s.Settings(top_p=0.999999)], ids=["all", "k", "p"])
def test_draws_follow_the_distribution(chosen: s.Settings) -> None:
    """Fixed seed. 99.99 % of fair draws have a chi-square of 5 degrees of freedom below 25.7."""
    probabilities = [0.4, 0.3, 0.15, 0.1, 0.04, 0.01]
    sampler = s.Sampler(chosen, 12345, [], 1)
    drawn = collections.Counter(sampler(logits_of(*probabilities)) for _ in range(20_000))
    assert chi_square([drawn[i] for i in range(6)], probabilities) < 25.7


def test_the_chi_square_would_notice() -> None:
    sampler = s.Sampler(s.Settings(temperature=1.1), 12345, [], 1)
    probabilities = [0.4, 0.3, 0.15, 0.1, 0.04, 0.01]
    drawn = collections.Counter(sampler(logits_of(*probabilities)) for _ in range(20_000))
    assert chi_square([drawn[i] for i in range(6)], probabilities) > 25.7


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(any), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_nothing_without_weight_is_picked(weights: list[float], uniform: float) -> None:
    assert weights[s.pick(torch.tensor(weights, dtype=torch.float64), uniform)] > 0


def test_the_ends_of_the_unit_interval() -> None:
    weights = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.0], dtype=torch.float64)
    assert s.pick(weights, 0.0) == 1
    assert s.pick(weights, math.nextafter(1.0, 0.0)) == 3


def test_seeds_and_the_global_generator() -> None:
    logits = torch.zeros(1000)

    def draws(seed: int) -> list[int]:
        sampler = s.Sampler(PLAIN, seed, [], 1)
        return [sampler(logits) for _ in range(20)]

    before = torch.get_rng_state()
    assert draws(7) == draws(7) != draws(8)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "chosen",
    [s.Settings(temperature=0), PLAIN, s.Settings(top_k=3), s.Settings(top_p=0.9), s.Settings(typical_p=0.5)],
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_said(chosen: s.Settings, bad: float) -> None:
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    logits[17] = bad
    with pytest.raises(StudioError, match="no number") as caught:
        s.Sampler(chosen, 0, [], 1)(logits)
    assert caught.value.code == "not-finite"


def test_banned_tokens_stay_banned_and_the_coldest_is_greedy() -> None:
    logits = torch.tensor([-math.inf, 1.0, 1.001, -math.inf])
    for chosen in (PLAIN, s.Settings(top_k=4), s.Settings(top_p=0.99), s.Settings(typical_p=0.9)):
        sampler = s.Sampler(chosen, 1, [], 1)
        assert {sampler(logits) for _ in range(50)} <= {1, 2}
    cold = s.Sampler(s.Settings(temperature=1e-300, top_p=0.9), 1, [], 1)
    assert {cold(logits) for _ in range(20)} == {2}
