"""Chat templates: what they make of a conversation, what they cannot do to the process, who writes control tokens."""

import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugins.text.control_tokens import Controls, _matcher
from plugins.text.renderer import CHILD, Limits, Renderer
from plugins.text.templates import PLAIN, Format, Template, shown, template_of
from studio.errors import StudioError
from tests.patience import PATIENCE_S
from tests.tiny_tokenizers import ADDED, BARE, CHATML, KINDS, SPECIAL, tokenizer

pytestmark = pytest.mark.worker
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Où est la clé ?"},
    {"role": "assistant", "content": "森の中で"},
    {"role": "user", "content": "the fox"},
]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    child = Renderer()
    child.warm()
    yield child
    child.close()


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Any]:
    return {kind: tokenizer(kind) for kind in KINDS}


def user(content: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content}]


def form(tokenizer: Any, renderer: Renderer, template: str = CHATML, **more: Any) -> Format:
    return Format(tokenizer, Template(template, "settings"), renderer, **more)


# what is rendered --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_is_what_transformers_makes_of_it(
    tokenizers: dict[str, Any], renderer: Renderer, kind: str
) -> None:
    tok = tokenizers[kind]
    ours = form(tok, renderer)
    expected = {"tokenize": True, "sanitize_control_tokens": True, "return_dict": False}
    assert ours.ids(TALK) == tok.apply_chat_template(TALK, add_generation_prompt=True, **expected)
    going_on = TALK[:3]
    assert ours.ids_going_on(going_on) == tok.apply_chat_template(going_on, continue_final_message=True, **expected)


def test_a_message_that_goes_on_keeps_the_tokens_it_was_written_with(
    tokenizers: dict[str, Any], renderer: Renderer
) -> None:
    tok = tokenizers["byte-level"]
    other = [id for character in "the fox" for id in tok(character)["input_ids"]]
    assert tok.decode(other) == "the fox" and other != tok("the fox")["input_ids"]
    talk = [*TALK[:2], {"role": "assistant", "content": "the fox"}]
    ours = form(tok, renderer)
    kept = ours.ids_going_on(talk, other)
    assert kept == ours.ids(TALK[:2]) + other
    assert ours.ids_going_on(talk, other[:-1]) == ours.ids_going_on(talk) != kept  # they do not say this text
    assert ours.ids_going_on(talk, [*other, tok.convert_tokens_to_ids("<|im_end|>")]) == ours.ids_going_on(talk)


def test_space_at_the_end_of_what_goes_on_is_kept_where_the_template_trims(
    tokenizers: dict[str, Any], renderer: Renderer
) -> None:
    tok = tokenizers["byte-level"]
    trimming = form(tok, renderer, CHATML.replace("message.content", "message.content | trim"))
    ids = trimming.ids_going_on([*user("hi"), {"role": "assistant", "content": "the \n"}])
    assert tok.decode(ids).endswith("assistant\nthe \n")


def test_a_model_without_a_template_takes_the_plain_format(tokenizers: dict[str, Any], renderer: Renderer) -> None:
    tok = tokenizer("byte-level")
    tok.chat_template = None
    plain = template_of(tok)
    assert (plain.text, plain.source, template_of(tok, " plain ").source) == (PLAIN, "plain", "plain")
    text = "Be brief.\n\nUser: Où est la clé ?\n\nAssistant: 森の中で\n\nUser: the fox\n\nAssistant:"
    assert shown(plain, TALK, renderer) == text
    assert tok.decode(Format(tok, plain, renderer).ids(TALK)) == text
    going_on = Format(tok, plain, renderer).ids_going_on(TALK[:3])
    assert tok.decode(going_on) == "Be brief.\n\nUser: Où est la clé ?\n\nAssistant: 森の中で"


def test_the_plain_format_begins_as_the_tokenizer_begins_a_text(renderer: Renderer) -> None:
    from tokenizers.processors import TemplateProcessing

    tok = tokenizer("byte-level")
    bos, eos = tok.convert_tokens_to_ids(["<s>", "</s>"])
    tok.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", bos), ("</s>", eos)]
    )
    ids = Format(tok, template_of(tok, "plain"), renderer).ids(TALK)
    assert ids[0] == bos and ids.count(bos) == 1 and eos not in ids


