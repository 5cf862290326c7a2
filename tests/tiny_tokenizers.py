"""Tiny tokenizers of several kinds, each with special and ordinary added tokens and a chat template."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny_models import WORDS

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BARE = "{% for message in messages %}{{ message.content }}{% endfor %}"
"""A template that puts nothing between messages: what two of them make together is theirs."""

SPECIAL = ["<|im_start|>", "<|im_end|>"]
ADDED = ["<|fim_middle|>", "<think>", "</think>", "<|KEY|>"]
KINDS = ("byte-level", "byte-level-nfkc", "unigram", "wordpiece")


def tokenizer(kind: str, template: str = CHATML) -> Any:
    """One of KINDS: <s>, </s> and SPECIAL are special, ADDED are added and not special."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=_MAKERS[kind](kind), bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )
    fast.add_special_tokens({"additional_special_tokens": SPECIAL})
    fast.add_tokens(ADDED)
    fast.chat_template = template
    return fast


def give_chat_tokens(folder: Path, template: str = CHATML, added: Sequence[str] = tuple(ADDED)) -> Path:
    """Gives the tokenizer of the tiny model in `folder` a template; its control tokens are the vocabulary's last."""
    import json

    file, tokens = folder / "tokenizer.json", [*SPECIAL, *added]
    content = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    merges = {"".join(pair) for pair in content["model"]["merges"]}
    last = sorted((t for t in vocabulary if t in merges), key=vocabulary.__getitem__)[-len(tokens) :]
    parts = len(content["model"]["merges"]) - len(last)
    content["model"]["merges"] = content["model"]["merges"][:parts]
    for old, new in zip(last, tokens, strict=True):
        entry = {"id": vocabulary.pop(old), "content": new, "special": new in SPECIAL, "normalized": False}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        content["added_tokens"].append({**entry, **flags})
    file.write_text(json.dumps(content), encoding="utf-8")
    if template:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def _byte_level(kind: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    if kind.endswith("nfkc"):
        made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<s>", "</s>", "<unk>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([WORDS] * 4, trainer)
    return made


def _unigram(_kind: str) -> Any:
    """As sentencepiece makes them: spaces are part of the pieces, control tokens are pieces of the vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=320,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"],
        unk_token="<unk>",
        initial_alphabet=[*map(chr, range(32, 127)), "\n"],
        show_progress=False,
    )
    made.train_from_iterator([WORDS] * 4, trainer)
    return made


def _wordpiece(_kind: str) -> Any:
    """Lower case: `<|KEY|>` and `<|key|>` are one to it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=340, special_tokens=["<unk>", "<s>", "</s>", "<pad>"], show_progress=False
    )
    made.train_from_iterator([WORDS] * 4, trainer)
    return made


_MAKERS = {"byte-level": _byte_level, "byte-level-nfkc": _byte_level, "unigram": _unigram, "wordpiece": _wordpiece}
