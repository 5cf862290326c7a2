"""The whole window over an engine that does what the test says: panels, faults, drops, keys."""

import asyncio
import json
from pathlib import Path

import pytest
from PySide6.QtCore import QKeyCombination, QMimeData, QModelIndex, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit

from studio.errors import StudioError
from studio.kit.action import Action
from tests.qt.ui_rig import PANEL, Rig, settled, until, write_plugin

pytestmark = pytest.mark.qt


@pytest.fixture
def rig(qapp, tmp_path, monkeypatch):
    rig = Rig(qapp, tmp_path)
    write_plugin(rig.plugins, "alpha", 10)
    write_plugin(rig.plugins, "beta", 20)
    monkeypatch.setattr("studio.host.discover.plugin_folders", lambda paths: [rig.plugins])
    yield rig
    rig.close()


def titles(window) -> list[str]:
    return [notice.title for notice in window.context.notices.all]


def test_the_window_is_there_before_the_engine(rig):
    async def scene():
        rig.engine.down = True
        async with rig.window(connected=False) as window:
            assert window.isVisible() and window.host.current_id == "alpha.panel"
            assert "starting" in window.strip.headline
            await until(lambda: "coming back" in window.strip.headline)
            assert "exit code 1" in window.strip._counts.text()
            assert "attached" not in window.host.current.seen
            rig.engine.down = False
            window.deeds.reconnect()
            await until(lambda: window.strip.headline == "Ready")
            assert window.host.current.seen.count("attached") == 1

    rig.run(scene())


def test_a_call_made_before_the_engine_answers_waits_for_it(rig):
    async def scene():
        async with rig.window(connected=False) as window:
            window.host.current.generate()
            await until(lambda: rig.engine.asked("submit"))
            assert rig.engine.asked("submit")[0]["origin"] == "alpha.panel"

    rig.run(scene())


@pytest.mark.expects_log
@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('no import')",
        PANEL.replace("self.seen, self.words", "raise RuntimeError('no import'); x, y"),
    ],
    ids=["import", "constructor"],
)
def test_a_broken_panel_says_so_in_its_place_and_the_rest_works(rig, source):
    write_plugin(rig.plugins, "broken", 5, panel=source)

    async def scene():
        async with rig.window() as window:
            window.open_panel("broken.panel")
            page = window.host.page("broken.panel")
            assert page.panel is None and page.trouble.isVisible()
            assert "no import" in page.trouble.report
            window.open_panel("alpha.panel")
            window.host.current.generate()
            await until(lambda: rig.engine.asked("submit"))
            write_plugin(rig.plugins, "broken", 5)
            if "import" in source.split("\n")[0]:
                page.retried.emit()
                assert page.panel is not None and page.trouble is None
                assert page.panel.seen.count("attached") == 1

    rig.run(scene())


