"""The sampler of a request: what it draws, what it remembers, and the record of each token."""

import collections
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as hf

from plugins.text import choice, ranking
from plugins.text.candidates import Candidates
from plugins.text.lexicon import Lexicon
from plugins.text.marks import TokenMarks
from plugins.text.params_sampling import SamplingParams
from plugins.text.ranking import Ranking, Survey
from plugins.text.records import TokenRecord
from plugins.text.sampler import Sampler
from plugins.text.stages import StageName
from studio.errors import StudioError

pytestmark = pytest.mark.worker
OFF: dict[str, Any] = {"temperature": 1.0, "top_k": 0}
CHANCES = [0.4, 0.3, 0.15, 0.1, 0.04, 0.01]
EVERYTHING: dict[str, Any] = {
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.1,
    "dry_multiplier": 0.8,
    "dry_breakers": [":"],
    "no_repeat": 4,
    "top_n_sigma": 2.5,
    "top_k": 60,
    "typical_p": 0.95,
    "top_p": 0.95,
    "min_p": 0.01,
    "xtc_probability": 0.5,
    "temperature": 1.2,
    "dynamic_range": 0.3,
    "mirostat_tau": 4,
}


class Words(Lexicon):
    """A lexicon without a tokenizer."""

    def __init__(self, size: int, marks: TokenMarks | None = None):
        super().__init__(None, size)
        self._marks = marks or TokenMarks(size)

    def marks(self, settings: SamplingParams) -> TokenMarks:
        return self._marks


def sampler(seed: int = 0, size: int = 6, before: tuple[int, ...] = (), **values: Any) -> Sampler:
    return Sampler(SamplingParams.load({**OFF, **values}), seed, Words(size), before)


def logits_of(*probabilities: float) -> torch.Tensor:
    return torch.log(torch.tensor(probabilities))


def chi_square(counts: collections.Counter[int], probabilities: list[float]) -> float:
    total = sum(counts.values())
    return sum((counts[i] - total * p) ** 2 / (total * p) for i, p in enumerate(probabilities))


def test_draws_follow_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed seed. 99.99 % of fair draws have a chi-square of 5 degrees of freedom below 25.7; a wrong one has more."""
    monkeypatch.setattr(ranking, "BEST", 2)
    logits, fair, hot = logits_of(*CHANCES), sampler(12345), sampler(12345, temperature=1.4)
    assert chi_square(collections.Counter(fair(logits).token for _ in range(1200)), CHANCES) < 25.7
    assert chi_square(collections.Counter(hot(logits).token for _ in range(1200)), CHANCES) > 25.7


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20).filter(any), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_nothing_without_weight_is_picked(weights: list[float], uniform: float) -> None:
    found = choice.pick(np.array(weights), uniform)
    assert found is not None and weights[found] > 0


def test_the_ends_of_the_unit_interval() -> None:
    weights = np.array([0.0, 0.1, 0.2, 0.3, 0.0])
    assert choice.pick(weights, 0.0) == 1
    assert choice.pick(weights, math.nextafter(1.0, 0.0)) == 3
    assert choice.pick(weights, 0.5, total=2.0) is None


def test_the_same_number_chooses_the_same_however_many_candidates_there_are_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And evenly spread numbers choose every token as often as it is likely."""
    logits = (torch.randn(400, generator=torch.Generator().manual_seed(3)) * 2).round(decimals=1)
    chosen: list[list[int]] = []
    for best in (1, 7, 400):
        monkeypatch.setattr(ranking, "BEST", best)
        chosen.append([])
        for step in range(200):
            candidates = Candidates.of(logits)
            place = choice.draw(candidates, (step + 0.5) / 200)
            chosen[-1].append(int(candidates.ids[place]))
    assert chosen[0] == chosen[1] == chosen[2]
    counted, chances = collections.Counter(chosen[0]), logits.softmax(0)
    assert all(abs(counted[token] - 200 * float(chances[token])) < 1 for token in range(400))


def test_seeds_and_the_global_generator() -> None:
    logits = torch.randn(1000, generator=torch.Generator().manual_seed(0))

    def draws(seed: int) -> list[int]:
        made = sampler(seed, 1000, (5, 6, 7), **EVERYTHING)
        return [made(logits).token for _ in range(20)]

    before, kept = torch.get_rng_state(), logits.clone()
    assert draws(7) == draws(7) != draws(8)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(logits, kept)


