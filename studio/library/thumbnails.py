"""Small pictures of results. Pillow is imported when the first one is made.

Only formats that need no other program and no plugin are opened, and only of sizes that fit in memory.
"""

import io
from pathlib import Path

from studio.errors import StudioError
from studio.sdk.artifact import Kind

SIZE = 320
_PIXELS = 120_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def thumbnail(path: Path | str, kind: Kind | str, size: int = SIZE) -> bytes | None:
    """A PNG of at most `size` x `size`; None for kinds that have no picture. Raises StudioError "broken-picture"."""
    path = Path(path)
    if kind != Kind.IMAGE and path.suffix.lower() != ".gif":
        return None
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as picture:
            if picture.width * picture.height > _PIXELS:
                raise StudioError(
                    "This picture is too large for a preview",
                    f"{path.name} has {picture.width:,} x {picture.height:,} pixels.",
                    code="broken-picture",
                )
            picture.draft("RGB", (size * 2, size * 2))
            small = _eight_bit(picture)
            small.thumbnail((size, size), Image.Resampling.LANCZOS)
            small = ImageOps.exif_transpose(small)
            out = io.BytesIO()
            small.save(out, "PNG")
            return out.getvalue()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError):
            raise StudioError("The file is not there", str(path), code="not-found") from None
        detail = f"{path.name}: {str(error).splitlines()[0] if str(error) else 'not a picture'}"
        raise StudioError("This picture cannot be shown", detail, code="broken-picture") from None


def _eight_bit(picture):
    """RGB or RGBA of any mode; 16-bit grey is scaled, which convert() would clip."""
    if picture.mode.startswith("I;16") or picture.mode == "I":
        return picture.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("RGB")
