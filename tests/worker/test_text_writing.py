"""`write` as chat and code call it: ids of their own, ends, a lead, a rule, a way to show and to save."""

from dataclasses import dataclass
from pathlib import Path
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
WORDS = Lexicon(None, tiny_models.VOCABULARY)
GREEDY = SamplingParams(temperature=0)
IDS = [5, 9, 200, 17, 300, 41, 8]


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> loading.Language:
    folder: Path = tiny_models.build_qwen2(tmp_path_factory.mktemp("models") / "tiny")
    return loading.load(ModelInfo("tiny", str(folder), "text-generation"), "cpu", "float32")


def written(language: loading.Language, ctx: Context | None = None, ids: list[int] = IDS, **more: Any) -> Written:
    more = {"limit": 30, **more}
    choose = more.pop("choose", None) or Sampler(GREEDY, 0, WORDS, ids)
    return write(ids, choose, ctx or Context(Models()), language, **more)


def text_of(language: loading.Language, tokens: list[int]) -> str:
    return language.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_what_was_written_and_its_facts(language: loading.Language) -> None:
    ctx = Context(Models())
    found = written(language, ctx)
    assert found.text == ctx.streamed == text_of(language, found.tokens)
    assert (found.stop_reason, found.prompt_tokens, len(found.tokens)) == ("length", len(IDS), 30)
    assert ctx.facts == found.facts() and ctx.facts["tokens"] == 30
    assert [record.token for record in found.records] == found.tokens


def test_ends_beside_the_models_own(language: loading.Language) -> None:
    free = written(language)
    at = next(i for i in range(4, 30) if free.tokens[i] not in free.tokens[:i])
    found = written(language, ends=[free.tokens[at]])
    assert (found.stop_reason, found.tokens) == ("eos", free.tokens[: at + 1])
    assert found.text == text_of(language, free.tokens[:at])


def test_a_lead_is_streamed_first_and_begins_the_text(language: loading.Language) -> None:
    ctx = Context(Models())
    found = written(language, ctx, lead="<think>\n")
    assert found.text == ctx.streamed == "<think>\n" + written(language).text


def test_each_sees_every_token_and_ends_by_its_own_rule(language: loading.Language) -> None:
    seen: list[tuple[int, str, Any]] = []

    def each(token: int, piece: str, record: Any) -> bool:
        seen.append((token, piece, record))
        return len(seen) == 6

    found = written(language, each=each)
    assert (found.stop_reason, len(found.tokens)) == ("rule", 6)
    assert [token for token, _, _ in seen] == found.tokens
    assert found.text.startswith("".join(piece for _, piece, _ in seen))


def test_pieces_go_where_they_are_sent(language: loading.Language) -> None:
    ctx, pieces = Context(Models()), []
    found = written(language, ctx, show=pieces.append)
    assert ctx.pieces == [] and "".join(pieces) == found.text


@dataclass(frozen=True)
class Choice:
    token: int
    record: bytes
    last: bool = False


def test_records_of_choices_are_kept(language: loading.Language) -> None:
    sampler = Sampler(GREEDY, 0, WORDS, IDS)

    def choose(logits: torch.Tensor) -> Choice:
        token = sampler(logits).token
        return Choice(token, token.to_bytes(2, "little"))

    found = written(language, choose=choose, limit=8)
    assert found.records == [token.to_bytes(2, "little") for token in found.tokens]


def test_a_choice_after_which_nothing_can_follow(language: loading.Language) -> None:
    found = written(language, choose=lambda logits: Choice(int(logits.argmax()), b"", last=True))
    assert (found.stop_reason, len(found.tokens)) == ("grammar", 1) and found.text == text_of(language, found.tokens)


@pytest.mark.parametrize("after", [1, 7])
def test_a_cancelled_text_is_saved_and_the_cancel_goes_on(language: loading.Language, after: int) -> None:
    saved: list[Written] = []
    ctx = Context(Models(), lambda ctx, kind: kind == "step" and len(ctx.steps) == after)
    with pytest.raises(JobCancelled):
        written(language, ctx, save=saved.append)
    assert [(w.stop_reason, len(w.tokens)) for w in saved] == [("cancelled", after)]
    assert saved[0].text == ctx.streamed == text_of(language, saved[0].tokens)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize(
    ("ids", "code"), [([], "empty"), ([5] * tiny_models.CONTEXT, "too-long"), ([5, 9999], "tokenizer")]
)
def test_ids_that_cannot_be_read(language: loading.Language, ids: list[int], code: str) -> None:
    with pytest.raises(StudioError) as caught:
        written(language, ids=ids)
    assert caught.value.code == code
