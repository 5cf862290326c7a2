"""Clips as files: MP4 with AV1 inside, and animated WebP. Pillow only, no torch, no other program.

Pillow's libavif (BSD) encodes AV1 into an AVIF image sequence. That is an ISO base media file (ISO/IEC 14496-12)
with a track that says it holds pictures ('pict'); with the handler of a video track and MP4's brands it is an MP4
that players take. What is renamed here has the same length, so no offset in the file changes.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from studio.library.clips import MP4_BRANDS, Clip, boxes, brand, rename

if TYPE_CHECKING:
    from PIL import Image

MEDIA = {"mp4": "video/mp4", "webp": "image/webp"}
QUALITY = 85
SPEED = 8


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


def write_gif(path: Path, frames: Iterable["Image.Image"], fps: float) -> None:
    """Writes RGB pictures as an animated GIF; its clock counts hundredths of a second."""
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError("a clip needs at least one picture")
    duration = max(20, round(100 / fps) * 10)
    first.save(path, "GIF", save_all=True, append_images=pictures, duration=duration, loop=0)


def read(path: Path) -> Iterator["Image.Image"]:
    """The pictures of a clip written here, as RGB. Raises StudioError code "broken-clip" for other files."""
    with Clip(path) as clip:
        for number in range(clip.count):
            yield clip.frame(number)


def facts(path: Path) -> tuple[int, tuple[int, int], float]:
    """How many pictures a clip has, of what size, and how many a second. Raises StudioError code "broken-clip"."""
    with Clip(path) as clip:
        return clip.count, clip.size, clip.fps


def _as_video(data: bytes, fps: float, duration: int) -> bytes:
    """The image sequence as an MP4 of exactly `fps`. duration: of one picture, in the track's units."""
    out = bytearray(data)
    for box in boxes(data, 0, len(data)):
        if box.kind == b"ftyp":
            brand(out, box, MP4_BRANDS)
        elif box.kind == b"meta":
            rename(out, box, b"free")
        elif box.kind == b"edts":
            rename(out, box, b"free")  # it repeats the sequence for ever
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
