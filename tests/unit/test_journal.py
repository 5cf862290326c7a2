"""The journal: what was acknowledged is there, whatever happened to the file; what cannot be read is kept aside."""

import random
import sqlite3
from pathlib import Path

import pytest

from studio.engine.journal import SCHEMA, Commit, Damaged, Journal
from studio.errors import StudioError
from studio.jobs.state import Job

pytestmark = pytest.mark.unit


def work(*ids: str, **values) -> Commit:
    found = Commit()
    for seq, id in enumerate(ids, 1):
        found.save(Job(id, "probe.noop", {"text": "x" * 200}, seq=seq, **values).to_dict())
    return found


def filled(path: Path, *ids: str) -> Path:
    journal = Journal(path)
    journal.commit(work(*ids))
    journal.close()
    return path


def ids_in(path: Path) -> tuple[list[str], list[StudioError]]:
    journal = Journal(path)
    try:
        return [job["id"] for job in journal.load()[0]], journal.notices
    finally:
        journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def many(count: int = 200) -> list[str]:
    return [f"j{i:03}" for i in range(count)]


def test_what_was_committed_is_read_again_in_the_order_of_submission(path):
    journal = Journal(path)
    journal.commit(work("b", "a", "c"))
    change = work("b")
    change.save(Job("b", "probe.noop", {"text": "é\ud800 last"}, seq=9).to_dict())
    change.erase("c")
    change.meta["held"] = "1"
    journal.commit(change)
    journal.close()
    journal = Journal(path)
    jobs, meta = journal.load()
    journal.close()
    assert [job["id"] for job in jobs] == ["a", "b"] and meta == {"held": "1"}
    assert jobs[1]["params"] == {"text": "é\ud800 last"}


def test_of_two_changes_the_last_counts_whatever_they_are():
    one = work("a", "b")
    one.erase("a")
    other = work("a")
    other.erase("b")
    one.merge(other)
    assert set(one.saves) == {"a"} and one.erases == {"b"}


def test_a_newer_file_is_kept_untouched_and_a_new_one_begun(path):
    filled(path, "a")
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    db.close()
    found, notices = ids_in(path)
    assert found == [] and "newer" in notices[0].title
    (aside,) = path.parent.glob("journal.newer-*.sqlite")
    db = sqlite3.connect(aside)
    assert db.execute("SELECT id FROM jobs").fetchall() == [("a",)]
    db.close()
    assert ids_in(path) == ([], [])


