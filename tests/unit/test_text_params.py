"""What text.generate accepts, and its estimate against numbers worked out by hand."""

import pytest

from plugins.text import params as p
from plugins.text.params_engine import EngineParams
from plugins.text.params_sampling import SamplingParams
from plugins.text.stages import DEFAULT_ORDER, TRANSFORMERS_ORDER
from studio.errors import StudioError
from studio.sdk.fields import describe
from studio.sdk.operation import ModelInfo
from studio.sdk.params import SEED_LIMIT, Density

pytestmark = pytest.mark.unit


def test_the_form_has_the_agreed_simple_fields() -> None:
    fields = {field.name: field for field in describe(p.Generate)}
    simple = [name for name, field in fields.items() if field.ui.density is Density.SIMPLE]
    assert simple == ["prompt", "model", "max_tokens", "temperature", "top_p", "seed"]
    assert list(fields)[:4] == ["prompt", "model", "max_tokens", "stop"] and list(fields)[-2:] == ["seed", "count"]
    inherited = set(SamplingParams.model_fields) | set(EngineParams.model_fields)
    assert set(fields) - set(simple) - {"stop", "count"} == inherited - {"temperature", "top_p"}
    assert fields["model"].ui.choices_from == "hub:text-generation"
    assert (fields["max_tokens"].minimum, fields["max_tokens"].maximum, fields["max_tokens"].default) == (1, 8192, 200)
    assert all(field.description for field in fields.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 8193),
        ("temperature", -0.1),
        ("temperature", 5.1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", 1001),
        ("min_p", -0.1),
        ("typical_p", 0.0),
        ("repetition_penalty", 0.4),
        ("seed", -1),
        ("stop", [""]),
        ("stop", ["a\0"]),
        ("prompt", "one\0two"),
        ("prompt", "half \ud83e of a fox"),
        ("stop", ["\udd8a"]),
    ],
)
def test_values_out_of_range_are_named(name: str, value: object) -> None:
    with pytest.raises(StudioError) as caught:
        p.Generate.load({name: value})
    assert name in caught.value.problems  # type: ignore[attr-defined]


@pytest.mark.parametrize("typical", [1.0, 0.4])
@pytest.mark.parametrize("heat", [0.0, 0.9])
def test_recipes_of_before_there_was_an_order_keep_the_order_they_were_made_with(heat: float, typical: float) -> None:
    """At temperature 0 typical-p was not asked; in a chain it would be."""
    old = {"prompt": "x", "temperature": heat, "top_k": 5, "typical_p": typical, "repetition_penalty": 1.2, "seed": 3}
    found = p.Generate.load(old, 1)
    assert found.order == list(TRANSFORMERS_ORDER)
    assert found.typical_p == (typical if heat else 1.0)
    kept = {name: value for name, value in old.items() if name != "typical_p"}
    assert {name: getattr(found, name) for name in kept} == kept
    assert p.Generate.load({"prompt": "x"}, 2).order == list(DEFAULT_ORDER)


def test_a_nul_says_where_it_is() -> None:
    with pytest.raises(StudioError, match="position 3"):
        p.Generate.load({"prompt": "one\0two"})


def test_escapes_in_stop_strings() -> None:
    params = p.Generate(stop=[r"\n\n", r"a\tb", r"\\n", r"C:\dir", "end\\", "real\nbreak"])
    assert params.stops() == ["\n\n", "a\tb", r"\n", r"C:\dir", "end\\", "real\nbreak"]


def _info(config: dict, **rest: object) -> ModelInfo:
    return ModelInfo("m", "/m", "text-generation", config=config, **rest)  # type: ignore[arg-type]


GQA = {
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "max_position_embeddings": 2048,
    "vocab_size": 32000,
}


