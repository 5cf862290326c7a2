"""Picture files opened with care: what they are, the texts in them, and words for everything that is wrong with one.

Any file may be given: cut short, renamed, a bomb, with hostile EXIF. Pillow is imported when the first one is
opened. Imports errors and this package's files only.
"""

import contextlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.library import picture_texts
from studio.library.recipe import read_recipe, to_json

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
DECODED = 50_000_000
"""Pixels up to which a picture is decoded to see whether it is whole; larger ones are taken by their head."""

FRAMES_COUNTED = 200 << 20
"""Bytes up to which the frames of a file are counted, for which all of it is passed over."""

BROKEN = (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError,
          RuntimeError, MemoryError, struct.error, zlib.error)  # fmt: skip
"""What decoders raise on files that somebody made wrong, by accident or not."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator["Image"]:
    """The picture, its head read and its pixels not yet. Whatever fails inside is said in words.

    Raises StudioError "not-found" or "broken-picture".
    """
    from PIL import Image, PngImagePlugin

    # What Pillow warns of and logs is said by the errors below, in words that people understand.
    warnings.filterwarnings("ignore", category=Warning, module=r"PIL\..*")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    PngImagePlugin.MAX_TEXT_CHUNK = picture_texts.LONGEST  # graphs of ComfyUI are longer than the usual megabyte
    try:
        if not path.is_file():
            raise StudioError("The file is not there", str(path), code="not-found")
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except FileNotFoundError:
        raise StudioError("The file is not there", str(path), code="not-found") from None
    except Image.DecompressionBombError as error:
        raise StudioError(
            "This picture is too large", f"{path.name}: {_first_line(error)}", "Make it smaller.", code="broken-picture"
        ) from None
    except BROKEN as error:
        raise broken(path, error) from None


def broken(path: Path, error: BaseException | str) -> StudioError:
    said = error if isinstance(error, str) else _first_line(error)
    if "cannot identify" in said:
        said = "it is no picture, or of a kind that cannot be read here"
    return StudioError(
        "This picture cannot be read", f"{path.name}: {said}.", "Open it in another program and save it anew.",
        code="broken-picture",
    )  # fmt: skip


def about(path: Path | str) -> dict[str, Any]:
    """{"width", "height", "format", "mode", "frames", "texts", "recipe"} of a picture file.

    Width and height are as it is to be seen, turned as its camera says. recipe: None for one that was not made here.
    """
    path = Path(path)
    with opened(path) as picture:
        found: dict[str, Any] = {"format": picture.format or "", "mode": picture.mode}
        width, height = picture.size
        texts, orientation = picture_texts.read(path, picture)
        found["frames"] = _frames(path, picture)
        if width * height <= DECODED:
            picture.draft("RGB", (256, 256))
            picture.load()
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return {**found, "width": width, "height": height, "texts": texts, "recipe": _recipe(path)}


def _frames(path: Path, picture: "Image") -> int:
    if not getattr(picture, "is_animated", False):
        return 1
    if path.stat().st_size > FRAMES_COUNTED:
        return 2
    frames = int(getattr(picture, "n_frames", 1))
    picture.seek(0)
    return frames


def _recipe(path: Path) -> dict[str, Any] | None:
    try:
        return to_json(read_recipe(path))
    except StudioError:
        return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
