"""Clips as files: what is written is what other programs expect, and can be read back."""

import struct

import numpy as np
import pytest
from PIL import Image

from plugins.image import containers
from studio.errors import StudioError
from studio.library import clips

pytestmark = pytest.mark.worker


def frames(count=10, size=(64, 48)):
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    for number in range(count):
        pixels = np.stack([x * 3 + number * 8, y * 4, np.full_like(x, number * 20)], -1)
        yield Image.fromarray((pixels % 256).astype(np.uint8), "RGB")


@pytest.mark.parametrize("container", ["mp4", "webp"])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_a_clip_keeps_count_size_speed_and_pictures(container, size, tmp_path):
    path = tmp_path / f"x.{container}"
    smooth = [Image.new("RGB", size, (10 + 20 * n, 200 - 15 * n, 90)) for n in range(9)]
    containers.write(path, container, iter(smooth), 12)
    count, found, fps = containers.facts(path)
    assert (count, found) == (9, size) and fps == pytest.approx(12, rel=0.02)
    for wanted, got in zip(smooth, containers.read(path), strict=True):
        assert np.abs(np.asarray(wanted, int) - np.asarray(got, int)).max() < 12


def boxes(data):
    return {box.kind: box for box in clips.boxes(data, 0, len(data))}


def test_the_mp4_says_that_it_is_a_video_of_exactly_that_speed(tmp_path):
    containers.write(tmp_path / "x.mp4", "mp4", frames(7), 24)
    data = (tmp_path / "x.mp4").read_bytes()
    found = boxes(data)
    assert data[4:12] == b"ftypisom" and b"av01" in data[: found[b"ftyp"].end]
    assert b"meta" not in found and b"edts" not in found
    handler = found[b"hdlr"]
    assert data[handler.body + 8 : handler.body + 12] == b"vide"
    head = found[b"mdhd"].body
    scale = struct.unpack(">I", data[head + 20 : head + 24])[0]
    at = data.index(b"stts")
    entries, count, length = struct.unpack(">III", data[at + 8 : at + 20])
    assert (entries, count) == (1, 7) and scale / length == pytest.approx(24)


def test_one_picture_is_a_clip_too(tmp_path):
    containers.write(tmp_path / "x.mp4", "mp4", frames(1), 10)
    assert containers.facts(tmp_path / "x.mp4")[0] == 2


@pytest.mark.parametrize("container", ["mp4", "webp"])
def test_the_same_pictures_give_the_same_bytes_whatever_the_hour(container, tmp_path):
    for name in ("a", "b"):
        containers.write(tmp_path / name, container, frames(), 8)
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    if container == "mp4":
        head = boxes(data)[b"mvhd"].body
        assert data[head + 4 : head + 20] == bytes(16)


def test_av1_in_an_mp4_of_another_program_is_read_too(tmp_path):
    """With its own brands and an edit list, and without what makes a sequence of pictures of it."""
    path = tmp_path / "theirs.mp4"
    containers.write(path, "mp4", frames(), 8)
    data = bytearray(path.read_bytes())
    data[8:40] = b"mp42\0\0\0\0mp42isom" + b"av01" * 4
    for found in clips.boxes(bytes(data), 0, len(data)):
        if found.kind == b"free":
            clips.rename(data, found, b"edts" if found.start > data.find(b"moov") else b"skip")
    path.write_bytes(data)
    assert containers.facts(path) == (10, (64, 48), 8)
    assert len(list(containers.read(path))) == 10


def test_no_picture_is_no_clip(tmp_path):
    with pytest.raises(ValueError):
        containers.write(tmp_path / "x.mp4", "mp4", [], 10)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "box"])
def test_a_damaged_clip_is_refused_in_words(damage, tmp_path):
    path = tmp_path / "x.mp4"
    containers.write(path, "mp4", frames(), 10)
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "text": b"no clip at all",
            "empty": b"",
            "box": data[:44] + b"\xff\xff\xff\xff" + data[48:],
        }[damage]
    )
    with pytest.raises(StudioError) as refused:
        list(containers.read(path))
    assert refused.value.code == "broken-clip"
