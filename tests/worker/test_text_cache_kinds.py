"""Keys and values in few bits, and a fixed size for a compiled step: what they save, what stays the same, what is
refused."""

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.text import compiled, decoding, loading
from plugins.text.compiled import Compiled, size_for
from plugins.text.drafts import Lookup
from plugins.text.few_bits import FewBits, packed, unpacked
from plugins.text.lexicon import Lexicon
from plugins.text.params_sampling import SamplingParams
from plugins.text.prefix_cache import PrefixCache
from plugins.text.sampler import Sampler
from plugins.text.writing import Guide, Written, write, write_several
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

pytestmark = pytest.mark.worker
WORDS = Lexicon(None, tiny_models.VOCABULARY)
GREEDY, HOT = SamplingParams(temperature=0), SamplingParams(temperature=1.2)
IDS = list(range(3, 63))
BUILDERS = {
    "llama": lambda folder: tiny_models.build_llama(folder, hidden_size=128),
    "gemma2": lambda folder: tiny_models.build_gemma2(folder, head_dim=32),
    "qwen3_5": lambda folder: tiny_models.build_qwen3_5(folder, head_dim=32),
    "mamba": tiny_models.build_mamba,
}


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, loading.Language]:
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name, build in BUILDERS.items():
        info = ModelInfo(name, str(build(folder / name)), "text-generation")
        found[name] = loading.load(info, "cpu", "float32")
    return found


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CHUNK", 16)


def again(language: loading.Language) -> loading.Language:
    return dataclasses.replace(language, prefixes=PrefixCache(), compiled=None)


def written(language: loading.Language, ids: list[int] = IDS, ctx: Context | None = None, **more: Any) -> Written:
    sampler = Sampler(more.pop("settings", GREEDY), 3, WORDS, ids)
    return write(ids, sampler, ctx or Context(Models()), language, **{"limit": 12, **more})


