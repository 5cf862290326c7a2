"""Guessing ahead changes no token; guidance gives what transformers makes of it."""

import dataclasses
from typing import Any

import pytest
import torch

from plugins.text import loading
from plugins.text.drafts import MOST, Appetite, DraftModel, Lookup
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
IDS = [9, 30, 41, 7, 9, 30, 41, 8, 100, 9, 30]
GREEDY, HOT = SamplingParams(temperature=0), SamplingParams(temperature=1.2, top_k=50, repetition_penalty=1.1)
BUILDERS = {
    "llama": tiny_models.build_llama,
    "gpt2": tiny_models.build_gpt2,
    "mistral": tiny_models.build_mistral,
    "mamba": tiny_models.build_mamba,
    "draft": lambda folder: tiny_models.build_llama(folder, seed=50, num_hidden_layers=1, vocab_size=390),
}


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, loading.Language]:
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name, build in BUILDERS.items():
        info = ModelInfo(name, str(build(folder / name)), "text-generation")
        found[name] = loading.load(info, "cpu", "float32")
    found["twin"] = loading.load(ModelInfo("twin", str(folder / "llama"), "text-generation"), "cpu", "float32")
    return found


def again(language: loading.Language) -> loading.Language:
    return dataclasses.replace(language, prefixes=PrefixCache())


def written(
    language: loading.Language,
    settings: SamplingParams = GREEDY,
    ids: list[int] = IDS,
    ctx: Context | None = None,
    **more: Any,
) -> Written:
    more = {"limit": 50, **more}
    sampler = Sampler(settings, 3, WORDS, ids)
    return write(ids, sampler, ctx or Context(Models()), again(language), **more)


@pytest.mark.parametrize("settings", [GREEDY, HOT], ids=["greedy", "hot"])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("draft", ["lookup", "draft", "twin"])
def test_guesses_change_no_token(
    languages: dict[str, loading.Language], name: str, draft: str, settings: SamplingParams
) -> None:
    drafts = Lookup() if draft == "lookup" else DraftModel(again(languages[draft]))
    for limit in (1, 2, 49):
        plain, found = (written(languages[name], settings, limit=limit, drafts=d) for d in (None, drafts))
        assert (found.tokens, found.text, found.stop_reason) == (plain.tokens, plain.text, plain.stop_reason)
        assert found.accepted <= found.drafted and (found.drafted > 0 or limit < 3 or draft == "lookup")


def test_a_draft_model_that_thinks_alike_guesses_everything_at_any_temperature(
    languages: dict[str, loading.Language],
) -> None:
    ctx = Context(Models())
    found = written(languages["llama"], HOT, ctx=ctx, drafts=DraftModel(again(languages["twin"])))
    assert found.accepted == found.drafted > 35
    assert ctx.facts["accepted_drafts"] == found.accepted and ctx.facts["drafted_tokens"] == found.drafted
    told = [title for title, _, _ in ctx.stages if title.startswith("Writing")]
    assert len(told) < 12 and "100% of 4 drafts accepted" in told[1]


def test_a_text_that_repeats_itself_is_looked_up(languages: dict[str, loading.Language]) -> None:
    """A rule of the sampler makes it repeat: the model's own greedy text would be noise."""
    cycle = [9, 30, 41, 7, 120]

    class Cycle:
        def __init__(self) -> None:
            self.at = 0

        def __call__(self, _logits: torch.Tensor) -> int:
            self.at += 1
            return cycle[self.at % 5]

    found = write(
        IDS, Cycle(), Context(Models()), again(languages["llama"]), limit=60, drafts=Lookup()
    )
    assert found.tokens == [cycle[i % 5] for i in range(1, 61)]
    assert found.accepted > 40


def test_what_is_kept_after_guesses_is_right(languages: dict[str, loading.Language]) -> None:
    language, draft = again(languages["llama"]), again(languages["draft"])
    first = write(IDS, Sampler(HOT, 3, WORDS, IDS), Context(Models()), language, limit=30, drafts=DraftModel(draft))
    longer = [*IDS, *first.tokens, 50, 60]
    sampler = Sampler(GREEDY, 0, WORDS, longer)
    warm = write(longer, sampler, Context(Models()), language, limit=9, drafts=DraftModel(draft))
    assert warm.reused == len(IDS) + len(first.tokens) - 1
    assert warm.tokens == written(languages["llama"], ids=longer, limit=9).tokens


