"""What the pictures of a film file are coded as, told from its head: for words about files that cannot be played here.

Reads boxes of ISO base media files (ISO/IEC 14496-12, QuickTime) and the names of codecs in Matroska. Decodes nothing.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from studio.errors import StudioError

LARGEST_HEAD = 64 << 20
MATROSKA_HEAD = 1 << 16
AV1 = "AV1"
_ENTRIES = {
    b"avc1": "H.264", b"avc3": "H.264", b"hvc1": "H.265", b"hev1": "H.265", b"dvh1": "H.265", b"dvhe": "H.265",
    b"mp4v": "MPEG-4", b"s263": "H.263", b"vp08": "VP8", b"vp09": "VP9", b"av01": AV1, b"jpeg": "Motion JPEG",
    b"mjpa": "Motion JPEG", b"apch": "ProRes", b"apcn": "ProRes", b"apcs": "ProRes", b"apco": "ProRes",
    b"ap4h": "ProRes", b"vvc1": "H.266",
}  # fmt: skip
_MATROSKA = {
    b"V_VP8": "VP8", b"V_VP9": "VP9", b"V_AV1": "AV1 in Matroska", b"V_MPEG4/ISO/AVC": "H.264",
    b"V_MPEGH/ISO/HEVC": "H.265", b"V_MPEG4": "MPEG-4", b"V_PRORES": "ProRes", b"V_THEORA": "Theora",
}  # fmt: skip
_ISO = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_INSIDE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
ADVICE = (
    "Make an AV1 file of it with another program, for example: ffmpeg -i film.mp4 -an -c:v libsvtav1 film-av1.mp4. "
    "Animated WebP and GIF are read as well."
)


def coding(path: Path) -> str:
    """ "H.264", "AV1", … of the first film track; "" where it cannot be told or the file is not there."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            if head[4:8] in _ISO:
                return _of_iso(file)
            if head[:4] == b"\x1aE\xdf\xa3":
                return _of_matroska(head + file.read(MATROSKA_HEAD))
            return "AVI" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else ""
    except OSError:
        return ""


def refusal(path: Path, why: str) -> StudioError:
    """Why a clip that could not be opened is not shown. why: what the decoder said."""
    coded = coding(path)
    if coded not in ("", AV1):
        return StudioError(
            "This clip cannot be played here",
            f"{path.name} is coded as {coded}; of films only AV1 in MP4 can be decoded here.",
            ADVICE,
            code="clip-coding",
        )
    if "cannot identify" in why:
        why = "it is no clip, or of a kind that cannot be read here"
    return StudioError("This clip cannot be read", f"{path.name}: {why}.", code="broken-clip")


def _of_iso(file: IO[bytes]) -> str:
    """Its table of contents may come before or after the pictures, which are passed over."""
    start = 0
    while True:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return ""
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1 and len(head) == 16:
            size = struct.unpack(">Q", head[8:])[0]
        if kind == b"moov":
            file.seek(start)
            return _of_contents(file.read(min(size or LARGEST_HEAD, LARGEST_HEAD)))
        if size < 8:
            return ""
        start += size


def _of_contents(data: bytes) -> str:
    for kind, body, end in _boxes(data, 0, len(data)):
        # A sample description: version, flags and count, then entries that begin with their size and their name.
        if kind == b"stsd" and end - body >= 16 and (found := _ENTRIES.get(data[body + 12 : body + 16])):
            return found
    return ""


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, body and end of each box; one that is cut short ends with the data."""
    while start + 8 <= end:
        size, kind, head = *struct.unpack(">I4s", data[start : start + 8]), 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack(">Q", data[start + 8 : start + 16])[0], 16
        stop = min(end, start + size) if size >= head else end
        yield kind, start + head, stop
        if kind in _INSIDE:
            yield from _boxes(data, start + head, stop)
        start = stop


def _of_matroska(data: bytes) -> str:
    found = re.search(rb"V_[A-Z0-9/]+", data)
    named = found.group() if found else b""
    return next((words for name, words in _MATROSKA.items() if named.startswith(name)), "Matroska" if not named else "")
