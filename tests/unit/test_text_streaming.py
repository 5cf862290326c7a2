"""Streamed pieces add up to what all tokens decode to, and nothing is held back that is certain."""

import functools
import itertools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from plugins.text.streaming import Bytes, StopStrings, Window, detokeniser

pytestmark = pytest.mark.unit

SIZE = 330
TEXT = "the fox and the river, the birds: 森の中の狐 🦊👩‍👩‍👧 naïve café e\u0301 \u200f שלום "


@functools.cache
def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [TEXT] * 3,
        trainers.BpeTrainer(
            vocab_size=SIZE - 4, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    # Added tokens that are no special ones: shown as they are, even where no byte stands for a character.
    tokenizer.add_tokens([AddedToken("<tool>"), AddedToken("é"), AddedToken("狐🦊")])
    return tokenizer


@functools.cache
def sentence_piece() -> Tokenizer:
    """Like Llama 2: spaces as ▁, bytes for what is not in the vocabulary, the first space left out."""
    alphabet = ["▁", *"abcdefghijklmnopqrstuvwxyz", "▁the", "▁fox", "é"]
    names = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), *alphabet]
    tokenizer = Tokenizer(
        models.BPE({name: i for i, name in enumerate(names)}, [], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def id_of(tokenizer: Tokenizer, token: str) -> int:
    id = tokenizer.token_to_id(token)
    assert id is not None
    return id


class Outer:
    """As much of a transformers tokenizer as a detokeniser sees."""

    def __init__(self, backend: Tokenizer):
        self.backend_tokenizer = backend

    def decode(self, ids: list[int], **_: Any) -> str:
        return self.backend_tokenizer.decode(ids, skip_special_tokens=True)


ids_of_bytes = st.lists(st.integers(0, SIZE + 5), max_size=40)


@given(ids_of_bytes)
def test_bytes_add_up_to_the_decoded_whole(ids: list[int]) -> None:
    """Ids beyond the vocabulary too: models have padded ones, and generate() leaves them out as well."""
    pieces = Bytes(byte_level())
    text = "".join(pieces.push(id) for id in ids) + pieces.finish()
    assert text == byte_level().decode(ids, skip_special_tokens=True)


@given(st.text(max_size=60))
@example("é")
def test_any_text_comes_back_through_its_tokens(text: str) -> None:
    ids = byte_level().encode(text, add_special_tokens=False).ids
    pieces = Bytes(byte_level())
    shown = "".join(pieces.push(id) for id in ids)
    rest = pieces.finish()
    assert shown + rest == byte_level().decode(ids, skip_special_tokens=True)
    # The added token é is also the sign for a byte that begins a character, to the tokenizer as to us.
    assert rest == "" or "é" in text


@given(st.text(alphabet="the fox🦊狐è\u0301 \n", max_size=40))
def test_nothing_certain_is_held_back_and_no_character_is_split(text: str) -> None:
    ids = byte_level().encode(text, add_special_tokens=False).ids
    pieces, shown = Bytes(byte_level()), ""
    for count, id in enumerate(ids, 1):
        shown += pieces.push(id)
        whole = byte_level().decode(ids[:count], skip_special_tokens=True)
        # All that is decoded so far but a last character that is not complete yet.
        assert shown == whole.removesuffix("\ufffd") == whole.rstrip("\ufffd")


def test_a_space_at_the_end_is_shown_at_once() -> None:
    pieces = Bytes(byte_level())
    assert [pieces.push(id) for id in byte_level().encode("the ").ids][-1].endswith(" ")


@given(ids_of_bytes)
def test_the_window_adds_up_when_it_may_hold_for_long(ids: list[int]) -> None:
    pieces = Window(Outer(byte_level()), held=1000)
    shown = "".join(pieces.push(id) for id in ids) + pieces.finish()
    assert shown == byte_level().decode(ids, skip_special_tokens=True)


def test_the_window_lets_go_of_bytes_that_never_become_a_character() -> None:
    lonely = id_of(byte_level(), "ł")  # the byte 0xA0, which can only go on a character
    pieces = Window(Outer(byte_level()))
    shown = [pieces.push(lonely) for _ in range(20)]
    assert shown.count("\ufffd" * 9) == 2
    assert "".join(shown) + pieces.finish() == "\ufffd" * 20


@given(st.lists(st.sampled_from(["the", "fox", "é", "🦊", "森", "a", "zzz"]), min_size=1, max_size=12))
def test_the_window_is_exact_for_text(words: list[str]) -> None:
    tokenizer = sentence_piece()
    ids = tokenizer.encode(" ".join(words)).ids
    pieces = Window(Outer(tokenizer))
    shown = [pieces.push(id) for id in ids]
    assert "".join(shown) + pieces.finish() == tokenizer.decode(ids) == " ".join(words)


def test_the_window_keeps_the_space_between_prompt_and_continuation() -> None:
    tokenizer = sentence_piece()
    before, after = tokenizer.encode("the fox").ids, id_of(tokenizer, "▁the")
    assert Window(Outer(tokenizer), before).push(after) == " the"
    assert Window(Outer(tokenizer)).push(after) == "the"


def test_the_right_detokeniser_is_chosen() -> None:
    assert isinstance(detokeniser(Outer(byte_level())), Bytes)
    assert isinstance(detokeniser(Outer(sentence_piece())), Window)


def test_the_window_ends_with_what_it_held() -> None:
    tokenizer = sentence_piece()
    pieces = Window(Outer(tokenizer))
    assert pieces.push(id_of(tokenizer, "<0xE7>")) == ""
    assert pieces.finish() == "\ufffd"
    assert pieces.finish() == ""


def test_a_stop_string_across_pieces() -> None:
    stops = StopStrings(["###", "\n\n"])
    assert [stops.push(piece) for piece in ["one", " #", "#", " two\n", "x#", "##", " never"]] == [
        "one",
        " ",
        "",
        "## two",
        "\nx",
        "",
        "",
    ]
    assert stops.hit == "###"
    assert stops.finish() == ""


def test_what_was_held_comes_out_at_the_end() -> None:
    stops = StopStrings(["abc"])
    assert stops.push("xab") == "x"
    assert stops.finish() == "ab"


def _expected(text: str, stops: list[str]) -> tuple[str, str]:
    """Character by character: the first moment at which the text ends in a stop string; the longest of them."""
    for end in range(1, len(text) + 1):
        matching = [stop for stop in stops if text[:end].endswith(stop)]
        if matching:
            longest = max(matching, key=len)
            return text[: end - len(longest)], longest
    return text, ""


@given(st.lists(st.text("ab\n", max_size=6), max_size=8), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3))
def test_stops_do_not_depend_on_where_pieces_are_cut(pieces: list[str], stops: list[str]) -> None:
    matcher, shown, given_so_far = StopStrings(stops), "", ""
    for piece in pieces:
        shown += matcher.push(piece)
        given_so_far += piece
        if not matcher.hit:
            held = given_so_far[len(shown) :]
            assert held == "" or any(stop.startswith(held) for stop in stops)
    shown += matcher.finish()
    assert (shown, matcher.hit) == _expected("".join(pieces), stops)


def test_the_alphabet_is_that_of_byte_level_vocabularies() -> None:
    from plugins.text.streaming import ALPHABET

    assert set(ALPHABET) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(ALPHABET.values()) == list(range(256))
    for first, second in itertools.pairwise("aé狐🦊"):
        piece = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(first + second)
        assert bytes(ALPHABET[c] for c in piece[0][0]).decode() == first + second
