"""Input files: kept by content, found again, refused in words."""

import os

import pytest

from studio.errors import StudioError
from studio.library import inputs

pytestmark = pytest.mark.unit


def test_a_file_is_kept_by_its_content_and_outlives_the_original(tmp_path):
    source = tmp_path / "cat.PNG"
    source.write_bytes(b"pixels")
    name = inputs.keep_file(tmp_path / "inputs", source)
    assert name.startswith("input:") and name.endswith(".png")
    source.unlink()
    assert inputs.locate(tmp_path / "inputs", name).read_bytes() == b"pixels"


def test_the_same_content_is_kept_once(tmp_path):
    first = inputs.keep(tmp_path / "inputs", b"same", ".png")
    path = inputs.locate(tmp_path / "inputs", first)
    before = path.stat().st_mtime_ns
    assert inputs.keep(tmp_path / "inputs", b"same", ".png") == first
    assert path.stat().st_mtime_ns == before
    assert inputs.keep(tmp_path / "inputs", b"other", ".png") != first


def test_a_kept_file_has_a_second_name_that_says_what_it_is(tmp_path):
    folder = tmp_path / "inputs"
    name = inputs.keep(folder, b"same", ".png")
    named = inputs.under_name(folder, name, "A fox / in the snow, frame 12")
    assert named.name == "a-fox-in-the-snow-frame-12.png" and named.read_bytes() == b"same"
    assert inputs.under_name(folder, name, "A fox / in the snow, frame 12") == named
    assert inputs.keep_file(folder, named) == name, "the content is known, whatever it is called"
    assert inputs.under_name(folder, name, "../../\0").is_relative_to(folder)


@pytest.mark.parametrize("suffix", ["../../x", ".p/n", "", ".PNG;", "." + "a" * 40])
def test_a_strange_suffix_never_becomes_part_of_a_path(tmp_path, suffix):
    name = inputs.keep(tmp_path / "inputs", b"x", suffix)
    assert name.count(".") == 0
    assert inputs.locate(tmp_path / "inputs", name).is_relative_to(tmp_path / "inputs")


@pytest.mark.parametrize("name", ["input:", "input:../../etc/passwd", "input:" + "g" * 64, "input:" + "0" * 64 + "/.."])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(StudioError) as caught:
        inputs.locate(tmp_path, name)
    assert caught.value.code == "no-input"


def test_what_is_no_readable_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.png").touch()
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nothing", tmp_path / "empty.png", tmp_path / "a\0b"):
        with pytest.raises(StudioError) as caught:
            inputs.keep_file(tmp_path / "inputs", path)
        assert caught.value.code == "no-input"
    with pytest.raises(StudioError):
        inputs.locate(tmp_path, "")
