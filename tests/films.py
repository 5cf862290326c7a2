"""Films as other programs write them, as far as their heads: enough to tell what they hold, nothing to play."""

import struct
from pathlib import Path


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def iso_film(entry: bytes, *, late: bool = False, sound: bool = True) -> bytes:
    """An MP4 with a film track of this sample entry ("avc1"); late: its table of contents comes after the pictures."""

    def track(name: bytes) -> bytes:
        described = box(b"stsd", bytes(4) + struct.pack(">I", 1) + box(name, bytes(78)))
        return box(b"trak", box(b"tkhd", bytes(84)) + box(b"mdia", box(b"minf", box(b"stbl", described))))

    contents = box(b"moov", box(b"mvhd", bytes(100)) + (track(b"mp4a") if sound else b"") + track(entry))
    pictures = box(b"mdat", bytes(5000))
    head = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
    return head + (pictures + contents if late else contents + pictures)


FILMS = {
    "h264.mp4": (iso_film(b"avc1"), "H.264"),
    "late.mov": (iso_film(b"hvc1", late=True), "H.265"),
    "web.webm": (b"\x1aE\xdf\xa3" + bytes(40) + b"\x86\x85V_VP9" + bytes(40), "VP9"),
    "old.avi": (b"RIFF\0\0\0\0AVI LIST" + bytes(40), "AVI"),
}
"""By file name: its bytes, and what it is said to be coded as."""


def film(folder: Path, name: str = "h264.mp4") -> Path:
    path = folder / name
    path.write_bytes(FILMS[name][0])
    return path
