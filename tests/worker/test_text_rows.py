"""Several texts from one prompt, read once: each is what it would be alone."""

import dataclasses
from typing import Any

import pytest

from plugins.text import loading
from plugins.text.lexicon import Lexicon
from plugins.text.params_sampling import SamplingParams
from plugins.text.prefix_cache import PrefixCache
from plugins.text.sampler import Sampler
from plugins.text.writing import Written, write, write_several
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

pytestmark = pytest.mark.worker
WORDS = Lexicon(None, tiny_models.VOCABULARY)
HOT = SamplingParams(temperature=1.3, top_k=60, repetition_penalty=1.1)
IDS = list(range(3, 43))
BUILDERS = {
    "llama": tiny_models.build_llama,
    "mistral": lambda folder: tiny_models.build_mistral(folder, sliding_window=16),
    "qwen3_5": tiny_models.build_qwen3_5,
    "falcon_h1": tiny_models.build_falcon_h1,
    "mamba": tiny_models.build_mamba,
    "openai-gpt": tiny_models.build_openai_gpt,
}


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, loading.Language]:
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name, build in BUILDERS.items():
        info = ModelInfo(name, str(build(folder / name)), "text-generation")
        found[name] = loading.load(info, "cpu", "float32")
    return found


def again(language: loading.Language) -> loading.Language:
    return dataclasses.replace(language, prefixes=PrefixCache())


def several(language: loading.Language, seeds: list[int], ctx: Context | None = None, **more: Any) -> list[Written]:
    samplers = [Sampler(HOT, seed, WORDS, IDS) for seed in seeds]
    return write_several(IDS, samplers, ctx or Context(Models()), language, **{"limit": 24, **more})


def alone(language: loading.Language, seed: int, **more: Any) -> Written:
    return write(IDS, Sampler(HOT, seed, WORDS, IDS), Context(Models()), again(language), **{"limit": 24, **more})


@pytest.mark.parametrize("name", BUILDERS)
def test_each_is_what_it_would_be_alone(languages: dict[str, loading.Language], name: str) -> None:
    """Some end earlier than others: the token with which the second one ends is an end for all."""
    language, seeds = again(languages[name]), [1, 2, 3, 4, 5]
    ends = [alone(language, 2).tokens[7]]
    found = several(language, seeds, ends=ends)
    expected = [alone(language, seed, ends=ends) for seed in seeds]
    assert [w.tokens for w in found] == [w.tokens for w in expected]
    assert [(w.text, w.stop_reason) for w in found] == [(w.text, w.stop_reason) for w in expected]
    assert len({len(w.tokens) for w in found}) > 1 and len({w.text for w in found}) == 5


@pytest.mark.parametrize("name", ["llama", "qwen3_5"])
def test_the_prompt_is_read_once_and_each_row_can_be_gone_on_with(
    languages: dict[str, loading.Language], name: str
) -> None:
    language, ctx = again(languages[name]), Context(Models())
    found = several(language, [1, 2, 3], ctx)
    assert [stage for stage, _, _ in ctx.stages] == ["Reading the prompt"]
    assert len(ctx.steps) == max(len(w.tokens) for w in found) - 1
    for one in found:
        longer = [*IDS, *one.tokens, 5]
        again_ = write(longer, Sampler(HOT, 0, WORDS, longer), Context(Models()), language, limit=3)
        assert again_.reused == len(longer) - 2
        cold = write(longer, Sampler(HOT, 0, WORDS, longer), Context(Models()), again(language), limit=3)
        assert again_.tokens == cold.tokens


def test_a_cache_that_cannot_be_multiplied_writes_one_after_another(
    languages: dict[str, loading.Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    language = again(languages["llama"])
    monkeypatch.setattr("plugins.text.caches.is_spread", lambda cache: False)
    ctx = Context(Models())
    found = several(language, [1, 2, 3], ctx)
    assert [w.tokens for w in found] == [alone(language, seed).tokens for seed in (1, 2, 3)]
    assert [done for _, done, _ in ctx.stages] == [0, len(IDS) - 1, len(IDS) - 1]
    assert {w.reused for w in found} == {0}


def test_pieces_and_savings_say_which_row_they_are_of(languages: dict[str, loading.Language]) -> None:
    shown: dict[int, str] = {0: "", 1: "", 2: ""}
    saved: list[tuple[int, str]] = []
    tokens: list[tuple[int, int]] = []
    found = several(
        again(languages["llama"]),
        [4, 5, 6],
        show=lambda row, piece: shown.__setitem__(row, shown[row] + piece),
        each=lambda row, token, _piece, _record: tokens.append((row, token)),
        save=lambda row, written: saved.append((row, written.text)),
        lead="> ",
    )
    assert [shown[i] for i in range(3)] == [w.text for w in found]
    assert saved == [(i, w.text) for i, w in enumerate(found)]
    assert tokens[:3] == [(i, found[i].tokens[0]) for i in range(3)]
    assert all(w.text.startswith("> ") for w in found)


@pytest.mark.parametrize("where", ["step", "save"])
def test_a_cancel_saves_every_row_once(languages: dict[str, loading.Language], where: str) -> None:
    """Also one that comes while the second is saved: that one again, the first not."""
    saved: list[tuple[int, str]] = []
    tries: list[int] = []

    def stop(ctx: Context, kind: str) -> bool:
        return where == kind == "step" and len(ctx.steps) == 6

    def save(row: int, written: Written) -> None:
        tries.append(row)
        if where == "save" and tries == [0, 1]:
            raise JobCancelled
        saved.append((row, written.text))

    ctx = Context(Models(), stop)
    with pytest.raises(JobCancelled):
        several(again(languages["llama"]), [1, 2, 3], ctx, save=save)
    whole = several(again(languages["llama"]), [1, 2, 3])
    assert [row for row, _ in saved] == [0, 1, 2]
    assert tries == ([0, 1, 2] if where == "step" else [0, 1, 1, 2])
    for row, text in saved:
        assert whole[row].text.startswith(text.rstrip("\ufffd")) and text