@pytest.mark.parametrize(("values", "each"), [({}, 1), ({"xtc_probability": 0.1}, 2), ({"temperature": 0}, 0)])
def test_each_token_draws_as_many_numbers_whatever_the_logits(values: dict[str, Any], each: int) -> None:
    made, generator = sampler(9, **values), torch.Generator().manual_seed(9)
    for logits in (torch.zeros(6), logits_of(1, 0, 0, 0, 0, 0), logits_of(*CHANCES)):
        made(logits)
        for _ in range(each):
            torch.rand((), generator=generator, dtype=torch.float64)
        assert torch.equal(made._generator.get_state(), generator.get_state())


def test_a_fork_goes_on_from_here_and_leaves_the_other_as_it_is() -> None:
    generator = torch.Generator().manual_seed(1)
    stream = [torch.randn(50, generator=generator) * 2 for _ in range(60)]
    one, alone = (sampler(1, 50, (3, 4, 3), **EVERYTHING) for _ in range(2))
    begun = [one(logits).token for logits in stream[:20]]
    assert begun == [alone(logits).token for logits in stream[:20]]
    forks = [one.fork(seed) for seed in (5, 5, 6)]
    first, second, third = ([fork(logits).token for logits in stream[20:]] for fork in forks)
    assert first == second != third
    assert [one(logits).token for logits in stream[20:]] == [alone(logits).token for logits in stream[20:]]


def test_greedy_takes_the_likeliest_of_what_the_chain_leaves() -> None:
    """Penalties count prompt and text as transformers does; the smaller number wins among equals."""
    made, before = sampler(0, 40, (5, 5, 9), temperature=0, repetition_penalty=1.3), [5, 5, 9]
    generator = torch.Generator().manual_seed(1)
    penalty: Any = hf.RepetitionPenaltyLogitsProcessor(1.3)
    for _ in range(50):
        logits = torch.randn(40, generator=generator) * 2
        expected = int(penalty(torch.tensor([before]), logits[None].clone()).argmax())
        found = made(logits)
        assert found.token == expected
        assert (found.record.after, found.record.survivors) == (0.0, 1)
        before.append(expected)
    assert sampler(temperature=0, order=["temperature"])(torch.tensor([0.0, 3, 1, 3, 3, 2])).token == 1
    without_top = sampler(temperature=0, xtc_probability=1, xtc_threshold=0.09, order=["temperature", "xtc"])
    assert without_top(logits_of(*CHANCES)).token == 3


def test_a_stage_that_is_not_in_the_order_is_off() -> None:
    assert {sampler(seed, top_k=1, order=["top_p"])(torch.zeros(6)).token for seed in range(40)} == set(range(6))


FEW: list[dict[str, Any]] = [{"temperature": 0}, {}, {"top_k": 3}, {"top_p": 0.9}, {"typical_p": 0.5}]


@pytest.mark.parametrize("values", FEW)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_said(values: dict[str, Any], bad: float) -> None:
    logits = torch.randn(50, generator=torch.Generator().manual_seed(0))
    logits[17] = bad
    for given_ in (logits, torch.full((50,), -math.inf)):
        with pytest.raises(StudioError, match="no number") as caught:
            sampler(0, 50, **values)(given_)
        assert caught.value.code == "not-finite"


def test_forbidden_tokens_stay_forbidden_and_the_coldest_is_greedy() -> None:
    logits = torch.tensor([-math.inf, 1.0, 1.001, -math.inf])
    for values in [*FEW[1:4], {"typical_p": 0.9}, {"top_n_sigma": 9}, {"min_p": 1e-9}]:
        made = sampler(1, 4, **values)
        assert {made(logits).token for _ in range(50)} == {1, 2}
    cold = sampler(1, 4, temperature=1e-300, top_p=0.9)
    assert {cold(logits).token for _ in range(20)} == {2}


