"""Pictures that people give: every kind that is read, and every kind of damage, in words."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from plugins.image import pictures
from studio.errors import StudioError

pytestmark = pytest.mark.worker


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


def gradient(width=32, height=24):
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return Image.fromarray(ramp, "RGB")


def test_plain_pictures_come_back_exactly(tmp_path):
    for suffix in ("png", "bmp", "tiff"):
        found = pictures.read_picture(saved(gradient(), tmp_path / f"x.{suffix}"))
        assert found.mode == "RGB" and np.array_equal(np.asarray(found), np.asarray(gradient()))


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path):
    deep = np.array([[0, 257 * 100, 65535]], dtype=np.uint16).repeat(8, 0).repeat(4, 1)
    found = np.asarray(pictures.read_picture(saved(Image.fromarray(deep), tmp_path / "deep.png")))
    assert sorted(set(found.ravel().tolist())) == [0, 100, 255]


def test_cmyk_palette_grey_and_one_bit_become_rgb(tmp_path):
    sources = {
        "cmyk.jpg": Image.new("CMYK", (16, 16), (0, 255, 255, 0)),
        "palette.png": gradient().quantize(8),
        "grey.png": Image.new("L", (16, 16), 77),
        "bit.png": Image.new("1", (16, 16), 1),
        "greyalpha.png": Image.new("LA", (16, 16), (77, 255)),
    }
    for name, picture in sources.items():
        found = pictures.read_picture(saved(picture, tmp_path / name))
        assert found.mode == "RGB" and found.size == picture.size, name
    red = np.asarray(pictures.read_picture(tmp_path / "cmyk.jpg"))[8, 8]
    assert red[0] > 200 and red[1] < 60


def test_transparency_is_seen_over_white(tmp_path):
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert pictures.read_picture(saved(clear, tmp_path / "x.png")).getpixel((3, 3)) == (255, 255, 255)


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert pictures.read_picture(tmp_path / "x.gif").getpixel((5, 5)) == (255, 0, 0)


def test_a_turned_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = pictures.read_picture(saved(gradient(32, 24), tmp_path / "x.jpg", exif=exif))
    assert found.size == (24, 32)


def test_hostile_exif_costs_nothing_but_the_turn(tmp_path):
    path = saved(gradient(), tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 200)
    assert pictures.read_picture(path).size == (32, 24)


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def damaged(tmp_path):
    whole = io.BytesIO()
    gradient(200, 200).save(whole, "PNG")
    cut = io.BytesIO()
    gradient(200, 200).save(cut, "JPEG")
    return {
        "text.png": b"this is not a picture",
        "cut.png": whole.getvalue()[:-300],
        "cut.jpg": cut.getvalue()[: len(cut.getvalue()) // 2],
        "empty.png": b"",
        "bomb.png": png_claiming(30_000, 30_000),
        "tiny.png": png_claiming(1, 1),
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "eps.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    }


@pytest.mark.parametrize("name", damaged(None))
def test_what_cannot_be_used_is_refused_by_name(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(damaged(tmp_path)[name])
    with pytest.raises(StudioError) as refused:
        pictures.read_picture(path)
    assert refused.value.code == "broken-picture" and name in refused.value.detail


def test_a_picture_of_30000_pixels_is_read_when_it_is_low(tmp_path):
    assert pictures.read_picture(saved(Image.new("RGB", (30_000, 8)), tmp_path / "wide.png")).width == 30_000


def test_a_mask_is_read_by_brightness_or_by_its_alpha(tmp_path):
    drawn = Image.new("L", (32, 24))
    drawn.paste(255, (4, 4, 12, 12))
    mask = pictures.read_mask(saved(drawn, tmp_path / "grey.png"), (32, 24))
    assert mask.shape == (24, 32) and mask[5, 5] == 255 and mask[20, 20] == 0
    layer = Image.new("RGBA", (32, 24))
    layer.putalpha(drawn)
    assert np.array_equal(pictures.read_mask(saved(layer, tmp_path / "alpha.png"), (32, 24)), mask)


def test_a_mask_of_another_size_is_scaled_only_when_its_shape_fits(tmp_path):
    drawn = Image.new("L", (64, 48), 255)
    assert pictures.read_mask(saved(drawn, tmp_path / "x.png"), (32, 24)).shape == (24, 32)
    with pytest.raises(StudioError) as refused:
        pictures.read_mask(tmp_path / "x.png", (32, 32))
    assert refused.value.code == "mask" and "64 × 48" in refused.value.detail
    with pytest.raises(StudioError) as refused:
        pictures.read_mask(saved(Image.new("L", (32, 24)), tmp_path / "black.png"), (32, 24))
    assert refused.value.code == "mask"
