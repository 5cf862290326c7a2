"""The texts inside picture files: PNG's text chunks, EXIF, comments, XMP. Nothing is decoded but the texts themselves.

Bounded, because anybody may have written them. Imports the standard library only; Pillow's objects are given.
"""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 8 << 20
MOST_TOGETHER = 10 << 20
MOST_TEXTS = 64
MOST_CHUNKS = 100_000
PNG = b"\x89PNG\r\n\x1a\n"
OWN = "atelier"
EXIF_IFD = 0x8769
ORIENTATION = 0x0112
_TAGS = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software", 0x9C9B: "XPTitle",
         0x9C9C: "XPComment"}  # fmt: skip
_COMMENT = 0x9286


def read(path: Path, picture: "Image") -> tuple[dict[str, str], int]:
    """The texts of an open picture by name, and how it is to be turned (EXIF's orientation).

    Names are those of the chunks ("parameters", "prompt", …) and of EXIF's tags ("UserComment", …); "comment" and
    "xmp" are what else a file may hold.
    """
    texts: dict[str, str] = {}
    exif: Any = None
    if picture.format == "PNG":
        texts, raw = png(path)
        if raw:
            from PIL import Image

            exif = Image.Exif()
            _quietly(exif.load, raw)
    else:
        exif = _quietly(picture.getexif)
        for key, name in (("comment", "comment"), ("xmp", "xmp")):
            if text := _text(picture.info.get(key)):
                texts[name] = text
    orientation = 1
    if exif:
        texts = {**_from_exif(exif), **texts}
        found = _quietly(exif.get, ORIENTATION)
        orientation = found if isinstance(found, int) else 1
    return _bounded(texts), orientation


def _bounded(texts: dict[str, str]) -> dict[str, str]:
    """So many texts, and so much of all together that an answer with them can be sent."""
    found: dict[str, str] = {}
    room = MOST_TOGETHER
    for name, text in list(texts.items())[:MOST_TEXTS]:
        if len(text) <= room:
            found[name] = text
            room -= len(text)
    return found


def png(path: Path) -> tuple[dict[str, str], bytes]:
    """Texts of a PNG by keyword, before and after its pixels, and its raw EXIF. A cut or wrong chunk ends it."""
    texts: dict[str, str] = {}
    exif = b""
    with path.open("rb") as file:
        if file.read(8) != PNG:
            return {}, b""
        for _ in range(MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IEND" or len(texts) >= MOST_TEXTS:
                break
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf") or length > LONGEST:
                file.seek(length + 4, 1)
                continue
            body = file.read(length)
            file.seek(4, 1)
            if kind == b"eXIf":
                exif = body
                continue
            name, text = _chunk(kind, body)
            if name and name != OWN and text:
                texts[name] = text
    return texts, exif


def comment(raw: bytes) -> str:
    """EXIF's user comment: eight bytes that name the character set, then the text.

    "UNICODE" is UTF-16 in either order of bytes, whatever the file's own order is: programs differ.
    """
    kind, body = raw[:8], raw[8:]
    if kind == b"UNICODE\0":
        if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
            return body.decode("utf-16", "replace").strip("\0 ")
        # In most texts the bytes of a letter, a blank or a sign that are zero tell the order.
        order = "utf-16-be" if body[0::2].count(0) >= body[1::2].count(0) else "utf-16-le"
        return body.decode(order, "replace").strip("\0 ")
    if kind in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)):
        return _text(body)
    return _text(raw)


def _from_exif(exif: Any) -> dict[str, str]:
    texts: dict[str, str] = {}
    for tag, name in _TAGS.items():
        value = _quietly(exif.get, tag)
        if isinstance(value, bytes) and name.startswith("XP"):
            value = value[:LONGEST].decode("utf-16-le", "replace")
        if text := _text(value):
            texts[name] = text
    inner = _quietly(exif.get_ifd, EXIF_IFD) or {}
    value = inner.get(_COMMENT, _quietly(exif.get, _COMMENT))
    if text := comment(value[:LONGEST]) if isinstance(value, bytes) else _text(value):
        texts["UserComment"] = text
    return texts


def _chunk(kind: bytes, body: bytes) -> tuple[str, str]:
    """Keyword and text of a chunk; nothing for one that is wrong."""
    name, found, rest = body.partition(b"\0")
    if not found or not 0 < len(name) < 80:
        return "", ""
    if kind == b"zTXt":
        rest = _unpacked(rest[1:])
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
        rest = _unpacked(rest) if packed else rest
    return name.decode("latin-1"), _text(rest)


def _unpacked(data: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, LONGEST)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else text


def _text(value: Any) -> str:
    """Text of bytes or text: UTF-8 where it is that, else Latin-1; without NULs and half characters."""
    if isinstance(value, bytes):
        value = value[:LONGEST]
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "").strip()


def _quietly(read: Any, *values: Any) -> Any:
    """What `read` gives; None when the EXIF is not what it claims to be, which costs the picture nothing else."""
    from studio.library.pictures import BROKEN

    try:
        return read(*values)
    except BROKEN:
        return None
