"""What was read before is used again, and changes nothing: warm output is cold output, for every kind of cache."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.text import caches, decoding, loading
from plugins.text.lexicon import Lexicon
from plugins.text.params_sampling import SamplingParams
from plugins.text.prefix_cache import MARKS, Branch, PrefixCache, common
from plugins.text.sampler import Sampler
from plugins.text.writing import Written, write
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

pytestmark = pytest.mark.worker
WORDS = Lexicon(None, tiny_models.VOCABULARY)
GREEDY = SamplingParams(temperature=0)
CUT = {"llama", "qwen3", "gpt2"}
BUILDERS: dict[str, Callable[[Path], Path]] = {
    "llama": tiny_models.build_llama,
    "qwen3": tiny_models.build_qwen3,
    "gpt2": tiny_models.build_gpt2,
    "mistral": lambda folder: tiny_models.build_mistral(folder, sliding_window=16),
    "gemma2": tiny_models.build_gemma2,
    "qwen3_5": tiny_models.build_qwen3_5,
    "lfm2": tiny_models.build_lfm2,
    "falcon_h1": tiny_models.build_falcon_h1,
    "mamba": tiny_models.build_mamba,
}
IDS = st.integers(3, tiny_models.VOCABULARY - 1)
TEXTS = st.lists(IDS, min_size=20, max_size=70)


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


def again(language: loading.Language, limit: int = 2**30) -> loading.Language:
    """The same model, knowing nothing."""
    return dataclasses.replace(language, prefixes=PrefixCache(limit))


class Watched:
    """A greedy sampler that keeps the logits it saw first."""

    def __init__(self, ids: list[int]):
        self._sampler = Sampler(GREEDY, 0, WORDS, ids)
        self.first: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor) -> int:
        self.first = logits.clone() if self.first is None else self.first
        return int(getattr(choice := self._sampler(logits), "token", choice))


def asked(language: loading.Language, ids: list[int], ctx: Context | None = None, limit: int = 6) -> Written:
    return write(ids, Watched(ids), ctx or Context(Models()), language, limit=limit)


@pytest.mark.parametrize("name", BUILDERS)
@given(TEXTS, st.lists(st.tuples(st.sampled_from(["again", "on", "edit", "cut"]), TEXTS, st.floats(0, 1)), max_size=5))
@settings(deadline=None, max_examples=5)
def test_warm_is_cold(
    languages: dict[str, loading.Language], name: str, ids: list[int], turns: list[tuple[str, list[int], float]]
) -> None:
    """Turns of a conversation: asked again, gone on with, edited in the middle, cut short."""
    warm = again(languages[name])
    written = asked(warm, ids)
    for turn, added, place in turns:
        at = 1 + int(place * (len(ids) - 1))
        if turn == "on":
            ids = [*ids, *written.tokens, *added[:25]]
        elif turn == "edit":
            ids = [*ids[:at], *added[:9], *ids[at + 9 :]]
        elif turn == "cut":
            ids = ids[:at]
        written = asked(warm, ids)
        assert written.reused < len(ids)
        assert written.tokens == asked(again(warm), ids).tokens, turn


@pytest.mark.parametrize("name", BUILDERS)
def test_asked_again_one_token_is_read_and_every_bit_is_the_same(
    languages: dict[str, loading.Language], name: str
) -> None:
    language, ids = again(languages[name]), list(range(3, 63))
    cold, warm, later = Watched(ids), Watched(ids), Watched(ids)
    ctx = Context(Models())
    write(ids, cold, ctx, language, limit=40)
    assert ctx.facts["reused_tokens"] == 0
    for watched in (warm, later):
        ctx = Context(Models())
        write(ids, watched, ctx, language, limit=40)
        assert (ctx.facts["reused_tokens"], ctx.facts["reuse_broke"]) == (59, "")
        assert ctx.stages == [("Reading the prompt (59 reused)", 59, 60)]
        assert cold.first is not None and watched.first is not None and torch.equal(cold.first, watched.first)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_second_turn_reads_only_what_is_new(languages: dict[str, loading.Language], name: str) -> None:
    language, ids = again(languages[name]), list(range(3, 63))
    first = asked(language, ids, limit=30)
    second = [*ids, *first.tokens, 7, 8, 9]
    found = asked(language, second)
    assert (found.reused, found.prompt_tokens, found.broke) == (60 + len(first.tokens) - 1, len(second), "")
    assert asked(language, second).reused == len(second) - 1
    if name in CUT:
        assert asked(language, [*ids, *first.tokens[:10], 5, 6]).reused >= 60 + min(10, len(first.tokens) - 1)


@pytest.mark.parametrize("name", ["llama", "mistral", "mamba"])
def test_what_broke_the_reuse_is_said(languages: dict[str, loading.Language], name: str) -> None:
    language = again(languages[name])
    tokenizer = language.tokenizer
    old, new = (
        list(tokenizer(f"The birds did not believe a word of it, but {rest}")["input_ids"])
        for rest in ("they listened, for the winter was long", "the fox told the bear what the river had said")
    )
    asked(language, old)
    found = asked(language, new)
    assert "a word of it, but" in found.broke and "the fox told" in found.broke and "not “" in found.broke
    assert "they listened" in found.broke
    if name != "llama":
        assert "could be taken back" in found.broke
    other = asked(language, [9, 8, 7, 6, 5])
    assert (other.reused, other.broke) == (0, "")


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("boundary", [3, 8, 12, 20])
def test_after_a_cancel_what_is_kept_is_right(
    languages: dict[str, loading.Language], name: str, boundary: int
) -> None:
    """Also when a chunk ended in the middle of the model, where some layers hold more than others."""
    language, ids = again(languages[name]), list(range(3, 83))
    seen: list[str] = []

    def stop(_ctx: Context, kind: str) -> bool:
        seen.append(kind)
        return len(seen) == boundary

    with pytest.raises(JobCancelled):
        asked(language, ids, Context(Models(), stop), limit=20)
    found = asked(language, ids, limit=20)
    assert found.tokens == asked(again(language), ids, limit=20).tokens
    assert found.reused > 0 or boundary == 3


def test_a_failure_in_the_middle_of_the_model_leaves_nothing_wrong(languages: dict[str, loading.Language]) -> None:
    language, ids = again(languages["mistral"]), list(range(3, 83))
    asked(language, ids[:40])
    calls: list[int] = []

    def fail(_module: object, _given: object) -> None:
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("no memory")

    hook = language.layers[1].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="no memory"):
        asked(language, ids)
    hook.remove()
    assert asked(language, ids).tokens == asked(again(language), ids).tokens


def test_jobs_that_ask_the_same_at_once_have_a_cache_each(languages: dict[str, loading.Language]) -> None:
    """The second one begins while the first one writes: it finds nothing of it."""
    language, ids = again(languages["llama"]), list(range(3, 63))
    alone = asked(again(language), ids, limit=20).tokens
    found: list[Written] = []

    class Interrupted(Context):
        def step(self, done: int, total: int | None = None, **more: object) -> None:
            if done == 5:
                thread = threading.Thread(target=lambda: found.append(asked(language, ids, limit=20)))
                thread.start()
                thread.join()

    first = asked(language, ids, Interrupted(Models()), limit=20)
    assert (first.tokens, found[0].tokens) == (alone, alone)
    assert found[0].reused == 0
    assert asked(language, ids, limit=20).reused == 59


def branch(ids: list[int], width: int = 1) -> Branch:
    """One as a model with full attention would leave it: 8 bytes a token and width."""
    from transformers import DynamicCache

    cache = DynamicCache()
    cache.update(torch.zeros(1, 1, len(ids), width), torch.zeros(1, 1, len(ids), width), 0)
    return Branch(ids, cache)


def test_the_least_recently_used_goes_first_and_no_more_is_kept_than_allowed() -> None:
    prefixes = PrefixCache(limit=8 * 100)
    for first in (1, 2, 3):
        prefixes.give(branch([first] * 30))
    assert prefixes.held() == 8 * 90
    prefixes.give(prefixes.take([1] * 40)[0])
    prefixes.give(branch([4] * 30))
    assert [prefixes.take([n] * 31)[1].reused for n in (1, 2, 3, 4)] == [30, 0, 30, 30]
    prefixes.give(branch([5] * 101))
    assert prefixes.held() == 0


def test_reclaiming_frees_at_least_what_is_asked() -> None:
    prefixes = PrefixCache()
    for first in (1, 2, 3):
        prefixes.give(branch([first] * 30))
    assert prefixes.reclaim(1) == 240 and prefixes.reclaim(250) == 480 and prefixes.reclaim(5) == 0


def test_a_branch_that_another_continues_is_not_kept_twice_and_one_that_differs_is() -> None:
    prefixes = PrefixCache()
    prefixes.give(branch([1] * 20))
    prefixes.give(branch([1] * 30))
    prefixes.give(branch([1] * 10))
    assert prefixes.held() == 8 * 30
    taken, reuse = prefixes.take([*[1] * 25, 2, 2])
    assert (reuse.reused, reuse.was, len(taken.ids)) == (25, (1, 1, 1, 1, 1), 25)
    assert prefixes.held() == 8 * 30
    assert prefixes.take([1] * 31, kind="other precision")[1].reused == 0


def test_marks_thin_out_and_keep_the_latest(languages: dict[str, loading.Language]) -> None:
    language = again(languages["mamba"])
    asked(language, list(range(3, 383)), limit=2)
    [(_, kept)] = language.prefixes._kept
    lengths = [mark.length for mark in kept.marks]
    assert len(lengths) == MARKS and lengths == sorted(lengths) and lengths[-1] == 379
    assert lengths[0] < 100


def test_the_environment_turns_it_off(languages: dict[str, loading.Language], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_PREFIX_CACHE", "0")
    language = again(languages["llama"])
    asked(language, list(range(3, 63)))
    assert language.prefixes.held() == 0 and asked(language, list(range(3, 63))).reused == 0


def test_room_that_is_wanted_comes_out_of_the_language(languages: dict[str, loading.Language]) -> None:
    language = again(languages["llama"])
    asked(language, list(range(3, 63)))
    assert language.held() == language.prefixes.held() > 0
    assert language.reclaim(1) > 0 and language.held() == 0


def test_a_model_that_moves_leaves_what_it_read_behind_and_packed_weights_do_not_move(
    languages: dict[str, loading.Language],
) -> None:
    language = again(languages["llama"])
    asked(language, list(range(3, 63)))
    assert language.to is not None and language.to("cpu") is language and language.held() == 0
    assert dataclasses.replace(language, movable=False).to is None


@given(st.lists(st.integers(0, 2), max_size=600), st.lists(st.integers(0, 2), max_size=600), st.integers(0, 600))
@settings(deadline=None, max_examples=40)
def test_the_common_beginning(one: list[int], other: list[int], shared: int) -> None:
    other = one[:shared] + other
    expected = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert common(one, other) == expected


def test_the_size_counts_what_is_shared_once() -> None:
    one = branch(list(range(50)))
    two = one.at(20)
    assert caches.size(one.cache) == caches.size(one.cache, two.cache) == 400
