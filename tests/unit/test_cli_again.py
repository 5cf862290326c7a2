"""What `studio again` says of two results: the same, by how much two pictures differ, and what may be why."""

from pathlib import Path

import pytest
from PIL import Image

from studio.cli.recipes import changed, compare
from studio.sdk.artifact import Recipe

pytestmark = pytest.mark.unit


def picture(path: Path, level: int, mode: str = "RGB", side: int = 8) -> Path:
    made = Image.new(mode, (side, side), 100 if mode == "L" else (100, 100, 100))
    made.putpixel((3, 3), level if mode == "L" else (100, level, 100))
    made.save(path)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_are_compared_by_their_levels(mode: str, tmp_path: Path) -> None:
    first, same, other = (picture(tmp_path / f"{n}.png", level, mode) for n, level in enumerate((100, 100, 102)))
    assert compare(first, same) == ""
    assert compare(first, other) == "no pixel by more than 2 of 255 levels."


def test_pictures_of_other_sizes_and_other_files_are_compared_by_bytes(tmp_path: Path) -> None:
    first, large = picture(tmp_path / "a.png", 100), picture(tmp_path / "b.png", 100, side=9)
    assert "bytes" in compare(first, large)
    (tmp_path / "c.mp4").write_bytes(b"abc")
    (tmp_path / "d.mp4").write_bytes(b"abd")
    assert compare(tmp_path / "c.mp4", tmp_path / "d.mp4") == "3 and 3 bytes, the same up to byte 2."


def test_what_was_painted_together_then_and_alone_now_is_said() -> None:
    old = Recipe(operation="image.generate", params={}, facts={"painted_together": 3})
    assert changed(old, Recipe(operation="image.generate", params={})) == [
        "3 painted together → 1, which rounds otherwise"
    ]
    assert changed(old, old) == []
