"""Open files: written whole with their own line ends, never over what another program wrote, and kept in drafts."""

import os

import pytest

from plugins.code.buffers import Buffers
from studio.errors import StudioError

pytestmark = pytest.mark.unit


def touched(place, data: bytes) -> None:
    """As another program would, a moment later."""
    place.write_bytes(data)
    os.utime(place, ns=(1, 1))


def test_line_ends_and_rights_stay_and_a_link_stays_a_link(tmp_path):
    place = tmp_path / "a.py"
    place.write_bytes(b"a\r\nb\r\n")
    place.chmod(0o750)
    link = tmp_path / "link.py"
    link.symlink_to(place)
    buffers = Buffers()
    buffer = buffers.load(link, "link.py")
    assert buffer.text == "a\nb\n" and not buffer.modified
    buffer.text = "a\nc\n"
    assert buffer.modified
    buffers.save(buffer)
    assert place.read_bytes() == b"a\r\nc\r\n" and not buffer.modified
    assert place.stat().st_mode & 0o777 == 0o750 and link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_what_another_program_wrote_is_not_written_over(tmp_path):
    place = tmp_path / "a.py"
    place.write_text("one")
    buffers = Buffers()
    buffer = buffers.load(place, "a.py")
    buffer.text = "mine"
    touched(place, b"theirs")
    with pytest.raises(StudioError, match="another program"):
        buffers.save(buffer)
    assert place.read_text() == "theirs" and buffer.changed_on_disk
    buffers.save(buffer, over=True)
    assert place.read_text() == "mine" and not buffer.changed_on_disk
    touched(place, b"theirs again")
    buffers.reload(buffer)
    assert buffer.text == "theirs again" and not buffer.modified
    place.unlink()
    buffer.text = "mine"
    buffers.save(buffer)
    assert place.read_text() == "mine", "a file that is gone is simply made again"


def test_new_files_have_names_of_their_own_and_no_place(tmp_path):
    buffers = Buffers()
    assert [buffers.make().name, buffers.make().name, buffers.make("test.py").name] == [
        "untitled.py", "untitled-2.py", "test.py",
    ]  # fmt: skip
    with pytest.raises(StudioError, match="no name"):
        buffers.save(buffers.open[0])
    buffers.save(buffers.open[0], tmp_path / "new.py")
    assert (tmp_path / "new.py").read_text() == "" and (tmp_path / "new.py").stat().st_mode & 0o200
    with pytest.raises(StudioError, match="could not be saved"):
        buffers.save(buffers.open[1], tmp_path / "no" / "folder.py")


def test_a_draft_brings_back_what_was_not_saved(tmp_path):
    kept, edited, gone = (tmp_path / name for name in ("kept.py", "edited.py", "gone.py"))
    for place in (kept, edited, gone):
        place.write_text("x = 1\n")
    buffers = Buffers()
    for place in (kept, edited, gone):
        buffers.load(place, place.name)
    buffers.open[1].text = "x = 2\n"
    buffers.open[1].cursor = 3
    buffers.make("scratch.py", "y")
    draft = buffers.draft()
    assert [item["text"] for item in draft] == [None, "x = 2\n", None, "y"]
    gone.unlink()
    again = Buffers()
    (problem,) = again.restore([*draft, {"name": ""}, {"name": "kept.py", "place": str(kept)}])
    assert "gone.py" in problem
    assert [(b.name, b.text, b.modified, b.cursor) for b in again] == [
        ("kept.py", "x = 1\n", False, 0), ("edited.py", "x = 2\n", True, 3), ("scratch.py", "y", True, 0),
    ]  # fmt: skip


def test_a_line_that_no_editor_can_show_is_said(tmp_path):
    place = tmp_path / "min.js"
    place.write_text("x" * (2 << 20))
    with pytest.raises(StudioError, match="cannot be edited here"):
        Buffers().load(place, "min.js")
