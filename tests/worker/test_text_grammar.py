"""Texts kept to a grammar, and what the settings say about single tokens, with tiny tokenizers of each kind."""

import json
import re
from typing import Any

import pytest
import torch

from plugins.text.lexicon import Lexicon
from plugins.text.params_sampling import SamplingParams
from plugins.text.sampler import Sampler
from studio.errors import StudioError
from tests import tiny_models, tiny_tokenizers

pytestmark = pytest.mark.worker
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"fox": {"type": "boolean"}, "legs": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["fox", "legs"],
        "additionalProperties": False,
    }
)
LARK = 'start: "the " ("fox" | "bear") " " ("ran"|"sat") "."'


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_models.byte_level_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def lexicon(words: Any) -> Lexicon:
    return Lexicon(words, tiny_models.VOCABULARY, [words.eos_token_id])


def written(lexicon: Lexicon, words: Any, seed: int = 0, most: int = 200, **values: Any) -> tuple[str, bool, list[Any]]:
    """A text of random logits that is kept to a grammar, whether it was finished, and its records."""
    sampler = Sampler(SamplingParams.load({"temperature": 1.0, "top_k": 0, **values}), seed, lexicon, [5, 6])
    generator = torch.Generator().manual_seed(seed)
    tokens, records = [], []
    for _ in range(most):
        made = sampler(torch.randn(lexicon.size, generator=generator) * 3)
        records.append(made.record)
        if made.token == words.eos_token_id:
            return words.decode(tokens), True, records
        tokens.append(made.token)
        assert made.last == sampler.finished
        if made.last:
            return words.decode(tokens), True, records
    return words.decode(tokens), False, records


@pytest.mark.parametrize("values", [{}, {"top_k": 20}, {"temperature": 0}, {"top_p": 0.5, "xtc_probability": 0.5}])
def test_a_schema_a_regex_and_a_lark_grammar_are_kept_to_and_end_the_text(
    lexicon: Lexicon, words: Any, values: dict[str, Any]
) -> None:
    for seed in range(3):
        text, done, _ = written(lexicon, words, seed, structure="json-schema", grammar=SCHEMA, **values)
        assert done
        read = json.loads(text)
        assert set(read) == {"fox", "legs"} and isinstance(read["fox"], bool) and 0 <= read["legs"] <= 9
        text, done, _ = written(lexicon, words, seed, structure="regex", grammar=r"[a-f]{3}-[0-9]{2,4}", **values)
        assert done and re.fullmatch(r"[a-f]{3}-[0-9]{2,4}", text)
        text, done, _ = written(lexicon, words, seed, structure="lark", grammar=LARK, **values)
        assert done and text in {f"the {who} {did}." for who in ("fox", "bear") for did in ("ran", "sat")}


def test_alternatives_after_the_chain_are_allowed_ones_and_make_a_whole(lexicon: Lexicon, words: Any) -> None:
    digits = {i for i in range(lexicon.size) if re.fullmatch(r"\d+", words.decode([i]))}
    for values in ({}, {"top_k": 300}):
        _, _, records = written(lexicon, words, 1, most=1, structure="regex", grammar=r"[0-9]{9}", **values)
        shown = [other for other in records[0].alternatives if other.after > float("-inf")]
        assert {other.token for other in shown} <= digits
        assert records[0].survivors == len(digits & {*range(lexicon.size)}) or values
        if records[0].survivors <= len(shown):
            assert sum(2.718281828**other.after for other in shown) == pytest.approx(1, abs=1e-5)
        assert any(other.token not in digits for other in records[0].alternatives)


def test_a_survivor_that_is_allowed_is_preferred_to_running_the_chain_again(lexicon: Lexicon, words: Any) -> None:
    """Top-k 2 leaves a letter and the 7: the 7 it is. Top-k 1 leaves the letter alone: the best digit of all."""
    letter, seven, eight = (words.convert_tokens_to_ids(text) for text in ("z", "7", "8"))
    logits = torch.full((lexicon.size,), -5.0)
    logits[letter], logits[seven], logits[eight] = 9.0, 3.0, 2.9
    asked = {"temperature": 1.0, "structure": "regex", "grammar": r"\d"}
    for seed in range(5):
        two = Sampler(SamplingParams.load({**asked, "top_k": 2}), seed, lexicon, [])(logits)
        one = Sampler(SamplingParams.load({**asked, "top_k": 1}), seed, lexicon, [])(logits)
        for made in (one, two):
            assert (made.token, made.record.after, made.record.rank, made.last) == (seven, 0.0, 2, True)


def test_a_fork_goes_its_own_way_through_the_grammar(lexicon: Lexicon, words: Any) -> None:
    settings = SamplingParams.load({"structure": "regex", "grammar": "(abc|xyz)"})
    one = Sampler(settings, 0, lexicon, [])
    other = one.fork(1)
    for sampler, text in ((one, "abc"), (other, "xyz")):
        for letter in text:
            logits = torch.zeros(lexicon.size)
            logits[words.convert_tokens_to_ids(letter)] = 50
            assert words.decode([sampler(logits).token]) == letter
        assert sampler.finished


