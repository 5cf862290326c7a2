"""Small pictures of results. Pillow is imported when the first one is made.

Only formats that need no other program and no plugin are opened, and only of sizes that fit in memory.
"""

import io
from pathlib import Path

from studio.errors import StudioError
from studio.library.clips import Clip
from studio.library.pictures import opened
from studio.sdk.artifact import Kind

SIZE = 320
QUALITY = 88
_PIXELS = 120_000_000
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def has_picture(path: Path, kind: Kind | str) -> bool:
    """Whether there may be a thumbnail: pictures, and clips of which a first frame can be had."""
    return kind == Kind.IMAGE or path.suffix.lower() in _PICTURES or kind == Kind.VIDEO


def thumbnail(path: Path | str, kind: Kind | str, size: int = SIZE) -> bytes | None:
    """An encoded picture of at most `size` x `size`; None for what has no picture. Of a clip the first frame.

    A picture that is small already, or has holes, is a PNG, else a JPEG. Raises StudioError "broken-picture",
    "not-found", and what a clip raises that cannot be read.
    """
    path = Path(path)
    if not has_picture(path, kind):
        return None
    if kind == Kind.VIDEO and path.suffix.lower() not in _PICTURES:
        return _of_video(path, size)
    from PIL import Image, ImageOps

    with opened(path) as picture:
        if picture.width * picture.height > _PIXELS:
            raise StudioError(
                "This picture is too large for a preview",
                f"{path.name} has {picture.width:,} x {picture.height:,} pixels.",
                code="broken-picture",
            )
        whole = max(picture.size) <= size
        picture.draft("RGB", (size * 2, size * 2))
        small = _eight_bit(picture)
        small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return _encoded(ImageOps.exif_transpose(small), lossless=whole)


def _encoded(picture, *, lossless: bool) -> bytes:
    out = io.BytesIO()
    if lossless or picture.mode == "RGBA":
        picture.save(out, "PNG", compress_level=3)
    else:
        picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _of_video(path: Path, size: int) -> bytes:
    """The first frame of a clip."""
    from PIL import Image

    if not path.exists():
        raise StudioError("This file is not there", str(path), code="not-found")
    with Clip(path) as clip:
        picture = clip.frame(0)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return _encoded(picture, lossless=False)


def _eight_bit(picture):
    """RGB or RGBA of any mode; 16-bit grey is scaled, which convert() would clip."""
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return picture.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("RGB")
