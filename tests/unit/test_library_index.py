"""The index equals what can be made again from the files, whatever happened to either of them."""

import random
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio.errors import StudioError
from studio.library import folder as disk
from studio.library.index import Index
from studio.library.recipe import embed_text
from studio.library.writer import publish_file, publish_text
from studio.sdk.artifact import Kind, ModelUse, Recipe

pytestmark = pytest.mark.unit


def save(library: Path, job: str, text: str = "words", prompt: str = "A fox", created: float = 0.0, **extra):
    recipe = Recipe(
        operation="text.generate",
        params={"prompt": prompt},
        job=job,
        created=created or 1_790_000_000.0 + len(job),
        models=(ModelUse(ref="tales-5m"),),
        **extra,
    )
    return publish_text(library, recipe, text, stem=prompt)


def shown(index: Index) -> list[dict]:
    return [*index.list(limit=1000)["items"], *index.list(limit=1000, trashed=True)["items"]]


def from_files(library: Path) -> list[dict]:
    fresh = Index(None, library)
    found = shown(fresh)
    fresh.close()
    return found


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def index(tmp_path, library):
    made = Index(tmp_path / "index.sqlite", library)
    yield made
    made.close()


def test_an_item_says_what_its_file_says(library, index):
    artifact = save(library, "j1", "Once upon a time.", "A fox\nby the river", title="Fox tale")
    item = index.add(artifact)
    assert item == {
        "id": "j1-1",
        "job": "j1",
        "kind": "text",
        "path": artifact.path,
        "media": "text/markdown",
        "size": artifact.size,
        "created": 1_790_000_002.0,
        "title": "Fox tale",
        "prompt": "A fox\nby the river",
        "model": "tales-5m",
        "operation": "text.generate",
        "excerpt": "Once upon a time.",
        "trashed": False,
    }
    assert index.list() == {"total": 1, "items": [item]}
    whole = index.get("j1-1")
    assert whole["text"] == "Once upon a time." and whole["recipe"]["params"]["prompt"] == "A fox\nby the river"
    assert index.path_of("j1-1") == Path(artifact.path)
    assert index.notice is None


def test_kinds_and_media_are_what_was_published(library, index):
    recipe = Recipe(operation="a.b", params={}, job="j1")
    artifact = publish_file(
        library, recipe, ".odd", Kind.AUDIO, "audio/x-odd", lambda p: p.write_bytes(b"1") and None, stem="a"
    )
    index.reconcile()
    item = index.list(kind="audio")["items"][0]
    assert (item["id"], item["kind"], item["media"], item["title"]) == (artifact.id, "audio", "audio/x-odd", "a-j1-1")
    assert index.list(kind="text")["total"] == 0


def test_search_finds_beginnings_of_words_everywhere(library, index):
    for number, (prompt, text) in enumerate(
        [("A red fox", "It ran."), ("The moon", "A fox slept"), ("Rain", "Größe café")]
    ):
        index.add(save(library, f"j{number}", text, prompt))

    def found(query: str) -> set[str]:
        return {item["job"] for item in index.list(query)["items"]}

    assert found("fox") == {"j0", "j1"}
    assert found("FO red") == {"j0"}
    assert found("grosse") == set() and found("größe") == found("cafe") == {"j2"}
    assert found("tales") == found("tales-5m") == found("") == found("   ") == {"j0", "j1", "j2"}
    assert found("fox NOT red") == set()


@pytest.mark.parametrize(
    "query",
    ['"', "'", "*", "a*b", "NEAR(", "title:fox", "(", "-", "^", "!!!", "😀", "%", "_", "\\", "\x00", "\ud800", "AND",
     "OR", "x" * 5000, "a " * 500, "日", "\u0301", "²", "é́", "DROP TABLE items;", "{", "ˇ", "\u200b", "½", "Ⅷ", "٣"],
    ids=ascii,
)  # fmt: skip
def test_any_query_is_only_looked_for(library, index, query):
    index.add(save(library, "j1"))
    assert index.list(query)["total"] in (0, 1)
    assert index.notice is None and index.list()["total"] == 1


