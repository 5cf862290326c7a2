"""Pictures and their captions for the starter image model: read once, small, over white, cached.

Owns reading the folder of the data; imports torch and Pillow, nothing of the application.
"""

import csv
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image


def read_captions(folder: Path) -> list[tuple[str, str]]:
    """File name and caption of every picture, in the order of captions.csv."""
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as file:
        return [(row["file"], " ".join(row["caption"].lower().split())) for row in csv.DictReader(file)]


def read_picture(path: Path, size: int) -> torch.Tensor:
    """One RGBA picture made small and laid over white. Returns (4, size, size) uint8: red, green, blue, alpha."""
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        small = picture.convert("RGBA").convert("RGBa").resize((size, size), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32)
    alpha = values[..., 3:]
    over_white = values[..., :3] + (255.0 - alpha)
    return torch.from_numpy(np.concatenate([over_white, alpha], axis=-1).round().astype(np.uint8)).permute(2, 0, 1)


def load_pictures(folder: Path, size: int, state: Path) -> tuple[list[str], torch.Tensor]:
    """Captions, and the pictures as (N, 4, size, size) uint8; kept in `state` after the first time."""
    rows = read_captions(folder)
    cache = state / f"pictures-{size}.pt"
    if cache.exists():
        pictures = torch.load(cache, weights_only=True)
        if len(pictures) == len(rows):
            return [caption for _, caption in rows], pictures
    pictures = torch.stack([read_picture(folder / "images" / name, size) for name, _ in rows])
    partial = cache.with_suffix(".partial")
    torch.save(pictures, partial)
    partial.replace(cache)
    return [caption for _, caption in rows], pictures


def to_model(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 (B, 4, H, W) to colours (B, 3, H, W) in [-1, 1] and alpha (B, 1, H, W) in [0, 1]."""
    values = pictures.float()
    return values[:, :3] / 127.5 - 1.0, values[:, 3:] / 255.0