def test_which_template_and_how_it_is_told() -> None:
    tok = tokenizer("byte-level")
    assert template_of(tok) == Template(CHATML, "model")
    assert template_of(tok, BARE) == Template(BARE, "settings")
    tok.chat_template = {"tool_use": BARE, "default": CHATML}
    assert template_of(tok).text == CHATML
    facts = Template("{{ strftime_now('%d') }}", "model").facts()
    assert facts["template"] == "model" and len(facts["template_sha256"]) == 64 and facts["template_date"]
    assert "template_date" not in template_of(tok).facts()


def test_a_template_is_told_whether_to_think(tokenizers: dict[str, Any], renderer: Renderer) -> None:
    asks = "{{ messages[0].content }}{% if enable_thinking is false %}!{% endif %}{{ eos_token }}"
    tok = tokenizers["byte-level"]
    told = [tok.decode(form(tok, renderer, asks, thinking=thinking).ids(user("a"))) for thinking in (None, True, False)]
    assert told == ["a</s>", "a</s>", "a!</s>"]


# what a template cannot do -----------------------------------------------------------------------

HOSTILE = {
    "template-time": "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "template-memory": "{{ ('x' * 10**10) | length }}",
    "template-size": "{{ 'x' * 2000000 }}",
    "template-syntax": "{% for message in messages %}",
    "template": "{{ raise_exception('alternate, please') }}",
}


def test_a_template_that_does_harm_is_stopped_and_the_next_one_works() -> None:
    """The clock and the bound on memory are the system's: they end the child in the middle of one operation, too."""
    child = Renderer(Limits(cpu_s=0.3, memory=128 << 20))
    try:
        for code, template in HOSTILE.items():
            with pytest.raises(StudioError) as caught:
                child.render(template, TALK)
            assert caught.value.code == code
        assert child.render(BARE, user("still there")) == "still there"
    finally:
        child.close()


@pytest.mark.parametrize(
    "template",
    ["{{ messages.append(1) }}", "{{ ''.__class__.__mro__ }}", "{{ messages[9].content.x }}", "{{ cycler.__init__ }}"],
)
def test_a_template_reaches_nothing(renderer: Renderer, template: str) -> None:
    with pytest.raises(StudioError) as caught:
        renderer.render(template + "{{ nothing.at_all }}", TALK)
    assert caught.value.code == "template"


def test_one_that_deletes_what_is_to_go_on_says_so(renderer: Renderer) -> None:
    with pytest.raises(StudioError) as caught:
        renderer.render("{% for m in messages %}{{ m.content[:1] }}{% endfor %}", TALK[:3], going_on=True)
    assert caught.value.code == "template-continue"


def test_the_child_knows_no_secrets_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as in a frozen application, where the worker's executable is the only Python."""
    monkeypatch.setenv("HF_TOKEN", "secret")
    worker = [sys.executable, "-m", "studio.worker", "--child", str(CHILD)]
    monkeypatch.setattr("plugins.text.renderer.command", lambda: worker)
    child = Renderer()
    assert child.render(BARE, user("there")) == "there"
    process = child._process
    assert process is not None
    with open(f"/proc/{process.pid}/environ", "rb") as environment:  # noqa: PTH123
        assert b"HF_TOKEN" not in environment.read()
    child.close()
    assert process.poll() is not None


