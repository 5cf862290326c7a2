"""The drawer in the window: shown, held, moved, edited, cleared."""

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.errors import StudioError
from tests.qt.ui_rig import settled, two_panels, until

pytestmark = pytest.mark.qt
rig = pytest.fixture(two_panels)


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
