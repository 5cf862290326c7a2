"""Clips read back: MP4 files with AV1 inside, ours and others', and animated pictures. Pillow only, imported late.

Our MP4 is an AVIF image sequence under other names (plugins/image/containers.py writes it). Called so again in its
first box (ISO/IEC 14496-12), an MP4 with AV1 is one that Pillow's libavif decodes; nothing is moved, so no offset in
the file changes. Other codings have no decoder here, which `clip_coding` says.
"""

import contextlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.library.clip_coding import AV1, coding, refusal

if TYPE_CHECKING:
    from PIL import Image

MP4_BRANDS = b"isom\x00\x00\x02\x00isomiso6av01mp41"
AVIF_BRANDS = b"avis\x00\x00\x00\x00avismsf1iso8"
STILLS = (b"avif", b"avis")
"""Brands of files that are AVIF already."""

FORMATS = ("AVIF", "WEBP", "GIF", "PNG")
FPS = 12.0
MOST = 1 << 30
_INSIDE = (b"moov", b"trak", b"mdia")


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the file: its kind, where it begins, where what it holds begins, where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


class Clip:
    """An open clip: `count` pictures of `size`, `fps` a second. Not for two threads at once; close it.

    Raises StudioError code "broken-clip" for what is no clip, "clip-coding" for one that has no decoder here; `frame`
    too.
    """

    def __init__(self, path: Path):
        self.path = path
        with _said(path):
            self._image = _opened(path)
            self.count = int(getattr(self._image, "n_frames", 1))
            self._image.load()
            duration = float(self._image.info.get("duration") or 0)
        self.size: tuple[int, int] = self._image.size
        self.fps = 1000 / duration if duration else FPS

    def frame(self, number: int) -> "Image.Image":
        """A picture as RGB, counted from 0. Going forward is quick."""
        with _said(self.path):
            self._image.seek(number)
            return self._image.convert("RGB")

    def close(self) -> None:
        self._image.close()

    def __enter__(self) -> "Clip":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places, and those inside the few that matter here. Raises ValueError for broken ones."""
    while start + 8 <= end:
        size, kind, head = struct.unpack(">I", data[start : start + 4])[0], data[start + 4 : start + 8], 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack(">Q", data[start + 8 : start + 16])[0], 16
        stop = end if size == 0 else start + size
        if (size and size < head) or stop > end:
            raise ValueError("it is damaged or cut short")
        yield Box(kind, start, start + head, stop)
        if kind in _INSIDE:
            yield from boxes(data, start + head, stop)
        start = stop


def rename(out: bytearray, box: Box, kind: bytes) -> None:
    out[box.start + 4 : box.start + 8] = kind


def brand(out: bytearray, box: Box, brands: bytes) -> None:
    """Brands in the room that is there; what is left over repeats the last one."""
    room = box.end - box.body
    out[box.body : box.end] = (brands + brands[-4:] * room)[:room]


def as_pictures(data: bytes) -> bytes:
    """An MP4 with AV1 inside as the image sequence that its decoder knows; others' edit lists are passed over."""
    out = bytearray(data)
    for box in boxes(data, 0, len(data)):
        if box.kind == b"ftyp":
            brand(out, box, AVIF_BRANDS)
        elif box.kind == b"edts":
            rename(out, box, b"free")
    return bytes(out)


def _opened(path: Path) -> "Image.Image":
    from PIL import Image

    if path.stat().st_size > MOST:
        raise ValueError("it is larger than a gigabyte")
    if (coded := coding(path)) not in ("", AV1):
        raise ValueError(f"it is coded as {coded}")  # a gigabyte of it need not be read
    data = path.read_bytes()
    if data[4:8] == b"ftyp" and data[8:12] not in STILLS:
        data = as_pictures(data)
    return Image.open(io.BytesIO(data), formats=FORMATS)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Whatever Pillow says of a broken file, as a StudioError."""
    from PIL import Image

    try:
        yield
    except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise refusal(path, str(error)) from None
