"""The index and its files: what others do to them, what they claim, whatever happens in any order."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio.errors import StudioError
from studio.library import folder as disk
from studio.library.index import Index
from studio.library.recipe import embed_text
from studio.sdk.artifact import Recipe
from tests.unit.library_rig import from_files, index_of, library_folder, save, shown

pytestmark = pytest.mark.unit
library = pytest.fixture(library_folder)
index = pytest.fixture(index_of)


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
