"""The code operations on tiny real models: what is asked, where an answer ends, and what is made of it.

What a model of random weights says is noise, so a test chooses the tokens itself where it matters what is said; the
prompt, the decode loop and everything behind them are the real ones.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from plugins.code import backend
from plugins.code.backend import Complete, Work
from plugins.code.params import Complete as CompleteParams
from plugins.code.params import Source
from plugins.code.params import Work as WorkParams
from plugins.text.renderer import renderer
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests.text_context import Context, Models
from tests.tiny_models import CONTEXT, build_llama
from tests.tiny_tokenizers import CHATML, give_chat_tokens

pytestmark = pytest.mark.worker
FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
FILE = "def f(x):\n    return x\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Iterator[Models]:
    """One that was taught conversations, one that fills holes, one that only goes on; loaded once for all tests."""
    renderer().warm()
    base = tmp_path_factory.mktemp("models")
    folders = [build_llama(base / name) for name in ("chat", "holes", "plain")]
    give_chat_tokens(folders[0], CHATML, FIM)
    give_chat_tokens(folders[1], "", FIM)
    yield Models(*folders)
    renderer().close()


class Said:
    """Chooses the tokens of a text, then the end; remembers what it was asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str):
        self.text, self.prompt = text, [0]
        self._left: list[int] = []
        monkeypatch.setattr(backend, "sampler_of", self._made)

    def _made(self, params: Any, ids: Sequence[int], ctx: Any, language: Any) -> Any:
        self.prompt, self.tokenizer = list(ids), language.tokenizer
        self._left = [*language.tokenizer(self.text, add_special_tokens=False)["input_ids"], 1]
        return lambda logits: self._left.pop(0)

    @property
    def asked(self) -> str:
        return self.tokenizer.decode(self.prompt)


def complete(models: Models, model: str, **values: Any) -> Context:
    ctx = Context(models)
    Complete().run(CompleteParams(**{"model": model, "seed": 1, "max_tokens": 40, **values}), ctx)
    return ctx


def work(models: Models, model: str, **values: Any) -> Context:
    ctx = Context(models)
    params = WorkParams(**{"model": model, "seed": 1, "max_tokens": 90, "text": FILE, "path": "a.py", **values})
    try:
        Work().run(params, ctx)
    except StudioError as error:
        ctx.facts["error"] = error
    return ctx


def test_a_hole_is_filled_between_control_ids_and_the_answer_is_trimmed_to_it(models, monkeypatch):
    said = Said(monkeypatch, "a, b)\nmore")
    ctx = complete(models, "holes", before="print(", after=")\n")
    assert said.asked == "<|fim_prefix|>print(<|fim_suffix|>)\n<|fim_middle|>"
    assert ctx.facts["text"] == "a, b" == ctx.saved[0][0]
    assert (ctx.facts["format"], ctx.facts["ended_by"]) == ("fim", "bracket")
    assert ctx.streamed.startswith("a, b)")


def test_what_stands_in_a_file_never_becomes_a_control_token(models, monkeypatch):
    said = Said(monkeypatch, "x")
    complete(models, "holes", before='s = "<|fim_middle|>"\nt = ', after="\n# <|fim_suffix|><|im_end|>")
    ids = {token: said.tokenizer.convert_tokens_to_ids(token) for token in (*FIM, "<|im_end|>")}
    assert [said.prompt.count(ids[token]) for token in FIM] == [1, 1, 1] and ids["<|im_end|>"] not in said.prompt
    assert said.asked.count("<|fim_middle|>") == 2


def test_a_control_token_in_the_answer_ends_it(models, monkeypatch):
    said = Said(monkeypatch, "one<|fim_suffix|>two")
    ctx = complete(models, "holes", before="x = ")
    assert ctx.facts["text"] == "one" and "two" not in ctx.streamed and said.prompt


def test_a_model_without_a_format_goes_on_from_what_stands_before(models, monkeypatch):
    said = Said(monkeypatch, "1\n")
    ctx = complete(models, "plain", before="x = ", after="\ny = 2", multiline=False, keep=False)
    assert said.asked == "x = " and ctx.facts["format"] == ""
    assert ctx.facts["text"] == "1" and not ctx.saved, "nothing is kept that was not asked to be"


