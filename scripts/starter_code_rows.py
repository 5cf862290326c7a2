"""Rows of tokens for the starter code model: pieces of modules, half of them with a hole, packed to full context.

Owns how an epoch is cut, drilled, encoded and packed. An epoch follows from seed and number alone, so a killed
training builds the same rows again.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerFast

from scripts.starter_code_holes import hole
from scripts.starter_code_tokenizer import END, FILE, MIDDLE, PAD, PREFIX, SUFFIX, encode

IGNORED = -100  # a label that costs nothing
HOLES, SUFFIX_FIRST = 0.5, 0.15  # share of pieces with a hole; share of those that give the suffix first
SIZES = {1.0: 0.4, 0.5: 0.35, 0.25: 0.25}  # of the context, that a piece may fill, and how often
SPARE = 12  # tokens that a hole's marks and cuts may add to a piece
OPEN_ROWS = 64


@dataclass(frozen=True)
class Module:
    """A module's lines, and about how many tokens each has (its line end and indentation count as one)."""

    path: str
    lines: list[str]
    sizes: list[int]


class Piece(NamedTuple):
    """Lines that stand together; `head` names the module where they are its first, `is_last` where its last."""

    text: str
    head: str
    is_last: bool


class Marks:
    """The special tokens' ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        number = tokenizer.get_vocab()
        self.end, self.pad, self.file = number[END], number[PAD], number[FILE]
        self.prefix, self.suffix, self.middle = number[PREFIX], number[SUFFIX], number[MIDDLE]


def modules(texts: dict[str, str], tokenizer: PreTrainedTokenizerFast) -> list[Module]:
    found = []
    for path, text in texts.items():
        lines = text.splitlines(keepends=True)
        found.append(Module(path, lines, [len(encode(tokenizer, line.strip())) + 1 for line in lines]))
    return found


def cut(module: Module, context: int, dice: random.Random) -> list[Piece]:
    """A module as pieces of drawn sizes, whole lines each, in order."""
    found, at = [], 0
    while at < len(module.lines):
        room = int(context * dice.choices(list(SIZES), list(SIZES.values()))[0]) - SPARE
        begin, used = at, 0
        while at < len(module.lines) and (at == begin or used + module.sizes[at] <= room):
            used += module.sizes[at]
            at += 1
        is_last = at == len(module.lines)
        text = "".join(module.lines[begin:at])
        text = text if is_last else text.rstrip("\n")  # the line end's token also tells how the next line is indented
        if text.strip():
            found.append(Piece(text, "" if begin else module.path, is_last))
    return found


def plain_ids(piece: Piece, tokenizer: PreTrainedTokenizerFast, marks: Marks) -> list[int]:
    """Text as it stands: after the module's name, or after an end of text where it is cut out of a module."""
    start = [marks.file, *encode(tokenizer, piece.head + "\n")] if piece.head else [marks.end]
    return start + encode(tokenizer, piece.text) + ([marks.end] if piece.is_last else [])


def holed_ids(
    parts: tuple[str, str, str], tokenizer: PreTrainedTokenizerFast, marks: Marks, room: int, suffix_first: bool
) -> list[int]:
    """Prefix, suffix, middle and the end, each encoded apart. What is too long is cut far from the hole.

    After Bavarian et al. (2022), "Efficient Training of Language Models to Fill in the Middle", in the order and
    spelling of Qwen2.5-Coder and CodeGemma.
    """
    before, middle, after = (encode(tokenizer, part) for part in parts)
    surplus = len(before) + len(middle) + len(after) + 4 - room
    if surplus > 0:
        dropped = min(surplus, len(before))
        before, after = before[dropped:], after[: max(0, len(after) - (surplus - dropped))]
    if suffix_first:
        start = [marks.suffix, *after, marks.prefix, *before]
    else:
        start = [marks.prefix, *before, marks.suffix, *after]
    return [*start, marks.middle, *middle, marks.end][:room]


def epoch_rows(
    read: list[Module], tokenizer: PreTrainedTokenizerFast, context: int, seed: int, epoch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels, (N, context) int64 each; a piece's first token costs nothing, nor does what pads a row."""
    dice = random.Random(f"{seed}-{epoch}")
    marks = Marks(tokenizer)
    pieces = [piece for module in read for piece in cut(module, context, dice)]
    dice.shuffle(pieces)
    rows: list[list[list[int]]] = []
    left: list[int] = []
    opened = 0
    for piece in pieces:
        if dice.random() < HOLES:
            start, end = hole(piece.text, dice)
            parts = piece.text[:start], piece.text[start:end], piece.text[end:]
            ids = holed_ids(parts, tokenizer, marks, context, dice.random() < SUFFIX_FIRST)
        else:
            ids = plain_ids(piece, tokenizer, marks)[:context]
        opened = max(opened, len(rows) - OPEN_ROWS)
        fitting = [at for at in range(opened, len(rows)) if left[at] >= len(ids)]
        if not fitting:
            rows.append([])
            left.append(context)
        at = min(fitting, key=left.__getitem__) if fitting else -1
        rows[at].append(ids)
        left[at] -= len(ids)
    dice.shuffle(rows)
    return packed(rows, context, marks.pad)


def packed(rows: list[list[list[int]]], context: int, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.full((len(rows), context), pad)
    labels = torch.full((len(rows), context), IGNORED)
    for at, row in enumerate(rows):
        begin = 0
        for piece in row:
            stop = begin + len(piece)
            ids[at, begin:stop] = torch.tensor(piece)
            labels[at, begin + 1 : stop] = ids[at, begin + 1 : stop]
            begin = stop
    return ids, labels


def in_middles(ids: torch.Tensor, marks: Marks) -> torch.Tensor:
    """1.0 where a token of ids (batch, context) belongs to a middle or ends one, else 0.0."""
    found = torch.zeros(ids.shape)
    for row, at in (ids == marks.middle).nonzero().tolist():
        ends = (ids[row, at:] == marks.end).nonzero()
        found[row, at + 1 : at + 1 + (int(ends[0]) if len(ends) else ids.shape[1])] = 1.0
    return found