@pytest.mark.parametrize(
    ("structure", "grammar", "code", "words_of_it"),
    [
        ("json-schema", '{"type": "nonsense"}', "grammar", "nonsense"),
        ("json-schema", '{"type": "string", "minLength": 5, "maxLength": 2}', "unsatisfiable", "minLength"),
        ("json-schema", '{"enum": []}', "unsatisfiable", "empty"),
        ("json-schema", '{"$ref": "http://example.org/x"}', "grammar", "does not fetch"),
        ("regex", "(((", "grammar", "unclosed group"),
        ("regex", r"[^\s\S]", "unsatisfiable", "contradicts itself"),
        ("lark", "start: foo", "grammar", "unknown name"),
        ("lark", 'start: start "a"', "unsatisfiable", "contradicts itself"),
    ],
)
def test_what_is_no_grammar_or_allows_nothing_is_said_before_a_token_is_written(
    lexicon: Lexicon, structure: str, grammar: str, code: str, words_of_it: str
) -> None:
    with pytest.raises(StudioError) as caught:
        Sampler(SamplingParams.load({"structure": structure, "grammar": grammar}), 0, lexicon, [])
    assert caught.value.code == code
    assert words_of_it in caught.value.detail


def test_blanks_in_json_come_to_an_end(lexicon: Lexicon, words: Any) -> None:
    """A weak model would write line breaks for ever."""
    sampler = Sampler(SamplingParams.load({"structure": "json-schema", "grammar": SCHEMA}), 0, lexicon, [])
    logits = torch.zeros(lexicon.size)
    logits[words.convert_tokens_to_ids("Ċ")] = 50
    tokens = [sampler(logits).token for _ in range(60)]
    assert "\n" * 20 in words.decode(tokens) and "\n" * 21 not in words.decode(tokens)


def test_a_grammar_against_a_ban_ends_in_words(lexicon: Lexicon) -> None:
    asked = {"structure": "regex", "grammar": "7+", "logit_bias": [{"token": "7"}]}
    with pytest.raises(StudioError) as caught:
        Sampler(SamplingParams.load(asked), 0, lexicon, [])(torch.zeros(lexicon.size))
    assert caught.value.code == "nothing-left"


def test_a_model_without_an_end_of_text_still_ends_with_its_grammar(words: Any) -> None:
    text, done, _ = written(Lexicon(words, 384), words, 2, structure="regex", grammar="[a-c]{4}")
    assert done and re.fullmatch("[a-c]{4}", text)


def test_a_tokenizer_that_cannot_be_read_is_said() -> None:
    with pytest.raises(StudioError, match="NoneType") as caught:
        Sampler(SamplingParams.load({"structure": "regex", "grammar": "a"}), 0, Lexicon(None, 9), [])
    assert caught.value.code == "grammar-tokenizer"


def test_a_bias_is_for_a_text_of_one_token_or_a_number(lexicon: Lexicon, words: Any) -> None:
    asked = [{"token": "#7", "bias": 2}, {"token": "a", "bias": 1}, {"token": r"\n"}, {"token": "a", "bias": 0.5}]
    found = lexicon.marks(SamplingParams.load({"logit_bias": asked})).bias
    a, line_break = words.convert_tokens_to_ids("a"), words.convert_tokens_to_ids("Ċ")
    assert found == {7: 2, a: 1.5, line_break: float("-inf")}


@pytest.mark.parametrize(
    ("token", "why"),
    [("#384", "from #0 to #383"), ("#99999999999999999999", "from #0 to #383"), ("qqq", "it is 3 tokens"), ("#x", "2")],
)
def test_a_bias_on_what_is_no_token_is_said(lexicon: Lexicon, token: str, why: str) -> None:
    with pytest.raises(StudioError, match="There is no token") as caught:
        lexicon.marks(SamplingParams.load({"logit_bias": [{"token": token}]}))
    assert why in caught.value.detail and caught.value.code == "no-token"


@pytest.mark.parametrize("kind", tiny_tokenizers.KINDS)
def test_tokenizers_of_other_kinds_are_read_or_refused(kind: str) -> None:
    words = tiny_tokenizers.tokenizer(kind)
    for lexicon in (Lexicon(words, len(words), [words.eos_token_id]), Lexicon(words, len(words) + 3)):
        if kind == "wordpiece":
            with pytest.raises(StudioError, match="WordPiece"):
                lexicon.matcher(SamplingParams.load({"structure": "regex", "grammar": "a"}))
        else:
            text, done, _ = written(lexicon, words, structure="regex", grammar="the fox( [a-d]){2}")
            assert done and re.fullmatch("the fox( [a-d]){2}", text.strip())


@pytest.mark.parametrize("kind", tiny_tokenizers.KINDS)
def test_breakers_and_line_breaks_are_found_by_what_tokens_spell(kind: str) -> None:
    words = tiny_tokenizers.tokenizer(kind)
    lexicon = Lexicon(words, len(words), [words.eos_token_id])
    texts = [words.convert_ids_to_tokens(i) for i in range(len(words))]
    asked = SamplingParams.load({"dry_multiplier": 1, "dry_breakers": ["?", "fox"], "xtc_probability": 0.5})
    marks = lexicon.marks(asked)
    assert marks.breakers == {i for i, text in enumerate(texts) if "?" in text or "fox" in text} and marks.breakers
    assert words.eos_token_id in marks.protected
    expected = {i for i, text in enumerate(texts) if text in ("\n", "Ċ", "<0x0A>")}
    assert marks.protected - {words.eos_token_id} == expected
    assert lexicon.marks(SamplingParams()).breakers == lexicon.marks(SamplingParams()).protected == frozenset()


def test_a_compiled_grammar_is_kept(lexicon: Lexicon) -> None:
    settings = SamplingParams.load({"structure": "regex", "grammar": "kept"})
    lexicon.matcher(settings)
    assert len(lexicon._grammars._kept) <= 16
    first = next(reversed(lexicon._grammars._kept.values()))
    lexicon.matcher(settings)
    assert next(reversed(lexicon._grammars._kept.values())) is first
    for number in range(20):
        lexicon.matcher(settings.model_copy(update={"grammar": f"other {number}"}))
    assert len(lexicon._grammars._kept) == 16
