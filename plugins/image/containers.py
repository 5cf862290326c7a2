"""Clips as files: MP4 with AV1 inside, and animated WebP. Pillow only, no torch, no other program.

Pillow's libavif (BSD) encodes AV1 into an AVIF image sequence. That is an ISO base media file (ISO/IEC 14496-12)
with a track that says it holds pictures ('pict'); with the handler of a video track and MP4's brands it is an MP4
that players take. What is renamed here has the same length, so no offset in the file changes.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import StudioError

if TYPE_CHECKING:
    from PIL import Image

MEDIA = {"mp4": "video/mp4", "webp": "image/webp"}
QUALITY = 85
SPEED = 8
MOST = 1 << 30
_MP4 = b"isom\x00\x00\x02\x00isomiso6av01mp41"
_AVIF = b"avis\x00\x00\x00\x00avifavismsf1iso8"
_INSIDE = (b"moov", b"trak", b"mdia")


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of the file: its kind, where it begins, where what it holds begins, where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def write(path: Path, container: str, frames: Iterable["Image.Image"], fps: float) -> None:
    """Writes RGB pictures of one size as a clip. container: "mp4" or "webp"; fps: pictures a second.

    The pictures are taken one after another and need not all be in memory. Raises ValueError without any.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError("a clip needs at least one picture")
    duration = max(1, round(1000 / fps))
    if container == "webp":
        first.save(
            path, "WEBP", save_all=True, append_images=pictures, duration=duration, loop=0, quality=QUALITY, method=4
        )
        return
    # One picture alone would be a still image without a track.
    second = next(pictures, first)
    first.save(
        path, "AVIF", save_all=True, append_images=chain((second,), pictures), duration=duration,
        quality=QUALITY, speed=SPEED, codec="auto",
    )  # fmt: skip
    path.write_bytes(_as_video(path.read_bytes(), fps, duration))


def read(path: Path) -> Iterator["Image.Image"]:
    """The pictures of a clip written here, as RGB. Raises StudioError code "broken-clip" for other files."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _opened(path) as clip:
            for number in range(getattr(clip, "n_frames", 1)):
                clip.seek(number)
                yield clip.convert("RGB")
    except (OSError, EOFError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise StudioError("This clip cannot be read", f"{path.name}: {error}", code="broken-clip") from None


def facts(path: Path) -> tuple[int, tuple[int, int], float]:
    """How many pictures a clip has, of what size, and how many a second. Raises StudioError code "broken-clip"."""
    try:
        with _opened(path) as clip:
            count = int(getattr(clip, "n_frames", 1))
            clip.load()
            duration = float(clip.info.get("duration") or 0)
            size = clip.size
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        raise StudioError("This clip cannot be read", f"{path.name}: {error}", code="broken-clip") from None
    return count, size, 1000 / duration if duration else 12.0


def _opened(path: Path) -> "Image.Image":
    import io

    from PIL import Image

    if path.stat().st_size > MOST:
        raise ValueError("it is larger than a gigabyte")
    data = path.read_bytes()
    if data[4:8] == b"ftyp":
        data = _as_pictures(data)
    return Image.open(io.BytesIO(data), formats=("AVIF", "WEBP", "GIF", "PNG"))


def _as_video(data: bytes, fps: float, duration: int) -> bytes:
    """The image sequence as an MP4 of exactly `fps`. duration: of one picture, in the track's units."""
    out = bytearray(data)
    for box in _boxes(data, 0, len(data)):
        if box.kind == b"ftyp":
            _name(out, box, _MP4)
        elif box.kind == b"meta":
            _rename(out, box, b"free")
        elif box.kind == b"edts":
            _rename(out, box, b"free")  # it repeats the sequence for ever
        elif box.kind == b"hdlr":
            out[box.body + 8 : box.body + 12] = b"vide"
        elif box.kind in (b"mdhd", b"mvhd", b"tkhd"):
            # The hour it was made would make two equal clips differ.
            times = 16 if data[box.body] == 1 else 8
            out[box.body + 4 : box.body + 4 + times] = bytes(times)
            if box.kind == b"tkhd":
                continue
            at = box.body + (20 if data[box.body] == 1 else 12)
            out[at : at + 4] = struct.pack(">I", max(1, round(fps * duration)))
    return bytes(out)


def _as_pictures(data: bytes) -> bytes:
    """An MP4 written here as the image sequence that it was; anything else as it is."""
    if not data[8:].startswith(_MP4):
        return data
    out = bytearray(data)
    for box in _boxes(data, 0, len(data)):
        if box.kind == b"ftyp":
            _name(out, box, _AVIF)
        elif box.kind == b"free":
            _rename(out, box, b"edts" if data.find(b"moov") < box.start else b"meta")
        elif box.kind == b"hdlr":
            out[box.body + 8 : box.body + 12] = b"pict"
    return bytes(out)


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    """The boxes between two places, and those inside the few that matter here."""
    while start + 8 <= end:
        size, kind, head = struct.unpack(">I", data[start : start + 4])[0], data[start + 4 : start + 8], 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack(">Q", data[start + 8 : start + 16])[0], 16
        stop = end if size == 0 else start + size
        if (size and size < head) or stop > end:
            raise ValueError("it is damaged or cut short")
        yield _Box(kind, start, start + head, stop)
        if kind in _INSIDE:
            yield from _boxes(data, start + head, stop)
        start = stop


def _rename(out: bytearray, box: _Box, kind: bytes) -> None:
    out[box.start + 4 : box.start + 8] = kind


def _name(out: bytearray, box: _Box, brands: bytes) -> None:
    """Brands in the room that is there; what is left over repeats the last one."""
    room = box.end - box.body
    out[box.body : box.end] = (brands + brands[-4:] * room)[:room]