def test_mirostat_holds_the_surprise_where_it_was_told_to() -> None:
    """A flat distribution surprises by 10 bits a token; held at 3 it does by 3, on average."""
    logits = torch.randn(1024, generator=torch.Generator().manual_seed(0)) / 4
    made = sampler(4, 1024, mirostat_tau=3, mirostat_eta=0.2)
    surprises = [-made(logits).record.after / math.log(2) for _ in range(400)][100:]
    assert sum(surprises) / 300 == pytest.approx(3, abs=0.1)
    assert sampler(4, 1024)(logits).record.after / -math.log(2) > 8


def test_the_record_says_what_the_model_and_what_the_chain_thought() -> None:
    logits = torch.randn(5000, generator=torch.Generator().manual_seed(2)) * 3
    truth = logits.double().log_softmax(0)
    ranks = torch.argsort(logits, descending=True).argsort() + 1
    for seed, values in itertools.product(range(8), ({"top_k": 5, "temperature": 2}, {"temperature": 1.4})):
        found = sampler(seed, 5000, (1, 2), presence_penalty=5, **values)(logits)
        record = found.record
        assert record.token == found.token
        assert record.before == pytest.approx(float(truth[found.token]), abs=1e-4)
        assert record.rank == int(ranks[found.token])
        assert record.entropy == pytest.approx(float(-(truth.exp() * truth).sum()), abs=1e-4)
        assert record.survivors == (5 if "top_k" in values else 5000)
        shown = {other.token: other for other in record.alternatives}
        assert shown[found.token].after == record.after and len(shown) == 14
        assert {int(i) for i in torch.topk(logits, 8).indices} <= set(shown)
        assert all(other.before == pytest.approx(float(truth[t]), abs=1e-4) for t, other in shown.items())
        left = [other for other in record.alternatives if other.after > -math.inf]
        if "top_k" in values:
            assert sum(math.exp(other.after) for other in left) == pytest.approx(1)
        assert len(TokenRecord.unpack(record.pack()).alternatives) == 14


def test_a_favourite_that_was_cut_is_still_told_of() -> None:
    chosen = SamplingParams.load({**OFF, "logit_bias": [{"token": "#0"}], "order": ["bias"]})
    made = Sampler(chosen, 0, Words(6, TokenMarks(6, {0: -math.inf})), [])
    alternatives = {other.token: other for other in made(logits_of(*CHANCES)).record.alternatives}
    assert alternatives[0].after == -math.inf and alternatives[0].before == pytest.approx(math.log(0.4))
    assert alternatives[1].after == pytest.approx(math.log(0.5))


LOGIT = st.floats(-(2.0**90), 2.0**90, width=32) | st.sampled_from([0.0, -0.0, -math.inf])


@given(st.lists(LOGIT, min_size=1, max_size=60))
@settings(deadline=None)
def test_a_ranking_is_a_stable_sort(values: list[float]) -> None:
    logits = torch.tensor(values)
    expected = torch.sort(logits.double(), descending=True, stable=True)
    finite = int((logits > -math.inf).sum())
    for count in (1, 5, 60):
        found = Ranking.of(logits, count)
        few = found.favourites(3)
        ids, ranked = found.ranked()
        assert len(ids) >= min(count, finite)
        assert ids.tolist() == expected.indices[: len(ids)].tolist()
        assert ranked.tolist() == expected.values[: len(ids)].tolist()
        assert bool((logits >= found.floor).sum() == len(ids))
        assert logits[few].tolist() == ranked[:3].tolist()


def test_a_ranking_of_unevenly_spread_logits_stays_small() -> None:
    """Every sixteenth one is looked at; here those are the lowest."""
    logits = torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    logits[::16] -= 100
    found = Ranking.of(logits, 1024)
    assert found.ranked()[0].tolist() == torch.topk(logits, 1024).indices.tolist()


def test_the_survey_is_the_entropy() -> None:
    logits = torch.randn(3000, generator=torch.Generator().manual_seed(0)) * 5
    for forbidden in (0, 10):
        logits[:forbidden] = -math.inf
        truth = torch.distributions.Categorical(logits=logits.double())
        found = Survey.of(logits, float(logits.max()))
        assert found.entropy == pytest.approx(float(truth.entropy()), rel=1e-5)
        assert found.log_total == pytest.approx(float(logits.double().logsumexp(0)), rel=1e-6)


def test_every_stage_is_on_in_the_whole_chain_of_these_tests() -> None:
    assert set(SamplingParams.load(EVERYTHING).working()) == set(StageName) - {StageName.BIAS}
