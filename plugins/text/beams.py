"""Beam search: the continuations that are likeliest as a whole, instead of token by token.

Owns `beam_search`, over a function that computes logits; it knows of no model and no cache.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[list[int], list[int]], Tensor]
"""Goes on with these rows of the last call, one token each, and gives logits (rows, V).

The first call has no rows and no tokens and gives (1, V), what follows the prompt. A row may go on several times and
others not at all: with a Sequence that is `select(rows)` and `write(tokens)`.
"""


@dataclass(frozen=True, slots=True)
class Beam:
    """One continuation. score: the logarithm of its probability; of one that is finished, over length ** penalty."""

    tokens: tuple[int, ...]
    score: float


def beam_search(
    step: Step, count: int, length: int, ends: Collection[int] = (), length_penalty: float = 1.0
) -> list[Beam]:
    """The best `count` continuations of at most `length` tokens, the best first; one that ends holds its end token.

    At each step the `count` likeliest beginnings go on; one that ends among them is finished and compared by
    log p / tokens ** length_penalty: above 0 long ones gain. It stops when the best beginning, taken as finished here,
    would not be better than the worst that is finished. Graves 2012; Wu et al. 2016 (length penalty); the comparison
    and the stop as in transformers' generate() with early_stopping False.
    """
    running, finished = [Beam((), 0.0)], list[Beam]()
    logits = step([], [])
    for made in range(1, length + 1):
        rows, tokens, totals = _likeliest(logits, running, count * max(2, 1 + len(ends)))
        following, parents = list[Beam](), list[int]()
        for place, (row, token, total) in enumerate(zip(rows, tokens, totals, strict=True)):
            beam = Beam((*running[row].tokens, token), total)
            if token not in ends and made < length:
                following.append(beam)
                parents.append(row)
            elif place < count:
                finished.append(Beam(beam.tokens, total / made**length_penalty))
        finished = sorted(finished, key=lambda beam: -beam.score)[:count]
        running, parents = following[:count], parents[:count]
        if not running:
            break
        if len(finished) == count and running[0].score / made**length_penalty <= finished[-1].score:
            break
        logits = step(parents, [beam.tokens[-1] for beam in running])
    return finished


def _likeliest(logits: Tensor, running: list[Beam], most: int) -> tuple[list[int], list[int], list[float]]:
    """The rows, tokens and totals of the likeliest ways to go on by one token, the best first. logits: (rows, V)."""
    scores = torch.tensor([beam.score for beam in running], dtype=torch.float32, device=logits.device)
    totals = torch.log_softmax(logits.float(), -1) + scores[:, None]
    values, places = torch.topk(totals.flatten(), min(most, totals.numel()))
    vocabulary = logits.shape[-1]
    return (places // vocabulary).tolist(), (places % vocabulary).tolist(), values.tolist()
