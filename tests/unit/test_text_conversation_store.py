"""Conversations on disk: nothing is lost, whatever is cut off or damaged; the list; a tidy file is the same tree."""

import json
import os
from pathlib import Path

import pytest

from plugins.text import conversation_log
from plugins.text.conversation import Conversation
from plugins.text.conversation_store import SUPERFLUOUS, ConversationStore
from studio.errors import StudioError

pytestmark = pytest.mark.unit


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    return ConversationStore(tmp_path)


def contents(conversation: Conversation) -> list[str]:
    return [node.content for node in conversation.path()]


def test_one_more_message_is_one_more_line(store: ConversationStore) -> None:
    c = store.create(system="Be brief.")
    before = store.path(c.id).read_bytes()
    c.add("user", "Wo ist die Füchsin? 🦊\nHier.")
    after = store.path(c.id).read_bytes()
    assert after.startswith(before) and after.count(b"\n") == before.count(b"\n") + 1
    assert "Füchsin? 🦊" in after.decode()
    again, notes = store.open(c.id)
    assert contents(again) == ["Wo ist die Füchsin? 🦊\nHier."] and again.settings == {"system": "Be brief."}
    assert notes == [] and again.leaf == c.leaf
    again.add("assistant", "half \ud83e")
    assert contents(store.open(c.id)[0])[1] == "half \ud83e"


def test_cut_off_anywhere_everything_before_is_there_and_it_goes_on(store: ConversationStore) -> None:
    c = store.create()
    c.add("user", "one")
    c.add("assistant", "two")
    path = store.path(c.id)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for cut in (start + 1, start + 20, len(whole) - 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        back, notes = store.open(c.id)
        complete = cut == len(whole) - 1  # only the line's end is missing
        assert contents(back) == (["one", "two"] if complete else ["one"])
        assert len(notes) == (0 if complete else 1) and (complete or "cut off" in notes[0])
        back.add("assistant", "three")
        assert contents(store.open(c.id)[0]) == [*contents(back)[:-1], "three"]


def test_damaged_lines_are_passed_over_counted_and_never_removed(store: ConversationStore) -> None:
    c = store.create()
    for text in ("one", "two", "three"):
        c.add("user", text)
    path = store.path(c.id)
    damage = [b"\xff\xfe\n", b"[1, 2]\n", b'{"op":"add","node":{"id":"z"}}\n', b"[" * 100_000 + b"\n", b"{}\n"]
    path.write_bytes(path.read_bytes() + b"".join(damage))
    c.add("user", "four")
    back, notes = store.open(c.id)
    assert contents(back) == ["one", "two", "three", "four"]
    assert notes == ["5 lines of its file could not be read and are passed over; nothing was removed."]
    before = path.read_bytes()
    assert store.compact(c.id) is False and path.read_bytes() == before


def test_what_the_disk_refused_is_written_with_the_next(
    store: ConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = store.create()
    c.add("user", "one")
    before = store.path(c.id).read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(conversation_log.os, "fsync", full)
        with pytest.raises(StudioError) as caught:
            c.add("assistant", "two")
    assert caught.value.code == "disk-full" and store.path(c.id).read_bytes() == before
    assert contents(c) == ["one", "two"]
    c.add("user", "three")
    assert contents(store.open(c.id)[0]) == ["one", "two", "three"]


def test_a_file_of_many_small_changes_is_written_anew_and_is_the_same(store: ConversationStore) -> None:
    c = store.create()
    c.add("user", "one")
    c.add("assistant", "two")
    c.retry(c.leaf)
    c.delete(c.leaf)
    sink, c.sink = c.sink, None
    events = [{"op": "change", "id": c.leaf, "values": {"rating": n % 2}} for n in range(SUPERFLUOUS + 10)]
    path = store.path(c.id)
    path.write_bytes(path.read_bytes() + b"".join(json.dumps({"t": 9.0, **event}).encode() + b"\n" for event in events))
    assert sink is not None
    before = store.list()[0]
    lines = path.read_bytes().count(b"\n")
    back, _ = store.open(c.id)
    assert path.read_bytes().count(b"\n") < 10 < lines
    assert (contents(back), len(back), len(back.deleted())) == (["one", "two"], 3, 1)
    assert store.list()[0] == before
    back.add("user", "three")
    assert contents(store.open(c.id)[0]) == ["one", "two", "three"]


def test_a_file_that_grew_meanwhile_is_not_replaced(store: ConversationStore) -> None:
    c = store.create()
    c.add("user", "one")
    log = conversation_log.EventLog(store.path(c.id))
    lines = log.read()
    c.add("assistant", "two")
    assert log.rewrite(lines.header, lines.events, lines.size) is False
    assert contents(store.open(c.id)[0]) == ["one", "two"]


def test_five_thousand_messages_are_one_reading(store: ConversationStore) -> None:
    c = Conversation()
    for number in range(5000):
        c.add("user" if number % 2 == 0 else "assistant", f"message {number} " + "of some words " * 20)
    kept = store.keep(c)
    assert [node.id for node in kept.path()] == [node.id for node in c.path()]
    size = store.path(kept.id).stat().st_size
    kept.add("user", "x")
    assert 0 < store.path(kept.id).stat().st_size - size < 250
    assert store.list()[0].messages == 5001


def test_the_list_has_titles_and_times_and_reads_only_what_changed(
    store: ConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.list() == []
    first, second = store.create(), store.create()
    first.add("user", "About foxes")
    second.add("user", "About wolves")
    second.rename("Wolves")
    os.utime(store.path(first.id), ns=(1, 1))
    found = store.list()
    assert {s.id: (s.title, s.messages) for s in found} == {first.id: ("About foxes", 1), second.id: ("Wolves", 1)}
    assert found[0].changed >= found[1].changed >= found[1].created > 0
    read: list[str] = []
    real = conversation_log.EventLog.read
    monkeypatch.setattr(conversation_log.EventLog, "read", lambda self: (read.append(self.path.stem), real(self))[1])
    first.add("assistant", "Yes.")
    assert store.list()[0].id == first.id and read == [first.id]
    (store.folder / "index.json").write_text('{"a": [1, {}]}')
    assert {s.id for s in store.list()} == {first.id, second.id}


def test_into_the_trash_and_back(store: ConversationStore) -> None:
    c = store.create()
    c.add("user", "one")
    store.delete(c.id)
    assert store.list() == []
    with pytest.raises(StudioError):
        store.open(c.id)
    store.restore(c.id)
    assert contents(store.open(c.id)[0]) == ["one"]


@pytest.mark.parametrize("id", ["", "../x", "a/b", ".lock", "nobody"])
def test_no_such_conversation(store: ConversationStore, id: str) -> None:
    with pytest.raises(StudioError) as caught:
        store.open(id)
    assert caught.value.code == "no-conversation"


def test_one_of_a_newer_version_is_listed_and_refused(store: ConversationStore) -> None:
    c = store.create()
    store.path(c.id).write_text('{"v": 99}\n')
    with pytest.raises(StudioError, match="newer version"):
        store.open(c.id)
    assert "newer version" in store.list()[0].problem
