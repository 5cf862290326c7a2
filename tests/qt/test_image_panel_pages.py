"""In front of the results: one picture large with its steps, a branch from one of them, two pictures compared."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.qt.image_panel_rig import asked, card, painted, panel, session, show, started  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn

pytestmark = pytest.mark.qt


def opened(panel, job: str, number: int = 0):  # noqa: F811
    panel.deeds.act("view", job, number)
    return panel.ui.viewer


def test_enter_opens_a_picture_large_and_escape_goes_back_to_it(session, panel, qtbot):  # noqa: F811
    job = painted(session, panel, 2)
    tile = card(panel, job).tile(1)
    tile.setFocus()
    qtbot.keyClick(tile, Qt.Key.Key_Return)
    viewer = panel.ui.viewer
    assert viewer.isVisible() and viewer.view.hasFocus() and "Picture 2 of 2" in viewer.words.text()
    qtbot.waitUntil(lambda: viewer.view.content().width() == 64)
    assert panel.cancel_current() and not viewer.isVisible() and card(panel, job).tile(1).hasFocus()
    assert not session.called("cancel")


def test_arrows_go_through_all_pictures_of_all_batches(session, panel, qtbot):  # noqa: F811
    older = painted(session, panel, 1)
    newer = painted(session, panel, 2)
    viewer = opened(panel, newer)
    places = [(viewer.batch, viewer.number)]
    for _ in range(3):
        qtbot.keyClick(viewer.view, Qt.Key.Key_Right)
        places.append((viewer.batch, viewer.number))
    assert places == [(newer, 0), (newer, 1), (older, 0), (older, 0)]
    qtbot.keyClick(viewer.view, Qt.Key.Key_Left)
    assert (viewer.batch, viewer.number) == (newer, 1)


def test_zoom_by_keys_and_wheel(session, panel, qtbot):  # noqa: F811
    viewer = opened(panel, painted(session, panel))
    qtbot.waitUntil(lambda: viewer.view.content().width() == 64)
    fitted = viewer.view.zoom()
    qtbot.keyClick(viewer.view, Qt.Key.Key_Plus)
    assert viewer.view.zoom() > fitted
    qtbot.keyClick(viewer.view, Qt.Key.Key_1)
    assert viewer.view.zoom() == 1.0 and viewer.zoom.text() == "100%"
    qtbot.keyClick(viewer.view, Qt.Key.Key_0)
    assert viewer.view.zoom() == fitted


def test_the_scrubber_shows_the_picture_after_each_step(session, panel, qtbot):  # noqa: F811
    job = painted(session, panel)
    for step in (5, 10, 15):
        session.keep_step(job, 0, step)
    viewer = opened(panel, job)
    assert viewer.scrubber.isVisible() and viewer.scrubber.words.text() == "Result"
    QTest.keyClick(viewer.scrubber.slider, Qt.Key.Key_Left)
    assert viewer.scrubber.words.text() == "After step 15" and viewer.scrubber.step().number == 15
    viewer.scrubber.choose(5)
    qtbot.waitUntil(lambda: str(viewer._shown).endswith("0-5.jpg"))
    viewer.scrubber.choose_end()
    qtbot.waitUntil(lambda: str(viewer._shown).endswith(".png"))


def test_without_steps_there_is_no_scrubber_and_a_branch_says_why(session, panel):  # noqa: F811
    job = painted(session, panel)
    viewer = opened(panel, job)
    assert not viewer.scrubber.isVisible()
    panel.deeds.act("branch", job, 0)
    assert not viewer.sheet.isVisible() and "no steps" in session.notices[-1][0]


def test_branch_goes_on_from_a_step_with_other_words(session, panel, qtbot):  # noqa: F811
    panel.desk.put({"prompt": "a red apple", "seed": 9, "steps": 20, "count": 2})
    job = painted(session, panel, 2)
    paths = [session.keep_step(job, 1, step) for step in (5, 10, 15)]
    panel.deeds.act("branch", job, 1)
    sheet = panel.ui.viewer.sheet
    assert sheet.isVisible() and sheet.prompt.value() == "a red apple" and not panel.ui.foot.isVisible()
    assert sheet.go.text() == "Go on from step 10"
    sheet.prompt.set_value("a green apple")
    sheet.rows["sampler"].control.set_value("ddim")
    sheet.rows["guidance"].control.set_value(7.5)
    panel.generate()
    call = asked(session)
    assert call["operation"] == "image.generate" and call["parents"] == [f"{job}-2"]
    params = call["params"]
    assert params["start_latents"] == str(paths[1]) and params["prompt"] == "a green apple"
    assert (params["seed"], params["count"], params["steps"]) == (10, 1, 20)
    assert (params["sampler"], params["guidance"]) == ("ddim", 7.5)
    assert not panel.ui.viewer.isVisible() and panel.ui.foot.isVisible()


def asked_for(session, operation: str, **params: Any) -> str:  # noqa: F811
    """A finished job of another operation of this panel."""
    request = {"operation": operation, "params": params, "origin": "image.panel"}
    session.engine.do_submit("other", **request)
    session.engine.start("other")
    session.engine.running("other")
    session.finish("other")
    return "other"


def test_a_branch_of_a_repainting_keeps_picture_mask_and_blend(session, panel):  # noqa: F811
    job = asked_for(session, "image.inpaint", picture="/p.png", mask="/m.png", prompt="{a|b} fox", expanded=["a fox"],
                    grow=7, feather=3, context=9, steps=20, seed=4)  # fmt: skip
    latents = session.keep_step(job, 0, 8)
    panel.deeds.act("branch", job, 0)
    assert panel.ui.viewer.sheet.prompt.value() == "a fox"
    panel.generate()
    call = asked(session)
    assert (call["operation"], call["params"]["start_latents"]) == ("image.inpaint", str(latents))
    kept = {"picture": "/p.png", "mask": "/m.png", "grow": 7, "feather": 3, "context": 9, "seed": 4}
    assert {name: call["params"][name] for name in kept} == kept
    assert (call["params"]["prompt"], call["params"]["expanded"]) == ("{a|b} fox", ["a fox"]), "its words are the same"


def test_a_branch_of_an_enlargement_keeps_the_tiles_that_are_painted(session, panel, qtbot):  # noqa: F811
    job = asked_for(session, "image.upscale", picture="/p.png", prompt="a fox", scale=2, refine=0.4, seed=4)
    tiles = [session.keep_tile(job, tile, preview=tile != 2) for tile in (1, 2, 3)]
    panel.deeds.act("branch", job, 0)
    viewer, sheet = panel.ui.viewer, panel.ui.viewer.sheet
    assert sheet.go.text() == "Go on from tile 2" and viewer.scrubber.words.text() == "After tile 2"
    qtbot.waitUntil(lambda: str(viewer._shown).endswith("0-1.jpg"))  # of the second one no picture was made
    sheet.prompt.set_value("a ship")
    panel.generate()
    call = asked(session)
    assert (call["operation"], call["params"]["prompt"]) == ("image.upscale", "a ship")
    assert [tile["picture"] for tile in call["params"]["painted"]] == tiles[:2]
    Path(tiles[0]).unlink()
    panel.deeds.act("branch", job, 0)
    viewer.scrubber.choose(3)
    assert not sheet.go.isEnabled(), "the first one is missing"


def test_a_running_picture_can_be_branched_and_new_steps_join_the_scrubber(session, panel):  # noqa: F811
    job = started(session, panel, 2)
    session.paint(job, 5, 20, 2)
    session.keep_step(job, 0, 5)
    viewer = opened(panel, job)
    assert viewer.scrubber.words.text() == "Now"
    panel.deeds.act("branch", job, 0)
    assert viewer.scrubber.step().number == 5 and viewer.sheet.go.isEnabled()
    session.keep_step(job, 0, 10)
    session.paint(job, 10, 20, 2)
    assert viewer.scrubber.slider.maximum() == 2 and viewer.scrubber.step().number == 5
    assert panel.cancel_current() and not viewer.sheet.isVisible() and viewer.isVisible()


def test_only_the_picture_of_a_step_is_nothing_to_go_on_from(session, panel):  # noqa: F811
    job = painted(session, panel)
    session.keep_step(job, 0, 5).unlink()
    panel.deeds.act("branch", job, 0)
    sheet = panel.ui.viewer.sheet
    panel.ui.viewer.scrubber.choose(5)
    assert not sheet.go.isEnabled() and "only the picture" in sheet.why.text()


def test_deleting_in_the_viewer_goes_to_the_next_picture(session, panel):  # noqa: F811
    job = painted(session, panel, 3)
    viewer = opened(panel, job, 1)
    viewer.asked.emit("delete", job, 1)
    assert viewer.number == 2 and session.called("library.trash") == [{"ids": [f"{job}-2"]}]


def test_compare_lays_a_result_over_its_input_or_over_a_second_one(session, panel, qtbot, tmp_path: Path):  # noqa: F811
    path = tmp_path / "before.png"
    drawn(1, 48).save(str(path))
    panel.settings.use_picture(str(path))
    job = painted(session, panel)
    panel.deeds.act("compare", job, 0)
    slider = panel.ui.compare.slider
    qtbot.waitUntil(lambda: slider.content().width() == 64 and panel.ui.compare._images[0] is not None)
    assert panel.ui.compare.isVisible() and panel.cancel_current() and not panel.ui.compare.isVisible()
    panel.settings.choose_mode("create")
    one, two = painted(session, panel), painted(session, panel)
    panel.deeds.act("compare", one, 0)
    assert "second picture" in panel.ui.taken.title.text() and not panel.ui.compare.isVisible()
    panel.deeds.act("compare", two, 0)
    assert panel.ui.compare.isVisible()
