"""The image panel against an engine that paints what the test wants: ask, watch, steer, keep, vary, branch, delete."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton

from studio.errors import StudioError
from tests.qt.image_panel_rig import asked, card, painted, panel, session, settle, show, started  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn, encoded

pytestmark = pytest.mark.qt


def press(panel, job: str, number: int, action: str, qtbot) -> None:  # noqa: F811
    """A button that lies on a picture."""
    tile = card(panel, job).tile(number)
    tile.setFocus()
    buttons = [b for b in tile.findChildren(QToolButton) if b.property("action") == action and b.isVisibleTo(tile)]
    qtbot.mouseClick(buttons[-1], Qt.MouseButton.LeftButton)


def test_first_start_has_an_example_that_one_button_paints(session, panel, qtbot):  # noqa: F811
    assert panel.ui.prompt.value() == "red apple" and panel.ui.empty.isVisible()
    qtbot.mouseClick(panel.ui.empty.button, Qt.MouseButton.LeftButton)
    call = asked(session)
    assert call["operation"] == "image.generate" and call["params"]["prompt"] == "red apple"
    assert call["origin"] == "image.panel" and panel.ui.grid.isVisible()


def test_a_waiting_batch_takes_no_room_and_a_running_one_shows_every_picture(session, panel):  # noqa: F811
    panel.desk.put({"count": 3})
    panel.generate()
    job = asked(session)["job"]
    assert not card(panel, job).tiles and card(panel, job).state.text() == "Waiting in the queue"
    session.engine.start(job)
    session.engine.running(job)
    assert len(card(panel, job).tiles) == 3
    session.paint(job, 14, 30, 3, rate=2.0)
    assert card(panel, job).state.text() == "Step 14 of 30 · 2.0 it/s · 0:08 left"
    assert all(tile.pixmap() is not None for tile in card(panel, job).tiles.values())


def test_a_frame_that_is_empty_leaves_the_picture_as_it_was(session, panel):  # noqa: F811
    job = started(session, panel, 2)
    first = encoded(drawn(0))
    session.show_frames(job, [first, b""])
    session.show_frames(job, [b"", encoded(drawn(1))])
    assert [bool(picture.frame) for picture in panel.batches.get(job).pictures] == [True, True]
    assert panel.batches.get(job).pictures[0].frame == first


def test_the_preview_stays_until_the_file_was_read(session, panel, qtbot):  # noqa: F811
    job = started(session, panel)
    session.paint(job, 29, 30)
    tile = card(panel, job).tile(0)
    before = tile.pixmap()
    session.finish(job, side=400)
    settle(panel)
    assert card(panel, job).tile(0) is tile and before is not None and tile.pixmap() is not None
    qtbot.waitUntil(lambda: tile.pixmap().width() > 64)


def test_more_frames_than_asked_for_are_more_pictures(session, panel):  # noqa: F811
    """A prompt of which every combination is painted."""
    job = started(session, panel, 1)
    session.paint(job, 1, 30, 6)
    assert len(card(panel, job).tiles) == 6


def test_each_picture_can_be_stopped_dropped_and_saved_while_it_runs(session, panel, qtbot):  # noqa: F811
    session.engine.do_steer = lambda job, data: {}
    job = started(session, panel, 3)
    session.paint(job, 3, 30, 3)
    press(panel, job, 0, "stop_one", qtbot)
    press(panel, job, 1, "drop", qtbot)
    press(panel, job, 2, "save", qtbot)
    assert [call["data"] for call in session.called("steer")] == [
        {"item": 0, "do": "stop"},
        {"item": 1, "do": "drop"},
        {"item": 2, "do": "save"},
    ]
    assert panel.batches.get(job).pictures[0].asked == "stop"
    assert card(panel, job).tile(0).accessibleDescription() == "Stopping"


def on_show(panel, job: str) -> list[tuple[int, str, bool]]:  # noqa: F811
    """Of each tile from left to right: its picture of the batch, its file, and whether it can still be stopped."""
    tiles = card(panel, job).tiles.values()
    return [(tile._picture.item, Path(tile._picture.path).stem, "stop_one" in tile.offered()) for tile in tiles]


def test_what_is_saved_while_the_batch_goes_on_is_on_show_at_once_also_in_a_window_that_comes_later(
    session, panel, qtbot  # noqa: F811
):
    session.engine.do_steer = lambda job, data: {}
    job = started(session, panel, 3)
    session.paint(job, 3, 30, 3)
    press(panel, job, 1, "stop_one", qtbot)
    stopped = session.save(job, 1, 3, prompt="a green apple")
    copied = session.save(job, 2, 3, went_on=True)
    growing = [(0, "", True), (1, stopped, False), (2, "", True), (2, copied, False)]
    assert on_show(panel, job) == growing
    tile = card(panel, job).tile(1)
    assert tile.accessibleDescription().startswith("Enter shows it large") and "delete" in tile.offered()
    assert "keep" not in tile.offered(), "the others are not there yet"
    settings = panel.deeds.settings(panel.batches.get(job), tile._picture)
    first_seed = session.engine.jobs[job]["params"]["seed"]
    assert (settings["expanded"], settings["seed"]) == (["a green apple"], first_seed + 1)
    qtbot.waitUntil(lambda: tile.pixmap() is not None and tile.pixmap().width() == 64)
    session.paint(job, 4, 30, 3)
    assert on_show(panel, job) == growing
    later = show(session, qtbot)
    assert on_show(later, job) == growing
    made = session.finish(job, 3)
    for each in (panel, later):
        assert on_show(each, job) == [
            (0, made[2], False), (1, stopped, False), (2, copied, False), (2, made[3], False)
        ]  # fmt: skip


def test_escape_stops_the_job_and_keeps_what_is_there(session, panel):  # noqa: F811
    job = started(session, panel, 2)
    assert panel.cancel_current() and session.called("cancel") == [{"job": job}]
    session.finish(job, 1, state="cancelled")
    assert card(panel, job).state.text() == "Stopped · 1 picture · 25 steps" and len(card(panel, job).tiles) == 1
    assert not panel.cancel_current()


def test_newest_on_top_and_a_scrolled_view_stays_where_it_is(session, panel, qtbot):  # noqa: F811
    for _ in range(6):
        painted(session, panel)
    newest = asked(session)["job"]
    settle(panel)
    assert panel.batches.newest_first()[0].id == newest and panel.ui.grid.verticalScrollBar().value() == 0
    bar = panel.ui.grid.verticalScrollBar()
    bar.setValue(500)
    settle(panel)
    id, offset = panel.ui.grid._anchor()
    other = session.engine
    other.do_submit("other", "image.generate", {"prompt": "elsewhere"}, origin="image.panel")
    settle(panel)
    assert panel.ui.grid._anchor() == (id, offset) and bar.value() > 500


def test_use_these_settings_takes_the_pictures_own_seed(session, panel, qtbot):  # noqa: F811
    panel.desk.put({"seed": 70, "count": 4, "prompt": "a cat"})
    job = painted(session, panel, 4)
    panel.desk.put({"prompt": "other", "seed": None})
    panel.deeds.act("settings", job, 2)
    values = panel.desk.values()
    assert values["seed"] == 72 and values["prompt"] == "a cat" and values["count"] == 1
    session.undo.undo()
    assert panel.desk.values()["prompt"] == "other"
    panel.deeds.act("lock", job, 3)
    assert panel.desk.values()["seed"] == 73 and panel.desk.values()["prompt"] == "other"


def test_vary_leans_away_from_the_pictures_own_seed(session, panel):  # noqa: F811
    panel.desk.put({"seed": 70})
    job = painted(session, panel, 2)
    panel.deeds.act("vary", job, 1)
    params = asked(session)["params"]
    assert params["seed"] == 71 and params["variation"] > 0 and params["variation_seed"] is not None
    assert asked(session)["parents"] == [f"{job}-2"]


def test_more_like_this_draws_new_seeds_and_again_the_same(session, panel):  # noqa: F811
    job = painted(session, panel)
    seed = panel.batches.get(job).seed
    panel.deeds.act("again", job, -1)
    assert asked(session)["params"]["seed"] == seed
    panel.deeds.act("more", job, -1)
    assert asked(session)["params"]["seed"] is None


def test_keep_only_this_moves_the_others_to_the_trash_and_undo_brings_them_back(session, panel):  # noqa: F811
    job = painted(session, panel, 3)
    panel.deeds.act("keep", job, 1)
    assert session.called("library.trash") == [{"ids": [f"{job}-1", f"{job}-3"]}]
    assert [picture.number for picture in panel.batches.get(job).shown] == [1]
    session.undo.undo()
    assert session.called("library.restore") == [{"ids": [f"{job}-1", f"{job}-3"]}]
    assert len(card(panel, job).tiles) == 3


def test_deleting_every_picture_takes_the_batch_away_and_a_restart_keeps_it_away(session, panel, qtbot):  # noqa: F811
    job = painted(session, panel)
    tile = card(panel, job).tile(0)
    tile.setFocus()
    qtbot.keyClick(tile, Qt.Key.Key_Delete)
    assert not panel.batches.newest_first() and panel.ui.empty.isVisible()
    again = show(session, qtbot, json.loads(json.dumps(panel.draft())))
    assert not again.batches.newest_first()


def test_a_refused_request_says_why_where_the_pictures_would_be(session, panel):  # noqa: F811
    session.engine.refuse = StudioError("This does not fit", "It needs 30 GB.", "Choose a smaller size.", code="memory")
    panel.generate()
    (batch,) = panel.batches.newest_first()
    shown = card(panel, batch.id)
    assert shown._error.title.text() == "This does not fit" and batch.operation == "image.generate"
    session.engine.refuse = None
    panel.deeds.act("retry", batch.id, -1)
    assert asked(session)["operation"] == "image.generate" and len(panel.batches.newest_first()) == 1


def test_a_failed_job_shows_its_error_and_what_was_saved(session, panel):  # noqa: F811
    job = started(session, panel, 2)
    session.engine.fail(job, title="The model is broken", detail="3 keys are missing.", hint="", code="model")
    assert "3 keys" in card(panel, job)._error.detail.text() and not card(panel, job).tiles
    assert not card(panel, job).state.text().startswith("0")


def test_a_file_that_is_gone_is_said_where_the_picture_was(session, panel):  # noqa: F811
    job = painted(session, panel)
    path = Path(panel.batches.get(job).pictures[0].path)
    path.unlink()
    session.engine.emit("library", changed=[f"{job}-1"], removed=[])
    assert panel.batches.get(job).pictures[0].gone == "The file is gone"
    session.engine.do_library_trash([f"{job}-1"])
    assert panel.batches.get(job).pictures[0].gone == "In the trash"


def test_history_comes_back_with_the_panel_and_pages_of_it_as_it_is_scrolled(session, panel, qtbot):  # noqa: F811
    for at in range(230):
        session.engine.do_submit(f"old-{at}", "image.generate", {"prompt": f"p {at}"}, origin="image.panel")
        session.engine.jobs[f"old-{at}"]["state"] = "cancelled"
    again = show(session, qtbot)
    assert len(again.batches) == 200
    again.ui.grid.verticalScrollBar().setValue(again.ui.grid.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: len(again.batches) == 230)
    assert again.ui.prompt.history()[-1]


def test_copy_recipe_and_picture(session, panel):  # noqa: F811
    job = painted(session, panel)
    panel.deeds.act("recipe", job, 0)
    assert json.loads(QGuiApplication.clipboard().text())["artifact"] == f"{job}-1"
    panel.deeds.act("copy", job, 0)
    assert not QGuiApplication.clipboard().image().isNull()


def test_every_tile_is_reached_and_named_by_keyboard_alone(session, panel, qtbot):  # noqa: F811
    job = painted(session, panel, 3)
    tiles = list(card(panel, job).tiles.values())
    assert [tile.accessibleName() for tile in tiles] == ["Picture 1 of 3", "Picture 2 of 3", "Picture 3 of 3"]
    tiles[0].setFocus()
    qtbot.keyClick(tiles[0], Qt.Key.Key_Right)
    assert tiles[1].hasFocus() and panel.ui.grid.current() == (job, 1)
    qtbot.keyClick(tiles[1], Qt.Key.Key_End)
    assert tiles[2].hasFocus()
    older = painted(session, panel)
    settle(panel)
    first = card(panel, older).tile(0)
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Right)
    assert panel.ui.grid.current() == (job, 0)


def test_actions_are_those_of_the_picture_that_has_the_keyboard(session, panel):  # noqa: F811
    job = painted(session, panel, 2)
    card(panel, job).tile(1).setFocus()
    found = {action.id: action for action in panel.actions()}
    assert found["image.vary"].is_enabled and not found["image.stop_one"].is_enabled
    found["image.lock"].run()
    assert panel.desk.values()["seed"] == panel.batches.get(job).seed + 1
    assert len({action.shortcut for action in found.values() if action.shortcut}) == len(
        [action for action in found.values() if action.shortcut]
    )
