"""Time to the first token with what was read before, against reading it anew: `python -m benchmarks.prefix`.

At 2,000 tokens of context, in alternating runs of one process: the same prompt asked again (regenerate), and the next
turn of a conversation (the reply that was written and 40 new tokens behind it). Cold runs know nothing; warm ones find
the branch that the turn before left. Both write one token. `--model FOLDER` takes another model; the default is a
Llama of 24 M parameters with random weights, and a hybrid with recurrent layers beside it.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.rig import median_ms, report
from plugins.text.language import Language
from plugins.text.loading import load
from plugins.text.params_sampling import SamplingParams
from plugins.text.prefix_cache import PrefixCache
from plugins.text.sampler import Sampler
from plugins.text.writing import Written, write
from studio.sdk.operation import ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

SIZES = {"hidden_size": 512, "intermediate_size": 1408, "num_attention_heads": 8, "max_position_embeddings": 4096}
REPLY, NEW = 60, 40
TARGET = 0.1


def first_token(language: Language, ids: list[int]) -> tuple[float, Written]:
    """Seconds until the first token is there, streamed."""
    sampler = Sampler(SamplingParams(temperature=0), 0, language.lexicon, ids)
    began = time.perf_counter()
    found = write(ids, sampler, Context(Models()), language, limit=1)
    return time.perf_counter() - began, found


def anew(language: Language) -> Language:
    return dataclasses.replace(language, prefixes=PrefixCache())


def measured(language: Language, tokens: int, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds cold and warm, by what was asked."""
    generator = torch.Generator().manual_seed(1)
    words = torch.randint(3, language.vocabulary, (tokens + NEW,), generator=generator).tolist()
    prompt, found = words[:tokens], {"regenerate": ([], []), "second turn": ([], [])}
    for _ in range(rounds + 1):
        warm = anew(language)
        sampler = Sampler(SamplingParams(temperature=0), 0, language.lexicon, prompt)
        reply = write(prompt, sampler, Context(Models()), warm, limit=REPLY).tokens
        turns = {"regenerate": prompt, "second turn": [*prompt, *reply, *words[tokens:]]}
        for name, ids in turns.items():
            cold, plain = first_token(anew(language), ids)
            quick, reused = first_token(warm, ids)
            assert plain.tokens == reused.tokens and plain.reused == 0 and reused.reused > tokens - 2
            found[name][0].append(cold)
            found[name][1].append(quick)
    return {name: (cold[1:], warm[1:]) for name, (cold, warm) in found.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path)
    options.add_argument("--tokens", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        layers = {"layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 2}
        folders = [chosen.model] if chosen.model else [
            tiny_models.build_llama(Path(scratch) / "llama", num_hidden_layers=8, **SIZES),
            tiny_models.build_qwen3_5(Path(scratch) / "hybrid", num_hidden_layers=8, **layers, **SIZES),
        ]  # fmt: skip
        for folder in folders:
            language = load(ModelInfo(folder.name, str(folder), "text-generation"), "cpu", "float32")
            language.ends = frozenset()
            for name, (cold, warm) in measured(language, chosen.tokens, chosen.rounds).items():
                ratio = statistics.median(w / c for w, c in zip(warm, cold, strict=True))
                rows.append(
                    (
                        f"{folder.name}, {name}",
                        f"{median_ms(warm):.1f} of {median_ms(cold):.1f} ms, {ratio:.3f}",
                        f"at most {TARGET}",
                    )
                )
                figures[f"{folder.name}_{name.replace(' ', '_')}"] = ratio
    figures["warm_over_cold"] = max(figures.values())
    threads = torch.get_num_threads()
    report(f"Time to the first token at {chosen.tokens:,} tokens of context, {threads} threads", rows, figures)


if __name__ == "__main__":
    main()
