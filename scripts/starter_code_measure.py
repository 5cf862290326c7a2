"""What the starter code model can do, on modules it has not read.

Owns completing (greedily, as an editor does), and the figures of the card.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, StoppingCriteria, StoppingCriteriaList

from scripts.starter_code_data import Library
from scripts.starter_code_ngram import FiveGram
from scripts.starter_code_places import (
    Place,
    block_end,
    blocks,
    brackets_right,
    holes,
    indentation_right,
    line_ends,
    next_lines,
    parses,
)
from scripts.starter_code_rows import Marks, holed_ids
from scripts.starter_code_tokenizer import decode, encode
from scripts.starter_text_stage import mean_loss

AT_ONCE = 16
LINE_TOKENS, BLOCK_TOKENS, HOLE_TOKENS = 48, 192, 128
Ended = Callable[[str], bool]


@dataclass(frozen=True)
class Counts:
    """How many places of each kind are tried."""

    lines: int = 300
    blocks: int = 150
    holes: int = 240


class Stop(StoppingCriteria):
    """Ends each text of a batch by what it says so far. ended: one rule for each text."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, begin: int, ended: list[Ended]):
        self.tokenizer, self.begin, self.ended = tokenizer, begin, ended

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:  # pyright: ignore
        texts = [decode(self.tokenizer, row) for row in input_ids[:, self.begin :].tolist()]
        return torch.tensor([rule(text) for rule, text in zip(self.ended, texts, strict=True)])


