"""The geometry of repainting: masks, crops, and that nothing outside the mask changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plugins.image import areas
from studio.errors import StudioError

pytestmark = pytest.mark.worker


def noise(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels, "RGB")


def square(width=40, height=30, box=(10, 8, 20, 16)):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def test_growing_and_shrinking_are_by_so_many_pixels():
    mask = square()
    rows, columns = np.nonzero(areas.grown(mask, 3))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 18, 7, 22)
    rows, columns = np.nonzero(areas.grown(mask, -3))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (11, 12, 13, 16)
    assert np.array_equal(areas.grown(mask, 0), mask > 127)
    assert areas.grown(np.full((9, 9), 255, np.uint8), -2).all(), "the picture's edge is no edge of the mask"


def test_softening_falls_to_nothing_and_is_whole_inside():
    inside = square() > 127
    blend = areas.softened(inside, 4)
    assert (blend[inside] == 1).all()
    line = blend[12, 20:30]
    assert (np.diff(line) <= 0).all() and 0 < line[0] < 1 and (line[5:] == 0).all()
    assert np.array_equal(areas.softened(inside, 0), inside.astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(8, 90), st.integers(8, 90), st.integers(0, 80), st.integers(0, 80), st.integers(1, 60),
    st.integers(-4, 12), st.integers(0, 12), st.integers(0, 70), st.sampled_from([8, 16]),
)  # fmt: skip
def test_nothing_outside_the_mask_changes_whatever_the_numbers(w, h, x, y, side, grow, feather, context, multiple):
    x, y = min(x, w - 1), min(y, h - 1)
    mask = square(w, h, (x, y, min(w, x + side), min(h, y + side)))
    picture = noise(w, h)
    blend = areas.softened(areas.grown(mask, grow), feather)
    if not blend.any():
        with pytest.raises(StudioError):
            areas.around(blend, context)
        return
    box = areas.around(blend, context)
    size = areas.paint_size(box, 64, multiple)
    assert size[0] % multiple == 0 and size[1] % multiple == 0 and min(size) >= multiple
    area = areas.Area(picture, blend, box, size)
    assert area.shown().size == area.mask().size == size
    result = np.asarray(area.put_back(Image.new("RGB", size, (255, 0, 0))))
    kept = blend == 0
    assert np.array_equal(result[kept], np.asarray(picture)[kept])
    assert (result[blend == 1] == (255, 0, 0)).all()


def test_the_model_sees_context_but_not_beyond_the_picture():
    blend = areas.softened(square() > 127, 0)
    assert areas.around(blend, 5) == (5, 3, 25, 21)
    assert areas.around(blend, 100) == (0, 0, 40, 30)
    assert areas.wide((10, 8, 20, 16), (40, 30), 24) == (3, 0, 27, 24)


@pytest.mark.parametrize("fill", ["original", "blur", "noise", "grey", "edge"])
def test_fills_change_only_what_they_fill_and_repeat(fill):
    picture, where = noise(40, 30), square() > 127
    first, second = (np.asarray(areas.filled(picture, where, fill)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(first[~where], np.asarray(picture)[~where])
    assert np.array_equal(first, np.asarray(picture)) == (fill == "original")


def test_a_picture_is_extended_on_each_side():
    picture = noise(20, 10)
    larger, new = areas.extended(picture, (8, 0, 16, 4), "edge")
    assert larger.size == (44, 14) and new.sum() == 44 * 14 - 200
    assert np.array_equal(np.asarray(larger)[0:10, 8:28], np.asarray(picture))
    assert np.array_equal(np.asarray(larger)[3, :8], np.asarray(picture)[3, :1].repeat(8, 0))
    with pytest.raises(StudioError):
        areas.extended(picture, (0, 0, 0, 0), "edge")
