"""Where a part of a picture is painted anew: masks grown and softened, the crop the model sees, and the way back.

Pure geometry and pixels in numpy and Pillow; no torch. Masks are (H, W); pictures are Pillow RGB.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from studio.errors import StudioError

from .pictures import MOST_PIXELS

Box = tuple[int, int, int, int]

LONGEST = 8
"""Times a model's own side, that a part it paints may be long."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of `picture` to paint. box: what the model sees (left, top, right, bottom). size: at which size.

    blend: float32 (H, W) of the whole picture in 0…1, how much of the new is seen; exactly 0 where nothing changes.
    """

    picture: Image.Image
    blend: np.ndarray
    box: Box
    size: tuple[int, int]
    fill: str = "original"

    def shown(self) -> Image.Image:
        """What the model begins with: the crop at its size, filled under the mask as asked."""
        crop = self.picture.crop(self.box).resize(self.size, Image.Resampling.LANCZOS)
        return filled(crop, np.asarray(self.mask()) > 127, self.fill)

    def mask(self) -> Image.Image:
        """The model's mask, of its size: white wherever anything of the new will be seen."""
        left, top, right, bottom = self.box
        seen = Image.fromarray(((self.blend[top:bottom, left:right] > 0) * 255).astype(np.uint8), "L")
        return seen.resize(self.size, Image.Resampling.BILINEAR).point(lambda value: 255 if value else 0)

    def put_back(self, painted: Image.Image) -> Image.Image:
        """The whole picture with the painted part blended in; every other pixel is the one it was."""
        left, top, right, bottom = self.box
        new = painted.convert("RGB").resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        part = self.blend[top:bottom, left:right, None]
        old = np.asarray(self.picture.crop(self.box), dtype=np.float32)
        mixed = np.rint(old + (np.asarray(new, dtype=np.float32) - old) * part)
        result = self.picture.copy()
        result.paste(Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8), "RGB"), (left, top))
        return result


    def framing(self) -> Callable[[Image.Image], Image.Image]:
        """What shows a preview of the painted part, of any size, with the pixels around the mask as they are."""
        left, top, right, bottom = self.box
        kept: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

        def framed(painted: Image.Image) -> Image.Image:
            if painted.size not in kept:
                old = self.picture.crop(self.box).resize(painted.size, Image.Resampling.BILINEAR)
                seen = Image.fromarray(self.blend[top:bottom, left:right]).resize(painted.size)
                kept[painted.size] = np.asarray(old, np.float32), np.asarray(seen)[..., None]
            old, part = kept[painted.size]
            mixed = old + (np.asarray(painted, np.float32) - old) * part
            return Image.fromarray(np.rint(mixed).clip(0, 255).astype(np.uint8), "RGB")

        return framed


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The mask as bool, larger (or smaller) by `by` pixels on every side, round at corners."""
    inside = mask > 127
    if by > 0:
        return _distance(~inside) <= by
    if by < 0:
        # Beyond the picture's edge the mask goes on: it is not made smaller there.
        return _distance(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1] > -by
    return inside


def softened(inside: np.ndarray, over: int) -> np.ndarray:
    """How much of the new is seen: 1 inside, falling to 0 over `over` pixels outside (smoothstep 3t²-2t³)."""
    if over <= 0:
        return inside.astype(np.float32)
    away = _distance(~inside)
    t = np.clip(1 - away / (over + 1), 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def _distance(inside: np.ndarray) -> np.ndarray:
    """Of each pixel inside, how far the nearest one outside is; 0 outside."""
    return np.asarray(ndimage.distance_transform_edt(inside))


def around(blend: np.ndarray, context: int) -> Box:
    """The smallest box that holds all that changes, and `context` pixels more where there are any.

    Raises StudioError code "mask" when nothing changes.
    """
    rows, columns = np.flatnonzero(blend.any(axis=1)), np.flatnonzero(blend.any(axis=0))
    if not len(rows):
        raise StudioError(
            "The mask is empty", "After making it smaller nothing is left.", "Make it less small.", code="mask"
        )
    height, width = blend.shape
    return (
        max(0, int(columns[0]) - context),
        max(0, int(rows[0]) - context),
        min(width, int(columns[-1]) + 1 + context),
        min(height, int(rows[-1]) + 1 + context),
    )


def paint_size(box: Box, native: int, multiple: int) -> tuple[int, int]:
    """The size at which a model of `native` pixels a side paints the box: its shape, the model's area.

    Raises StudioError code "shape" for a strip so long that nothing would be seen in it.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    scale = native / (width * height) ** 0.5
    if max(width, height) * scale > LONGEST * native:
        raise StudioError(
            "This is too long a strip to paint",
            f"It has {width:,} × {height:,} px; one side may be {LONGEST**2} times as long as the other.",
            "Cut it shorter first.",
            code="shape",
        )
    # A very long strip keeps a side that the model can see anything in.
    least = max(multiple, native // 4 // multiple * multiple)
    return tuple(max(least, round(side * scale / multiple) * multiple) for side in (width, height))  # type: ignore[return-value]


def wide(box: Box, bounds: tuple[int, int], least: int) -> Box:
    """The box, made at least `least` pixels a side as far as the picture of `bounds` allows."""
    left, top, right, bottom = box
    left, right = _stretched(left, right, least, bounds[0])
    top, bottom = _stretched(top, bottom, least, bounds[1])
    return left, top, right, bottom


def _stretched(low: int, high: int, least: int, bound: int) -> tuple[int, int]:
    missing = min(least, bound) - (high - low)
    if missing <= 0:
        return low, high
    low = max(0, low - missing // 2)
    high = min(bound, low + min(least, bound))
    return max(0, high - min(least, bound)), high


def filled(picture: Image.Image, where: np.ndarray, fill: str) -> Image.Image:
    """The picture with `where` (H, W) bool filled: "original", "blur", "noise", "grey" or "edge" (as blur).

    Noise is always the same: all pictures of a batch, and each of them made again alone, begin with one ground.
    """
    if fill == "original" or not where.any() or (where.all() and fill in ("blur", "edge")):
        return picture
    pixels = np.asarray(picture).copy()
    if fill == "grey":
        pixels[where] = 127
    elif fill == "noise":
        pixels[where] = np.random.default_rng(0).integers(0, 256, (int(where.sum()), 3), dtype=np.uint8)
    else:
        # Each pixel takes the nearest one that is kept; blurred, so that no streaks guide the model.
        rows, columns = np.asarray(ndimage.distance_transform_edt(where, return_distances=False, return_indices=True))
        pixels = pixels[rows, columns]
        if fill == "blur":
            radius = max(2, round(0.05 * max(picture.size)))
            soft = np.asarray(Image.fromarray(pixels, "RGB").filter(ImageFilter.GaussianBlur(radius)))
            pixels[where] = soft[where]
    return Image.fromarray(pixels, "RGB")


def extended(picture: Image.Image, margins: Box, fill: str) -> tuple[Image.Image, np.ndarray]:
    """The picture on a larger ground, its margins (left, top, right, bottom) filled; where it is new, (H, W) bool."""
    left, top, right, bottom = margins
    if not any(margins):
        raise StudioError(
            "There is nothing to add", "All four sides are 0.", "Drag the frame, or type how much to add.", code="frame"
        )
    width, height = picture.width + left + right, picture.height + top + bottom
    if width * height > MOST_PIXELS:
        raise StudioError(
            "The extended picture would be too large",
            f"{width:,} × {height:,} px are {width * height / 1e6:,.0f} million; {MOST_PIXELS / 1e6:,.0f} million are "
            "the limit.",
            "Add less, or make the picture smaller first.",
            code="frame",
        )
    ground = Image.new("RGB", (width, height))
    ground.paste(picture, (left, top))
    new = np.ones((ground.height, ground.width), dtype=bool)
    new[top : top + picture.height, left : left + picture.width] = False
    return filled(ground, new, fill), new
