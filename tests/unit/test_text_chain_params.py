"""The settings of the sampler chain: orders, what is off, what is refused, and old recipes."""

import itertools

import pytest

from plugins.text.params_sampling import SamplingParams, Structure
from plugins.text.presets import PRESETS
from plugins.text.stages import DEFAULT_ORDER, ORDERS, TRANSFORMERS_ORDER, StageName
from studio.cli import flags
from studio.errors import StudioError

pytestmark = pytest.mark.unit
ON = {
    StageName.PENALTIES: {"presence_penalty": 0.5},
    StageName.DRY: {"dry_multiplier": 0.8},
    StageName.NO_REPEAT: {"no_repeat": 3},
    StageName.BIAS: {"logit_bias": [{"token": "#1", "bias": 1}]},
    StageName.TOP_N_SIGMA: {"top_n_sigma": 1.0},
    StageName.TOP_K: {"top_k": 5},
    StageName.TYPICAL_P: {"typical_p": 0.9},
    StageName.TOP_P: {"top_p": 0.9},
    StageName.MIN_P: {"min_p": 0.1},
    StageName.XTC: {"xtc_probability": 0.5},
    StageName.TEMPERATURE: {"temperature": 0.5},
    StageName.MIROSTAT: {"mirostat_tau": 5.0},
}
OFF = {"temperature": 1, "top_k": 0}


def test_each_stage_is_on_by_its_own_setting_and_named_when_it_is_not_in_the_chain() -> None:
    assert set(ON) == set(StageName)
    assert SamplingParams.load(OFF).working() == []
    for stage, values in ON.items():
        assert SamplingParams.load({**OFF, **values}).working() == [stage]
        without = SamplingParams.load({**OFF, **values, "order": [s for s in StageName if s is not stage]})
        assert (without.working(), without.unheard()) == ([], [stage])


def test_every_order_names_every_stage_once_and_the_default_is_that_of_llama_cpp() -> None:
    assert all(sorted(order) == sorted(StageName) for order in ORDERS.values())
    assert SamplingParams().order == list(DEFAULT_ORDER)
    cuts = ["top_n_sigma", "top_k", "typical_p", "top_p", "min_p", "xtc", "temperature"]
    assert [stage for stage in DEFAULT_ORDER if stage in cuts] == cuts
    warpers = ["temperature", "top_k", "top_p", "min_p", "typical_p"]
    assert [stage for stage in TRANSFORMERS_ORDER if stage in warpers] == warpers


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"order": ["top_k", "top_kk"]}, "order", "'top_kk' is no stage of the chain; the stages are penalties, dry"),
        ({"order": ["top_k", "min_p", "top_k"]}, "order", "'top_k' stands in the order twice"),
        ({"order": [7]}, "order", "'7' is no stage"),
        ({"structure": "json-schema"}, "grammar", "the structure is json-schema, and there is none"),
        ({"structure": "json-schema", "grammar": "{a"}, "grammar", "no JSON"),
        ({"structure": "json-schema", "grammar": "[1]"}, "grammar", "a JSON schema is an object, this is list"),
        ({"structure": "json-schema", "grammar": "[" * 100_000}, "grammar", "nested too deeply"),
        ({"structure": "regex", "grammar": "  "}, "grammar", "there is none"),
        ({"dry_breakers": ["a", ""]}, "dry_breakers", "may not be empty"),
        ({"logit_bias": [{"token": ""}]}, "logit_bias.0.token", "at least 1 character"),
        ({"logit_bias": [{"token": "a", "bias": -101}]}, "logit_bias.0.bias", "-100"),
        ({"guidance": -1}, "guidance", "0"),
        ({"mirostat_eta": 0}, "mirostat_eta", "greater than 0"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(values: dict, field: str, words: str) -> None:
    with pytest.raises(StudioError) as caught:
        SamplingParams.load(values)
    assert words in caught.value.problems[field]  # type: ignore[attr-defined]


def test_a_grammar_is_kept_while_the_structure_is_free() -> None:
    params = SamplingParams.load({"grammar": "{half"})
    assert (params.structure, params.grammar) == (Structure.FREE, "{half")


def test_an_order_survives_json_and_an_empty_one_is_one() -> None:
    for order in itertools.islice(itertools.permutations(StageName), 0, 5000, 997):
        params = SamplingParams(order=list(order))
        assert SamplingParams.load(params.model_dump(mode="json")) == params
    assert SamplingParams(order=[], top_p=0.5).working() == []


def test_greedy_only_where_the_temperature_is_in_the_chain() -> None:
    assert SamplingParams(temperature=0).greedy
    assert not SamplingParams(temperature=0, order=[StageName.TOP_K]).greedy
    assert not SamplingParams(temperature=1e-9).greedy


def test_breakers_are_written_with_escapes() -> None:
    assert SamplingParams().breakers() == ("\n", ":", '"', "*")


def test_the_help_of_the_command_line_names_the_stages_in_order() -> None:
    text = flags.help_text("text.x", "X", "Writes.", SamplingParams)
    assert f"default {', '.join(DEFAULT_ORDER)}\n" in text


def test_presets_load_and_leave_no_stage_unheard() -> None:
    for name, values in PRESETS.items():
        params = SamplingParams.load(values)
        assert params.working() and not params.unheard(), name
    assert StageName.XTC in SamplingParams.load(PRESETS["Surprises"]).working()
