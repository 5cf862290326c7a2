"""An index that was damaged, replaced or cannot be written: kept aside and made again."""

import random
import sqlite3

import pytest

from studio.library.index import Index
from tests.unit.library_rig import filled, from_files, index_of, library_folder, save, shown

pytestmark = pytest.mark.unit
library = pytest.fixture(library_folder)
index = pytest.fixture(index_of)


@pytest.mark.parametrize("seed", range(40))
def test_damage_at_random_places_is_found_and_repaired(tmp_path, library, seed):
    """Bytes overwritten, pages swapped, the end cut off: the index is kept aside, and made again."""
    file = filled(tmp_path, library)
    wanted = from_files(library)
    chance = random.Random(seed)
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 5, 20])):
        at = chance.randrange(len(data))
        how = chance.choice(["noise", "zero", "flip", "cut"])
        if how == "cut":
            del data[at:]
            data = data or bytearray(b"x")
        elif how == "flip":
            data[at] ^= 1 << chance.randrange(8)
        else:
            length = chance.choice([1, 16, 700])
            data[at : at + length] = bytes(length) if how == "zero" else chance.randbytes(length)
    file.write_bytes(data)
    index = Index(file, library)
    assert shown(index) == wanted
    assert index.list("text", limit=1000)["total"] == 35
    assert index.list("prompt 7")["total"] == sum(item["prompt"].startswith("prompt 7") for item in wanted)
    if index.notice is not None:
        assert index.notice.code == "index-rebuilt"
        assert (tmp_path / "index.sqlite.damaged").exists()
    index.close()
    again = Index(file, library)
    assert again.notice is None and shown(again) == wanted
    again.close()


def test_damage_while_it_is_open_is_repaired(tmp_path, library):
    file = filled(tmp_path, library, 200)
    wanted = from_files(library)
    index = Index(file, library)
    other = sqlite3.connect(file)
    other.execute("DROP TABLE items")
    other.commit()
    other.close()
    assert shown(index) == wanted
    assert index.notice is not None and index.notice.code == "index-rebuilt"
    index.add(save(library, "new"))
    assert shown(index) == from_files(library)
    index.close()


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\x00" + bytes(500)])
def test_any_file_in_its_place(tmp_path, library, content):
    save(library, "j1")
    (tmp_path / "index.sqlite").write_bytes(content)
    index = Index(tmp_path / "index.sqlite", library)
    assert index.list()["total"] == 1
    index.close()


def test_a_newer_index_is_kept_aside(tmp_path, library):
    file = filled(tmp_path, library, 6)
    newer = sqlite3.connect(file)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    index = Index(file, library)
    assert index.notice is not None and "newer" in index.notice.detail
    assert (tmp_path / "index.sqlite.newer").exists() and shown(index) == from_files(library)
    index.close()


@pytest.mark.parametrize("what", ["folder in its place", "no folder", "file above"])
def test_an_index_that_cannot_be_written_is_kept_in_memory(tmp_path, library, what):
    save(library, "j1")
    file = tmp_path / "index.sqlite"
    if what == "folder in its place":
        (file / "full").mkdir(parents=True)
        (tmp_path / "index.sqlite.damaged" / "full").mkdir(parents=True)
    else:
        (tmp_path / "blocked").write_bytes(b"")
        file = tmp_path / "blocked" / ("deep/index.sqlite" if what == "no folder" else "index.sqlite")
    index = Index(file, library)
    assert index.list()["total"] == 1
    assert index.notice is not None and index.notice.code == "index-in-memory"
    index.trash(["j1-1"])
    assert shown(index) == from_files(library)
    index.close()