def test_scripts_without_spaces_and_signs_are_found(library, index):
    index.add(save(library, "j1", "昔々、狐が川のそばに住んでいた。😀"))
    index.add(save(library, "j2", "100%_sure"))
    assert [item["job"] for item in index.list("狐が")["items"]] == ["j1"]
    assert [item["job"] for item in index.list("😀")["items"]] == ["j1"]
    assert [item["job"] for item in index.list("%")["items"]] == ["j2"]


def test_pages_are_stable_and_bounded(library, index):
    for number in range(25):
        index.add(save(library, f"j{number}", created=1_790_000_000.0 + number // 5))
    everything = index.list(limit=1000)["items"]
    pages = [item for offset in range(0, 30, 7) for item in index.list(offset=offset, limit=7)["items"]]
    assert pages == everything and len({item["id"] for item in pages}) == 25
    assert [item["created"] for item in everything] == sorted((item["created"] for item in everything), reverse=True)
    assert index.list(offset=-5, limit=-5)["items"] == [] and index.list(limit=10**30)["total"] == 25
    assert index.list(offset=10**30)["items"] == []


def test_trash_restore_and_empty(library, index):
    items = [index.add(save(library, f"j{n}")) for n in range(3)]
    before = shown(index)
    assert index.trash(["j0-1", "j1-1"]).changed == ["j0-1", "j1-1"]
    assert not index.trash(["j0-1"]), "twice is once"
    trashed = index.list(trashed=True)["items"]
    assert {item["id"] for item in trashed} == {"j0-1", "j1-1"}
    assert all("/.trash/2026-09/" in item["path"] and Path(item["path"]).is_file() for item in trashed)
    assert shown(index) == from_files(library)
    assert index.restore(["j0-1", "j1-1"]).changed == ["j0-1", "j1-1"]
    assert shown(index) == before == from_files(library)
    index.trash(["j0-1"])
    assert index.empty_trash().removed == ["j0-1"]
    assert not list((library / ".trash").iterdir()) and index.list(trashed=True)["total"] == 0
    assert not Path(items[0]["path"]).exists() and Path(items[1]["path"]).exists()
    assert shown(index) == from_files(library)
    with pytest.raises(StudioError) as caught:
        index.trash(["j0-1"])
    assert caught.value.code == "unknown-item"


def test_a_recipe_beside_a_file_goes_with_it(library, index):
    recipe = Recipe(operation="a.b", params={}, job="j1")
    index.add(
        publish_file(library, recipe, ".wav", Kind.AUDIO, "audio/wav", lambda p: p.write_bytes(b"1") and None, stem="a")
    )
    index.trash(["j1-1"])
    assert sum(path.is_file() for path in (library / ".trash").rglob("*")) == 2
    assert index.get("j1-1")["recipe"]["job"] == "j1"
    index.restore(["j1-1"])
    assert index.get("j1-1")["recipe"]["job"] == "j1"
    index.trash(["j1-1"])
    index.empty_trash()
    assert [path for path in library.rglob("*") if path.is_file()] == []


def test_a_name_taken_meanwhile_is_not_overwritten(library, index):
    artifact = save(library, "j1", "first")
    index.add(artifact)
    path = Path(artifact.path)
    index.trash(["j1-1"])
    path.write_bytes(b"somebody else's")
    index.reconcile()
    assert index.get("j1-1")["text"] == "first"
    index.restore(["j1-1"])
    assert path.read_bytes() == b"somebody else's"
    assert index.get("j1-1")["text"] == "first" and Path(index.get("j1-1")["path"]).name.endswith(" (2).md")
    other = next(item["id"] for item in shown(index) if item["id"] != "j1-1")
    index.trash(["j1-1", other])
    assert sorted(path.read_bytes()[:5] for path in library.rglob("*.md")) == [b"first", b"someb"]
    assert shown(index) == from_files(library)


def test_copies_have_ids_of_their_own(library, index):
    artifact = save(library, "j1", "mine")
    path = Path(artifact.path)
    (library / "2020-01").mkdir()
    for copy in (path.with_name("a copy.md"), library / "2020-01" / path.name, path.with_name("zz" + path.name)):
        copy.write_bytes(path.read_bytes())
    index.reconcile()
    ids = {item["id"]: item["path"] for item in shown(index)}
    assert len(ids) == 4 and "j1-1" in ids
    assert shown(index) == from_files(library)
    index.trash(["j1-1"])
    assert shown(index) == from_files(library)
    index.restore(["j1-1"])
    assert {item["id"]: item["path"] for item in shown(index)} == ids
    Path(ids["j1-1"]).unlink()
    index.reconcile()
    assert shown(index) == from_files(library) and index.get("j1-1")["text"] == "mine"


def test_reconcile_notices_what_others_did(library, index):
    paths = {n: Path(save(library, f"j{n}", f"text {n}").path) for n in range(4)}
    assert sorted(index.reconcile().changed) == [f"j{n}-1" for n in range(4)]
    assert not index.reconcile()
    paths[0].unlink()
    paths[1].write_text("edited, recipe gone", encoding="utf-8")
    paths[2].rename(library / "moved.md")
    (library / "notes.txt").write_text("mine")
    (library / "unknown.xyz").write_text("not listed")
    (library / "link.md").symlink_to(paths[3])
    changes = index.reconcile()
    assert "j0-1" in changes.removed and "j1-1" in changes.removed and "j2-1" in changes.changed
    assert {Path(item["path"]).name for item in shown(index)} == {paths[1].name, "moved.md", paths[3].name, "notes.txt"}
    assert index.get("j2-1")["path"] == str(library / "moved.md")
    assert shown(index) == from_files(library)
    assert not index.reconcile()


def test_a_library_that_is_away_keeps_its_index(library, index, tmp_path):
    index.add(save(library, "j1"))
    library.rename(tmp_path / "away")
    assert not index.reconcile()
    assert index.list()["total"] == 1
    with pytest.raises(StudioError) as caught:
        index.get("j1-1")
    assert caught.value.code == "not-found"
    assert index.trash(["j1-1"]).removed == ["j1-1"]
    (tmp_path / "away").rename(library)
    assert index.reconcile().changed == ["j1-1"]


def test_files_without_a_recipe_and_damaged_ones_are_listed(library, index):
    (library / "plain.md").write_text("Just text.")
    (library / "bad.md").write_text(embed_text("Good text.", Recipe(operation="a", params={})).replace("schema", "\\q"))
    (library / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (library / "empty.wav").write_bytes(b"")
    (library / "big.csv").write_bytes(b"\xff\x00" * 1000)
    index.reconcile()
    assert {item["title"] for item in shown(index)} == {"plain", "bad", "noise", "empty", "big"}
    item = next(item for item in shown(index) if item["title"] == "bad")
    assert item["excerpt"] == "Good text." and index.get(item["id"])["recipe"] is None
    assert index.get(item["id"])["text"] == "Good text."


@pytest.mark.parametrize("artifact", ["file:0", "../../x-1", "a-1; DROP", "", "-1", "x" * 500 + "-1", "😀-1"])
def test_hostile_claims_take_nobody_elses_id(library, index, artifact):
    for name in ("a", "b"):
        recipe = Recipe(operation="a.b", params={"prompt": "\x00 \ud800"}, job="\x00", artifact=artifact)
        (library / f"{name}.md").write_text(embed_text("x", recipe))
    index.reconcile()
    assert len({item["id"] for item in shown(index)}) == 2
    assert all(item["id"].startswith("file:") for item in shown(index))
    assert index.list("x")["total"] == 2


def test_names_that_are_no_text_are_left_alone(library, index):
    (Path(str(library)) / "caf\udce9.md").write_bytes(b"x")
    (library / "new\nline.md").write_bytes(b"x")
    index.reconcile()
    assert [item["title"] for item in shown(index)] == ["new\nline"]


def test_another_library_is_another_index(tmp_path, library):
    save(library, "j1")
    other = tmp_path / "other"
    other.mkdir()
    save(other, "j2")
    for folder, job in ((library, "j1"), (other, "j2"), (library, "j1")):
        index = Index(tmp_path / "index.sqlite", folder)
        assert [item["job"] for item in shown(index)] == [job]
        assert index.notice is None
        index.close()


def filled(tmp_path: Path, library: Path, count: int = 40) -> Path:
    for number in range(count):
        save(library, f"j{number}", f"text {number} " + "word " * 40, f"prompt {number}")
    file = tmp_path / "index.sqlite"
    index = Index(file, library)
    index.trash([f"j{number}-1" for number in range(5)])
    index.close()
    return file


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


def test_threads_may_use_it_together(library, index):
    artifacts = [save(library, f"j{n}") for n in range(30)]
    problems: list[BaseException] = []

    def work(part: int) -> None:
        try:
            for artifact in artifacts[part::3]:
                index.add(artifact)
                index.list("fox")
                index.trash([artifact.id])
                index.reconcile()
                index.restore([artifact.id])
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    index.reconcile()
    assert shown(index) == from_files(library) and index.list()["total"] == 30


def test_paths_out_of_the_library_are_refused(library):
    outside = library.parent / "outside.md"
    outside.write_text("mine")
    (library / "way").symlink_to(library.parent)
    for path in ("../outside.md", str(outside), "way/outside.md", "", "."):
        with pytest.raises((StudioError, FileNotFoundError)):
            disk.move_to_trash(library, path)
    with pytest.raises(ValueError, match="not in the trash"):
        disk.delete(library, "outside.md")
    assert outside.read_text() == "mine"


def test_a_trash_that_is_a_link_is_not_used(library, index):
    elsewhere = library.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.md").write_text("mine")
    (library / ".trash").symlink_to(elsewhere)
    index.add(save(library, "j1"))
    with pytest.raises(StudioError):
        index.trash(["j1-1"])
    index.empty_trash()
    assert (elsewhere / "precious.md").exists() and index.list()["total"] == 1


class Life(RuleBasedStateMachine):
    """Anything a person, the application and other programs do, in any order."""

    folder: Path

    def __init__(self):
        super().__init__()
        import tempfile

        self.base = tempfile.TemporaryDirectory()
        self.library = Path(self.base.name) / "library"
        self.library.mkdir()
        self.index = Index(Path(self.base.name) / "index.sqlite", self.library)
        self.count = 0

    def teardown(self):
        self.index.close()
        self.base.cleanup()

    def ids(self, trashed: bool) -> list[str]:
        return [item["id"] for item in self.index.list(limit=1000, trashed=trashed)["items"]]

    @rule(prompt=st.sampled_from(["A fox", "é\x00", "x" * 300]))
    def publish(self, prompt):
        self.count += 1
        self.index.add(save(self.library, f"j{self.count}", "words", prompt))

    @rule(pick=st.integers(0, 50), trashed=st.booleans())
    def move(self, pick, trashed):
        ids = self.ids(trashed)
        if ids:
            chosen = ids[pick % len(ids)]
            changes = (self.index.restore if trashed else self.index.trash)([chosen])
            assert changes.changed == [chosen]
            assert chosen in self.ids(not trashed)

    @rule()
    def empty(self):
        self.index.empty_trash()
        assert self.ids(True) == []

    @rule(pick=st.integers(0, 50), how=st.sampled_from(["remove", "copy", "edit", "rename"]))
    def somebody_else(self, pick, how):
        files = sorted(path for path in self.library.rglob("*.md") if path.is_file())
        if not files:
            return
        path = files[pick % len(files)]
        self.count += 1
        if how == "remove":
            path.unlink()
        elif how == "copy":
            path.with_name(f"c{self.count}.md").write_bytes(path.read_bytes())
        elif how == "edit":
            path.write_text(f"edited {self.count}")
        else:
            path.rename(self.library / f"r{self.count}.md")
        self.index.reconcile()

    @rule()
    @precondition(lambda self: self.count % 3 == 0)
    def reopen(self):
        self.index.close()
        self.index = Index(Path(self.base.name) / "index.sqlite", self.library)
        assert self.index.notice is None

    @invariant()
    def equals_its_rebuild(self):
        assert shown(self.index) == from_files(self.library)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
