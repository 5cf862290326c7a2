"""The index: what an item says, what is found, trash and copies, and threads that use it together."""

import threading
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.writer import publish_file
from studio.sdk.artifact import Kind, Recipe
from tests.unit.library_rig import from_files, index_of, library_folder, save, shown

pytestmark = pytest.mark.unit
library = pytest.fixture(library_folder)
index = pytest.fixture(index_of)


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
