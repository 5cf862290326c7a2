"""The tokenizer of the starter code model: byte-level BPE that sees indentation.

Owns the pieces that text is cut into before merging, the merges of blanks, and the special tokens. A line's end and
the indentation of the next line are one token; so is any run of blanks up to 32. Needs only tokenizers and
transformers.
"""

import json
import keyword
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END, PREFIX, SUFFIX, MIDDLE = "<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
PAD, FILE = "<|fim_pad|>", "<|file_sep|>"
SPECIAL = (END, PREFIX, SUFFIX, MIDDLE, PAD, FILE)

# In this order: line ends with the indentation that follows; a name with the sign before it that belongs to it;
# one digit; signs; other blanks, of which the last stays with what follows.
PIECES = r"\n+ *| ?[._@]?\p{L}+|_+|\p{N}| ?[^\s\p{L}\p{N}_]+| +(?!\S)| +|\s"
WIDEST_RUN = 32
NEWLINE, BLANK = "Ċ", "Ġ"  # how the byte-level alphabet writes them
OF_EACH_KEYWORD = 300  # times it is added to what the merges are learnt from, so that rare ones stay whole


def blank_merges() -> list[tuple[str, str]]:
    """Merges that make every run of up to 32 blanks one token, alone and after one or two line ends.

    Runs double first (2, 4, 8, 16, 32); what is left of a run then stands as powers of two from wide to narrow, and
    these are joined from the widest on: 7 is 4, 2, 1, then 6, 1, then 7.
    """
    merges = [(BLANK * n, BLANK * n) for n in (1, 2, 4, 8, 16)]
    for low in (8, 4, 2, 1):
        merges += [(BLANK * high, BLANK * low) for high in range(2 * low, WIDEST_RUN, 2 * low)]
    merges.append((NEWLINE, NEWLINE))
    for start in (NEWLINE, NEWLINE * 2):
        merges += [(start, BLANK * n) for n in range(1, WIDEST_RUN + 1)]
    return merges


def train_code_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Merges of blanks by hand, the others learnt from the texts, `size` tokens in all."""
    by_hand = blank_merges()
    fixed = list(SPECIAL) + sorted(pre_tokenizers.ByteLevel.alphabet()) + ["".join(pair) for pair in by_hand]
    learnt = learnt_merges(texts, size)
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(fixed))}
    merges = list(by_hand)
    for left, right in learnt:
        if set(left + right) <= {BLANK, NEWLINE}:
            continue
        if len(vocabulary) == size:
            break
        merges.append((left, right))
        vocabulary.setdefault(left + right, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    prepare(tokenizer)
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def learnt_merges(texts: Iterable[str], size: int) -> list[tuple[str, str]]:
    """Merges in the order in which they were learnt."""
    tokenizer = Tokenizer(models.BPE())
    prepare(tokenizer)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    keywords = [f"\n{word} {word}\n" * OF_EACH_KEYWORD for word in (*keyword.kwlist, *keyword.softkwlist)]
    tokenizer.train_from_iterator([*texts, *keywords], trainer)
    found: Any = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(left, right) for left, right in found]


def prepare(tokenizer: Tokenizer) -> None:
    """Cuts into pieces and back; the same for learning and for use."""
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()


def decode(tokenizer: PreTrainedTokenizerFast, ids: Iterable[int]) -> str:
    """The text of ids; special tokens are left out."""
    return tokenizer.backend_tokenizer.decode(list(ids), skip_special_tokens=True)


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Ids of a text as text: a special token that stands in it is encoded by its letters."""
    found = tokenizer.backend_tokenizer
    found.encode_special_tokens = True
    return found.encode(text, add_special_tokens=False).ids
