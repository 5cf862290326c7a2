"""Trains the starter code model `python-5m` on the standard library of this interpreter and writes its card.

Owns the order of the stages: modules, tokenizer, training, evaluation, card. Needs only torch, transformers,
tokenizers and safetensors; imports nothing of the application.

    python -m scripts.build_starter_code --out assets/models/python-5m --state DIR --minutes 75

Killed at any time and started again with the same --state, it goes on from its newest checkpoint.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.starter_code_card import CARD, verdict
from scripts.starter_code_data import Library, read_library
from scripts.starter_code_measure import BLOCK_TOKENS, Counts, measure
from scripts.starter_code_places import WINDOW
from scripts.starter_code_rows import SUFFIX_FIRST, epoch_rows, modules
from scripts.starter_code_tokenizer import END, PAD, train_code_tokenizer
from scripts.starter_code_training import FALLING, MIDDLES_COUNT, Batches, Course, go_further, train
from scripts.starter_image_stage import SAVE_EVERY
from scripts.starter_text_stage import Shape, build_llama, publish

SHAPE = Shape(hidden=256, inner=640, layers=6, heads=4, kv_heads=2)
TINY = Shape(hidden=32, inner=64, layers=2, heads=2, kv_heads=1)
TINY_SIZES = {"context": 160, "vocab": 512, "batch": 4}
TINY_CHARS, TINY_COUNTS = 30_000, Counts(lines=6, blocks=4, holes=8)


class Trained(NamedTuple):
    model: LlamaForCausalLM
    course: Course
    figures: dict[str, Any]


def kept_tokenizer(library: Library, state: Path, size: int) -> PreTrainedTokenizerFast:
    """The tokenizer, made once: what a checkpoint has learnt is bound to its numbers."""
    kept = state / "tokenizer"
    if not kept.exists():
        partial = kept.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        train_code_tokenizer(library.train.values(), size).save_pretrained(partial)
        partial.rename(kept)
    return PreTrainedTokenizerFast(tokenizer_file=str(kept / "tokenizer.json"), eos_token=END, pad_token=PAD)


def facts_of(options: argparse.Namespace, library: Library, course: Course, steps: int) -> dict[str, Any]:
    """What the card says of data and training beside what they found. steps: those that were done."""
    return {
        "name": options.out.name,
        "modules": len(library.train),
        "validation_modules": len(library.validation),
        "held_out_modules": len(library.held_out),
        "held_out": ", ".join(f"`{path}`" for path in library.held_out),
        "train_chars": sum(map(len, library.train.values())),
        "digest": library.digest,
        "python": platform.python_version(),
        "context": course.context,
        "batch_tokens": course.batch * course.context,
        "rate": course.rate,
        "seed": course.seed,
        "suffix_first": SUFFIX_FIRST,
        "falling": FALLING,
        "middles_last": 1 - course.middles_from,
        "middles_count": MIDDLES_COUNT,
        "window": WINDOW,
        "block_tokens": BLOCK_TOKENS,
        "device": f"{options.threads} CPU core{'s' if options.threads > 1 else ''}",
        "command": f"python -m scripts.build_starter_code --out assets/models/{options.out.name} --state DIR"
        f" --steps {steps} --batch {course.batch} --context {course.context} --rate {course.rate:g}"
        f" --middles-from {course.middles_from:g} --seed {course.seed}",
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path("build/starter-code"))
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--steps", type=int, default=0, help="as many steps, whatever time they take")
    parser.add_argument("--further", action="store_true", help="more --minutes for a training that is done")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--middles-from", type=float, default=0.8, help="share after which holes count more")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--save-every", type=float, default=SAVE_EVERY, help="seconds of training a kill may cost")
    parser.add_argument("--tiny", action="store_true", help="a small part of everything, to try the recipe")
    options = parser.parse_args(arguments)
    if options.tiny:
        vars(options).update(TINY_SIZES)
    return options


def trained(options: argparse.Namespace, library: Library, tokenizer: PreTrainedTokenizerFast) -> Trained:
    """The model, what was asked of its training, and what came of it."""
    torch.manual_seed(options.seed)
    course = Course(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Course)})
    model = build_llama(tokenizer, course.context, TINY if options.tiny else SHAPE)
    watched = epoch_rows(modules(library.validation, tokenizer), tokenizer, course.context, course.seed, 0)
    batches = Batches(modules(library.train, tokenizer), tokenizer, course)
    print(f"{model.num_parameters():,} parameters, {sum(map(len, library.train.values())):,} characters", flush=True)
    return Trained(model, course, train(model, batches, course, options.state, watched))


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    options.state.mkdir(parents=True, exist_ok=True)
    if options.further:
        go_further(options.state)
    library = read_library(most=TINY_CHARS if options.tiny else None)
    tokenizer = kept_tokenizer(library, options.state, options.vocab)
    model, course, figures = trained(options, library, tokenizer)
    counts = TINY_COUNTS if options.tiny else Counts()
    found = measure(model, tokenizer, library, library.held_out, counts, course.seed)
    facts = facts_of(options, library, course, figures["steps"]) | figures | found
    facts |= {"params": model.num_parameters(), "vocab": len(tokenizer), "verdict": verdict(found)}
    print(json.dumps(publish(options.out, model, tokenizer, CARD, facts)), flush=True)


if __name__ == "__main__":
    main()