@pytest.mark.parametrize("content", [b"no database at all" * 300, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_kept_aside(path, content):
    path.write_bytes(content)
    found, notices = ids_in(path)
    assert found == [] and len(notices) == 1
    (aside,) = path.parent.glob("journal.broken-*.sqlite")
    assert aside.read_bytes() == content
    assert aside.name in notices[0].detail


def test_a_database_of_another_kind_is_kept_aside(path):
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE jobs (name TEXT); INSERT INTO jobs VALUES ('mine')")
    db.close()
    assert ids_in(path)[0] == []
    assert len(list(path.parent.glob("journal.broken-*.sqlite"))) == 1


@pytest.mark.parametrize("seed", range(30))
def test_damage_anywhere_loses_at_most_what_the_last_copy_lacks(path, seed):
    """Random bytes in random pages: the file is read whole, or put aside and its copy used. Never half."""
    pick = random.Random(seed)
    filled(path, *many(100))
    journal = Journal(path)
    journal.backup(at_least_s=0)
    journal.commit(work(*many(150)))
    journal.close()
    data = bytearray(path.read_bytes())
    for _ in range(pick.choice([1, 3, 40])):
        at = pick.randrange(len(data))
        data[at : at + pick.choice([1, 16, 4096])] = pick.randbytes(min(16, len(data) - at))
    if pick.random() < 0.2:
        del data[pick.randrange(len(data)) :]
    path.write_bytes(bytes(data))
    found, notices = ids_in(path)
    if notices:
        assert found == many(100) and "damaged" in notices[0].title
        (aside,) = path.parent.glob("journal.broken-*.sqlite")
        assert aside.read_bytes()[100:2000] == bytes(data)[100:2000]
    else:
        assert found == many(150) and not list(path.parent.glob("journal.broken-*"))
    journal = Journal(path)
    journal.commit(work("new"))
    journal.close()
    assert "new" in ids_in(path)[0]


def test_one_changed_letter_in_a_job_is_noticed(path):
    filled(path, *many(20))
    data = path.read_bytes()
    assert data.count(b"xxxx") > 0
    at = data.index(b"xxxx")
    path.write_bytes(data[:at] + b"y" + data[at + 1 :])
    found, notices = ids_in(path)
    assert found == [] and "not what was written" in notices[0].detail


def test_the_newest_copy_that_can_be_read_is_used(path):
    filled(path, "a")
    for ids in (("a", "b"), ("a", "b", "c")):
        journal = Journal(path)
        journal.commit(work(*ids))
        journal.backup(at_least_s=0)
        journal.close()
    newest = sorted((path.parent / "backups").glob("*.sqlite"))[-1]
    newest.write_bytes(b"broken too")
    path.write_bytes(b"broken")
    found, notices = ids_in(path)
    assert found == ["a", "b"] and "was put in its place" in notices[0].detail


def test_three_copies_are_kept_and_half_a_copy_is_none(path):
    journal = Journal(path)
    for i in range(5):
        journal.commit(work(f"j{i}"))
        journal.backup(at_least_s=0)
    folder = path.parent / "backups"
    (folder / "journal-9.partial").write_bytes(b"half")
    journal.backup(at_least_s=3600)
    assert len(list(folder.glob("*.sqlite"))) == 3
    journal.backup(at_least_s=0)
    journal.close()
    assert not list(folder.glob("*.partial"))


def test_a_log_without_its_file_is_not_played_into_the_next(path):
    journal = Journal(path)
    journal.commit(work("a"))
    wal = path.with_name(path.name + "-wal")
    kept = wal.read_bytes()
    journal.close()
    path.unlink()
    wal.write_bytes(kept)
    assert ids_in(path) == ([], [])
    assert len(list(path.parent.glob("journal.lost-*-wal"))) == 1


def test_a_second_engine_is_refused_and_disturbs_nothing(path):
    journal = Journal(path)
    journal.commit(work("a"))
    with pytest.raises(StudioError) as refused:
        Journal(path)
    assert refused.value.code == "in-use"
    journal.commit(work("a", "b"))
    journal.close()
    assert ids_in(path) == (["a", "b"], [])


def test_a_folder_in_its_place_is_said_and_not_moved(path):
    path.mkdir()
    with pytest.raises(StudioError) as refused:
        Journal(path)
    assert str(path) in refused.value.detail and path.is_dir()


def full(journal: Journal) -> None:
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count={pages}")


def test_on_a_full_disk_new_jobs_are_refused_and_changes_use_the_reserve(path, monkeypatch):
    journal = Journal(path)
    journal.commit(work(*many(20)))
    full(journal)
    with pytest.raises(StudioError) as refused:
        journal.commit(work(*many(60)), spend_reserve=False)
    assert refused.value.code == "disk-full" and str(path) in refused.value.detail
    reserve = path.with_name(path.name + ".reserve")
    assert reserve.stat().st_size >= 1 << 20
    free = journal._free_reserve

    def freed() -> bool:
        journal._db.execute("PRAGMA max_page_count=1000000")
        return free()

    monkeypatch.setattr(journal, "_free_reserve", freed)
    journal.commit(work(*many(60)))
    assert not reserve.exists()
    journal.keep_reserve()
    assert reserve.exists()
    journal.close()
    assert ids_in(path) == (many(60), [])


def test_what_the_disk_refused_leaves_no_trace_and_can_be_tried_again(path):
    journal = Journal(path)
    journal.commit(work(*many(20)))
    full(journal)
    path.with_name(path.name + ".reserve").unlink()
    with pytest.raises(StudioError):
        journal.commit(work(*many(60)))
    assert len(journal.load()[0]) == 20
    journal._db.execute("PRAGMA max_page_count=1000000")
    journal.commit(work(*many(60)))
    assert len(journal.load()[0]) == 60
    journal.close()


def test_a_file_that_breaks_in_use_is_written_anew_from_memory(path):
    journal = Journal(path)
    journal.commit(work(*many(100)))
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal._db.execute("PRAGMA cache_size=0")
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * (len(data) - 100))
    journal._db.execute("PRAGMA shrink_memory")
    with pytest.raises(Damaged):
        journal.commit(work(*many(130)))
    notice = journal.begin_anew(work(*many(130)), "malformed")
    journal.commit(work("more"))
    journal.close()
    assert "nothing is lost" in notice.detail
    found, notices = ids_in(path)
    assert sorted(found) == [*many(130), "more"] and not notices