def test_rows_with_guesses_are_those_without(languages: dict[str, loading.Language]) -> None:
    def rows(**more: Any) -> list[list[int]]:
        samplers = [Sampler(HOT, seed, WORDS, IDS) for seed in (1, 2, 3)]
        found = write_several(IDS, samplers, Context(Models()), again(languages["llama"]), limit=20, **more)
        return [one.tokens for one in found]

    assert rows(drafts=Lookup()) == rows()


@pytest.mark.parametrize(
    ("name", "draft", "code"),
    [
        ("mistral", "lookup", "draft-cache"),
        ("mamba", "lookup", "draft-cache"),
        ("llama", "mamba", "draft-cache"),
        ("llama", "llama", "draft-vocabulary"),
    ],
)
def test_where_it_cannot_work_it_is_refused_in_words(
    languages: dict[str, loading.Language], name: str, draft: str, code: str
) -> None:
    drafts = Lookup() if draft == "lookup" else DraftModel(languages[draft])
    with pytest.raises(StudioError) as caught:
        written(languages[name], drafts=drafts)
    assert caught.value.code == code and caught.value.hint


def test_another_vocabulary_is_refused(languages: dict[str, loading.Language]) -> None:
    other = dataclasses.replace(languages["draft"], tokenizer=type("T", (), {"get_vocab": lambda self: {"a": 1}})())
    with pytest.raises(StudioError, match="another vocabulary"):
        written(languages["llama"], drafts=DraftModel(other))


def test_a_token_that_the_draft_model_does_not_have_ends_its_guessing(languages: dict[str, loading.Language]) -> None:
    """Its embedding has some tokens less; the prompt has none of those, the text soon has."""
    draft = again(languages["draft"])
    draft.vocabulary = 355
    found, plain = written(languages["llama"], HOT, drafts=DraftModel(draft)), written(languages["llama"], HOT)
    assert found.tokens == plain.tokens and max(plain.tokens[1:20]) >= 355
    assert 0 < found.drafted < 80
    with pytest.raises(StudioError, match="another vocabulary"):
        written(languages["llama"], ids=[*IDS, 360], drafts=DraftModel(draft))


def test_cancelled_between_guesses(languages: dict[str, loading.Language]) -> None:
    whole = written(languages["llama"], HOT)
    saved: list[Written] = []
    ctx = Context(Models(), lambda ctx, kind: kind == "check" and len(ctx.stages) > 6)
    with pytest.raises(JobCancelled):
        written(languages["llama"], HOT, ctx=ctx, drafts=DraftModel(again(languages["twin"])), save=saved.append)
    assert 0 < len(saved[0].tokens) < 50
    assert saved[0].tokens == whole.tokens[: len(saved[0].tokens)]


def test_the_appetite_grows_with_success() -> None:
    appetite = Appetite(4)
    appetite.learn(4, 4)
    assert appetite.now == 6
    for _ in range(20):
        appetite.learn(appetite.now, appetite.now)
    assert appetite.now == MOST
    for _ in range(40):
        appetite.learn(appetite.now, 0)
    assert appetite.now == 1
    appetite.learn(0, 0)
    assert appetite.now == 1


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral"])
@pytest.mark.parametrize("scale", [0.5, 1.7])
def test_guidance_is_that_of_transformers(languages: dict[str, loading.Language], name: str, scale: float) -> None:
    language, negative = languages[name], [9, 30, 200, 8]
    ids = torch.tensor([IDS])
    with torch.inference_mode():
        out = language.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=40,
            do_sample=False,
            guidance_scale=scale,
            negative_prompt_ids=torch.tensor([negative]),
            eos_token_id=sorted(language.ends),
            pad_token_id=2,
        )
    found = written(language, limit=40, guide=Guide(tuple(negative), scale))
    assert found.tokens == out[0, len(IDS) :].tolist()
    assert found.tokens != written(language, limit=40).tokens


def test_guidance_of_one_is_none_and_both_prompts_are_kept(languages: dict[str, loading.Language]) -> None:
    language, guide = again(languages["llama"]), Guide((9, 30, 200, 8), 1.5)
    assert written(language, guide=dataclasses.replace(guide, scale=1)).tokens == written(language).tokens
    contexts = [Context(Models()), Context(Models())]
    first, second = (write(IDS, Sampler(HOT, 3, WORDS, IDS), ctx, language, limit=20, guide=guide) for ctx in contexts)
    assert first.tokens == second.tokens and (first.reused, second.reused) == (0, len(IDS) - 1)
    assert contexts[1].stages[0] == ("Reading the negative prompt", 3, 4)
    plain = written(language, HOT, limit=20, guide=guide, drafts=Lookup())
    assert plain.tokens == first.tokens