def test_several_threads_share_one_child(renderer: Renderer) -> None:
    said: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: said.update({n: renderer.render(BARE, user(f"{n} " * 999))}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert said == {n: f"{n} " * 999 for n in range(4)}


# control tokens ----------------------------------------------------------------------------------

HALVES = [token[:n] for token in (*SPECIAL, *ADDED) for n in (2, 5)] + [token[5:] for token in (*SPECIAL, *ADDED)]
PIECES = st.one_of(
    st.sampled_from([*SPECIAL, *ADDED, "<s>", "</s>", "<unk>", "<pad>", *HALVES, " ", "\n"]),
    st.sampled_from(["＜|im_end|＞", "＜/s＞", "<|ＫＥＹ|>", "<|\u212aEY|>", "<|key|>", "\U000f0000", "\U000f0001"]),
    st.text(max_size=8).filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text)),
)
WRITTEN = st.lists(PIECES, max_size=8).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@given(first=WRITTEN, second=WRITTEN, third=WRITTEN)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_people_write_never_becomes_a_control_token(
    tokenizers: dict[str, Any], kind: str, first: str, second: str, third: str
) -> None:
    """Rendered by hand, to try many: only what stands between the messages is a control token."""
    tok = tokenizers[kind]
    controls = Controls(tok)
    marked = [controls.mark(text) for text in (first, second, third)]
    ids = controls.encode("<|im_start|>" + "".join(marked) + "<|im_end|>")
    mine = set(controls.ids.values()) - {tok.unk_token_id}
    assert [id for id in ids if id in mine] == tok.convert_tokens_to_ids(SPECIAL)


@given(first=WRITTEN, second=WRITTEN)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_people_write_comes_back_letter_for_letter(tokenizers: dict[str, Any], first: str, second: str) -> None:
    tok = tokenizers["byte-level"]
    controls = Controls(tok)
    ids = controls.encode(f"<|im_start|>{controls.mark(first)}\n{controls.mark(second)}")
    back = tok.decode(ids, clean_up_tokenization_spaces=False).removeprefix("<|im_start|>")
    assert back == f"{first}\n{second}".replace("\U000f0000", "").replace("\U000f0001", "")


@pytest.mark.parametrize("kind", ["unigram", "byte-level-nfkc"])
@pytest.mark.parametrize("text", ["the fox</s> lived", "<|im_end|>", "a <think> b", "<|fim_middle|>\nx"])
def test_a_tokenizer_that_changes_texts_changes_no_more_than_ever(
    tokenizers: dict[str, Any], kind: str, text: str
) -> None:
    tok = tokenizers[kind]
    controls = Controls(tok)
    ids = controls.encode(f"<|im_start|>{controls.mark(text)}<|im_end|>")
    back = tok.decode(ids[1:-1], clean_up_tokenization_spaces=False)
    assert back.replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.text(alphabet="ab<|", min_size=1, max_size=5), max_size=9), st.text(alphabet="ab<|", max_size=60))
@settings(deadline=None, max_examples=60)
def test_tokens_that_begin_alike_are_found_as_one_by_one(tokens: list[str], text: str) -> None:
    longest = sorted(set(tokens), key=len, reverse=True)
    expected = re.findall("|".join(map(re.escape, longest)), text) if longest else []
    assert _matcher(tokens).findall(text) == expected


def test_an_answer_keeps_the_tags_that_its_template_names(tokenizers: dict[str, Any], renderer: Renderer) -> None:
    tok = tokenizers["byte-level"]
    named = form(tok, renderer, CHATML + "{# #}{% if false %}<think></think>{% endif %}")
    think, middle, end = tok.convert_tokens_to_ids(["<think>", "<|fim_middle|>", "<|im_end|>"])
    text = "<think>x</think><|fim_middle|><|im_end|>"
    ids = named.ids([{"role": "assistant", "content": text}, *user(text)])
    assert (ids.count(think), ids.count(middle), ids.count(end)) == (1, 0, 2)
    assert think not in form(tok, renderer).ids([{"role": "assistant", "content": text}])


JOINING = {
    BARE: ("<|im_", "end|>x"),
    "<|im_{{ messages[0].content }}": ("end|>", ""),
    "{{ messages[0].content }}end|>": ("<|im_", ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_forms_no_control_token_with_its_neighbour(
    tokenizers: dict[str, Any], renderer: Renderer, kind: str
) -> None:
    tok = tokenizers[kind]
    for template, (first, second) in JOINING.items():
        ids = form(tok, renderer, template).ids([*user(first), {"role": "assistant", "content": second}])
        assert tok.convert_tokens_to_ids("<|im_end|>") not in ids, template
