"""What the window keeps on disk: drafts, settings, and the right to be the window."""

import asyncio
import json
import threading

import pytest
from PySide6.QtWidgets import QWidget

from studio.errors import StudioError
from studio.paths import Paths
from studio.ui import instance as instances
from studio.ui.drafts import Drafts, geometry_of, restore_geometry
from studio.ui.instance import Instance
from studio.ui.settings import Settings
from studio.ui.store import JsonStore

pytestmark = pytest.mark.qt


def test_drafts_come_back(qapp, tmp_path):
    drafts = Drafts(tmp_path / "drafts.json")
    drafts.load()
    drafts.add_source("text.panel", lambda: {"prompt": "Once upon\0 a “time”"})
    drafts.put("panel", "text.panel")
    drafts.close()
    again = Drafts(tmp_path / "drafts.json")
    again.load()
    assert again.draft("text.panel") == {"prompt": "Once upon\0 a “time”"}
    assert again.get("panel") == "text.panel"
    again.close()


def test_a_change_is_saved_without_being_told_to_close(qtbot, tmp_path):
    drafts, words = Drafts(tmp_path / "drafts.json"), {"prompt": ""}
    drafts.load()
    drafts.add_source("p", lambda: dict(words))
    words["prompt"] = "half a senten"
    drafts.touch()
    saved = tmp_path / "drafts.json"
    qtbot.waitUntil(saved.exists)
    assert json.loads(saved.read_text())["drafts"]["p"] == {"prompt": "half a senten"}
    drafts.close()


def test_the_draft_of_a_panel_that_was_not_opened_is_kept(qapp, tmp_path):
    (tmp_path / "drafts.json").write_text(json.dumps({"drafts": {"gone.panel": {"prompt": "keep me"}}}))
    drafts = Drafts(tmp_path / "drafts.json")
    drafts.load()
    drafts.add_source("text.panel", lambda: {"prompt": "new"})
    drafts.close()
    saved = json.loads((tmp_path / "drafts.json").read_text())["drafts"]
    assert saved == {"gone.panel": {"prompt": "keep me"}, "text.panel": {"prompt": "new"}}


@pytest.mark.parametrize(
    "rubbish", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b'{"drafts": 5, "geometry": []}', b"[" * 5000]
)
def test_damaged_drafts_are_ignored_and_told_of(qtbot, tmp_path, rubbish):
    path = tmp_path / "drafts.json"
    path.write_bytes(rubbish)
    drafts, told = Drafts(path), []
    drafts.problem.connect(lambda title, detail: told.append(detail))
    drafts.load()
    assert drafts.draft("text.panel") == {}
    window = QWidget()
    qtbot.addWidget(window)
    assert not restore_geometry(window, drafts.get("geometry"))
    if rubbish[:1] != b"{" or rubbish == b"{":
        assert len(told) == 1 and str(path) in told[0]
        assert (tmp_path / "drafts.json.broken").read_bytes() == rubbish
    drafts.close()
    assert json.loads(path.read_text())["drafts"] == {}


def test_the_last_good_copy_takes_the_place_of_a_damaged_file(tmp_path):
    store = JsonStore(tmp_path / "s.json")
    store.write({"theme": "dark"})
    (tmp_path / "s.json").write_text('{"theme": "da')
    again = JsonStore(tmp_path / "s.json")
    assert again.read() == {"theme": "dark"}
    assert "last good copy" in again.problem
    assert again.write({"theme": "dark"})
    assert json.loads((tmp_path / "s.json").read_text()) == {"theme": "dark"}


def test_a_disk_that_refuses_is_told_of_and_stops_nothing(tmp_path):
    (tmp_path / "folder").write_text("a file where a folder should be")
    store = JsonStore(tmp_path / "folder" / "s.json")
    assert store.read() == {}
    assert not store.write({"a": 1})
    assert "could not be written" in store.problem
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_equal_content_is_not_written_again(tmp_path):
    store = JsonStore(tmp_path / "s.json")
    store.write({"a": 1})
    before = (tmp_path / "s.json").stat().st_ino
    store.write({"a": 1})
    assert (tmp_path / "s.json").stat().st_ino == before
    store.write({"a": 2})
    assert (tmp_path / "s.json").stat().st_ino != before


