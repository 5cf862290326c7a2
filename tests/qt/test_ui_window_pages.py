"""The window's own pages, theme and notices, and what it says when it is closed over work."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.qt.ui_rig import settled, titles, two_panels, until

pytestmark = pytest.mark.qt
rig = pytest.fixture(two_panels)


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