def test_the_estimate_of_a_grouped_query_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "run_bytes", lambda: 4)
    info = _info(GQA, size=2_200_000_000, dtype="bfloat16")
    found = p.estimate(p.Generate(prompt="x" * 198, max_tokens=100), lambda ref: info)
    # 198 bytes count as 100 tokens; heads of 64; 4 bytes each in float32.
    assert found.parts["key-value cache"] == 2 * 22 * 4 * 64 * 4 * 200
    assert found.weights == 4_400_000_000
    assert found.total == sum(found.parts.values())
    assert found.rungs


def test_the_estimate_of_several_at_once_with_guidance_a_draft_and_packed_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(p, "run_bytes", lambda: 2)
    known = {"large": _info(GQA, size=2_200_000_000, dtype="bfloat16"), "small": _info(GQA, size=200, dtype="bfloat16")}

    def parts(**asked: object) -> dict[str, int]:
        params = p.Generate(prompt="x" * 198, max_tokens=100, model="large", draft="small", **asked)  # type: ignore[arg-type]
        return p.estimate(params, known.get).parts

    exact = 2 * 22 * 4 * 64 * 2 * 200
    assert parts()["key-value cache"] == exact and "draft model" not in parts()
    assert parts(count=3)["key-value cache"] == 3 * exact
    assert parts(count=3, guidance=1.5)["key-value cache"] == 6 * exact
    # 8 bits are one byte instead of two, and two numbers of two bytes for every 32.
    assert parts(kv_cache="8 bit")["key-value cache"] == exact * (32 + 4) // 64
    assert parts(kv_cache="4 bit")["key-value cache"] == exact * (16 + 4) // 64
    assert parts(guess="draft model")["draft model"] == 200 + exact
    embedded = 32000 * 2048
    assert parts(weights="int8")["weights"] == (1_100_000_000 - embedded) + embedded * 2
    assert parts(weights="int4")["weights"] == (1_100_000_000 - embedded) // 2 + embedded * 2


def test_each_continuation_has_a_seed_of_its_own() -> None:
    assert p.Generate(seed=7, count=3).seeds() == [7, 8, 9]
    assert len(set(p.Generate(count=4).seeds())) == 4
    top = SEED_LIMIT
    assert p.Generate(seed=top, count=2).seeds() == [top, 0]


def test_the_cache_is_no_larger_than_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "run_bytes", lambda: 2)
    info = _info(GQA, size=2_200_000_000, dtype="BF16")
    found = p.estimate(p.Generate(prompt="x" * 1_000_000, max_tokens=8192), lambda ref: info)
    assert found.parts["key-value cache"] == 2 * 22 * 4 * 64 * 2 * 2048
    assert found.weights == 2_200_000_000


def test_gpt2_names_its_sizes_differently() -> None:
    config = {"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024}
    assert p.cache_bytes(config, 1000, 4) == 2 * 12 * 12 * 64 * 4 * 1000


def test_a_sliding_window_bounds_the_cache() -> None:
    config = {**GQA, "sliding_window": 256}
    assert p.cache_bytes(config, 4000, 4) == 2 * 22 * 4 * 64 * 4 * (256 + p.CHUNK)
    mixed = {**config, "layer_types": ["sliding_attention", "full_attention"]}
    assert p.cache_bytes(mixed, 4000, 4) == 2 * 22 * 4 * 64 * 4 * 4000


def test_mamba_has_a_state_of_fixed_size_and_no_cache() -> None:
    config = {
        "num_hidden_layers": 24,
        "hidden_size": 768,
        "intermediate_size": 1536,
        "state_size": 16,
        "conv_kernel": 4,
    }
    assert p.cache_bytes(config, 10, 4) == p.cache_bytes(config, 100_000, 4) == 24 * 1536 * (16 + 4) * 4


def test_an_unknown_model_has_no_estimate() -> None:
    assert p.estimate(p.Generate(prompt="x"), lambda ref: None).total == 0


def test_a_processor_computes_in_four_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    assert p.run_bytes() == 4
