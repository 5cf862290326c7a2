"""text.chat as a job sees it: what is sent, where the answer ends, what is continued, what does not fit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.text.backend_chat import Chat
from plugins.text.params_chat import Chat as Params
from plugins.text.params_chat import estimate
from plugins.text.renderer import renderer
from plugins.text.templates import PLAIN, Template
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models
from tests.tiny_tokenizers import CHATML, give_chat_tokens

pytestmark = pytest.mark.worker
TALK = [
    {"role": "user", "content": "What had the river said?"},
    {"role": "assistant", "content": "The winter was long"},
    {"role": "user", "content": "and the nights"},
]
ALTERNATING = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% endfor %}" + CHATML
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    chat = give_chat_tokens(tiny_models.build_qwen2(folder / "chat"))
    return [chat, tiny_models.build_llama(folder / "plain"), tiny_models.build_gpt2(folder / "small", n_positions=160)]


@pytest.fixture(scope="module", autouse=True)
def child() -> Iterator[None]:
    """The one that renders: started before the first test, ended behind the last."""
    renderer().warm()
    yield
    renderer().close()


@pytest.fixture(scope="module")
def models(folders: list[Path]) -> Models:
    return Models(*folders)


def params(**values: Any) -> Params:
    return Params.load({"messages": TALK, "model": "chat", "max_tokens": 16, "seed": 3, "temperature": 0, **values})


def run(models: Models, asked: Params, **context: Any) -> Context:
    ctx = Context(models, **context)
    Chat().run(asked, ctx)
    return ctx


def language(models: Models, name: str = "chat") -> Any:
    return models.kept[name, "text-float32"]


def refusal(models: Models, asked: Params) -> StudioError:
    with pytest.raises(StudioError) as caught:
        run(models, asked)
    return caught.value


def test_the_answer_alone_is_saved_with_what_explains_it(models: Models) -> None:
    ctx = run(models, params(system="Be brief."))
    [(text, facts)] = ctx.saved
    assert text == ctx.streamed and facts["stop_reason"] == "length" and facts["tokens"] == 16
    tok = language(models).tokenizer
    whole = tok.apply_chat_template(
        [{"role": "system", "content": "Be brief."}, *TALK], add_generation_prompt=True, return_dict=False
    )
    assert facts["prompt_tokens"] == len(whole)
    assert (facts["template"], facts["messages"], facts["seed"]) == ("model", 3, 3)
    assert facts["template_sha256"] == Template(CHATML, "model").sha256
    assert not {"adapted", "dropped_messages", "continued_chars"} & facts.keys()


def test_guidance_leads_away_from_the_negative_system_prompt(models: Models) -> None:
    plain = run(models, params(system="Be brief."))
    same = run(models, params(system="Be brief.", guidance=3.0, negative_prompt="Be brief."))
    away = run(models, params(system="Be brief.", guidance=3.0, negative_prompt="Be long and the birds"))
    assert same.streamed == plain.streamed != away.streamed


def test_a_prompt_is_the_last_message(models: Models) -> None:
    once = run(models, params())
    again = run(models, params(messages=TALK[:2], prompt=TALK[2]["content"]))
    assert once.streamed == again.streamed and once.facts["prompt_tokens"] == again.facts["prompt_tokens"]


def test_system_prompts_of_both_places_are_one(models: Models) -> None:
    asked = params(system="A", messages=[{"role": "developer", "content": "B"}, *TALK])
    assert asked.system_prompt() == "A\n\nB" and asked.said() == TALK


def test_the_answer_ends_with_the_token_that_the_template_puts_behind_one(models: Models) -> None:
    """The model does not name it as its end. Two rows of its last layer change places, so that it comes up."""
    run(models, params())
    model = language(models)
    written, end = _tokens(models, params()), model.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end not in model.ends
    rows, pair = model.model.get_output_embeddings().weight, [written[5], end]
    rows[pair] = rows[pair[::-1]].clone()
    try:
        ctx = run(models, params())
    finally:
        rows[pair] = rows[pair[::-1]].clone()
    at = written.index(written[5])
    assert (ctx.facts["stop_reason"], ctx.facts["tokens"]) == ("eos", at + 1)
    assert ctx.streamed == model.tokenizer.decode(written[:at])


def test_an_answer_is_continued_and_is_one_text(models: Models) -> None:
    whole = run(models, params())
    begun = whole.saved[0][0]
    ids = [str(token) for token in _tokens(models, params())][:6]
    prefix = language(models).tokenizer.decode(list(map(int, ids)))
    talk = [*TALK, {"role": "assistant", "content": prefix}]
    more = run(models, params(messages=talk, continue_last=True, continued_tokens=" ".join(ids), max_tokens=10))
    assert more.saved[0][0] == more.streamed == begun
    assert more.facts["continued_chars"] == len(prefix) and more.facts["tokens"] == 10
    otherwise = run(models, params(messages=talk, continue_last=True, max_tokens=10))
    assert otherwise.saved[0][0].startswith(prefix)


def _tokens(models: Models, asked: Params) -> list[int]:
    """What the model writes at temperature 0, as it chose them."""
    import torch

    model = language(models)
    ids = model.tokenizer.apply_chat_template(asked.said(), add_generation_prompt=True, return_dict=False)
    with torch.inference_mode():
        out = model.model.generate(
            torch.tensor([ids]), max_new_tokens=asked.max_tokens, do_sample=False, pad_token_id=2, eos_token_id=None
        )
    return out[0, len(ids) :].tolist()


def test_a_model_without_a_template_answers_in_the_plain_format(models: Models) -> None:
    ctx = run(models, params(model="plain", max_tokens=40))
    assert ctx.facts["template"] == "plain" and ctx.facts["template_sha256"] == Template(PLAIN, "plain").sha256
    assert "\nUser:" not in ctx.streamed and ctx.saved[0][0] == ctx.streamed == ctx.streamed.lstrip()
    chosen = run(models, params(template="plain"))
    assert chosen.facts["template"] == "plain"


def test_a_template_of_the_settings_takes_the_place_of_the_models(models: Models) -> None:
    ctx = run(models, params(template="{{ messages[-1].content }}"))
    assert ctx.facts["template"] == "settings"
    assert ctx.facts["prompt_tokens"] == len(language(models).tokenizer(TALK[-1]["content"])["input_ids"])
    assert refusal(models, params(template="{% for %}")).code == "template-syntax"


def test_what_a_template_does_not_take_is_put_otherwise_and_said(models: Models) -> None:
    two = [{"role": "user", "content": "one"}, *TALK]
    ctx = run(models, params(system="Be brief.", messages=two, template=ALTERNATING))
    assert [words.split(":")[0] for words in ctx.facts["adapted"]] == [
        "The template knows no system prompt",
        "The template wants the roles to alternate",
    ]
    merged = [{"role": "user", "content": "Be brief.\n\none\n\nWhat had the river said?"}, *TALK[1:]]
    assert run(models, params(messages=merged, template=ALTERNATING)).streamed == ctx.streamed
    assert refusal(models, params(template="{{ raise_exception('never') }}")).detail == "It says: never."


def long_talk(turns: int) -> list[dict[str, str]]:
    return [
        {"role": role, "content": f"{role} number {n} says so"} for n in range(turns) for role in ("user", "assistant")
    ] + [TALK[2]]


def test_what_does_not_fit_is_refused_with_what_would_have_to_go(models: Models) -> None:
    error = refusal(models, params(model="small", messages=long_talk(8), max_tokens=30))
    assert error.code == "too-long"
    assert "the model holds 160, of which 30 are kept for the answer" in error.detail
    assert "Without the oldest" in error.detail and "of 17 it is" in error.detail


def test_the_oldest_turns_are_left_out_but_never_the_system_prompt(models: Models) -> None:
    asked = params(model="small", messages=long_talk(8), max_tokens=30, overflow="drop-oldest", system="Be brief.")
    ctx = run(models, asked)
    dropped = ctx.facts["dropped_messages"]
    assert 0 < dropped < 16 and dropped % 2 == 0 and ctx.facts["messages"] == 17 - dropped
    assert ctx.facts["prompt_tokens"] <= 130 and ctx.facts["dropped_tokens"] > 0
    shorter = run(models, asked.model_copy(update={"messages": asked.messages[dropped:], "overflow": "refuse"}))
    assert shorter.streamed == ctx.streamed and "dropped_messages" not in shorter.facts
    one_more = asked.model_copy(update={"messages": asked.messages[dropped - 2 :], "overflow": "refuse"})
    assert refusal(models, one_more).code == "too-long"


def test_a_last_message_that_alone_is_too_long(models: Models) -> None:
    error = refusal(models, params(model="small", messages=[], prompt="word " * 200, overflow="drop-oldest"))
    assert error.code == "too-long" and "Even the last message alone" in error.detail and "Shorten" in error.hint


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"messages": []}, "empty"),
        ({"messages": TALK[:2]}, "empty"),
        ({"continue_last": True}, "no-answer"),
        ({"messages": TALK[:2], "prompt": "more", "continue_last": True}, "no-answer"),
    ],
)
def test_what_cannot_be_answered(models: Models, values: dict[str, Any], code: str) -> None:
    assert refusal(models, params(**values)).code == code


def test_stopped_in_the_middle_what_was_said_is_kept(models: Models) -> None:
    ctx = Context(models, lambda ctx, kind: kind == "step" and len(ctx.steps) >= 4)
    with pytest.raises(JobCancelled):
        Chat().run(params(), ctx)
    [(text, facts)] = ctx.saved
    assert text == ctx.streamed and facts["stop_reason"] == "cancelled" and facts["template"] == "model"


def test_params_take_messages_as_others_write_them() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    asked = Params.load({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]})
    assert [m.content for m in asked.messages] == ["one\ntwo", ""]
    for bad in ({"role": "tool", "content": "x"}, {"content": [{"type": "image_url"}]}, {"content": "a\0b"}, {"a": 1}):
        with pytest.raises(StudioError) as caught:
            Params.load({"messages": [bad]})
        assert caught.value.code == "invalid", bad
    assert Params.load(json.loads(asked.model_dump_json())) == asked


def test_the_estimate_counts_everything_that_is_said() -> None:
    info = ModelInfo("m", "", "text-generation", parameters=1000, config={"num_hidden_layers": 2, "hidden_size": 8})
    short, long = (estimate(params(messages=talk), lambda _ref: info).working for talk in (TALK, long_talk(500)))
    assert long > short
