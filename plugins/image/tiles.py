"""A large picture in overlapping tiles, each painted at a size the model knows, put together without seams.

numpy and Pillow only. Arrays are (H, W, 3) float32 in 0…255.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin so that they cover `length`, overlap by at least `overlap`, and end at its end."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // max(1, tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def boxes(width: int, height: int, tile: tuple[int, int], overlap: int) -> Iterator[Box]:
    """The tiles of a picture, row by row, as (left, top, right, bottom); none is larger than the picture."""
    wide, high = min(tile[0], width), min(tile[1], height)
    for top in starts(height, high, min(overlap, high - 1)):
        for left in starts(width, wide, min(overlap, wide - 1)):
            yield left, top, left + wide, top + high


@dataclass(slots=True)
class Mosaic:
    """Tiles laid over one another, each counting less towards its edges that other tiles share."""

    total: np.ndarray
    weight: np.ndarray
    overlap: int

    @classmethod
    def of(cls, width: int, height: int, overlap: int) -> "Mosaic":
        zeros = np.zeros((height, width, 3), np.float32)
        return cls(zeros, np.zeros((height, width, 1), np.float32), overlap)

    def lay(self, tile: Image.Image, box: Box) -> None:
        left, top, right, bottom = box
        height, width = self.weight.shape[:2]
        across = _ramp(right - left, self.overlap, left > 0, right < width)
        down = _ramp(bottom - top, self.overlap, top > 0, bottom < height)
        counts = (down[:, None] * across[None, :])[..., None]
        self.total[top:bottom, left:right] += np.asarray(tile.convert("RGB"), np.float32) * counts
        self.weight[top:bottom, left:right] += counts

    def picture(self) -> Image.Image:
        mixed = np.rint(self.total / np.maximum(self.weight, 1e-6))
        return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8), "RGB")


def _ramp(length: int, overlap: int, before: bool, after: bool) -> np.ndarray:
    """1 in the middle, falling linearly over `overlap` at the ends that another tile shares; never 0."""
    ramp = np.ones(length, np.float32)
    rise = np.arange(1, min(overlap, length) + 1, dtype=np.float32) / (min(overlap, length) + 1)
    if before and overlap:
        ramp[: len(rise)] = np.minimum(ramp[: len(rise)], rise)
    if after and overlap:
        ramp[-len(rise) :] = np.minimum(ramp[-len(rise) :], rise[::-1])
    return ramp