@pytest.mark.expects_log
def test_a_panel_that_throws_on_an_event_harms_no_other(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("beta.panel")
            alpha, beta = window.host.panel("alpha.panel"), window.host.panel("beta.panel")
            rig.engine.announce("j1", "queued", title="poison")
            rig.engine.announce("j2", "queued")
            await until(lambda: ("job", "j2") in alpha.seen and ("job", "j2") in beta.seen)
            assert "cannot swallow" in window.host.page("beta.panel").trouble.report

    rig.run(scene())


def test_operations_without_a_panel_get_a_form(rig):
    write_plugin(rig.plugins, "bare", 0, panel=None, title="Bare")

    async def scene():
        async with rig.window() as window:
            assert window.rail.button("bare.operations") is not None
            window.open_panel("bare.operations")
            panel = window.host.current
            assert panel.empty.isVisible() and not panel._list.isVisible()
            window.deeds.toggle_density()
            assert panel.form.density() == "expert"
            panel.form.set_value({"prompt": "Hello", "count": 5})
            panel.generate()
            await until(lambda: rig.engine.asked("submit"))
            asked = rig.engine.asked("submit")[0]
            assert (asked["operation"], asked["params"]) == ("bare.write", {"prompt": "Hello", "count": 5})
            job = asked["job"]
            rig.engine.announce(job, "running", origin="bare.operations")
            rig.engine.emit("stream", job, at=0, text="Once upon")
            rig.engine.emit("stream", job, at=9, text=" a time")
            await until(lambda: panel._text.toPlainText() == "Once upon a time")
            assert panel._list.isVisible() and not panel.empty.isVisible()
            assert panel.cancel_current()
            await until(lambda: rig.engine.asked("cancel") == [{"job": job}])

    rig.run(scene())


def test_drafts_and_the_open_panel_come_back(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("beta.panel")
            window.host.current.words = "half a sentence"
            window.close()
        async with rig.window() as window:
            assert window.host.current_id == "beta.panel"
            assert window.host.current.words == "half a sentence"
            assert window.host.page("alpha.panel") is None, "panels are built on first use"

    rig.run(scene())


def test_damaged_drafts_are_told_of_and_ignored(rig):
    (rig.paths.data / "drafts.json").write_text("{rubbish")

    async def scene():
        async with rig.window() as window:
            assert window.host.current_id == "alpha.panel"
            assert "Unfinished work could not be read whole" in titles(window)

    rig.run(scene())


@pytest.mark.expects_log
def test_a_draft_that_does_not_fit_is_told_of_in_its_panel(rig):
    (rig.paths.data / "drafts.json").write_text(json.dumps({"drafts": {"alpha.panel": {"old": 1}}}))

    async def scene():
        async with rig.window() as window:
            page = window.host.page("alpha.panel")
            assert page.panel is not None and "unfinished work" in page.trouble.error.title

    rig.run(scene())


def test_the_engine_dies_and_comes_back(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.announce("j1", "running")
            await until(lambda: "Prompt of j1" in window.strip.headline)
            rig.engine.down = True
            rig.engine.die()
            await until(lambda: "coming back" in window.strip.headline)
            panel = window.host.current
            assert panel.seen[-1] == "lost" and panel.isVisible()
            with pytest.raises(StudioError, match="not there"):
                await window.context.connection.call("status")
            rig.engine.down = False
            await until(lambda: panel.seen[-1] == "attached")
            await until(lambda: "Prompt of j1" in window.strip.headline)

    rig.run(scene())


def test_a_submit_that_lost_its_answer_is_made_again_with_the_same_id(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.lose_after.add("submit")
            window.host.current.generate()
            await until(lambda: len(rig.engine.asked("submit")) == 2)
            first, second = rig.engine.asked("submit")
            assert first == second
            await settled(window)
            assert window.host.page("alpha.panel").trouble is None

    rig.run(scene())


def test_what_the_engine_refuses_appears_on_the_panel(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.refuse["submit"] = StudioError("Too large", "It needs 9 GB.", "Use a smaller model.")
            window.host.current.generate()
            page = window.host.page("alpha.panel")
            await until(lambda: page.trouble is not None)
            assert page.trouble.error.detail == "It needs 9 GB."

    rig.run(scene())


def drop(window, *paths: Path) -> bool:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(300, 300), copy, data, left, none)
    return QApplication.sendEvent(window.windowHandle(), event) and event.isAccepted()


def test_a_dropped_result_opens_its_panel_and_restores_everything(rig, tmp_path):
    result = tmp_path / "tale.md"
    result.write_text(json.dumps({"operation": "beta.write", "params": {"prompt": "Long ago"}}))

    async def scene():
        async with rig.window() as window:
            assert drop(window, result)
            await until(lambda: window.host.current_id == "beta.panel")
            assert ("restore", "Long ago", "tale.md") in window.host.current.seen

    rig.run(scene())


def test_other_drops_do_what_fits_or_say_why_not(rig, tmp_path):
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    plain, given = tmp_path / "plain.txt", tmp_path / "picture.input"
    foreign, gone = tmp_path / "foreign.md", tmp_path / "gone.md"
    for path in (plain, given):
        path.write_text("no recipe")
    foreign.write_text(json.dumps({"operation": "nobody.knows", "params": {}}))

    async def scene():
        async with rig.window() as window:
            drop(window, folder)
            drop(window, folder / "model.safetensors")
            drop(window, given)
            await until(lambda: ("input", "picture.input") in window.host.panel("alpha.panel").seen)
            await settled(window)
            assert rig.engine.asked("models.add_folder") == [{"path": str(folder)}] * 2
            drop(window, plain, foreign, gone)
            await settled(window)
            assert {"plain.txt holds no recipe", "No panel can restore this file"} <= set(titles(window))
            assert "This file is not there" in titles(window)

    rig.run(scene())


def test_a_file_of_another_program_goes_to_the_panel_that_reads_those(rig, tmp_path):
    given = tmp_path / "picture.input"
    given.write_text("no recipe")
    manifest = rig.plugins / "beta" / "plugin.toml"
    manifest.write_text('foreign = "params:read"\n' + manifest.read_text())
    panel = rig.plugins / "alpha" / "panel.py"
    panel.write_text(panel.read_text().replace('path.suffix == ".input"', "False"))

    async def scene():
        async with rig.window() as window:
            assert window.host.current_id == "alpha.panel"
            drop(window, given)
            await until(lambda: window.host.current_id == "beta.panel")
            assert ("input", "picture.input") in window.host.current.seen
            window.deeds.open_panel("beta.panel", {"use": str(given)})
            assert window.host.current.seen[-1] == ("input", "picture.input")

    rig.run(scene())


def test_keys_reach_every_panel_and_its_deeds(rig):
    async def scene():
        async with rig.window() as window:
            window.activateWindow()
            await until(window.isActiveWindow)
            QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
            assert window.host.current_id == "beta.panel"
            assert window.rail.button("beta.panel").isChecked()
            QTest.keyClick(window, Qt.Key.Key_Escape)
            assert window.host.current.seen[-1] == "cancel"
            QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
            assert window.host.current.seen[-1] == "shout"
            QTest.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
            await until(lambda: rig.engine.asked("submit"))
            assert rig.engine.asked("submit")[0]["operation"] == "beta.write"

    rig.run(scene())


def test_all_panels_have_the_windows_density(rig):
    async def scene():
        async with rig.window() as window:
            assert window.host.current.seen[0] == ("density", "simple")
            window.host.current.density_chosen.emit("expert")
            assert window.host.current.seen[-1] == ("density", "expert")
            window.open_panel("beta.panel")
            assert window.host.current.seen[0] == ("density", "expert")
            window.deeds.toggle_density()
            for id in ("alpha.panel", "beta.panel"):
                assert window.host.panel(id).seen[-1] == ("density", "simple")

    rig.run(scene())


def test_a_field_leaves_the_windows_keys_alone(rig):
    """Stands for X11, where a line edit takes Ctrl+E: offscreen it takes Ctrl+Left."""
    jump = QKeyCombination(Qt.KeyboardModifier.ControlModifier, Qt.Key.Key_Left)

    async def scene():
        async with rig.window() as window:
            pressed = []
            for keys, name in ((QKeySequence(jump), "jump"), (QKeySequence.StandardKey.Copy, "copy")):
                action = Action(name, name, QKeySequence(keys).toString(), lambda name=name: pressed.append(name))
                window.actions_known.append(action)
                window._shortcuts.install(window.actions_known)
            field = QLineEdit(window)
            field.show()
            window.activateWindow()
            await until(window.isActiveWindow)
            field.setFocus()
            QTest.keyClick(field, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
            QTest.keyClick(field, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
            assert pressed == ["jump"]

    rig.run(scene())


def test_the_palette_finds_and_runs_and_gives_the_keyboard_back(rig):
    async def scene():
        async with rig.window() as window:
            window.activateWindow()
            await until(window.isActiveWindow)
            editor = QPlainTextEdit(window)
            editor.show()
            editor.setFocus()
            await until(editor.hasFocus)
            palette = window.palette_view
            QTest.keyClick(editor, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
            assert palette.isVisible() and palette.input.hasFocus()
            assert palette.model.rowCount() > 15
            QTest.keyClicks(palette.input, "shalpha")
            assert palette.model.action_at(0).title == "Shout from Alpha"
            QTest.keyClick(palette.input, Qt.Key.Key_Return)
            assert window.host.current.seen[-1] == "shout"
            assert not palette.isVisible() and editor.hasFocus()
            window.deeds.open_palette()
            QTest.keyClicks(palette.input, "qqqq")
            assert palette.model.rowCount() == 0
            QTest.keyClick(palette.input, Qt.Key.Key_Return)
            assert palette.isVisible()
            QTest.keyClick(palette.input, Qt.Key.Key_Escape)
            assert not palette.isVisible()
            assert window.host.current.seen[-1] == "shout", "Esc belonged to the palette"
            editor.deleteLater()

    rig.run(scene())


def test_every_action_has_its_own_name_and_key(rig):
    async def scene():
        async with rig.window() as window:
            keys = [action.shortcut for action in window.actions_known if action.shortcut]
            names = [action.title for action in window.actions_known]
            assert len(set(keys)) == len(keys) and len(set(names)) == len(names)

    rig.run(scene())


def test_pages_open_and_the_plugins_page_tells_what_is_broken(rig):
    (rig.plugins / "wrong").mkdir()
    (rig.plugins / "wrong" / "plugin.toml").write_text("id = 5")

    async def scene():
        async with rig.window() as window:
            for id in ("app.settings", "app.keyboard", "app.about"):
                window.open_panel(id)
                assert window.host.current_id == id and window.host.current is None
                QTest.keyClick(window, Qt.Key.Key_Escape)
                window.deeds.generate()
                await settled(window)
            page = window.host.currentWidget()
            texts = " ".join(label.text() for label in page.findChildren(type(window.strip._memory)))
            assert "The plugin's manifest is not valid" in texts and "Alpha" in texts
            window.open_panel("nowhere")
            assert "There is no such panel" in titles(window)

    rig.run(scene())


def test_settings_are_shown_and_given_to_the_engine(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("app.settings")
            await settled(window)
            page = window.host.currentWidget()
            assert page._folders.item(0).text() == "/models/a"
            assert str(rig.paths.library) in page._library.text()
            page._boxes["beta"].click()
            await settled(window)
            assert rig.engine.asked("settings.set") == [{"key": "disabled_plugins", "value": ["beta"]}]
            page._folders.setCurrentRow(0)
            page._remove_folder()
            await settled(window)
            assert rig.engine.asked("models.remove_folder") == [{"path": "/models/a"}]
        (rig.paths.data / "settings.json").write_text(json.dumps({"disabled_plugins": ["beta"]}))
        async with rig.window() as window:
            assert window.rail.button("beta.panel") is None

    rig.run(scene())


def test_the_theme_changes_at_once_and_is_kept(rig, qapp):
    async def scene():
        async with rig.window() as window:
            window.deeds.set_theme("light")
            light = qapp.styleSheet()
            tones = dict(window.drawer.waiting_list.delegate.tones)
            window.deeds.set_theme("dark")
            assert qapp.styleSheet() != light
            assert window.drawer.waiting_list.delegate.tones["muted"] != tones["muted"]
        async with rig.window() as window:
            assert window.context.theme.choice == "dark"

    rig.run(scene())


def test_notices_come_stay_or_go_and_are_counted(rig):
    rig.engine.notices.append({"title": "The journal was damaged", "detail": "It is kept aside."})

    async def scene():
        async with rig.window() as window:
            assert titles(window) == ["The journal was damaged"]
            rig.engine.emit("notice", title="Worker ended", detail="SIGSEGV", level="error", hint="See the log.")
            rig.engine.emit("notice", title="Worker ended", detail="SIGSEGV", level="error", hint="See the log.")
            await until(lambda: len(window.context.notices.all) == 2)
            assert window.context.notices.all[-1].count == 2
            assert window.notice_bar.isVisible() and window.strip._notices.text() == "2 notices"
            bar = window.notice_bar
            await until(lambda: bar._scroll.height() == bar.height() >= bar._inner.height() > 40)
            window.context.notices.put_all_away()
            assert not window.notice_bar.isVisible()
            window.deeds.toggle_notices()
            assert window.notice_bar.isVisible() and len(window.notice_bar._cards) == 2
            QTest.keyClick(window, Qt.Key.Key_Escape)
            window.deeds.cancel()
            assert not window.notice_bar.list_open

    rig.run(scene())


def test_closing_while_work_runs_says_once_that_it_goes_on(rig):
    async def scene():
        for first in (True, False):
            async with rig.window() as window:
                closed = []
                window.closing.connect(lambda closed=closed: closed.append(1))
                rig.engine.announce("j1", "running")
                await until(lambda window=window: window.strip.activity.jobs)
                window.close()
                assert ("What runs goes on" in titles(window)) is first
                await until(lambda closed=closed: closed)
                assert not rig.engine.asked("cancel")

    rig.run(scene())


def test_a_second_start_brings_its_files(rig, tmp_path):
    result = tmp_path / "tale.md"
    result.write_text(json.dumps({"operation": "beta.write", "params": {"prompt": "Long ago"}}))

    async def scene():
        async with rig.window() as window:
            window.come_forward([str(result)])
            await until(lambda: window.host.current_id == "beta.panel")
            assert ("restore", "Long ago", "tale.md") in window.host.current.seen

    rig.run(scene())


def test_one_panel_gives_another_a_recipe(rig, tmp_path):
    async def scene():
        async with rig.window() as window:
            recipe = {"operation": "beta.write", "params": {"prompt": "Long ago"}}
            window.host.current.session.open_panel("beta.panel", {"recipe": recipe, "path": str(tmp_path / "t.md")})
            assert window.host.current_id == "beta.panel"
            assert ("restore", "Long ago", "t.md") in window.host.current.seen

    rig.run(scene())


def test_the_settings_follow_the_folders_and_say_when_there_is_none(rig):
    async def scene():
        async with rig.window() as window:
            window.open_panel("app.settings")
            await settled(window)
            page = window.host.currentWidget()
            assert page._folders.isVisible() and not page._no_folders.isVisible()
            rig.engine.folders = []
            window.open_panel("app.about")
            window.open_panel("app.settings")
            await until(lambda: page._no_folders.isVisible())
            assert not page._folders.isVisible() and not page._remove.isVisible()

    rig.run(scene())


# The drawer ----------------------------------------------------------------------------------------


def test_in_a_low_window_the_drawer_is_lower_and_whole(rig):
    async def scene():
        async with rig.window() as window:
            window.resize(960, 800)
            window.deeds.toggle_queue()
            await settled(window)
            high = window.drawer.height()
            window.resize(900, 560)
            await settled(window)
            assert window.drawer.height() < high
            assert window.drawer.geometry().bottom() <= window.strip.geometry().top()
            for jobs in (window.drawer.waiting_list, window.drawer.history_list):
                shown = [button for button in jobs._buttons.values() if button.isVisible()]
                assert shown and all(button.width() >= button.sizeHint().width() for button in shown)

    rig.run(scene())


def test_the_drawer_shows_holds_moves_and_edits(rig):
    async def scene():
        async with rig.window() as window:
            for i in range(3):
                rig.engine.announce(f"j{i}", "queued")
            window.deeds.toggle_queue()
            drawer = window.drawer
            await until(lambda: drawer.waiting.rowCount() == 3)
            view = drawer.waiting_list.view
            drawer.hold.click()
            await until(lambda: drawer.hold.text() == "Go on")
            assert "held" in window.strip._queue.text()
            drawer.hold.click()
            await until(lambda: rig.engine.asked("hold") == [{"held": True}, {"held": False}])
            view.setCurrentIndex(drawer.waiting.index(2))
            drawer.waiting_list._buttons["up"].click()
            await until(lambda: rig.engine.asked("move") == [{"job": "j2", "before": "j1"}])
            await settled(window)
            view.setCurrentIndex(drawer.waiting.index(0))
            job = drawer.waiting_list.selected()[0]
            drawer.waiting_list._buttons["edit"].click()
            form = drawer._editor._form
            assert form.value()["prompt"] == job["params"]["prompt"]
            form.set_value({"prompt": "Another", "count": 2})
            rig.engine.refuse["edit"] = StudioError("Only a waiting job can be changed", "This one is running.")
            drawer._editor.save.click()
            await settled(window)
            assert "This one is running" in drawer._editor._problem.text() and drawer._editor.isVisible()
            del rig.engine.refuse["edit"]
            drawer._editor.save.click()
            await settled(window)
            assert rig.engine.asked("edit")[-1] == {"job": job["id"], "params": {"prompt": "Another", "count": 2}}
            assert drawer.history_list.isVisible()

    rig.run(scene())


def test_the_keyboard_goes_to_the_queue_and_back_with_esc(rig):
    async def scene():
        async with rig.window() as window:
            window.activateWindow()
            await until(window.isActiveWindow)
            rig.engine.announce("j0", "queued")
            QTest.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
            await until(window.drawer.waiting_list.view.hasFocus)
            QTest.keyClick(window.drawer.waiting_list.view, Qt.Key.Key_Escape)
            assert not window.drawer.isVisible()
            assert window.host.current.seen[-1] != "cancel", "Esc belonged to the drawer"
            assert window.isAncestorOf(QApplication.focusWidget())

    rig.run(scene())


def test_a_job_is_duplicated_with_changes_and_history_is_cleared_on_a_second_click(rig):
    async def scene():
        async with rig.window() as window:
            rig.engine.announce("old", "failed", error={"title": "It failed"})
            window.deeds.toggle_queue()
            drawer = window.drawer
            await until(lambda: drawer.history.rowCount() == 1)
            drawer.history_list.view.setCurrentIndex(drawer.history.index(0))
            drawer.history_list._buttons["retry"].click()
            await until(lambda: rig.engine.asked("retry") == [{"job": "old"}])
            await settled(window)
            drawer.history_list.view.setCurrentIndex(drawer.history.index(0))
            drawer.history_list._buttons["vary"].click()
            drawer._editor._form.set_value({"prompt": "New", "count": 3})
            drawer._editor.save.click()
            await until(lambda: rig.engine.asked("duplicate"))
            assert rig.engine.asked("duplicate") == [{"job": "old", "params": {"prompt": "New", "count": 3}}]
            await settled(window)
            drawer.clear.click()
            assert not rig.engine.asked("forget")
            rig.engine.jobs.clear()
            drawer.clear.click()
            await settled(window)
            assert drawer.clear.text() == "Clear history"

    rig.run(scene())


def test_a_drag_in_the_list_asks_the_engine_to_move(rig):
    async def scene():
        async with rig.window() as window:
            for i in range(4):
                rig.engine.announce(f"j{i}", "queued")
            window.deeds.toggle_queue()
            drawer = window.drawer
            await until(lambda: drawer.waiting.rowCount() == 4)
            model, root, move = drawer.waiting, QModelIndex(), Qt.DropAction.MoveAction
            assert model.canDropMimeData(model.mimeData([model.index(0)]), move, 3, 0, root)
            assert not drawer.history.canDropMimeData(model.mimeData([model.index(0)]), move, 3, 0, root)
            assert model.moveRow(root, 0, root, 3), "what a list view does with a drop between two rows"
            await until(lambda: rig.engine.asked("move") == [{"job": "j0", "before": "j3"}])

    rig.run(scene())


def test_undo_and_redo_reach_what_panels_pushed(rig):
    async def scene():
        async with rig.window() as window:
            done = []
            window.host.current.session.undo.push("x", lambda: done.append("undo"), lambda: done.append("redo"))
            window.deeds.undo()
            window.deeds.redo()
            window.deeds.undo()
            assert done == ["undo", "redo", "undo"]
            await asyncio.sleep(0)

    rig.run(scene())
