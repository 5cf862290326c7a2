"""What a picture file is and says, and words for files that are none or wish harm."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from studio.errors import StudioError
from studio.library import pictures
from studio.library.recipe import png_with
from studio.library.thumbnail_store import ThumbnailStore
from studio.sdk.artifact import Recipe

pytestmark = pytest.mark.unit
SAID = "a fox, späte Füchse 狐\nSteps: 20, Sampler: Euler, Seed: 1"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def comment(charset: bytes, body: bytes) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = charset + body
    return exif.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_every_mode(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new(mode, (40, 20)).save(path)
    found = pictures.about(path)
    assert (found["width"], found["height"], found["frames"], found["recipe"]) == (40, 20, 1, None)
    assert found["texts"] == {} and found["format"] in ("PNG", "JPEG")


@pytest.mark.parametrize("compressed", [False, True])
def test_texts_of_a_png_before_and_after_its_pixels(tmp_path: Path, compressed: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "latin words", zip=compressed)
    info.add_itxt("prompt", SAID, zip=compressed)
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    late = chunk(b"tEXt", b"Comment\0" + "spät".encode())
    path.write_bytes(path.read_bytes()[:-12] + late + path.read_bytes()[-12:])
    assert pictures.about(path)["texts"] == {"parameters": "latin words", "prompt": SAID, "Comment": "spät"}


@pytest.mark.parametrize("format", ["jpg", "webp", "png"])
@pytest.mark.parametrize(
    ("charset", "body"),
    [
        (b"UNICODE\0", SAID.encode("utf-16-be")),
        (b"UNICODE\0", SAID.encode("utf-16-le")),
        (b"UNICODE\0", SAID.encode("utf-16")),
        (b"ASCII\0\0\0", SAID.encode()),
        (bytes(8), SAID.encode() + b"\0"),
    ],
    ids=["be", "le", "bom", "ascii", "none"],
)
def test_the_comment_in_exif(tmp_path: Path, format: str, charset: bytes, body: bytes) -> None:
    path = tmp_path / f"a.{format}"
    Image.new("RGB", (4, 4)).save(path, exif=comment(charset, body))
    assert pictures.about(path)["texts"]["UserComment"] == SAID


def test_comments_and_texts_in_tags(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "workflow:{}", "prompt:{}", 6
    Image.new("RGB", (60, 30)).save(tmp_path / "a.webp", exif=exif)
    found = pictures.about(tmp_path / "a.webp")
    assert found["texts"] == {"Make": "workflow:{}", "Model": "prompt:{}"}
    assert (found["width"], found["height"]) == (30, 60)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", comment=b"words")
    assert pictures.about(tmp_path / "a.jpg")["texts"] == {"comment": "words"}


def test_frames_are_counted_and_a_recipe_is_given(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (50 * n, 0, 0)) for n in range(5)]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
        assert pictures.about(tmp_path / f"a.{suffix}")["frames"] == 5
    path = tmp_path / "b.png"
    frames[0].save(path)
    path.write_bytes(png_with(path.read_bytes(), Recipe(operation="image.generate", params={"prompt": "a"})))
    found = pictures.about(path)
    assert found["recipe"]["params"] == {"prompt": "a"} and found["texts"] == {}


def test_a_very_wide_picture_is_no_problem(tmp_path: Path) -> None:
    Image.new("L", (30_000, 300)).save(tmp_path / "a.png")
    assert pictures.about(tmp_path / "a.png")["width"] == 30_000
    Image.new("L", (1, 1)).save(tmp_path / "b.png")
    assert pictures.about(tmp_path / "b.png")["width"] == 1


def bomb(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return pictures.picture_texts.PNG + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [b"", b"a text, renamed", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS" + bytes(40),
     bomb(50_000, 50_000), bomb(1000, 1000), bomb(0, 0), b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(40),
     b"II*\0" + bytes(90)],
    ids=["empty", "text", "svg", "cut", "eps", "psd", "bomb", "short", "nothing", "webp", "tiff"],
)  # fmt: skip
def test_what_is_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(StudioError) as refused:
        pictures.about(tmp_path / "a.png")
    assert refused.value.code == "broken-picture" and "a.png" in refused.value.detail


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png", "gone.png", "a\0b.png"):
        with pytest.raises(StudioError) as refused:
            pictures.about(tmp_path / name)
        assert refused.value.code in ("not-found", "broken-picture")


def test_texts_that_unpack_without_end_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (1, 1)).save(path)
    huge = zlib.compress(bytes(64 << 20), 9)
    head, rest = path.read_bytes()[:33], path.read_bytes()[33:]
    for kind, body in ((b"zTXt", b"parameters\0\0"), (b"iTXt", b"prompt\0\1\0\0\0")):
        path.write_bytes(head + chunk(kind, body + huge) + rest)
        assert pictures.picture_texts.png(path) == ({}, b"")
        with pytest.raises(StudioError):
            pictures.about(path)
    extra = b"".join(chunk(b"tEXt", b"k%d\0v" % n) for n in range(500)) + chunk(b"tEXt", b"no end")
    path.write_bytes(
        head + chunk(b"tEXt", b"long\0" + b"x" * (7 << 20)) + chunk(b"tEXt", b"more\0" + b"y" * (7 << 20)) + rest
    )
    assert list(pictures.about(path)["texts"]) == ["long"]
    path.write_bytes(head + extra + rest)
    assert len(pictures.about(path)["texts"]) == pictures.picture_texts.MOST_TEXTS


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "gif", "tiff", "avif"])
def test_damage_anywhere_is_said_or_does_not_matter(tmp_path: Path, format: str) -> None:
    path, draw = tmp_path / f"a.{format}", random.Random(5)
    options = {} if format == "gif" else {"exif": comment(b"UNICODE\0", SAID.encode("utf-16-be"))}
    Image.effect_noise((64, 64), 90).convert("RGB").save(path, **options)
    whole = path.read_bytes()
    for round in range(150):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 3, 20))):
            data[draw.randrange(min(len(data), draw.choice((100, 600, 10**6))))] = draw.randrange(256)
        path.write_bytes(data[: draw.randrange(len(data))] if round % 3 == 0 else data)
        try:
            found = pictures.about(path)
        except StudioError as refused:
            assert refused.code == "broken-picture"
        else:
            "".join(found["texts"].values()).encode()


def test_thumbnails_are_made_once_found_again_and_bounded(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path / "kept", most_bytes=100_000)
    path = tmp_path / "a.png"
    Image.effect_noise((900, 600), 90).save(path)
    first = store.get(path, "image", 300)
    assert first and list((tmp_path / "kept").rglob("*"))
    times = path.stat()
    path.write_bytes(b"x" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert store.get(path, "image", 320) == first
    (moved := tmp_path / "trash").mkdir()
    assert store.get(path.rename(moved / "a.png"), "image", 260) == first
    for n in range(12):
        other = tmp_path / f"b{n}.png"
        Image.effect_noise((400, 300), 90).save(other)
        assert store.get(other, "image")
    store.trim()
    assert 0 < sum(file.stat().st_size for file in (tmp_path / "kept").rglob("*") if file.is_file()) <= 100_000
    assert store.get(tmp_path / "a.md", "text") is None


def test_a_thumbnail_cut_short_is_made_again_and_a_full_disk_costs_nothing(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path / "kept")
    path = tmp_path / "a.png"
    Image.new("RGB", (900, 600), "red").save(path)
    first = store.get(path, "image")
    (kept,) = (file for file in (tmp_path / "kept").rglob("*") if file.is_file())
    kept.write_bytes(kept.read_bytes()[:50])
    assert store.get(path, "image") == first == kept.read_bytes()
    (tmp_path / "file").write_bytes(b"")
    assert ThumbnailStore(tmp_path / "file").get(path, "image") == first


def test_clips_give_their_first_frame(tmp_path: Path) -> None:
    from studio.library.thumbnails import thumbnail

    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    made = thumbnail(tmp_path / "a.webp", "video") or b""
    assert Image.open(io.BytesIO(made)).getpixel((5, 5)) == (255, 0, 0)
