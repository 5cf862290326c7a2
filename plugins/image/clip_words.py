"""CLIP's tokenizer, for checkpoints that come without one.

`clip_merges.txt` is the merge table of OpenAI's CLIP (MIT licence, copyright 2021 OpenAI; github.com/openai/CLIP),
one pair a line in the order in which they were learned; the vocabulary follows from it.
"""

from functools import cache
from pathlib import Path
from typing import Any

MERGES = Path(__file__).with_name("clip_merges.txt")
SIZE = 49408


@cache
def table() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges: 256 bytes, the same at the end of a word, one entry a merge, two special words."""
    merges = [tuple(line.split()) for line in MERGES.read_text(encoding="utf-8").splitlines()]
    letters = list(_letters().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}, merges  # type: ignore[return-value]


def tokenizer(pad: str = "<|endoftext|>") -> Any:
    """A CLIPTokenizer of 49,408 words and 77 places. pad: SDXL's second one fills up with "!" instead."""
    from transformers import CLIPTokenizer

    words, merges = table()
    return CLIPTokenizer(vocab=dict(words), merges=list(merges), pad_token=pad, model_max_length=77)  # type: ignore[arg-type]


def _letters() -> dict[int, str]:
    """A printable character for every byte, in CLIP's order (GPT-2's byte-level alphabet)."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {byte: chr(byte) for byte in printed}
    others = (byte for byte in range(256) if byte not in table)
    return table | {byte: chr(256 + number) for number, byte in enumerate(others)}
