"""Trains the starter image model `emoji-64` from a folder of pictures with captions and writes its card.

Owns the order of the stages: pictures, autoencoder, a short race of two designs, the painter, the decoder alone,
export. Needs torch, diffusers, transformers, tokenizers, safetensors and Pillow; imports nothing of the application.

    python -m scripts.build_starter_image --data FOLDER --out assets/models/emoji-64 --minutes 120

The folder holds captions.csv (`file,caption`) and images/. Every stage writes checkpoints to --state; killed at any
time and started again, the script goes on from the newest. Stages that are done are not done again.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from diffusers import AutoencoderKL
from torch.nn import functional as F

from scripts.starter_image_autoencoder import (
    build_autoencoder,
    means,
    polish_decoder,
    psnr,
    standardise,
    train_autoencoder,
)
from scripts.starter_image_data import load_pictures, to_model
from scripts.starter_image_export import GUIDANCE, STEPS, measure, sheet, size_of, write_card, write_pipeline
from scripts.starter_image_judge import colours, recall
from scripts.starter_image_latent import DESIGNS, Painter, Shape, fit, paint
from scripts.starter_image_stage import Stage, busy
from scripts.starter_image_text import LENGTH, kept_tokenizer
from scripts.starter_image_training import train
from scripts.starter_image_words import vocabulary

# How the minutes are shared out; each design of the race gets its own share.
SHARES = {"autoencoder": 0.18, "race": 0.06, "painter": 0.60, "decoder": 0.10}
RACE_BATCH, BATCH = 32, 16
LAYOUTS = {"pooled": "StableDiffusionXLPipeline", "cross": "StableDiffusionPipeline"}


class Build:
    """One build: what the stages have in common, and each stage as a method."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.state = options, options.state
        self.state.mkdir(parents=True, exist_ok=True)
        self.size = 32 if options.tiny else 64
        self.shape = Shape((16, 32, 32), 32, 2) if options.tiny else Shape()
        self.captions, self.everything = load_pictures(options.data, self.size, self.state)
        chosen, self.names = vocabulary(self.captions)
        self.pictures = self.everything[chosen]
        self.tokenizer = kept_tokenizer(self.state / "tokenizer", [name for names in self.names for name in names])
        first, _ = vocabulary(self.captions, first=not options.all)
        self.learnt = [chosen.index(i) for i in first]

    def stage(self, name: str, clock: Callable[[], float] = time.monotonic) -> Stage:
        return Stage(name, self.state, SHARES[name.split("-")[0]] * self.options.minutes * 60, clock)

    def autoencoder(self) -> tuple[AutoencoderKL, torch.Tensor]:
        """The trained autoencoder with its latents brought to unit deviation, and the latents."""
        shape = (8, 16, 16) if self.options.tiny else (32, 64, 96)
        model, done = build_autoencoder(self.size, shape), self.state / "scaled.pt"
        if done.exists():
            found = torch.load(done, weights_only=True)
            model.load_state_dict(found["model"])
            return model, found["latents"]
        train_autoencoder(self.everything, self.stage("autoencoder"), model, batch=8)
        standardise(model, means(model, self.pictures))
        latents = means(model, self.pictures)
        partial = done.with_suffix(".partial")
        torch.save({"model": model.state_dict(), "latents": latents}, partial)
        partial.replace(done)
        return model, latents

    def painter(self, design: str) -> Painter:
        return Painter(design, self.shape, self.tokenizer, self.size // 4)

    def race(self, latents: torch.Tensor, vae: AutoencoderKL) -> dict[str, dict[str, float]]:
        """Each design trained for the same busy seconds from the same seed, and what it then recalls."""
        done = self.state / "race.json"
        figures: dict[str, dict[str, float]] = json.loads(done.read_text()) if done.exists() else {}
        for design in DESIGNS:
            if design in figures:
                continue
            torch.manual_seed(self.options.seed)
            stage = self.stage(f"race-{design}", busy)
            model = self.painter(design)
            model = train(latents, self.names, self.tokenizer, stage, model, batch=RACE_BATCH, rate=1e-3)
            figures[design] = {"steps": stage.step, "seconds": stage.seconds, **self.judge(model, latents, vae)}
            done.write_text(json.dumps(figures, indent=1))
        return figures

    @torch.no_grad()
    def judge(self, model: Painter, latents: torch.Tensor, vae: AutoencoderKL) -> dict[str, float]:
        """Recall of 64 names at one seed by colours and by latents, the error of the colours, and the loss."""
        wanted = torch.linspace(0, len(latents) - 1, min(64, len(latents))).long()
        made = paint(model, self.tokenizer, [self.names[i][0] for i in wanted], guidance=GUIDANCE)
        pictures, truth = vae.decode(made).sample.clamp(-1, 1), to_model(self.pictures)[0]
        top1, top5 = recall(colours(pictures), colours(truth), wanted)
        latent1, latent5 = recall(made, latents, wanted)
        error = F.mse_loss(pictures, truth[wanted]).item()
        return {
            "top1": top1,
            "top5": top5,
            "latent1": latent1,
            "latent5": latent5,
            "error": error,
            "loss": fit(model, self.tokenizer, latents, self.names),
        }

    def train(self, latents: torch.Tensor, design: str) -> tuple[Painter, Stage]:
        """The winner goes on from where the race left it, on the pictures that are asked for most."""
        torch.manual_seed(self.options.seed)
        model, stage = self.painter(design), self.stage("painter")
        raced = self.state / f"race-{design}.pt"
        if raced.exists():
            model.load_state_dict(torch.load(raced, weights_only=True)["state"]["model"])
        names = [self.names[i] for i in self.learnt]
        return train(latents[self.learnt], names, self.tokenizer, stage, model, BATCH), stage

    def polish(self, vae: AutoencoderKL, latents: torch.Tensor) -> Stage:
        stage = self.stage("decoder")
        polish_decoder(self.pictures[self.learnt], latents[self.learnt], stage, vae)
        return stage


def race_table(figures: dict[str, dict[str, float]], chosen: str, pictures: int) -> str:
    """The race as the card shows it."""
    if not figures:
        return f"There was no race in this build; `{LAYOUTS[chosen]}` was asked for."
    seconds = next(iter(figures.values()))["seconds"]
    lines = [
        f"Two designs of nearly the same size, each trained from the same seed for {seconds:.0f} busy seconds on the"
        f" same pictures ({pictures} of them), one thread each. Loss: of v, on all pictures with the same noise. The"
        f" rest: 64 names, painted from the same noise with guidance {GUIDANCE:g}.",
        "",
        "| design | steps | loss | nearest by colours | among five | nearest by latents | among five | squared error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for design, found in figures.items():
        lines.append(
            f"| `{LAYOUTS[design]}` | {found['steps']:.0f} | {found['loss']:.3f} | {found['top1']:.0%}"
            f" | {found['top5']:.0%} | {found['latent1']:.0%} | {found['latent5']:.0%} | {found['error']:.3f} |"
        )
    losses = [found["loss"] for found in figures.values()]
    gap = (max(losses) - min(losses)) / max(losses)
    lines += ["", f"`{LAYOUTS[chosen]}` went on: its loss is lower by {gap:.1%}" + (", a draw." if gap < 0.01 else ".")]
    lines[-1] += f" So early, recall says little (luck alone gives {1 / pictures:.1%} and {5 / pictures:.1%})."
    lines[-1] += " `python -m scripts.race_starter_image` lets three designs, masked tokens among them, run for longer."
    return "\n".join(lines)


def write(build: Build, vae: AutoencoderKL, painter: Painter, stages: dict[str, int], race: str) -> None:
    """Exports into a folder beside --out, measures that, and puts it in --out's place."""
    options = build.options
    staged = options.out.with_name(options.out.name + ".partial")
    shutil.rmtree(staged, ignore_errors=True)
    names, pictures = [build.names[i] for i in build.learnt], build.pictures[build.learnt]
    quality = psnr(vae, pictures)
    design = "pooled" if type(painter.text).__name__ == "CLIPTextModelWithProjection" else "cross"
    parts = {"text": painter.text, "unet": painter.unet, "vae": vae}
    sizes = {f"{name}_params": sum(p.numel() for p in part.parameters()) for name, part in parts.items()}
    write_pipeline(staged, painter, build.tokenizer, vae)
    found, made = measure(staged, pictures, names)
    sheet(made, 8).save(build.state / "sheet.png")
    facts = {
        "name": options.out.name,
        "size": build.size,
        "latent": build.size // 4,
        "layout": "stable-diffusion-xl" if design == "pooled" else "stable-diffusion",
        "pipeline": LAYOUTS[design],
        "pictures": len(names),
        "known": len(build.names),
        "all_pictures": len(build.captions),
        "names": sum(map(len, names)),
        **sizes,
        **stages,
        "batch": BATCH,
        "race_batch": RACE_BATCH,
        "views": stages["steps"] * BATCH / len(names),
        "psnr": quality,
        **found,
        "run_steps": STEPS,
        "guidance": GUIDANCE,
        "megabytes": size_of(staged),
        "length": LENGTH,
        "seed": options.seed,
        "device": f"{torch.get_num_threads()} CPU cores",
        "command": f"python -m scripts.build_starter_image --data FOLDER --out assets/models/{options.out.name}"
        f" --minutes {options.minutes:g} --design {options.design} --seed {options.seed}",
    }
    write_card(staged, facts, race, sorted(", ".join(sorted(found)) for found in names))
    shutil.rmtree(options.out, ignore_errors=True)
    staged.rename(options.out)
    print(json.dumps(facts), flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path("build/starter-image"))
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--design", choices=("race", *DESIGNS), default="race")
    parser.add_argument("--all", action="store_true", help="learn every picture of the list, not the first only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--tiny", action="store_true", help="small parts, to try the recipe")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    build = Build(options)
    vae, latents = build.autoencoder()
    figures, design = {}, options.design
    if design == "race":
        figures = build.race(latents, vae)
        design = max(figures, key=lambda name: -figures[name]["loss"])
    painter, trained = build.train(latents, design)
    polished = build.polish(vae, latents)
    counts = {"vae_steps": Stage.steps_of(build.state, "autoencoder"), "polish_steps": polished.step}
    counts |= {"steps": trained.step, "raced": Stage.steps_of(build.state, f"race-{design}")}
    counts |= {"painter_minutes": round(trained.spent / 60)}
    write(build, vae, painter, counts, race_table(figures, design, len(build.names)))


if __name__ == "__main__":
    main()
