"""Races three designs of the starter image model for the same seconds of work and writes what came of it.

Owns the order: codes for the masked tokens, then slice by slice every design in turn, each judged after every slice.
Needs torch, diffusers, transformers, tokenizers and Pillow; imports nothing of the application.

    python -m scripts.race_starter_image --data FOLDER --state DIR --minutes 25

The designs learn the same pictures by the same names in batches of one size, each for --minutes of a core's work, on
an autoencoder that is trained already (--vae). Rates are steady, so that every slice is a fair place to stop, and fall
to nothing in the last round: the one that uses up the minutes, or the one that begins after --wall minutes of the
clock. Killed at any time and started again, the race goes on. --state then holds results.jsonl, race.md and the
sheets. --card FOLDER puts what was found into the card of a model and runs nothing.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from diffusers import AutoencoderKL, VQModel

from scripts.starter_image_autoencoder import means, psnr, train_autoencoder
from scripts.starter_image_codes import colours_of, through_codes, tokens_of, with_codes
from scripts.starter_image_data import load_pictures, to_model
from scripts.starter_image_export import sheet
from scripts.starter_image_judge import judged
from scripts.starter_image_latent import Painter, Shape, paint
from scripts.starter_image_masked import MaskedPainter, MaskedShape, paint_masked
from scripts.starter_image_report import put_section, race_section
from scripts.starter_image_stage import Stage, busy
from scripts.starter_image_text import kept_tokenizer
from scripts.starter_image_training import WARMUP, Design, train
from scripts.starter_image_words import vocabulary

SLICES = 10
BATCH, RATE = 16, 8e-4
GAMMA = 5.0  # of the min-SNR weights, as their paper has it
GUIDANCE = 3.0
OTHERS = (1.5, 6.0)  # guidances that are tried at the end as well, so that one number decides nothing
ASKED, SHOWN = 64, 32  # names that are painted after each slice; how many of them a sheet shows
TINY_SHAPE = Shape((16, 32, 32), 32, 2)
TINY_MASKED = MaskedShape(32, 1, 2, 32, 32, 1, 16, 32, 2)


@dataclass(frozen=True)
class Racer:
    """One design: how it begins, what stands for a picture in it, and how it paints colours (N, 3, H, W)."""

    layout: str
    begin: Callable[[], Design]
    examples: torch.Tensor
    paint: Callable[[Any, list[str], float, int], torch.Tensor]  # model, texts, guidance, seed


class Race:
    """What the designs share, and each part of the race as a method."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.state = options, options.state
        self.state.mkdir(parents=True, exist_ok=True)
        self.began = time.monotonic()
        self.results = self.state / "results.jsonl"
        self.vae = AutoencoderKL.from_pretrained(options.vae, torch_dtype=torch.float32).eval()
        self.size = self.vae.config["sample_size"]
        captions, self.everything = load_pictures(options.data, self.size, self.state)
        chosen, self.names = vocabulary(captions)
        self.pictures = self.everything[chosen]
        self.truth = to_model(self.pictures)[0]
        self.tokenizer = kept_tokenizer(self.state / "tokenizer", [name for names in self.names for name in names])

    def stage(self, name: str, minutes: float) -> Stage:
        return Stage(name, self.state, minutes * 60, busy)

    def coder(self, latents: torch.Tensor) -> tuple[VQModel, Stage]:
        """The autoencoder with codes, taught on all pictures after it began as the one without."""
        torch.manual_seed(self.options.seed)
        model = with_codes(self.vae, latents, 16 if self.options.tiny else 512)
        stage = self.stage("codes", self.options.code_minutes)
        train_autoencoder(self.everything, stage, model, batch=8, rate=4e-4, through=through_codes)
        return model, stage

    def racers(self, latents: torch.Tensor, coder: VQModel) -> dict[str, Racer]:
        shape, masked = (TINY_SHAPE, TINY_MASKED) if self.options.tiny else (Shape(), MaskedShape())
        side, codes, known = latents.shape[-1], coder.config["num_vq_embeddings"], self.tokenizer

        def by_latents(model: Painter, texts: list[str], guidance: float, seed: int) -> torch.Tensor:
            made = paint(model, known, texts, steps=20, guidance=guidance, seed=seed)
            return self.vae.decode(made).sample.clamp(-1, 1)

        def by_codes(model: MaskedPainter, texts: list[str], guidance: float, seed: int) -> torch.Tensor:
            return colours_of(coder, paint_masked(model, known, texts, steps=12, guidance=guidance, seed=seed))

        return {
            "pooled": Racer("SDXL", lambda: Painter("pooled", shape, known, side), latents, by_latents),
            "min-snr": Racer(
                "SD with min-SNR", lambda: Painter("cross", shape, known, side, GAMMA), latents, by_latents
            ),
            "masked": Racer(
                "aMUSEd", lambda: MaskedPainter(masked, known, side, codes), tokens_of(coder, self.pictures), by_codes
            ),
        }

    def run(self) -> None:
        latents = means(self.vae, self.pictures)
        coder, coded = self.coder(latents)
        racers = self.racers(latents, coder)
        self.keep_facts(coder, coded, racers)
        sheet(self.truth[spaced(len(self.names), SHOWN)], 8).save(self.state / "sheet-wanted.png")
        for part in range(1, SLICES + 1):
            last = self.is_last(part)
            for name, racer in racers.items():
                if not any(line["design"] == name and line["part"] == part for line in lines_of(self.results)):
                    write_lines(self.results, lines_of(self.results) + self.run_slice(name, racer, part, last))
                    (self.state / "race.md").write_text(section_of(self.state), encoding="utf-8")
            if last:
                break

    def is_last(self, part: int) -> bool:
        """Whether this is the round in which the rates fall; once decided, it stays so."""
        kept = self.state / "last-round"
        if not kept.exists() and (part == SLICES or time.monotonic() - self.began > self.options.wall * 60):
            kept.write_text(str(part))
        return kept.exists() and part >= int(kept.read_text())

    def run_slice(self, name: str, racer: Racer, part: int, last: bool) -> list[dict[str, Any]]:
        """A slice of training, then what it paints: some names on the way, all of them at the end."""
        torch.manual_seed(self.options.seed)
        stage = self.stage(name, self.options.minutes)
        learns = {"until": part / SLICES, "rate_at": rate_in(part, last)}
        model = train(racer.examples, self.names, self.tokenizer, stage, racer.begin(), BATCH, **learns)
        found = {"design": name, "part": part, "minutes": round(self.options.minutes * part / SLICES, 3)}
        found |= {"steps": stage.step}
        some, lines = spaced(len(self.names), ASKED), []
        for guidance in (GUIDANCE, *(OTHERS if last else ())):
            made = self.painted(racer, model, some, guidance)
            lines.append(found | {"names": "some", "guidance": guidance, **judged(made, self.truth, some)})
            if guidance == GUIDANCE:
                sheet(made[spaced(len(made), SHOWN)], 8).save(self.state / f"sheet-{name}-{part}.png")
        if last:
            every = torch.arange(len(self.names))
            made = self.painted(racer, model, every, GUIDANCE)
            lines.append(found | {"names": "all", "guidance": GUIDANCE, **judged(made, self.truth, every)})
        return lines

    @torch.no_grad()
    def painted(self, racer: Racer, model: Design, wanted: torch.Tensor, guidance: float) -> torch.Tensor:
        """What comes for the first name of each of `wanted`, in parts of 32 with a seed of their own."""
        texts = [self.names[i][0] for i in wanted]
        starts = range(0, len(texts), 32)
        return torch.cat([racer.paint(model, texts[start : start + 32], guidance, start) for start in starts])

    def keep_facts(self, coder: VQModel, coded: Stage, racers: dict[str, Racer]) -> None:
        """What the report says beside the results: sizes, and how well each autoencoder gives pictures back."""
        kept = self.state / "facts.json"
        if kept.exists():
            return
        facts = {
            "pictures": len(self.names),
            "asked": min(ASKED, len(self.names)),
            "batch": BATCH,
            "guidance": GUIDANCE,
            "seed": self.options.seed,
            "codes": coder.config["num_vq_embeddings"],
            "code_minutes": self.options.code_minutes,
            "code_steps": coded.step,
            "psnr": {
                "plain": psnr(self.vae, self.pictures),
                "codes": psnr(coder, self.pictures, through=through_codes),
            },
            "layouts": {name: racer.layout for name, racer in racers.items()},
            "parameters": {
                name: sum(p.numel() for p in racer.begin().parameters()) for name, racer in racers.items()
            },
        }
        kept.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def spaced(length: int, count: int) -> torch.Tensor:
    """Up to `count` indices, evenly over `length`."""
    return torch.linspace(0, length - 1, min(count, length)).long()


