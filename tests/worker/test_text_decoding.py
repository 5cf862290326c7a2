"""The decode loop against transformers' generate(), and what it does at every boundary."""

from typing import Any

import pytest
import torch

from plugins.text import loading
from plugins.text.lexicon import Lexicon
from plugins.text.params_sampling import SamplingParams
from plugins.text.sampler import Sampler
from plugins.text.writing import Written, write
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

pytestmark = pytest.mark.worker
PROMPT = "Once upon a time there was a fox"
WORDS = Lexicon(None, tiny_models.VOCABULARY)
GREEDY = SamplingParams(temperature=0)


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, loading.Language]:
    folder = tmp_path_factory.mktemp("models")
    builders = {
        **tiny_models.FAMILIES,
        "mistral": tiny_models.build_mistral,
        "openai-gpt": tiny_models.build_openai_gpt,
        "bloom": tiny_models.build_bloom,
    }
    return {
        name: loading.load(ModelInfo(name, str(build(folder / name)), "text-generation"), "cpu", "float32")
        for name, build in builders.items()
    }


def prompt_of(language: loading.Language, tokens: int = 0) -> list[int]:
    ids = list(language.tokenizer(PROMPT)["input_ids"])
    return ids if not tokens else (ids * (tokens // len(ids) + 1))[:tokens]


def written(
    language: loading.Language,
    prompt: list[int],
    settings: SamplingParams = GREEDY,
    limit: int = 60,
    stops: tuple[str, ...] = (),
    seed: int = 0,
    context: Context | None = None,
) -> Written:
    """Cold: nothing that was read before is used."""
    language.prefixes.clear()
    sampler = Sampler(settings, seed, WORDS, prompt)
    return write(prompt, sampler, context or Context(Models()), language, limit=limit, stops=stops)


def generated(language: loading.Language, prompt: list[int], limit: int = 60, **settings: Any) -> list[int]:
    """By transformers; with the end-of-text token, if it came to that."""
    with torch.inference_mode():
        ids = torch.tensor([prompt])
        out = language.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=limit,
            do_sample=False,
            eos_token_id=sorted(language.ends) or None,
            pad_token_id=2,
            **settings,
        )
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", [*tiny_models.FAMILIES, "mistral", "openai-gpt", "bloom"])
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.8])
def test_greedy_is_generate_token_for_token(languages: dict[str, loading.Language], name: str, penalty: float) -> None:
    language = languages[name]
    prompt = prompt_of(language)
    extra: dict[str, Any] = {"repetition_penalty": penalty} if penalty != 1 else {}
    ours = written(language, prompt, SamplingParams(temperature=0, repetition_penalty=penalty))
    assert ours.tokens == generated(language, prompt, **extra)
    assert len(ours.tokens) > 5


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "mistral", "bloom"])
@pytest.mark.parametrize("length", [128, 129, 130, 1025, 1100])
def test_a_prompt_of_several_chunks_gives_the_same(
    languages: dict[str, loading.Language], name: str, length: int
) -> None:
    language = languages[name]
    prompt = prompt_of(language, length)
    assert written(language, prompt, limit=20).tokens == generated(language, prompt, limit=20)


def test_a_long_prompt_of_a_recurrent_model(languages: dict[str, loading.Language]) -> None:
    """It forgets its state between chunks, so after the first one it reads token by token."""
    language, context = languages["mamba"], Context(Models())
    prompt = prompt_of(language, 700)
    assert written(language, prompt, limit=20, context=context).tokens == generated(language, prompt, limit=20)
    assert len(context.stages) > 8


def test_progress_of_reading_is_told_chunk_by_chunk(languages: dict[str, loading.Language]) -> None:
    context = Context(Models())
    written(languages["llama"], prompt_of(languages["llama"], 1100), limit=3, context=context)
    told = [("Reading the prompt", at, 1100) for at in range(0, 1100, 128)]
    assert context.stages == told
    assert [step[:2] for step in context.steps] == [(1, 3), (2, 3)]
    first, second = (rate for _, _, rate in context.steps)
    assert first is None and second is not None and second > 0


@pytest.mark.parametrize("name", tiny_models.FAMILIES)
def test_streamed_text_is_the_decoded_tokens(languages: dict[str, loading.Language], name: str) -> None:
    language = languages[name]
    for seed in range(5):
        context = Context(Models())
        found = written(language, prompt_of(language), SamplingParams(temperature=1.5), 80, seed=seed, context=context)
        tokens = [token for token in found.tokens if token not in language.ends]
        whole = language.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert context.streamed == found.text == whole