def test_geometry_comes_back(qtbot):
    window, other = QWidget(), QWidget()
    qtbot.addWidget(window)
    qtbot.addWidget(other)
    window.setGeometry(40, 50, 640, 480)
    assert restore_geometry(other, geometry_of(window))
    assert (other.width(), other.height()) == (640, 480)


def test_settings_come_back_and_only_allowed_values_are_taken(qapp, tmp_path):
    paths = Paths(tmp_path)
    settings, changes = Settings(paths), []
    settings.changed.connect(changes.append)
    settings.set("theme", "dark")
    settings.set("theme", "dark")
    assert changes == ["theme"]
    with pytest.raises(ValueError):
        settings.set("theme", "purple")
    assert settings.once("hint") and not settings.once("hint")
    again = Settings(paths)
    assert (again.choices.theme, again.choices.seen, again.problem) == ("dark", ("hint",), "")


def test_one_bad_setting_costs_only_itself(qapp, tmp_path):
    (tmp_path / "window.json").write_text(json.dumps({"theme": "purple", "density": "expert", "future": 1}))
    settings = Settings(Paths(tmp_path))
    assert (settings.choices.theme, settings.choices.density) == ("system", "expert")
    settings.set("theme", "light")
    assert json.loads((tmp_path / "window.json").read_text())["future"] == 1


def test_the_engines_settings_are_read_and_never_touched(qapp, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"disabled_plugins": ["probe"]}))
    assert Settings(Paths(tmp_path)).disabled_plugins() == ["probe"]
    (tmp_path / "settings.json").write_text("{")
    assert Settings(Paths(tmp_path)).disabled_plugins() == []
    assert (tmp_path / "settings.json").read_text() == "{"


def runtime(tmp_path):
    return Paths(tmp_path / "data").prepare().runtime


def test_a_second_start_hands_its_files_over(tmp_path):
    first, second, taken = Instance(runtime(tmp_path)), Instance(runtime(tmp_path)), []
    assert first.acquire()
    assert not second.acquire()

    async def main() -> None:
        await first.listen(taken.append)
        await asyncio.to_thread(second.hand_over, ["/a b.md", "/ü.md"])

    asyncio.run(main())
    first.release()
    assert taken == [["/a b.md", "/ü.md"]]
    assert second.acquire()
    second.release()


def test_a_start_during_a_start_waits_until_the_window_listens(tmp_path):
    first, second, taken = Instance(runtime(tmp_path)), Instance(runtime(tmp_path)), []
    assert first.acquire() and not second.acquire()
    errors: list[BaseException] = []

    def hand_over() -> None:
        try:
            second.hand_over(["late.md"])
        except StudioError as error:
            errors.append(error)

    waiting = threading.Thread(target=hand_over)
    waiting.start()

    async def main() -> None:
        await first.listen(taken.append)
        while not taken:
            await asyncio.sleep(0.01)

    asyncio.run(main())
    waiting.join()
    first.release()
    assert taken == [["late.md"]] and errors == []


def test_a_window_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(instances, "ANSWER_S", 0.2)
    first, second = Instance(runtime(tmp_path)), Instance(runtime(tmp_path))
    assert first.acquire() and not second.acquire()
    with pytest.raises(StudioError, match="does not answer"):
        second.hand_over([])
    first.release()


def test_garbage_on_the_socket_harms_nobody(tmp_path):
    folder = runtime(tmp_path)
    first, second, taken = Instance(folder), Instance(folder), []
    assert first.acquire()

    async def main() -> None:
        await first.listen(taken.append)
        for garbage in (b"\xff\xff\n", b"[]\n", b'{"files": 5}\n', b"no newline"):
            _, writer = await asyncio.open_unix_connection(str(folder / "window.sock"))
            writer.write(garbage)
            writer.write_eof()
            await asyncio.sleep(0.05)
            writer.close()
        await asyncio.to_thread(second.hand_over, ["good.md"])

    asyncio.run(main())
    first.release()
    assert taken == [["good.md"]]
