"""Thumbnails of what exists, clear errors for what is no picture."""

import io
import struct
import sys
import zlib

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library.thumbnails import thumbnail
from studio.sdk.artifact import Kind
from tests.films import FILMS, film, iso_film

pytestmark = pytest.mark.unit


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_pictures_of_every_mode(tmp_path, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (1000, 500)).save(path)
    small = opened(thumbnail(path, Kind.IMAGE))
    assert small.size == (320, 160) and small.mode in ("RGB", "RGBA")
    assert small.format == ("PNG" if small.mode == "RGBA" else "JPEG")


def test_sixteen_bit_grey_is_not_clipped(tmp_path):
    path = tmp_path / "a.png"
    Image.new("I;16", (10, 10), 32768).save(path)
    assert opened(thumbnail(path, "image")).getpixel((5, 5)) == (128, 128, 128)


def test_photographs_stand_upright_and_small_ones_stay_small(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30)).save(path, exif=exif)
    assert opened(thumbnail(path, Kind.IMAGE)).size == (30, 60)


def test_other_kinds_have_none(tmp_path):
    (tmp_path / "a.md").write_text("x")
    assert thumbnail(tmp_path / "a.md", Kind.TEXT) is None
    assert thumbnail(tmp_path / "a.wav", "audio") is None


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", b"<html>", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS" + bytes(40), bomb()],
    ids=["empty", "svg", "html", "cut", "eps", "psd", "bomb"],
)
def test_what_is_no_picture(tmp_path, data):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(StudioError) as caught:
        thumbnail(path, Kind.IMAGE)
    assert caught.value.code == "broken-picture" and "a.png" in caught.value.detail


def test_a_picture_cut_short_and_one_that_is_gone(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((500, 500), 90).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StudioError) as caught:
        thumbnail(path, Kind.IMAGE)
    assert caught.value.code == "broken-picture"
    with pytest.raises(StudioError) as caught:
        thumbnail(tmp_path / "b.png", Kind.IMAGE)
    assert caught.value.code == "not-found"


def test_nothing_heavy_is_imported_before_it_is_needed():
    import subprocess

    code = (
        "import sys, studio.library.index, studio.library.thumbnails, studio.library.writer, studio.hub.catalogue,"
        "studio.hub.hashes; print([n for n in ('PIL', 'numpy', 'torch', 'safetensors') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_clip_made_here_shows_its_first_frame(tmp_path):
    from plugins.image import containers

    frames = [Image.new("RGB", (640, 320), colour) for colour in ("red", "blue", "blue")]
    containers.write(tmp_path / "a.mp4", "mp4", frames, 12)
    data = thumbnail(tmp_path / "a.mp4", "video")
    assert data is not None
    with Image.open(io.BytesIO(data)) as shown:
        assert shown.size == (320, 160)
        red, _, blue = shown.convert("RGB").getpixel((160, 80))
    assert red > 200 and blue < 60


@pytest.mark.parametrize("name", FILMS)
def test_a_film_that_has_no_decoder_here_says_so_and_what_to_do(name, tmp_path):
    with pytest.raises(StudioError) as refused:
        thumbnail(film(tmp_path, name), "video")
    said = refused.value
    assert said.code == "clip-coding" and "cannot be played here" in said.title
    assert f"{name} is coded as {FILMS[name][1]};" in said.detail and "AV1" in said.hint


def test_a_film_that_is_none_is_refused_in_words(tmp_path):
    for data in (b"\0\0\0\x18ftypmp42" + bytes(100), b"Dear all", b"", iso_film(b"avc1")[:60], iso_film(b"av01")):
        (tmp_path / "a.mp4").write_bytes(data)
        with pytest.raises(StudioError) as refused:
            thumbnail(tmp_path / "a.mp4", "video")
        assert refused.value.code == "broken-clip" and "BytesIO" not in str(refused.value)
