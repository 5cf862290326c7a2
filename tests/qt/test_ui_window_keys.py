"""The window's keys: panels, deeds, fields that want their own, the palette, undo."""

import asyncio

import pytest
from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from studio.kit.action import Action
from tests.qt.ui_rig import two_panels, until

pytestmark = pytest.mark.qt
rig = pytest.fixture(two_panels)


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