def test_the_same_seed_gives_the_same_and_another_does_not(languages: dict[str, loading.Language]) -> None:
    language, hot = languages["llama"], SamplingParams(temperature=1.2, top_k=40)
    one, two, other = (written(language, prompt_of(language), hot, seed=seed).tokens for seed in (7, 7, 8))
    assert one == two != other


def test_the_global_generator_is_left_alone(languages: dict[str, loading.Language]) -> None:
    before = torch.get_rng_state()
    written(languages["llama"], prompt_of(languages["llama"]), SamplingParams(temperature=1.0))
    assert torch.equal(torch.get_rng_state(), before)


def test_length(languages: dict[str, loading.Language]) -> None:
    found = written(languages["qwen2"], prompt_of(languages["qwen2"]), limit=7)
    assert (found.stop_reason, len(found.tokens)) == ("length", 7)


def test_speed_is_that_of_writing_without_the_token_that_reading_gave(languages: dict[str, loading.Language]) -> None:
    language = languages["llama"]
    assert written(language, prompt_of(language), limit=1).speed is None
    found = written(language, prompt_of(language), limit=5)
    assert found.speed is not None and found.speed > 0


def test_the_end_of_text_token_ends_and_is_not_shown(languages: dict[str, loading.Language]) -> None:
    language, prompt = languages["qwen2"], prompt_of(languages["qwen2"])
    free = written(language, prompt, limit=30)
    end = free.tokens[9]
    at = free.tokens.index(end)
    ends, language.ends = language.ends, frozenset([end])
    try:
        found = written(language, prompt, limit=30)
    finally:
        language.ends = ends
    assert (found.stop_reason, found.tokens) == ("eos", free.tokens[: at + 1])
    assert found.text == language.tokenizer.decode(free.tokens[:at], skip_special_tokens=True)


def test_the_context_is_filled_to_the_last_token_and_no_further(languages: dict[str, loading.Language]) -> None:
    for name in ("gpt2", "llama", "openai-gpt"):
        language = languages[name]
        assert language.context
        found = written(language, prompt_of(language, language.context - 5), limit=50)
        assert (found.stop_reason, len(found.tokens)) == ("context", 5), name


def test_stop_strings_across_token_borders(languages: dict[str, loading.Language]) -> None:
    """Each stretch of two to five characters of a text, taken as stop string, ends it at its first appearance."""
    language, prompt = languages["qwen2"], prompt_of(languages["qwen2"])
    text = written(language, prompt, limit=30).text
    for start in range(0, len(text) - 5, 3):
        for length in (2, 5):
            stop = text[start : start + length]
            if "\ufffd" in stop:
                continue
            context = Context(Models())
            found = written(language, prompt, limit=30, stops=(stop, "never there"), context=context)
            assert found.stop_reason == "stop"
            assert context.streamed == found.text == text[: text.index(stop)]


def test_cancelled_at_every_boundary(languages: dict[str, loading.Language]) -> None:
    """What was written is a beginning of the whole, complete to that moment; nothing goes on afterwards."""
    language, prompt = languages["llama"], prompt_of(languages["llama"], 1100)
    whole = written(language, prompt, limit=12)
    for last in (1, 2, 3, 4, 17, 18, 19, 20, *range(34, 50)):
        seen = []

        def stop(context: Context, kind: str, last: int = last, seen: list = seen) -> bool:
            seen.append(kind)
            return len(seen) >= last

        context, kept = Context(Models(), stop), list[Written]()
        language.prefixes.clear()
        try:
            write(prompt, Sampler(GREEDY, 0, WORDS, prompt), context, language, limit=12, save=kept.append)
        except JobCancelled:
            assert len(seen) == last
            tokens = kept[0].tokens if kept else []
            assert tokens == whole.tokens[: len(tokens)]
            # Nine stages, nine checks and nine chunks of two layers lie before the first token.
            assert len(tokens) == max(0, last - 36)
            assert context.streamed == language.tokenizer.decode(tokens, skip_special_tokens=True)
            assert not kept or (kept[0].stop_reason, kept[0].text) == ("cancelled", context.streamed)
        else:
            assert kept[0].tokens == whole.tokens


def test_logits_that_are_no_numbers(languages: dict[str, loading.Language]) -> None:
    language = languages["llama"]
    weight = language.model.model.norm.weight
    kept = weight[0].item()
    with torch.no_grad():
        weight[0] = float("nan")
    try:
        with pytest.raises(StudioError) as caught:
            written(language, prompt_of(language))
        assert caught.value.code == "not-finite"
    finally:
        with torch.no_grad():
            weight[0] = kept
