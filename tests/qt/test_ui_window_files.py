"""Files on the window: dropped, brought by a second start, given from panel to panel."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from tests.qt.ui_rig import settled, titles, two_panels, until

pytestmark = pytest.mark.qt
rig = pytest.fixture(two_panels)


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