@given(st.integers(0, 2**32), st.sampled_from([8, 4]), st.sampled_from(["float32", "bfloat16", "float16"]))
@settings(deadline=None, max_examples=60)
def test_every_number_comes_back_within_half_a_step(seed: int, bits: int, dtype: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    kind = getattr(torch, dtype)
    scale = 10 ** (torch.rand(2, 3, 5, 1, generator=generator) * 4 - 2)
    numbers = (torch.randn(2, 3, 5, 64, generator=generator) * scale + scale).to(kind)
    back = unpacked(packed(numbers, bits), bits, 64, kind)
    groups = numbers.unflatten(-1, (2, 32)).float()
    step = (groups.amax(-1) - groups.amin(-1)) / (2**bits - 1)
    error = (back.float() - numbers.float()).unflatten(-1, (2, 32)).abs().amax(-1)
    slack = torch.finfo(kind).eps * (groups.abs().amax(-1) + 255 * step)
    assert bool((error <= 0.51 * step + slack).all())


def test_numbers_that_are_all_the_same_stay_exact() -> None:
    for value in (0.0, -3.5, 1e-30):
        numbers = torch.full((1, 1, 2, 32), value)
        assert torch.equal(unpacked(packed(numbers, 8), 8, 32, torch.float32), numbers)


@pytest.mark.parametrize("name", ["llama", "gemma2", "qwen3_5"])
@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_take_less_and_warm_is_cold(languages: dict[str, loading.Language], name: str, bits: int) -> None:
    language, exact = again(languages[name]), again(languages[name])
    first = written(language, kv_bits=bits)
    written(exact)
    kept = [branch.cache for _, branch in language.prefixes._kept]
    assert any(isinstance(layer, FewBits) for layer in kept[0].layers)
    assert language.held() < exact.held() * {"llama": 0.35, "gemma2": 0.8, "qwen3_5": 0.8}[name]
    edited = [*IDS, *first.tokens, 7, 8]
    for ids in (IDS, edited, [*edited[:50], 9, *edited[51:]]):
        warm = written(language, ids, kv_bits=bits)
        assert warm.tokens == written(again(language), ids, kv_bits=bits).tokens
        assert warm.reused > 0 or name == "qwen3_5"
    assert written(language).reused == 0, "exact and rounded caches do not mix"


def test_rows_in_few_bits_are_those_alone(languages: dict[str, loading.Language]) -> None:
    language = again(languages["llama"])
    samplers = [Sampler(HOT, seed, WORDS, IDS) for seed in (3, 4, 5)]
    found = write_several(IDS, samplers, Context(Models()), language, limit=12, kv_bits=8)
    assert found[0].tokens == written(again(language), settings=HOT, kv_bits=8).tokens
    assert written(again(language), kv_bits=8, drafts=Lookup()).tokens == written(again(language), kv_bits=8).tokens


def test_eight_bits_say_nearly_what_the_exact_cache_says(languages: dict[str, loading.Language]) -> None:
    def last(bits: int) -> torch.Tensor:
        seen: list[torch.Tensor] = []

        def choose(logits: torch.Tensor) -> int:
            seen.append(logits.clone())
            return 7

        write(IDS, choose, Context(Models()), again(languages["llama"]), limit=5, kv_bits=bits)
        return seen[-1].log_softmax(-1)

    exact, eight, four = last(0), last(8), last(4)
    assert 0 < float((eight - exact).abs().mean()) < 0.2
    assert float((eight - exact).abs().mean()) < float((four - exact).abs().mean()) / 4


@pytest.mark.parametrize("what", [{"kv_bits": 8}, {"compiled": True}])
def test_a_model_without_attention_is_refused_in_words(languages: dict[str, loading.Language], what: dict) -> None:
    with pytest.raises(StudioError) as caught:
        written(again(languages["mamba"]), **what)
    assert caught.value.code == ("compile" if "compiled" in what else "kv-cache") and caught.value.hint


def compiling(language: loading.Language) -> loading.Language:
    """Compiled by a backend that only traces: the same steps, without a minute of waiting."""
    language = again(language)
    language.compiled = Compiled(language.model, backend="eager")
    return language


def test_a_compiled_step_writes_the_same_and_shows_its_warm_up(languages: dict[str, loading.Language]) -> None:
    language, ctx = compiling(languages["llama"]), Context(Models())
    plain = written(again(language), limit=40)
    first = written(language, ctx=ctx, limit=40, compiled=True)
    assert (first.tokens, first.reused) == (plain.tokens, 0)
    told = [stage for stage, _, _ in ctx.stages]
    assert "Compiling for texts of up to 256 tokens; only the first one takes this long" in told
    assert first.compiling > 0 and "compile_seconds" in ctx.facts
    ctx = Context(Models())
    second = written(language, ctx=ctx, limit=40, compiled=True)
    assert (second.tokens, second.reused, second.compiling) == (plain.tokens, len(IDS) - 1, 0)
    assert not any("Compiling" in stage for stage, _, _ in ctx.stages)
    edited = [*IDS[:30], 7, *IDS[31:]]
    plain = written(again(language), edited, limit=40)
    assert written(language, edited, limit=40, compiled=True).tokens == plain.tokens
    assert language.held() > 0 and language.reclaim(1) > 0 and language.held() == 0


def test_after_a_cancel_the_fixed_cache_is_wound_back(languages: dict[str, loading.Language]) -> None:
    language = compiling(languages["llama"])
    for boundary in (4, 9, 20):
        seen: list[str] = []

        def stop(_ctx: Context, kind: str, boundary: int = boundary, seen: list[str] = seen) -> bool:
            seen.append(kind)
            return len(seen) == boundary

        with pytest.raises(JobCancelled):
            written(language, ctx=Context(Models(), stop), limit=30, compiled=True)
    plain = written(again(language), limit=30)
    assert written(language, limit=30, compiled=True).tokens == plain.tokens


def test_two_at_once_have_a_cache_each(languages: dict[str, loading.Language]) -> None:
    language = compiling(languages["llama"])
    store = language.compiled
    one, two = store.take(256), store.take(256)
    assert one.cache is not two.cache
    store.give(256, one)
    assert store.take(256) is one


@pytest.mark.parametrize(
    "beside", [{"drafts": Lookup()}, {"guide": Guide((3, 4), 2.0)}, {"kv_bits": 8}], ids=["drafts", "guide", "bits"]
)
def test_compiling_goes_with_nothing_else(languages: dict[str, loading.Language], beside: dict) -> None:
    with pytest.raises(StudioError, match="plainly only"):
        written(compiling(languages["llama"]), compiled=True, **beside)


def test_windows_and_missing_compilers_are_said(
    languages: dict[str, loading.Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudioError, match="cannot be compiled") as caught:
        written(compiling(languages["gemma2"]), compiled=True)
    assert "sliding window" in caught.value.detail
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    with pytest.raises(StudioError, match="cannot be compiled") as caught:
        written(again(languages["llama"]), compiled=True)
    assert "no C++ compiler" in caught.value.detail


def test_sizes_are_few() -> None:
    assert [size_for(n, 5000) for n in (1, 256, 257, 1000, 1024, 4900)] == [256, 256, 512, 1024, 1024, 5000]
    assert size_for(3000, None) == 4096
