"""text.generate as a job sees it: prompts that are none, facts, cancelling, jobs that take turns."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from plugins.text.backend import Generate
from plugins.text.params import Generate as Params
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests import tiny_models
from tests.patience import PATIENCE_S
from tests.text_context import Context, Models, Turns

pytestmark = pytest.mark.worker
PROMPT = "Once upon a time — 🦊"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [build(folder / name) for name, build in tiny_models.FAMILIES.items()]


@pytest.fixture
def models(folders: list[Path]) -> Models:
    return Models(*folders)


def params(**values: Any) -> Params:
    return Params(**{"prompt": PROMPT, "model": "qwen2", "max_tokens": 24, "seed": 3, **values})


def run(models: Models, asked: Params, **context: Any) -> Context:
    ctx = Context(models, **context)
    Generate().run(asked, ctx)
    return ctx


def test_prompt_and_continuation_are_saved_with_the_facts(models: Models) -> None:
    ctx = run(models, params(temperature=1.0))
    [(text, facts)] = ctx.saved
    assert text == PROMPT + ctx.streamed
    assert ctx.streamed
    assert facts["prompt_chars"] == len(PROMPT)
    assert facts["prompt_tokens"] == len(next(iter(models.kept.values())).tokenizer(PROMPT)["input_ids"])
    assert (facts["stop_reason"], facts["tokens"], facts["seed"]) == ("length", 24, 3)
    assert facts["tokens_per_second"] > 0


def test_an_empty_seed_is_drawn_and_noted_and_repeats(models: Models) -> None:
    first = run(models, params(seed=None, temperature=1.5))
    again = run(models, params(seed=first.facts["seed"], temperature=1.5))
    other = run(models, params(seed=None, temperature=1.5))
    assert first.streamed == again.streamed != other.streamed


def test_warm_gives_what_cold_gave(models: Models) -> None:
    for family in tiny_models.FAMILIES:
        cold, warm = (run(models, params(model=family, temperature=1.2)) for _ in range(2))
        assert cold.streamed == warm.streamed
    assert models.loads == 4


def test_a_stop_string_written_with_an_escape(models: Models) -> None:
    free = run(models, params())
    assert "\t" not in free.streamed
    stop = free.streamed[5:8]
    assert run(models, params(stop=[r"\t\\", stop])).facts["stop_reason"] == "stop"


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("", "empty"), ("a\0b", "not-text"), ("half \udd8a", "not-text")],
    ids=["empty", "nul", "surrogate"],
)
def test_what_is_no_prompt_is_said_before_anything_is_loaded(models: Models, prompt: str, code: str) -> None:
    with pytest.raises(StudioError) as caught:
        run(models, Params.model_construct(**{**params().model_dump(), "prompt": prompt}))
    assert caught.value.code == code
    assert models.loads == 0


@pytest.mark.parametrize("piece", ["word ", "a", "🦊", "\n", "ab\u0301"])
def test_a_megabyte_is_refused_with_numbers(models: Models, piece: str) -> None:
    prompt = piece * (1_000_000 // len(piece.encode()))
    with pytest.raises(StudioError) as caught:
        run(models, params(prompt=prompt))
    assert caught.value.code == "too-long"
    assert f"{len(prompt):,} characters" in caught.value.detail
    assert f"{tiny_models.CONTEXT:,} tokens" in caught.value.detail


def test_a_prompt_that_just_fits_and_one_that_just_does_not(models: Models) -> None:
    run(models, params(max_tokens=1))
    language = next(iter(models.kept.values()))
    word = language.tokenizer("森")["input_ids"]
    fits = "森" * ((tiny_models.CONTEXT - 1) // len(word))
    assert run(models, params(prompt=fits, max_tokens=500)).facts["stop_reason"] == "context"
    with pytest.raises(StudioError, match="too long"):
        run(models, params(prompt=fits + "森" * len(word)))


def test_a_tokenizer_of_another_model(folders: list[Path], tmp_path: Path) -> None:
    small = tiny_models.build_llama(tmp_path / "small", vocab_size=100)
    with pytest.raises(StudioError, match="does not belong"):
        run(Models(small), params(model="small", prompt="狐"))


@pytest.mark.parametrize("after", [1, 2, 5, 23])
def test_cancelled_while_writing_saves_the_beginning(models: Models, after: int) -> None:
    whole = run(models, params())
    ctx = Context(models, lambda ctx, kind: kind == "step" and len(ctx.steps) >= after)
    with pytest.raises(JobCancelled):
        Generate().run(params(), ctx)
    [(text, facts)] = ctx.saved
    assert (facts["stop_reason"], facts["tokens"]) == ("cancelled", after)
    assert text == PROMPT + ctx.streamed
    assert whole.streamed.startswith(ctx.streamed.rstrip("\ufffd"))


@pytest.mark.parametrize("where", ["Loading", "Reading"])
def test_cancelled_before_the_first_token_saves_nothing(models: Models, where: str) -> None:
    ctx = Context(models, lambda ctx, kind: ctx.stages[-1][0].startswith(where))
    with pytest.raises(JobCancelled):
        Generate().run(params(), ctx)
    assert ctx.saved == [] and ctx.streamed == ""


def test_cancelled_in_the_middle_of_a_long_prompt(models: Models) -> None:
    ctx = Context(models, lambda ctx, kind: ctx.checks == 1 and kind == "check")
    with pytest.raises(JobCancelled):
        Generate().run(params(prompt="狐 " * 300), ctx)
    assert ctx.stages[-1][1] == 128
    assert ctx.saved == []


def test_cancelled_while_saving_is_saved_whole(models: Models) -> None:
    ctx = Context(models, lambda ctx, kind: kind == "save")
    with pytest.raises(JobCancelled):
        Generate().run(params(), ctx)
    [(text, facts)] = ctx.saved
    assert text == PROMPT + run(models, params()).streamed
    assert facts["stop_reason"] == "length"


def test_after_a_cancelled_job_the_next_is_as_if_nothing_had_been(models: Models) -> None:
    before = run(models, params(temperature=1.0)).streamed
    with pytest.raises(JobCancelled):
        run(models, params(seed=99), stop=lambda ctx, kind: len(ctx.steps) == 3)
    assert run(models, params(temperature=1.0)).streamed == before


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_jobs_that_take_turns_write_what_each_writes_alone(folders: list[Path], family: str) -> None:
    models = Models(*folders)
    asked = {
        "one": params(model=family, seed=1, temperature=1.3, repetition_penalty=1.2, max_tokens=30),
        "two": params(model=family, seed=2, temperature=0.9, top_p=0.9, prompt="狐 " * 250, max_tokens=40),
        "three": params(model=family, temperature=0, max_tokens=20),
    }
    alone = {name: run(models, values).streamed for name, values in asked.items()}
    turns = Turns(list(asked))
    contexts = {name: Context(models, turns=turns, job=name) for name in asked}
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            turns.wait(name)
            assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
            Generate().run(asked[name], contexts[name])
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            failures.append(error)
        finally:
            turns.leave(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not failures
    assert {name: ctx.streamed for name, ctx in contexts.items()} == alone
    assert turns.order[:6] == ["one", "two", "three"] * 2


def test_the_callers_modes_are_as_before(models: Models) -> None:
    run(models, params())
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_several_continuations_are_results_of_their_own(models: Models) -> None:
    ctx = run(models, params(count=3, temperature=1.2))
    alone = [run(models, params(seed=seed, temperature=1.2)) for seed in (3, 4, 5)]
    assert [text for text, _ in ctx.saved] == [one.saved[0][0] for one in alone]
    assert [facts["seed"] for _, facts in ctx.saved] == [3, 4, 5]
    assert ctx.own == [{"seed": seed, "count": 1} for seed in (3, 4, 5)]
    assert ctx.texts == {row: one.streamed for row, one in enumerate(alone)}
    assert all(facts["tokens"] == 24 and facts["prompt_chars"] == len(PROMPT) for _, facts in ctx.saved)


def test_guidance_leads_away_from_the_negative_prompt(models: Models) -> None:
    plain, guided, other = (
        run(models, params(temperature=0, **more)).streamed
        for more in ({}, {"guidance": 2.0, "negative_prompt": "die Nacht"}, {"guidance": 2.0})
    )
    assert len({plain, guided, other}) == 3


@pytest.mark.parametrize("more", [{"guess": "lookup"}, {"guess": "draft model", "draft": "llama"}])
def test_guessing_ahead_changes_no_text_and_says_how_often_it_was_right(models: Models, more: dict[str, Any]) -> None:
    asked = params(temperature=0.7, max_tokens=60)
    found = run(models, asked.model_copy(update=more))
    assert found.streamed == run(models, asked).streamed
    assert found.facts["accepted_drafts"] <= found.facts["drafted_tokens"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"guess": "draft model"}, "no-draft"),
        ({"guess": "draft model", "draft": "qwen2"}, "draft-vocabulary"),
        ({"model": "mamba", "guess": "lookup"}, "draft-cache"),
        ({"model": "mamba", "kv_cache": "8 bit"}, "kv-cache"),
        ({"model": "mamba", "compiled": True}, "compile"),
    ],
)
def test_ways_that_are_none_are_refused_in_words(models: Models, more: dict[str, Any], code: str) -> None:
    with pytest.raises(StudioError) as caught:
        run(models, params(**more))
    assert caught.value.code == code


def test_keys_and_values_in_few_bits_write_a_text(models: Models) -> None:
    assert run(models, params(kv_cache="8 bit")).facts["tokens"] == 24


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_weights_in_fewer_bits_need_a_library(models: Models, monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    monkeypatch.setattr("plugins.text.quantised.find_spec", lambda name: None)
    with pytest.raises(StudioError, match="Quantised weights") as caught:
        run(models, params(weights=weights))
    assert "bitsandbytes" in caught.value.detail and "pip install" in caught.value.hint