def rate_in(part: int, last: bool) -> Callable[[Stage], float]:
    """The learning rate in one round: steady after the warm-up; in the last one falling to nothing."""

    def rate_at(stage: Stage) -> float:
        left = max(0.0, part - stage.progress * SLICES) if last else 1.0
        return RATE * min(1.0, (stage.step + 1) / WARMUP, left)

    return rate_at


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def write_lines(file: Path, lines: list[dict[str, Any]]) -> None:
    """All lines or those before, never half of them."""
    partial = file.with_suffix(".partial")
    partial.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    partial.replace(file)


def section_of(state: Path) -> str:
    return race_section(json.loads((state / "facts.json").read_text()), lines_of(state / "results.jsonl"))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--state", type=Path, default=Path("build/starter-race"))
    parser.add_argument("--vae", type=Path, default=Path("assets/models/emoji-64/vae"))
    parser.add_argument("--minutes", type=float, default=25, help="of a core's work, for each design")
    parser.add_argument("--code-minutes", type=float, default=8, help="more of it, for the codes of the masked tokens")
    parser.add_argument("--wall", type=float, default=math.inf, help="minutes by the clock, then one last round")
    parser.add_argument("--card", type=Path, help="the model whose card tells of the race; runs nothing")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--tiny", action="store_true", help="small parts, to try the race")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.card:
        put_section(options.card / "README.md", section_of(options.state))
    elif options.data:
        Race(options).run()
    else:
        parser.error("--data says where the pictures are")


if __name__ == "__main__":
    main()
