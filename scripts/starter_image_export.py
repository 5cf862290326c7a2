"""Writes the starter image model as a plain diffusers folder, measures it as anyone would use it, and writes its card.

Owns the folder's content. Imports nothing of the application.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportIndexIssue=false

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from transformers import CLIPTokenizer

from scripts.starter_image_data import to_model
from scripts.starter_image_judge import colours, recall
from scripts.starter_image_latent import SCHEDULE, TIME_IDS, Painter

STEPS, GUIDANCE = 25, 3.0

# ruff: noqa: E501 - the table rows of the card
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-to-image
library_name: diffusers
tags: [{layout}, starter, emoji]
---
# {name}

A small starter model of this project: paints {size} x {size} pictures in the manner of emoji from a word or two, in
seconds and without a graphics card. It knows {pictures} things by name and nothing else.

| | |
|---|---|
| data | Noto Emoji by Google, {all_pictures:,} pictures laid over white and made {size} pixels wide; the autoencoder saw them all, the painter the {pictures} below, by {names:,} names, after a start on {known} |
| layout | `{pipeline}`: text encoder {text_params:,}, UNet {unet_params:,}, autoencoder {vae_params:,} parameters; latents 4 x {latent} x {latent} |
| training | from nothing on {device}: autoencoder {vae_steps:,} steps of 8, painter {raced:,} steps of {race_batch} on {known} pictures and {steps:,} of {batch} on its own ({views:,.0f} views of each; {painter_minutes:.0f} minutes on a machine with other work), decoder alone {polish_steps:,} steps of 8; v-prediction, averaged weights, 10 % of the captions empty, seed {seed} |
| autoencoder | {psnr:.1f} dB PSNR on the {pictures} pictures, which it has seen; none was held out |
| recall | asked for {asked} of its names (one seed, {run_steps} steps, guidance {guidance:g}), the nearest of the {pictures} pictures is the right one for {top1:.0%}, among the five nearest for {top5:.0%} |
| speed | {seconds:.1f} seconds for one picture of {run_steps} steps on {device}, the best of three tries |
| weights | float16 safetensors, {megabytes:.1f} MB |
| licence | Apache-2.0, as the Noto Emoji pictures are |

Made by: `{command}`

## How the layout was chosen
{race}

## Limits
It repeats the pictures it was taught, softly drawn; fine parts (eyes, wires, writing) blur. It has no idea of a scene, a
style or a number and does not combine what it knows: of several words one wins. Words it was not taught give a blot. Prompts are cut after {length} tokens.
Other sizes than {size} x {size} do not work. Guidance from 2 to 5 and 15 steps or more work best.

## Words it knows
{words}.
"""


def fold_time_ids(painter: Painter) -> None:
    """Takes SDXL's six sizes out of the UNet: they never changed in training, so their share is a constant.

    Afterwards any original or target size gives the same picture instead of noise.
    """
    unet = painter.unet
    first = unet.add_embedding.linear_1
    sizes = torch.tensor([painter.size, painter.size, 0, 0, painter.size, painter.size])
    with torch.no_grad():
        share = unet.add_time_proj(sizes).flatten()
        width = unet.config["addition_time_embed_dim"] * TIME_IDS
        first.bias += first.weight[:, -width:] @ share
        first.weight[:, -width:] = 0.0


def write_pipeline(folder: Path, painter: Painter, tokenizer: CLIPTokenizer, vae: AutoencoderKL) -> None:
    sampler = DDIMScheduler(**SCHEDULE)
    if "text_time" in str(painter.unet.config.get("addition_embed_type")):
        fold_time_ids(painter)
        pipeline: DiffusionPipeline = StableDiffusionXLPipeline(
            vae, None, painter.text, None, tokenizer, painter.unet, sampler,
            force_zeros_for_empty_prompt=False, add_watermarker=False,
        )  # fmt: skip
    else:
        pipeline = StableDiffusionPipeline(
            vae, painter.text, tokenizer, painter.unet, sampler, None, None, requires_safety_checker=False
        )
    pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part in ("text_encoder", "text_encoder_2"):
        path = folder / part / "config.json"
        if path.exists():  # loaded as float32 unless told otherwise, as diffusers does with its own parts
            path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float32"}, indent=2) + "\n")


def painted(pipeline: Any, texts: list[str], batch: int = 16, seed: int = 0) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1], painted with the pipeline's own size."""
    found = []
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        dice = [torch.Generator().manual_seed(seed + start + i) for i in range(len(part))]
        asked = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "output_type": "pt", "generator": dice}
        found.append(pipeline(part, **asked).images.float() * 2 - 1)
    return torch.cat(found)


def sheet(pictures: torch.Tensor, across: int) -> Image.Image:
    """A contact sheet of (N, 3, H, W) in [-1, 1]; N is a multiple of `across`."""
    n, c, h, w = pictures.shape
    grid = pictures.view(n // across, across, c, h, w).permute(0, 3, 1, 4, 2).reshape(n // across * h, across * w, c)
    return Image.fromarray(((grid + 1) * 127.5).round().clamp(0, 255).byte().numpy().astype(np.uint8))


def measure(
    folder: Path, pictures: torch.Tensor, names: list[list[str]], count: int = 64
) -> tuple[dict[str, float], torch.Tensor]:
    """Recall and speed of the folder as written, and what it painted; pictures: (N, 4, H, W) uint8, names: N lists."""
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    wanted = torch.linspace(0, len(names) - 1, min(count, len(names))).long()
    made = painted(pipeline, [names[i][0] for i in wanted])
    truth = to_model(pictures)[0]
    top1, top5 = recall(colours(made), colours(truth), wanted)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        painted(pipeline, [names[0][0]])
        times.append(time.perf_counter() - began)
    return {"asked": len(wanted), "top1": top1, "top5": top5, "seconds": min(times)}, made


def size_of(folder: Path) -> float:
    """Megabytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def write_card(folder: Path, facts: Mapping[str, Any], race: str, words: list[str]) -> None:
    (folder / "README.md").write_text(CARD.format(**facts, race=race, words="; ".join(words)), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(dict(facts), indent=1) + "\n", encoding="utf-8")
