"""Pictures and masks that people give: read whatever they are, or refused in words. Pillow and numpy, no torch.

Only formats that need no other program are opened; what a picture says about itself is never trusted.
"""

import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from studio.errors import StudioError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MOST_PIXELS = 120_000_000
LEAST_SIDE = 4
KEPT = re.compile(r"[0-9a-f]{64}")
"""The name of a kept copy of an input, which says nothing to people."""

SAME_SHAPE = 0.02
"""How far the shapes of picture and mask may differ, as a share, for the mask to be scaled to the picture."""


def read_picture(path: Path, what: str = "picture") -> Image.Image:
    """The picture as 8-bit RGB, turned as its camera says, its first frame, over white where it is transparent.

    what: which of a job's pictures it is, for the message. Raises StudioError code "broken-picture".
    """
    return _over_white(_read(path, what))


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The mask for a picture of `size` (width, height), as uint8 (H, W); 255 is painted anew.

    A picture with real transparency is a mask by its alpha, another by its brightness. One of another size is
    scaled when its shape is the same. Raises StudioError code "mask" for another shape and for an empty mask.
    """
    found = _read(path, "mask")
    alpha = np.asarray(found.getchannel("A")) if "A" in found.getbands() else None
    drawn = found.getchannel("A") if alpha is not None and alpha.min() != alpha.max() else found.convert("L")
    if drawn.size != size:
        drawn = _fitted(drawn, size)
    mask = np.asarray(drawn, dtype=np.uint8)
    if not (mask > 127).any():
        raise StudioError(
            "The mask is empty", "Nothing in it is white.", "Paint over what is to be made anew.", code="mask"
        )
    return mask


def _fitted(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    ours, theirs = size[0] / size[1], mask.width / mask.height
    if abs(ours / theirs - 1) > SAME_SHAPE:
        raise StudioError(
            "The mask does not fit the picture",
            f"The mask has {mask.width:,} × {mask.height:,} pixels, the picture {size[0]:,} × {size[1]:,}.",
            "Use a mask of the picture's size, or paint one here.",
            code="mask",
        )
    return mask.resize(size, Image.Resampling.BILINEAR)


def _read(path: Path, what: str) -> Image.Image:
    """The first frame as 8-bit L, LA, RGB or RGBA."""
    named = f"This {what} cannot be used", "" if KEPT.match(path.stem) else f"{path.name}: "
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Pillow warns, the size is judged here
            with Image.open(path, formats=FORMATS) as picture:
                _check_size(named, picture.size)
                picture.load()
                return _eight_bit(_turned(picture))
    except StudioError:
        raise
    except UnidentifiedImageError:
        raise _broken(named, "It is no picture of a kind that is read (PNG, JPEG, WebP, GIF, BMP, TIFF).") from None
    except Image.DecompressionBombError as error:
        raise _broken(named, str(error)) from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a damaged file makes them
        raise _broken(named, f"It is damaged or cut short: {str(error) or type(error).__name__}") from None


def _check_size(named: tuple[str, str], size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise _broken(
            named,
            f"It has {width:,} × {height:,} pixels, {width * height / 1e6:,.0f} million; "
            f"{MOST_PIXELS / 1e6:,.0f} million are the limit.",
            "Make it smaller first.",
        )
    if min(size) < LEAST_SIDE:
        raise _broken(named, f"It has {width:,} × {height:,} pixels; {LEAST_SIDE} a side are the least.")


def _turned(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - what the camera wrote may be anything; the pixels are good
        return picture.copy()


def _eight_bit(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        values = np.asarray(picture, dtype=np.float64)
        deep = picture.mode != "F" and values.max(initial=0) > 255
        scaled = values / 257 if deep else values * (255 if values.max(initial=0) <= 1 and picture.mode == "F" else 1)
        return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), "L")
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture.copy()
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _over_white(picture: Image.Image) -> Image.Image:
    if "A" not in picture.getbands():
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _broken(named: tuple[str, str], detail: str, hint: str = "Choose another picture.") -> StudioError:
    """named: the title, and the file's name where people gave it one."""
    return StudioError(named[0], named[1] + detail, hint, code="broken-picture")
