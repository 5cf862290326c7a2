"""The sampler chain against transformers' processors, on one core: `python -m benchmarks.sampler`.

A vocabulary of 152k (Qwen's), logits that fall off as those of language models do, a thousand tokens before. All twelve
stages are on, and the record of each token is made; beside them twelve processors of transformers with its softmax and
torch.multinomial: the same stages where it has them, for DRY, top-n-sigma, XTC and mirostat the nearest that it has (a
look-back for n-grams, two cut-offs, a second look at the entropy). Both in alternating rounds of one process; medians
of the processor's time, which on one thread is that of a clock if nothing else runs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.generation import logits_process as hf

from benchmarks.decode import alternating
from benchmarks.rig import report
from plugins.text.lexicon import Lexicon
from plugins.text.marks import TokenMarks
from plugins.text.params_sampling import SamplingParams
from plugins.text.sampler import Sampler

VOCABULARY = 152_064
BEFORE = 1000
BIAS = {11: 2.0, 198: -3.0, 4096: -100.0, 90_000: 1.0}
TWELVE: dict[str, Any] = {
    "repetition_penalty": 1.1,
    "presence_penalty": 0.2,
    "frequency_penalty": 0.1,
    "dry_multiplier": 0.8,
    "no_repeat": 4,
    "logit_bias": [{"token": f"#{token}", "bias": value} for token, value in BIAS.items()],
    "top_n_sigma": 1.5,
    "top_k": 100,
    "typical_p": 0.95,
    "top_p": 0.95,
    "min_p": 0.02,
    "xtc_probability": 0.5,
    "temperature": 0.8,
    "dynamic_range": 0.3,
    "mirostat_tau": 5.0,
}
SINGLE: dict[str, dict[str, Any]] = {
    "the default (top-k 40)": {},
    "top-p 0.95 alone": {"top_k": 0, "top_p": 0.95},
    "min-p 0.05 alone": {"top_k": 0, "min_p": 0.05},
    "typical-p 0.9 alone": {"top_k": 0, "typical_p": 0.9},
    "temperature alone": {"top_k": 0},
    "greedy": {"temperature": 0},
}


class Words(Lexicon):
    """A vocabulary whose tokens spell nothing; every thousandth breaks repeats."""

    def __init__(self) -> None:
        super().__init__(None, VOCABULARY)

    def marks(self, settings: SamplingParams) -> TokenMarks:
        breakers = frozenset(range(0, VOCABULARY, 1000))
        return TokenMarks(VOCABULARY, self._biases(settings.logit_bias), breakers, frozenset([11, 198]))


def scores(count: int) -> tuple[list[torch.Tensor], list[int]]:
    """Logits that fall with the logarithm of the rank, with noise, and tokens that occurred, likely ones the most."""
    generator = torch.Generator().manual_seed(0)
    fall = 20 - 1.3 * torch.log(torch.arange(1.0, VOCABULARY + 1))
    common = torch.randperm(VOCABULARY, generator=generator)
    made = []
    for _ in range(count):
        noisy = torch.empty(VOCABULARY)
        noisy[common] = fall + torch.randn(VOCABULARY, generator=generator) * 0.7
        made.append(noisy)
    ranks = torch.exp(torch.rand(BEFORE, generator=generator) * 9).long()
    return made, common[ranks].tolist()


def processors(before: Sequence[int]) -> Callable[[torch.Tensor], int]:
    """Twelve of transformers in the order of generate(), and its draw."""
    steps: Any = hf.LogitsProcessorList(
        [
            hf.SequenceBiasLogitsProcessor([[[token], value] for token, value in BIAS.items()]),
            hf.RepetitionPenaltyLogitsProcessor(1.1),
            hf.NoRepeatNGramLogitsProcessor(4),
            hf.NoRepeatNGramLogitsProcessor(8),
            hf.TemperatureLogitsWarper(0.8),
            hf.TopKLogitsWarper(100),
            hf.TopPLogitsWarper(0.95),
            hf.MinPLogitsWarper(0.02),
            hf.TypicalLogitsWarper(0.95),
            hf.EpsilonLogitsWarper(3e-4),
            hf.EtaLogitsWarper(3e-4),
            hf.EpsilonLogitsWarper(1e-4),
        ]
    )
    written = list(before)

    def choose(logits: torch.Tensor) -> int:
        token = int(torch.multinomial(steps(torch.tensor([written]), logits[None].clone()).softmax(-1), 1))
        written.append(token)
        return token

    return choose


def chain(values: dict[str, Any], before: Sequence[int]) -> Callable[[torch.Tensor], int]:
    sampler = Sampler(SamplingParams.load(values), 1, Words(), before)
    return lambda logits: sampler(logits).token


def per_token(choose: Callable[[torch.Tensor], int], logits: Sequence[torch.Tensor]) -> float:
    begun = time.thread_time()
    for one in logits:
        choose(one)
    return 1000 * (time.thread_time() - begun) / len(logits)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--tokens", type=int, default=12, help="of one round")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    logits, before = scores(chosen.tokens)
    with torch.inference_mode():
        mine, other = chain(TWELVE, before), processors(before)
        ours, theirs = alternating(lambda: per_token(mine, logits), lambda: per_token(other, logits), chosen.rounds)
        rows = []
        for name, values in SINGLE.items():
            one = chain(values, before)
            taken = [per_token(one, logits) for _ in range(max(3, chosen.rounds // 3))]
            rows.append((name, f"{statistics.median(taken):.2f} ms", ""))
    ms, reference = statistics.median(ours), statistics.median(theirs)
    report(
        f"Choosing a token of {VOCABULARY:,} on one core, {BEFORE:,} tokens before",
        [
            ("twelve stages, with the record", f"{ms:.2f} ms", "at most 1.5 ms"),
            ("twelve processors of transformers", f"{reference:.2f} ms", ""),
            ("ratio", f"{reference / ms:.1f}", "at least 10"),
            ("the fastest rounds", f"{min(ours):.2f} ms and {min(theirs):.2f} ms", ""),
            *rows,
        ],
        {
            "ms_per_token_150k": ms,
            "ratio_to_transformers": reference / ms,
            "transformers_ms": reference,
            "fastest_ms": min(ours),
            "stages": len(SamplingParams.load(TWELVE).working()),
        },
    )


if __name__ == "__main__":
    main()
