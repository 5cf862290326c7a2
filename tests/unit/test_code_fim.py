"""Fill-in-the-middle: formats found by vocabulary, control ids between the pieces and never inside them."""

import pytest

from plugins.code.fim import FORMATS, find

pytestmark = pytest.mark.unit


class Vocabulary:
    """As much of a tokenizer as is asked; encodes a text to its characters, from 1000 on."""

    def __init__(self, *tokens: str):
        self._ids = {token: number for number, token in enumerate(tokens)}

    def get_vocab(self) -> dict[str, int]:
        return self._ids


def encode(text: str) -> list[int]:
    return [1000 + ord(mark) for mark in text]


def said(ids: list[int], vocabulary: Vocabulary) -> str:
    names = {number: token for token, number in vocabulary.get_vocab().items()}
    return "".join(names[id] if id in names else chr(id - 1000) for id in ids)


QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|repo_name|>", "<|fim_pad|>")
DEEPSEEK = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
CASES = [
    (QWEN, "qwen", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"),
    ((*QWEN[:3], "<|file_separator|>"), "codegemma", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"),
    (QWEN[:3], "fim", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"),
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "starcoder", "<fim_prefix>a<fim_suffix>b<fim_middle>"),
    (("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), "santacoder", "<fim-prefix>a<fim-suffix>b<fim-middle>"),
    (DEEPSEEK, "deepseek", "<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>"),
    (("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"), "codellama", "▁<PRE>a▁<SUF>b▁<MID>"),
    (("[SUFFIX]", "[PREFIX]"), "codestral", "[SUFFIX]b[PREFIX]a"),
]


@pytest.mark.parametrize(("tokens", "name", "prompt"), CASES, ids=[case[1] for case in CASES])
def test_each_format_is_found_by_its_tokens_and_spliced_in_its_order(tokens, name, prompt):
    vocabulary = Vocabulary(*tokens)
    fim = find(vocabulary, encode)
    assert fim is not None and fim.format.name == name
    assert said(fim.splice("a", "b"), vocabulary) == prompt
    assert fim.ends == set(vocabulary.get_vocab().values())


def test_every_format_has_a_case():
    assert {form.name for form in FORMATS} == {name for _, name, _ in CASES}


@pytest.mark.parametrize("tokens", [(), QWEN[:2], ("<|fim_prefix|>", "<fim_suffix>", "<|fim_middle|>")])
def test_a_vocabulary_without_all_of_them_fills_no_holes(tokens):
    assert find(Vocabulary(*tokens), encode) is None


def test_other_files_stand_before_in_the_order_given_and_only_where_there_is_a_token_between_files():
    vocabulary = Vocabulary(*QWEN)
    fim = find(vocabulary, encode, beginning=[2])
    assert fim is not None
    prompt = said(fim.splice("a", "b", [("x.py", "X"), ("y.py", "Y")], "z.py"), vocabulary)
    assert prompt == (
        "<|fim_middle|><|repo_name|>project\n<|file_sep|>x.py\nX\n<|file_sep|>y.py\nY\n<|file_sep|>z.py\n"
        "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"
    )
    plain = find(Vocabulary(*QWEN[:3]), encode)
    assert plain is not None and plain.splice("a", "b", [("x.py", "X")]) == plain.splice("a", "b")