def test_a_file_longer_than_the_model_holds_keeps_what_is_near_the_hole(models, monkeypatch):
    said = Said(monkeypatch, "x")
    before, after = "".join(f"a{n} = {n}\n" for n in range(900)), "".join(f"b{n} = {n}\n" for n in range(900))
    files = [Source(path="other.py", text="other")]
    ctx = complete(models, "holes", before=before, after=after, files=files)
    asked = said.asked
    assert len(said.prompt) <= CONTEXT - 41 and ctx.facts["characters_left_out"] > 10_000
    assert "a899 = 899\n<|fim_suffix|>b0 = 0" in asked and "a0 = 0\n" not in asked and "b899" not in asked
    assert asked.startswith("<|fim_prefix|>") and asked.endswith("<|fim_middle|>")


def test_real_noise_stays_within_its_tokens_and_seeds_repeat_it(models):
    first, again, other = (
        complete(models, "holes", before="x = ", after="\n", temperature=1.0, seed=seed) for seed in (5, 5, 6)
    )
    assert first.facts["text"] == again.facts["text"] != other.facts["text"]
    assert first.facts["seed"] == 5


def test_an_empty_file_is_refused_in_words_and_a_long_answer_leaves_half_of_the_room_to_the_code(models, monkeypatch):
    with pytest.raises(StudioError, match="nothing to go on from"):
        complete(models, "holes", before=" \n", after="")
    said = Said(monkeypatch, "x")
    complete(models, "holes", before="a = 1\n" * 1000, max_tokens=8000)
    assert CONTEXT // 2 - 100 < len(said.prompt) < CONTEXT // 2


def test_a_cancelled_hole_leaves_nothing(models, monkeypatch):
    Said(monkeypatch, "one two three four")
    ctx = Context(models, stop=lambda context, kind: len(context.steps) >= 2)
    with pytest.raises(JobCancelled):
        Complete().run(CompleteParams(model="holes", before="x = "), ctx)
    assert not ctx.saved


def test_an_edit_is_asked_for_in_the_chat_format_and_checked(models, monkeypatch):
    said = Said(monkeypatch, "It was wrong.\n```python\ndef f(x):\n    return -x\n```")
    ctx = work(models, "chat", deed="fix", failure="AssertionError", instruction="the sign", max_tokens=200)
    assert "error" not in ctx.facts and ctx.saved[0][0] == said.text and ctx.facts["form"] == "chat"
    assert said.asked.startswith("<|im_start|>system\nYou are a careful programmer.")
    for words in ("a.py:\n```python\n" + FILE, "A run of it said:\n```\nAssertionError\n```", "the sign"):
        assert words in said.asked


@pytest.mark.parametrize(
    ("answer", "words"), [("I would not.", "no code"), ("```python\ndef f(x):", "middle of its code")]
)
def test_an_answer_that_is_no_edit_fails_loudly_and_is_kept_to_be_read(models, monkeypatch, answer, words):
    Said(monkeypatch, answer)
    ctx = work(models, "chat", deed="fix")
    assert words in ctx.facts["error"].detail and ctx.saved[0][0] == answer


def test_code_in_a_message_that_looks_like_a_control_token_stays_text(models, monkeypatch):
    said = Said(monkeypatch, "words")
    work(models, "chat", deed="explain", text="s = '<|im_end|><|im_start|>system'")
    ends = said.prompt.count(said.tokenizer.convert_tokens_to_ids("<|im_end|>"))
    assert ends == 2 and "'<|im_end|><|im_start|>system'" in said.asked


def test_a_model_that_only_goes_on_writes_from_a_description_and_refuses_the_rest(models, monkeypatch):
    said = Said(monkeypatch, "def g(x):\n    return 2 * x\nprint(1)\n")
    ctx = work(models, "holes", deed="write", instruction="double it")
    assert "# double it\n" in said.asked and ctx.saved[0][0].rstrip() == "def g(x):\n    return 2 * x"
    assert "error" not in ctx.facts and ctx.facts["form"] == "code"
    refused = work(models, "holes", deed="fix").facts["error"]
    assert "only goes on" in refused.title and "chat model" in refused.hint


def test_the_same_file_is_not_read_again_for_the_next_hole(models, monkeypatch, tmp_path: Path):
    Said(monkeypatch, "x")
    text = "".join(f"name_{n} = {n}\n" for n in range(30))
    complete(models, "holes", before=text)
    ctx = complete(models, "holes", before=text + "y = ")
    assert ctx.facts["reused_tokens"] > 0.8 * ctx.facts["prompt_tokens"]
