"""The stages against transformers' processors and numbers worked out by hand, and the chain against a plain one."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as hf

from plugins.text import chain_filters, chain_lab, ranking
from plugins.text.chain_shape import dynamic_temperature
from plugins.text.chain_trace import trace
from plugins.text.guidance import guided
from plugins.text.marks import TokenMarks
from plugins.text.params_sampling import SamplingParams
from plugins.text.stages import TRANSFORMERS_ORDER, StageName
from plugins.text.traces import ABSENT, IDLE, StageTrace
from studio.errors import StudioError

pytestmark = pytest.mark.worker
OFF: dict[str, Any] = {"temperature": 1.0, "top_k": 0}


def params(**values: Any) -> SamplingParams:
    return SamplingParams.load({**OFF, **values})


def logits_of(*probabilities: float) -> torch.Tensor:
    return torch.log(torch.tensor(probabilities))


def left(scores: Any, chosen: SamplingParams, before: list[int] | None = None, **more: Any) -> dict[int, float]:
    """Each token that the chain leaves and its probability."""
    marks = more.pop("marks", TokenMarks(len(scores) if isinstance(scores, torch.Tensor) else 100))
    last = trace(scores, chosen, marks, before or [], most=100_000, **more)[-1]
    found = dict(zip(last.ids, last.probabilities, strict=True))
    assert last.kept >= len(found)
    return found


def reference(logits: torch.Tensor, processors: list[Any], before: list[int] | None = None) -> dict[int, float]:
    """The same by transformers."""
    scores = logits[None].double()
    for processor in processors:
        scores = processor(torch.tensor([before or [0]]), scores)
    return {i: float(p) for i, p in enumerate(scores.softmax(-1)[0]) if p > 0}


def same(found: dict[int, float], expected: dict[int, float], what: Any = None) -> None:
    assert set(found) == set(expected), what
    assert found == pytest.approx(expected, rel=2e-4, abs=1e-9), what


AS_TRANSFORMERS = [
    ({"temperature": heat, "top_k": k, "top_p": p, "min_p": share, "typical_p": typical}, k or p < 1 or share)
    for heat, k, p, share, typical in itertools.product((0.7, 1.6), (0, 40), (1.0, 0.9), (0.0, 0.05), (1.0, 0.7))
]


@pytest.mark.parametrize("spread", [1.0, 4.0])
@pytest.mark.parametrize("vocabulary", [300, 5000])
def test_the_same_tokens_stay_as_with_transformers(vocabulary: int, spread: float) -> None:
    """Both where the best decide and where the whole vocabulary must be sorted."""
    generator = torch.Generator().manual_seed(vocabulary)
    for values, cuts in AS_TRANSFORMERS:
        if not cuts and values["typical_p"] == 1:
            continue
        logits = torch.randn(vocabulary, generator=generator) * spread
        steps: list[Any] = [hf.TemperatureLogitsWarper(values["temperature"])]
        steps += [hf.TopKLogitsWarper(values["top_k"])] if values["top_k"] else []
        steps += [hf.TopPLogitsWarper(values["top_p"])] if values["top_p"] < 1 else []
        steps += [hf.MinPLogitsWarper(values["min_p"])] if values["min_p"] else []
        steps += [hf.TypicalLogitsWarper(values["typical_p"])] if values["typical_p"] < 1 else []
        chosen = params(**values, order=list(TRANSFORMERS_ORDER))
        same(left(logits, chosen), reference(logits, steps), values)


def test_what_looks_back_does_as_transformers() -> None:
    """Repetition penalty, no-repeat and bias; the tail of the vocabulary is told too."""
    generator = torch.Generator().manual_seed(1)
    before = torch.randint(0, 12, (60,), generator=generator).tolist()
    logits = torch.randn(50, generator=generator) * 2
    bias = {3: 2.5, 49: -4.0, 7: -math.inf}
    pairs: list[tuple[dict[str, Any], Any]] = [
        ({"repetition_penalty": 1.3}, hf.RepetitionPenaltyLogitsProcessor(1.3)),
        ({"repetition_penalty": 0.8}, hf.RepetitionPenaltyLogitsProcessor(0.8)),
        ({"no_repeat": 1}, hf.NoRepeatNGramLogitsProcessor(1)),
        ({"no_repeat": 3}, hf.NoRepeatNGramLogitsProcessor(3)),
        (
            {"logit_bias": [{"token": "#3"}]},
            hf.SequenceBiasLogitsProcessor([[[t], v] for t, v in bias.items()]),
        ),
    ]
    for values, processor in pairs:
        expected = reference(logits.clone(), [processor], before)
        same(left(logits, params(**values), before, marks=TokenMarks(50, bias)), expected, values)


def test_presence_and_frequency_by_hand() -> None:
    """OpenAI: logit - presence for each that occurred - frequency for each time."""
    logits = torch.tensor([2.0, -2.0, 1.0, 0.5])
    expected = torch.tensor([2.0 - 0.5 - 3 * 0.25, -2.0 - 0.5 - 0.25, 1.0, 0.5]).softmax(0)
    chosen = params(presence_penalty=0.5, frequency_penalty=0.25)
    same(left(logits, chosen, [0, 1, 0, 0]), dict(enumerate(expected.tolist())))
    expected = torch.tensor([2.0 - 0.5 - 0.25, -2.0, 1.0, 0.5]).softmax(0)
    same(left(logits, chosen.model_copy(update={"penalty_window": 1}), [0, 1, 0]), dict(enumerate(expected.tolist())))
    same(
        left(logits, chosen.model_copy(update={"penalise_prompt": False}), [1, 1], text=[0]),
        dict(enumerate(expected.tolist())),
    )


def test_dry_by_hand() -> None:
    """After 1 2 3 4 … 1 2 3 the 4 would make it a repeat of 4: 0.8 * 1.75 ** (3 - 2) is taken off it."""
    logits = torch.zeros(6)
    expected = torch.tensor([0, 0, 0, 0, -0.8 * 1.75, 0]).softmax(0)
    text = [1, 2, 3, 4, 5, 1, 2, 3]
    same(left(logits, params(dry_multiplier=0.8), text), dict(enumerate(expected.tolist())))
    broken = left(logits, params(dry_multiplier=0.8), text, marks=TokenMarks(6, breakers=frozenset([2])))
    same(broken, dict.fromkeys(range(6), 1 / 6))
    # A run without end costs a number, not infinity.
    run = left(logits, params(dry_multiplier=0.8, dry_base=8), [5] * 2000)
    assert run == pytest.approx({**dict.fromkeys(range(5), 0.2), 5: 0.0})


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.75}, {0, 1}),
        ({"top_p": 0.8}, {0, 1, 2}),
        ({"top_p": 1e-6}, {0}),
        ({"min_p": 0.25}, {0, 1, 2}),
        ({"min_p": 0.31}, {0, 1}),
        ({"min_p": 1}, {0}),
        # Entropy 1.168 nats; surprises 0.693, 1.347, 1.897, 2.408: nearest first are the second and the first.
        ({"typical_p": 0.2}, {1}),
        ({"typical_p": 0.5}, {0, 1}),
        ({"typical_p": 0.8}, {0, 1, 2}),
        # Logits -0.693, -1.347, -1.897, -2.408: sigma 0.638.
        ({"top_n_sigma": 1}, {0}),
        ({"top_n_sigma": 1.1}, {0, 1}),
        ({"top_n_sigma": 2}, {0, 1, 2}),
        # XTC acts at chance 0: of those from 0.14 on only the least likely one stays.
        ({"xtc_probability": 1, "xtc_threshold": 0.14}, {2, 3}),
        ({"xtc_probability": 1, "xtc_threshold": 0.2}, {1, 2, 3}),
        ({"xtc_probability": 1, "xtc_threshold": 0.4}, {0, 1, 2, 3}),
        # Surprises 1, 1.94, 2.74, 3.47 bits against mu = 2 tau.
        ({"mirostat_tau": 0.4}, {0}),
        ({"mirostat_tau": 1}, {0, 1}),
        ({"mirostat_tau": 1.5}, {0, 1, 2}),
    ],
)
def test_cuts_by_hand(values: dict[str, Any], kept: set[int]) -> None:
    weights = {0: 0.5, 1: 0.26, 2: 0.15, 3: 0.09}
    expected = {token: weights[token] / sum(weights[i] for i in kept) for token in kept}
    same(left(logits_of(*weights.values()), params(**values)), expected)


def test_xtc_spares_what_is_protected_and_acts_by_chance() -> None:
    logits, chosen = logits_of(0.5, 0.3, 0.15, 0.05), params(xtc_probability=0.3, xtc_threshold=0.09)
    marks = TokenMarks(4, protected=frozenset([0]))
    assert set(left(logits, chosen, marks=marks)) == {0, 2, 3}
    assert set(left(logits, chosen, chance=0.29)) == {2, 3}
    assert set(left(logits, chosen, chance=0.3)) == {0, 1, 2, 3}


def test_temperature_and_dynamic_temperature_by_hand() -> None:
    """Half the temperature squares the odds. At the greatest entropy it is the highest, at none the lowest."""
    same(left(logits_of(0.6, 0.3, 0.1), params(temperature=0.5)), {0: 36 / 46, 1: 9 / 46, 2: 1 / 46})
    assert dynamic_temperature(1.0, 0.4, 1.0, math.log(4), 4) == pytest.approx(1.4)
    assert dynamic_temperature(1.0, 0.4, 3.0, 0.0, 4) == pytest.approx(0.6)
    assert dynamic_temperature(1.0, 0.4, 2.0, math.log(2), 4) == pytest.approx(0.6 + 0.8 / 4)
    assert dynamic_temperature(0.3, 0.4, 1.0, 0.0, 4) == 1e-6
    flat = torch.zeros(8)
    flat[0] = 1e-3
    two, one = left(flat, params(temperature=1.5, dynamic_range=0.5)), left(flat, params(temperature=2))
    same(two, one)


def test_mirostat_learns_towards_its_measure() -> None:
    assert chain_filters.mirostat_next(6.0, 5.0, 3.0, 0.1) == pytest.approx(5.8)
    assert chain_filters.mirostat_next(6.0, 1.0, 3.0, 0.1) == pytest.approx(6.2)


def test_guidance_does_as_transformers() -> None:
    one, other = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    given = [one.log_softmax(-1), other.log_softmax(-1)]
    for scale in (0.0, 1.0, 1.5, 4.0):
        assert torch.allclose(guided(one, other, scale), given[1] + scale * (given[0] - given[1]), atol=1e-5)
    processor = hf.UnbatchedClassifierFreeGuidanceLogitsProcessor(1.5, model=None, unconditional_ids=None)
    processor.get_unconditional_logits = lambda ids: other[None, None]  # type: ignore[method-assign]
    assert torch.allclose(guided(one, other, 1.5), processor(torch.tensor([[0]]), one[None])[0], atol=1e-5)
    one[3] = other[5] = -math.inf
    forbidden = guided(one, other, 2.0)
    assert forbidden[3] == -math.inf and not forbidden.isnan().any()


def test_stages_that_are_off_say_why() -> None:
    chosen = params(top_k=3, order=["min_p", "top_k"], xtc_probability=0.5)
    found = trace(torch.zeros(9), chosen, TokenMarks(9))
    assert [(seen.stage, seen.off, seen.kept) for seen in found[:3]] == [
        (None, "", 9),
        (StageName.MIN_P, IDLE, 9),
        (StageName.TOP_K, "", 3),
    ]
    assert {seen.stage for seen in found[3:]} == set(StageName) - {StageName.MIN_P, StageName.TOP_K}
    assert {seen.off for seen in found[3:]} == {ABSENT} and {seen.kept for seen in found[3:]} == {3}


@pytest.mark.parametrize(
    ("values", "stage"), [({"no_repeat": 1}, "no_repeat"), ({"logit_bias": [{"token": "#0"}]}, "bias")]
)
def test_a_stage_that_forbids_all_is_named(values: dict[str, Any], stage: str) -> None:
    marks = TokenMarks(3, dict.fromkeys(range(3), -math.inf))
    for scores in (torch.zeros(3), ([0, 1, 2], [0.0, 0.0, 0.0])):
        with pytest.raises(StudioError, match=f"After the stage '{stage}'") as caught:
            trace(scores, params(**values), marks, [0, 1, 2])
        assert caught.value.code == "nothing-left"


# Numbers that no simple distribution meets exactly: there rounding alone would decide.
VALUES = {
    "temperature": [0.37, 0.83, 1.71],
    "dynamic_range": [0, 0.41],
    "top_k": [0, 3, 11],
    "top_p": [1, 0.4719, 0.8731],
    "min_p": [0, 0.0773, 0.4137],
    "typical_p": [1, 0.4127, 0.8871],
    "top_n_sigma": [0, 0.7313, 2.1371],
    "xtc_probability": [0, 1],
    "xtc_threshold": [0.0731, 0.2371],
    "mirostat_tau": [0, 0.7313, 2.1373],
    "repetition_penalty": [1, 1.27],
    "presence_penalty": [0, 0.613, -0.813],
    "frequency_penalty": [0, 0.217],
    "penalty_window": [0, 3],
    "dry_multiplier": [0, 0.81],
    "no_repeat": [0, 2],
    "logit_bias": [[], [{"token": "#0"}]],
}
marks_of = st.builds(
    TokenMarks,
    st.just(40),
    st.dictionaries(st.integers(0, 39), st.sampled_from([-math.inf, -2.3, 1.7, 6.1]), max_size=4),
    st.frozensets(st.integers(0, 39), max_size=2),
    st.frozensets(st.integers(0, 39), max_size=3),
)
settings_of = st.fixed_dictionaries(
    {
        **{name: st.sampled_from(values) for name, values in VALUES.items()},
        "order": st.lists(st.sampled_from(list(StageName)), unique=True, max_size=12),
    }
)
scores_of = st.lists(st.floats(-12, 12, width=32) | st.sampled_from([-math.inf, 2.0, 5.0]), min_size=40, max_size=40)


def told(found: list[StageTrace]) -> list[tuple[StageName | None, str, int]]:
    return [(seen.stage, seen.off, seen.kept) for seen in found]


@given(scores_of, settings_of, marks_of, st.lists(st.integers(0, 39), max_size=30))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_chain_over_a_few_candidates_is_the_plain_one_over_all(
    monkeypatch: pytest.MonkeyPatch, scores: list[float], values: dict[str, Any], marks: TokenMarks, before: list[int]
) -> None:
    """The plain one (chain_lab) computes every stage over the whole vocabulary, in pure Python."""
    if max(scores) == -math.inf:
        scores[0] = 0.0
    monkeypatch.setattr(ranking, "BEST", 4)
    chosen = SamplingParams.load(values)
    try:
        expected = chain_lab.trace(range(40), scores, chosen, marks, before)
    except StudioError as error:
        with pytest.raises(StudioError, match=error.title):
            trace(torch.tensor(scores), chosen, marks, before)
        return
    for found in (
        trace(torch.tensor(scores), chosen, marks, before),
        trace((range(40), scores), chosen, marks, before),
    ):
        assert told(found) == told(expected)
        for mine, other in zip(found, expected, strict=True):
            chances = dict(zip(other.ids, other.probabilities, strict=True))
            assert sorted(mine.probabilities, reverse=True) == list(mine.probabilities)
            for token, probability in zip(mine.ids, mine.probabilities, strict=True):
                assert probability == pytest.approx(chances[token], rel=1e-4, abs=1e-7)