class Writer:
    """Greedy completion of prompts given as ids."""

    def __init__(self, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast):
        self.model: Any = model.eval()  # transformers' hints do not know that it generates
        self.tokenizer, self.marks = tokenizer, Marks(tokenizer)
        self.context = model.config.max_position_embeddings

    def prompt(self, before: str, most: int) -> list[int]:
        """The end of a text as the model has learnt to read pieces, leaving room for `most` tokens."""
        room = self.context - self.at_most(most) - 1
        tail = before[-8 * room :]
        ids = encode(self.tokenizer, tail)
        while len(ids) > room:
            tail = tail[tail.index("\n") + 1 :] if "\n" in tail[:-1] else tail[len(tail) // 2 :]
            ids = encode(self.tokenizer, tail)
        return [self.marks.end, *ids]

    def at_most(self, tokens: int) -> int:
        """That many tokens, or half of a context that is smaller."""
        return min(tokens, self.context // 2)

    @torch.no_grad()
    def write(self, prompts: list[list[int]], most: int, ended: list[Ended]) -> list[str]:
        """What follows each prompt, up to an end of text or to where its rule says that it ended."""
        order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
        found = [""] * len(prompts)
        for begin in range(0, len(order), AT_ONCE):
            chosen = order[begin : begin + AT_ONCE]
            width = max(len(prompts[at]) for at in chosen)
            ids = torch.full((len(chosen), width), self.marks.pad)
            mask = torch.zeros_like(ids)
            for row, at in enumerate(chosen):
                ids[row, width - len(prompts[at]) :] = torch.tensor(prompts[at])
                mask[row, width - len(prompts[at]) :] = 1
            stop = StoppingCriteriaList([Stop(self.tokenizer, width, [ended[at] for at in chosen])])
            made = self.model.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=self.at_most(most),
                do_sample=False,
                use_cache=True,
                stopping_criteria=stop,
            )
            for row, at in enumerate(chosen):
                found[at] = decode(self.tokenizer, made[row, width:].tolist())
        return found


def guess(model: FiveGram, tokenizer: PreTrainedTokenizerFast, prompt: list[int], most: int, ended: Ended) -> str:
    """What the 5-gram model writes after a prompt."""
    made: list[int] = []
    text = ""
    while len(made) < most and not ended(text):
        made.append(model.best([*prompt[-4:], *made][-4:]))
        text = decode(tokenizer, made)
    return text


def has_line(text: str) -> bool:
    """Whether the first line that is not empty is whole."""
    return "\n" in text.lstrip("\n ")


def first_line(text: str) -> str:
    return text.lstrip("\n").split("\n")[0].rstrip()


def has_rest(text: str) -> bool:
    return "\n" in text


def share(right: list[bool]) -> float:
    return sum(right) / len(right)


def measure_lines(writer: Writer, ngram: FiveGram, places: list[Place], rule: Ended) -> tuple[float, float]:
    """Shares of lines, or rests of lines, that are exactly the author's: of the model and of the 5-gram."""
    prompts = [writer.prompt(place.before, LINE_TOKENS) for place in places]
    truths = [place.truth.rstrip() for place in places]

    def exact(written: list[str]) -> float:
        lines = [first_line(text) if rule is has_line else text.split("\n")[0].rstrip() for text in written]
        return share([line == truth for line, truth in zip(lines, truths, strict=True)])

    guessed = [guess(ngram, writer.tokenizer, prompt, LINE_TOKENS, rule) for prompt in prompts]
    return exact(writer.write(prompts, LINE_TOKENS, [rule] * len(places))), exact(guessed)


def body_of(written: str, depth: int) -> str:
    """A block's body: up to its end, or to the last whole line where it was not ended."""
    end = block_end(written, depth)
    return written[: end if end is not None else max(0, written.rfind("\n"))] + "\n"


def measure_blocks(writer: Writer, ngram: FiveGram, places: list[Place]) -> dict[str, float]:
    """Shares of blocks that parse with all that stands before them."""
    rules: list[Ended] = [lambda text, depth=place.depth: block_end(text, depth) is not None for place in places]
    prompts = [writer.prompt(place.before, BLOCK_TOKENS) for place in places]
    made = writer.write(prompts, BLOCK_TOKENS, rules)
    guessed = [
        guess(ngram, writer.tokenizer, prompt, BLOCK_TOKENS, rule) for prompt, rule in zip(prompts, rules, strict=True)
    ]

    def parse(written: list[str]) -> float:
        bodies = [body_of(text, place.depth) for text, place in zip(written, places, strict=True)]
        return share([parses(place.before + body) for body, place in zip(bodies, places, strict=True)])

    ended = share([rule(text) for rule, text in zip(rules, made, strict=True)])
    return {"blocks_parse": parse(made), "blocks_ended": ended, "ngram_blocks_parse": parse(guessed)}


def hole_prompt(writer: Writer, place: Place) -> list[int]:
    """Prefix, suffix and the mark after which the middle is written."""
    begin, end = place.shown
    before = place.before[begin:]
    after = place.after[: end - len(place.before) - len(place.truth)]
    room = writer.context - writer.at_most(HOLE_TOKENS)
    ids = holed_ids((before, "", after), writer.tokenizer, writer.marks, room, suffix_first=False)
    return ids[:-1]  # without the end of text


def measure_holes(writer: Writer, places: list[Place]) -> dict[str, float]:
    """Shares of filled holes whose module has its brackets closed, its indentation right, both, and parses."""
    prompts = [hole_prompt(writer, place) for place in places]
    made = writer.write(prompts, HOLE_TOKENS, [lambda text: False] * len(places))
    whole = [place.before + text + place.after for place, text in zip(places, made, strict=True)]
    closed, indented = [brackets_right(text) for text in whole], [indentation_right(text) for text in whole]
    return {
        "holes_brackets": share(closed),
        "holes_indentation": share(indented),
        "holes_both": share([a and b for a, b in zip(closed, indented, strict=True)]),
        "holes_parse": share([parses(text) for text in whole]),
        "holes_exact": share([text == place.truth for text, place in zip(made, places, strict=True)]),
    }


def measure(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    library: Library,
    tried: dict[str, str],
    counts: Counts,
    seed: int,
) -> dict[str, Any]:
    """The figures of the card, on the modules `tried`; the 5-gram has read the same modules as the model."""
    marks = Marks(tokenizer)
    ids = [token for text in tried.values() for token in [marks.end, *encode(tokenizer, text)]]
    size = sum(len(text.encode()) for text in tried.values())
    loss, _ = mean_loss(model, torch.tensor(ids), model.config.max_position_embeddings)
    print(f"loss {loss:.3f}", flush=True)
    read = [token for text in library.train.values() for token in [marks.end, *encode(tokenizer, text)]]
    ngram, writer, dice = FiveGram(read, len(tokenizer)), Writer(model, tokenizer), random.Random(seed)
    line, ngram_line = measure_lines(writer, ngram, next_lines(tried, counts.lines, dice), has_line)
    rest, ngram_rest = measure_lines(writer, ngram, line_ends(tried, counts.lines, dice), has_rest)
    print(f"lines {line:.1%} ({ngram_line:.1%}), rests {rest:.1%} ({ngram_rest:.1%})", flush=True)
    of_blocks = measure_blocks(writer, ngram, blocks(tried, counts.blocks, dice))
    print(of_blocks, flush=True)
    of_holes = measure_holes(writer, holes(tried, counts.holes, dice))
    print(of_holes, flush=True)
    return {
        "loss": loss,
        "bpb": loss * len(ids) / size / math.log(2),
        "tokens": len(ids),
        "line": line,
        "ngram_line": ngram_line,
        "rest": rest,
        "ngram_rest": ngram_rest,
        **of_blocks,
        **of_holes,
        "tried_lines": counts.lines,
        "tried_blocks": counts.blocks,
        "tried_holes": counts.holes,
    }
