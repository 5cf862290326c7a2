"""Tiles cover the picture, share edges, and leave it as it was when nothing is painted."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plugins.image import tiles

pytestmark = pytest.mark.worker


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 128), st.integers(8, 128), st.integers(0, 64))
def test_tiles_cover_everything_and_put_together_are_the_picture(width, height, wide, high, overlap):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels, "RGB")
    mosaic = tiles.Mosaic.of(width, height, overlap)
    found = list(tiles.boxes(width, height, (wide, high), overlap))
    for box in found:
        assert box[2] - box[0] == min(wide, width) and box[3] - box[1] == min(high, height)
        assert box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height
        mosaic.lay(picture.crop(box), box)
    assert len(set(found)) == len(found)
    assert np.array_equal(np.asarray(mosaic.picture()), pixels)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 500), st.integers(2, 100), st.integers(0, 99))
def test_neighbours_overlap_as_far_as_asked(length, tile, overlap):
    overlap = min(overlap, tile - 1)
    begins = tiles.starts(length, tile, overlap)
    for one, two in itertools.pairwise(begins):
        assert one < two <= one + tile - overlap
    assert begins[0] == 0 and begins[-1] == max(0, length - tile)


def test_between_two_tiles_one_fades_into_the_other():
    mosaic = tiles.Mosaic.of(30, 10, 10)
    mosaic.lay(Image.new("RGB", (20, 10), "black"), (0, 0, 20, 10))
    mosaic.lay(Image.new("RGB", (20, 10), "white"), (10, 0, 30, 10))
    line = np.asarray(mosaic.picture(), int)[5, :, 0]
    assert (line[:10] == 0).all() and (line[20:] == 255).all()
    assert (np.diff(line[9:21]) > 0).all()
