"""How long after a stop the model still computes, beyond one token: `python -m benchmarks.stop`.

A text is stopped at random moments, while its prompt is read and while it is written; what is measured is the time
until the device is free, less the median time of one token at that context. `--model FOLDER` takes another model; the
default is a Llama of 24 M parameters with random weights, with a prompt of 2,000 tokens.
"""

import argparse
import itertools
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

import torch

from benchmarks.prefix import SIZES
from benchmarks.rig import percentile, report
from plugins.text.language import Language
from plugins.text.loading import load
from plugins.text.params_sampling import SamplingParams
from plugins.text.sampler import Sampler
from plugins.text.writing import write
from studio.sdk.operation import JobCancelled, ModelInfo
from tests import tiny_models
from tests.text_context import Context, Models

WRITTEN = 120
TARGET_MS = 50.0


def run(language: Language, ids: list[int], ctx: Context, limit: int = WRITTEN) -> None:
    write(ids, Sampler(SamplingParams(temperature=0), 0, language.lexicon, ids), ctx, language, limit=limit)


def phases(language: Language, ids: list[int]) -> tuple[float, float, float]:
    """Seconds of reading the prompt, of writing, and of one token, undisturbed."""
    moments: list[float] = []
    language.prefixes.clear()
    began = time.perf_counter()
    run(language, ids, Context(Models(), lambda _ctx, kind: kind == "step" and moments.append(time.perf_counter())))
    steps = [after - before for before, after in itertools.pairwise(moments)]
    return moments[0] - began, moments[-1] - moments[0], statistics.median(steps)


def stopped(language: Language, ids: list[int], after: float) -> tuple[float, bool]:
    """Seconds from the stop, `after` so many, to a free device; whether anything had been written by then."""
    asked, moment = threading.Event(), [0.0]

    def stop() -> None:
        moment[0] = time.perf_counter()
        asked.set()

    language.prefixes.clear()
    ctx = Context(Models(), lambda _ctx, _kind: asked.is_set())
    timer = threading.Timer(after, stop)
    timer.start()
    try:
        run(language, ids, ctx, limit=10_000)
    except JobCancelled:
        return time.perf_counter() - moment[0], bool(ctx.steps)
    finally:
        timer.join()
    raise AssertionError("the text came to its end before the stop")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path)
    options.add_argument("--tokens", type=int, default=2000)
    options.add_argument("--runs", type=int, default=30)
    chosen = options.parse_args()
    pick = random.Random(7)
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.model or tiny_models.build_llama(Path(scratch) / "llama", num_hidden_layers=8, **SIZES)
        language = load(ModelInfo(folder.name, str(folder), "text-generation"), "cpu", "float32")
        language.ends = frozenset()
        generator = torch.Generator().manual_seed(1)
        ids = torch.randint(3, language.vocabulary, (chosen.tokens,), generator=generator).tolist()
        run(language, ids, Context(Models()), 3)
        reading, writing, token = phases(language, ids)
        over: dict[bool, list[float]] = {False: [], True: []}
        for at in range(2 * chosen.runs):
            spot = pick.uniform(0.02, 0.95)
            took, wrote = stopped(language, ids, spot * reading if at % 2 else reading + spot * writing)
            over[wrote].append(1000 * (took - token))
    rows, figures = [("one token", f"{1000 * token:.1f} ms", "")], {"token_ms": 1000 * token}
    for wrote, name in ((False, "while the prompt is read"), (True, "while it is written")):
        key = "write" if wrote else "read"
        figures[f"{key}_over_ms"] = statistics.median(over[wrote])
        figures[f"{key}_over_p95_ms"] = percentile(over[wrote], 0.95)
        words = f"{figures[f'{key}_over_ms']:.1f} ms, 95th percentile {figures[f'{key}_over_p95_ms']:.1f} ms"
        rows.append((f"beyond one token, {name}", words, f"at most {TARGET_MS:.0f} ms"))
    figures["over_token_ms"] = max(figures["read_over_ms"], figures["write_over_ms"])
    report(f"Stop, {chosen.tokens:,} tokens of prompt, {torch.get_num_threads()} threads", rows, figures)


if __name__ == "__main__":
    main()
