"""Tokens per second of our decode loop against transformers' generate(): `python -m benchmarks.decode`.

Both write the same number of tokens with the same model, prompt and sampling, in alternating runs of one
process, ours with streaming on; medians are compared, and the fastest runs of each, which a busy machine disturbs
least. Then the cost of choosing one token of a vocabulary of 152k
(Qwen's), against transformers' logits processors. `--model FOLDER` takes another model.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.generation import logits_process as hf

from benchmarks.rig import report
from plugins.text.lexicon import Lexicon
from plugins.text.loading import Language, load
from plugins.text.params_sampling import SamplingParams
from plugins.text.sampler import Sampler
from plugins.text.stages import TRANSFORMERS_ORDER
from plugins.text.writing import write
from studio.sdk.operation import ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

STARTER = Path(__file__).resolve().parent.parent / "assets" / "models" / "tales-5m"
PROMPT = "Once upon a time there was a king who had three daughters, and the youngest of them"
VOCABULARY = 152_064


def settings_of(**values: Any) -> SamplingParams:
    return SamplingParams.load({"temperature": 0.8, "top_k": 0, "order": list(TRANSFORMERS_ORDER), **values})


USUAL = settings_of(top_k=40, top_p=0.95)
SAMPLINGS = {
    "top-k 40 (the default)": settings_of(top_k=40),
    "top-k 40, top-p 0.95": USUAL,
    "top-p 0.95": settings_of(top_p=0.95),
    "min-p 0.05": settings_of(min_p=0.05),
    "typical-p 0.9": settings_of(top_k=200, typical_p=0.9),
    "temperature alone": settings_of(),
}


def ours(language: Language, prompt: list[int], count: int) -> float:
    """Tokens per second, the prompt's reading included."""
    context = Context(Models())
    begun = time.perf_counter()
    language.prefixes.clear()
    written = write(prompt, Sampler(USUAL, 7, language.lexicon, prompt), context, language, limit=count)
    took = time.perf_counter() - begun
    assert len(written.tokens) == count and context.streamed == written.text
    return count / took


def theirs(language: Language, prompt: list[int], count: int) -> float:
    ids = torch.tensor([prompt])
    begun = time.perf_counter()
    made = language.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=count,
        do_sample=True,
        temperature=USUAL.temperature,
        top_k=USUAL.top_k,
        top_p=USUAL.top_p,
        eos_token_id=None,
        pad_token_id=0,
        use_cache=True,
    )
    took = time.perf_counter() - begun
    assert made.shape[1] == len(prompt) + count
    return count / took


def alternating(
    first: Callable[[], float], second: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    """Each in turn, with the order swapped every round; one of each beforehand, uncounted."""
    first()
    second()
    one, two = [], []
    for i in range(rounds):
        for call, results in ((first, one), (second, two)) if i % 2 else ((second, two), (first, one)):
            results.append(call())
    return one, two


def processors(settings: SamplingParams) -> Callable[[torch.Tensor], int]:
    """What generate() does with the logits of one step."""
    steps = hf.LogitsProcessorList([hf.TemperatureLogitsWarper(settings.temperature)])
    if settings.top_k:
        steps.append(hf.TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1:
        steps.append(hf.TopPLogitsWarper(settings.top_p))
    if settings.min_p:
        steps.append(hf.MinPLogitsWarper(settings.min_p))
    if settings.typical_p < 1:
        steps.append(hf.TypicalLogitsWarper(settings.typical_p))
    before = torch.zeros((1, 1), dtype=torch.long)

    def choose(logits: torch.Tensor) -> int:
        return int(torch.multinomial(steps(before, logits[None]).softmax(-1), 1))  # type: ignore[arg-type]

    return choose


def per_token(choose: Callable[[torch.Tensor], int], logits: list[torch.Tensor]) -> float:
    begun = time.perf_counter()
    for values in logits:
        choose(values)
    return (time.perf_counter() - begun) / len(logits)


def sampling(rounds: int) -> tuple[list[tuple[str, str, str]], dict[str, float]]:
    """Milliseconds a token on logits spread as a language model's are: a few likely, most unlikely."""
    generator = torch.Generator().manual_seed(1)
    logits = [torch.randn(VOCABULARY, generator=generator) * 3.5 for _ in range(8)]
    rows, figures = [], {}
    for name, settings in SAMPLINGS.items():
        sampler, reference = Sampler(settings, 1, Lexicon(None, VOCABULARY), []), processors(settings)
        mine, other = alternating(
            lambda s=sampler: per_token(s, logits), lambda r=reference: per_token(r, logits), rounds
        )
        a, b = statistics.median(mine) * 1000, statistics.median(other) * 1000
        rows.append((f"sampler, {name}", f"{a:.2f} ms", f"transformers {b:.2f} ms, {b / a:.1f} times"))
        figures[name] = b / a
    return rows, figures


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path, default=STARTER)
    options.add_argument("--tokens", type=int, default=200)
    options.add_argument("--rounds", type=int, default=15)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode(False):
        folder: Path = chosen.model
        if not (folder / "config.json").is_file():
            folder = tiny_models.build_llama(
                Path(scratch) / "llama-5m", hidden_size=256, intermediate_size=704, num_hidden_layers=6
            )
        language = load(ModelInfo(folder.name, str(folder), "text-generation"), "cpu", "float32")
        language.ends = frozenset()
        prompt = list(language.tokenizer(PROMPT)["input_ids"])
        count = min(chosen.tokens, (language.context or 10**9) - len(prompt))
        with torch.inference_mode():
            mine, other = alternating(
                lambda: ours(language, prompt, count), lambda: theirs(language, prompt, count), chosen.rounds
            )
            rows, gains = sampling(max(3, chosen.rounds // 3))
    speed, reference = statistics.median(mine), statistics.median(other)
    ratio = speed / reference
    rows = [
        ("our loop, streaming", f"{speed:.1f} tokens/s", ""),
        ("model.generate()", f"{reference:.1f} tokens/s", ""),
        ("ratio", f"{ratio:.3f}", "at least 1.0"),
        ("ratio of the fastest runs", f"{max(mine) / max(other):.3f}", ""),
        *rows,
    ]
    report(
        f"Writing {count} tokens after {len(prompt)} with {folder.name}, {torch.get_num_threads()} threads",
        rows,
        {
            "ratio_to_generate": ratio,
            "ratio_of_fastest": max(mine) / max(other),
            "tokens_per_s": speed,
            "generate_tokens_per_s": reference,
            "sampler_gain_152k": min(gains.values()),
            "model": folder.name,
        },
    )


if __name__ == "__main__":
    main()
