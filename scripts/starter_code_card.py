"""The card of the starter code model. Owns its words and the figures that are wanted of it."""

from typing import Any

# What is wanted of the figures: the name in the facts, words, the least.
WANTED = (
    ("blocks_parse", "completed blocks that parse", 0.85),
    ("holes_both", "filled holes with brackets and indentation right", 0.80),
)

# ruff: noqa: E501 - the table rows of the card
CARD = """---
license: other
license_name: PSF-2.0
language: code
pipeline_tag: text-generation
library_name: transformers
tags: [llama, starter, code, python, fill-in-the-middle]
---
# {name}

A small starter model of this project: a Llama of {params:,} parameters that continues Python code and fills holes in
it. It writes what reads like the standard library and it does not know what the code should do.

| | |
|---|---|
| data | {modules} modules of Python {python}'s standard library, {train_chars:,} characters; its tests, IDLE, old grammars and generated tables left out; {held_out_modules} more modules were held out whole, {validation_modules} were watched in training (SHA-256 of all text `{digest}`) |
| tokenizer | byte-level BPE, {vocab:,} tokens, trained on the same modules; a line end with the indentation that follows it is one token, so is any run of up to 32 blanks; digits stand singly; keywords are whole |
| context | {context} tokens |
| holes | in half of the samples: `<|fim_prefix|>` before, `<|fim_suffix|>` after, `<|fim_middle|>`, then the middle and `<|endoftext|>`; in {suffix_first:.0%} of these the suffix comes first; in the last {middles_last:.0%} of the training a middle's tokens count {middles_count:g} times |
| training | {steps:,} steps of {batch_tokens:,} tokens ({epochs:.1f} epochs), Muon for the layers' matrices and AdamW for the rest, a rate of {rate:g} that holds and falls to nothing over the last {falling:.0%}, float32, seed {seed}; {minutes:.0f} minutes on {device} |
| held-out loss | {loss:.3f} nats per token, {bpb:.3f} bits per byte ({tokens:,} tokens) |
| watched loss | {watched:.3f} nats per token, half of the samples with holes |
| weights | float16 safetensors, SHA-256 `{sha}` |
| licence | PSF-2.0, that of the modules (copyright © 2001 Python Software Foundation; all rights reserved) |

Made by: `{command}`

## What it can do
On the held-out modules, greedily, at places drawn with seed {seed}. The 5-gram model counts the same tokens of the same
modules ("stupid backoff", Brants et al. 2007).

| | this model | 5-gram |
|---|---|---|
| the next line of code, exactly as its author wrote it ({tried_lines}) | {line:.1%} | {ngram_line:.1%} |
| the rest of a line of code, exactly ({tried_lines}) | {rest:.1%} | {ngram_rest:.1%} |
| bodies of blocks that parse with all that stands before them ({tried_blocks}) | {blocks_parse:.1%} | {ngram_blocks_parse:.1%} |
| bodies that it ended by itself within {block_tokens} tokens | {blocks_ended:.1%} | |
| holes filled so that the module's brackets are closed ({tried_holes}) | {holes_brackets:.1%} | |
| … its indentation is right | {holes_indentation:.1%} | |
| … both | {holes_both:.1%} | |
| … the whole module parses | {holes_parse:.1%} | |
| … exactly as the author wrote it | {holes_exact:.1%} | |

A body that was not ended is cut after its last whole line. Holes are, a quarter each: the rest of a line, whole lines,
a block's body, what brackets hold; {window} lines around them are shown. {verdict}

## Limits
It sees {context} tokens and nothing beyond them. Names that it has not just read are guessed, calls need not exist, and
a body that parses need not do what its header says. Read what it writes before you run it.

Held out: {held_out}.
"""


def verdict(facts: dict[str, Any]) -> str:
    """Which of the wanted figures are reached and which are missed, in words."""
    said = []
    for name, words, least in WANTED:
        reached = facts[name] >= least
        said.append(f"{words}: {facts[name]:.1%}, {'reached' if reached else 'MISSED'} (at least {least:.0%})")
    for name, words in (("line", "next lines"), ("rest", "rests of lines")):
        better = facts[name] > facts[f"ngram_{name}"]
        said.append(f"{words} above the 5-gram model's: {'reached' if better else 'MISSED'}")
    return "Of what is wanted of it: " + "; ".join(said) + "."
