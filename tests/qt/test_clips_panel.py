"""The video panel against an engine that makes what the test wants: stops, modes, clips that play, what is done with
them."""

import json
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton

from plugins.image.ui_clips_export import Order, save
from studio.errors import StudioError
from studio.sdk.artifact import Recipe
from tests.films import FILMS, film
from tests.qt.clips_rig import ClipSession, clip, preview, which
from tests.qt.image_panel_rig import asked, begun, panel, session_of, show  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn

pytestmark = pytest.mark.qt


@pytest.fixture
def session(qapp, tmp_path: Path):
    return session_of(ClipSession, tmp_path)


def filmed(session, panel, **more) -> str:  # noqa: F811
    job = begun(session, panel)
    session.film(job, **more)
    panel.ui.grid.fresh.flush()
    return job


def tile(panel, job):  # noqa: F811
    panel.ui.grid.fresh.flush()
    return panel.ui.grid.card(job).tile(0)


# stops -----------------------------------------------------------------------------------------------


def test_a_travel_is_asked_for_with_its_stops(panel, session, qtbot):  # noqa: F811
    first, second = panel.ui.stops.cards
    first.text.setPlainText("red apple")
    second.text.setPlainText("blue car")
    second.seed.clear()
    qtbot.keyClicks(second.seed, "7")
    first.frames.setText("")
    qtbot.keyClicks(first.frames, "5")
    qtbot.keyClick(first.frames, Qt.Key.Key_Down)
    panel.generate()
    told = asked(session)
    assert told["operation"] == "image.travel" and told["title"] == "red apple → blue car"
    assert told["params"]["stops"] == [
        {"prompt": "red apple", "seed": None, "frames": 4},
        {"prompt": "blue car", "seed": 7, "frames": 12},
    ]
    assert "prompt" not in told["params"] and "picture" not in told["params"]


def test_stops_are_added_moved_doubled_and_removed_and_all_that_can_be_undone(panel, session):  # noqa: F811
    stops = panel.ui.stops
    stops.set_value([{"prompt": "a"}, {"prompt": "b"}])
    panel.desk.put({"stops": stops.value()})
    before = [stop["prompt"] for stop in stops.value()]
    stops.add.click()
    stops.cards[2].text.setPlainText("c")
    stops.cards[2].buttons["left"].click()
    assert [stop["prompt"] for stop in stops.value()] == ["a", "c", "b"]
    stops.cards[0].buttons["copy"].click()
    stops.cards[1].buttons["remove"].click()
    assert [stop["prompt"] for stop in stops.value()] == ["a", "c", "b"]
    while session.undo.undo():
        pass
    assert [stop["prompt"] for stop in stops.value()] == before


def test_two_stops_stay_and_a_loop_says_where_the_last_one_leads(panel):  # noqa: F811
    cards = panel.ui.stops.cards
    assert not cards[0].buttons["remove"].isEnabled()
    assert cards[0].way.text() == "to 2 in" and cards[1].frames.isHidden()
    panel.desk.put({"loop": True})
    assert cards[1].way.text() == "to 1 in" and not cards[1].frames.isHidden()


def test_ctrl_return_in_a_stop_makes_the_clip(panel, session, qtbot):  # noqa: F811
    qtbot.keyClick(panel.ui.stops.cards[0].text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert asked(session)["operation"] == "image.travel"


# modes -----------------------------------------------------------------------------------------------


def test_words_make_a_clip_with_their_own_models(panel, session):  # noqa: F811
    panel.settings.choose_mode("words")
    assert panel.ui.prompt.isVisible() and not panel.ui.stops.isVisible()
    panel.ui.prompt.set_value("a fox runs")
    panel.generate()
    told = asked(session)
    assert (told["operation"], told["params"]["prompt"]) == ("image.clip", "a fox runs")
    assert "stops" not in told["params"]


def test_without_a_video_model_it_is_said_what_to_do(panel):  # noqa: F811
    assert not panel.ui.cannot.isVisible()
    panel.settings.choose_mode("words")
    assert panel.ui.cannot.isVisible() and "no video model" in panel.ui.cannot.text()


def test_a_clip_from_a_picture_wants_one(panel, session, tmp_path):  # noqa: F811
    panel.settings.choose_mode("picture")
    panel.generate()
    assert not session.called("submit")
    assert panel.ui.forms.current.problems()["picture"]
    drawn(1).save(str(tmp_path / "a.png"))
    panel.use_file(tmp_path / "a.png")
    panel.generate()
    assert asked(session)["operation"] == "image.animate"
    assert asked(session)["params"]["picture"] == str(tmp_path / "a.png")


# clips -----------------------------------------------------------------------------------------------


def test_a_preview_moves_while_the_clip_is_made(panel, session, qtbot):  # noqa: F811
    job = begun(session, panel)
    session.engine.progress(job, done=1, total=4, rate=2.0, unit="it")
    session.show_frames(job, [preview()])
    shown = tile(panel, job)
    first = shown.preview.image()
    assert first is not None
    qtbot.waitUntil(lambda: shown.preview.image() is not first)


def test_a_clip_plays_in_its_tile_and_stops_when_it_is_left(panel, session, qtbot):  # noqa: F811
    job = filmed(session, panel)
    shown = tile(panel, job)
    qtbot.waitUntil(lambda: shown.pixmap() is not None)
    assert which(shown.pixmap().toImage().pixelColor(2, 2).getRgb()) == 0
    qtbot.keyClick(shown, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: shown.playback.number >= 2)
    qtbot.keyClick(shown, Qt.Key.Key_Space)
    assert not shown.is_playing and shown.playback.frames is None


def test_a_clip_is_large_with_enter_and_the_frame_on_show_becomes_a_picture(panel, session, qtbot):  # noqa: F811
    job = filmed(session, panel)
    qtbot.keyClick(tile(panel, job), Qt.Key.Key_Return)
    player = panel.ui.page.player
    qtbot.waitUntil(lambda: player.playback.count == 6 and not player.frame().isNull())
    player.playback.play(False)
    player.playback.go_to(3)
    qtbot.waitUntil(lambda: which(player.frame().pixelColor(5, 5).getRgb()) == 3)
    panel.deeds.act("input", job, 0)
    ((place, payload),) = session.opened
    assert place == "image.panel" and Path(payload["use"]).name == "red-apple-green-apple-frame-4.png"
    with Image.open(payload["use"]) as picture:
        assert picture.size == (64, 48) and which(picture.convert("RGB").getpixel((5, 5))) == 3
    assert panel.cancel_current() and not panel.ui.large
    assert player.playback.frames is None


def test_a_clip_goes_on_from_its_last_frame(panel, session, qtbot):  # noqa: F811
    job = filmed(session, panel)
    panel.deeds.act("animate", job, 0)
    qtbot.waitUntil(lambda: panel.ui.forms.mode.id == "picture")
    taken = session.input_path(panel.desk.values()["picture"])
    assert taken.name == "red-apple-green-apple-last-frame.png"
    with Image.open(taken) as picture:
        assert which(picture.convert("RGB").getpixel((5, 5))) == 5


@pytest.mark.parametrize("name", ["h264.mp4", "web.webm"])
def test_a_dropped_film_that_has_no_decoder_says_so_and_what_to_do(name, panel, session, qtbot, tmp_path):  # noqa: F811
    path, before = film(tmp_path, name), panel.desk.values()
    assert panel.accepts_file(path)
    panel.drop_file(path)
    taken = panel.ui.taken
    qtbot.waitUntil(lambda: taken.isVisible())
    assert taken.title.text() == f"{name} cannot be used" and taken.property("notice") == "error"
    assert f"coded as {FILMS[name][1]}" in taken.detail.text() and "AV1" in taken.detail.text()
    assert panel.desk.values() == before


def test_a_dropped_film_of_another_program_that_can_be_read_is_gone_on_from(panel, session, qtbot, tmp_path):  # noqa: F811
    panel.drop_file(clip(tmp_path / "holiday.mp4"))
    qtbot.waitUntil(lambda: panel.ui.taken.isVisible())
    assert panel.ui.taken.title.text() == "The next clip goes on from the last frame of holiday.mp4"
    taken = session.input_path(panel.desk.values()["picture"])
    with Image.open(taken) as picture:
        assert taken.name == "holiday-last-frame.png" and which(picture.convert("RGB").getpixel((5, 5))) == 5


def test_what_is_said_of_a_clip_when_it_is_done_and_when_it_was_stopped(panel, session):  # noqa: F811
    job = filmed(session, panel)
    assert panel.ui.grid.card(job).state.text() == "6 frames · 12 a second · 0.5 s long · made in 1.5 s"
    job = begun(session, panel)
    session.film(job, count=3, state="cancelled")
    session.engine.announce(job, facts={"frames": 3, "fps": 12, "frames_asked": 13})
    panel.ui.grid.fresh.flush()
    assert panel.ui.grid.card(job).state.text() == "Stopped · 3 of 13 frames · 12 a second · 0.2 s long"


def test_vary_asks_for_the_same_with_another_seed(panel, session):  # noqa: F811
    panel.desk.put({"seed": 5})
    job = filmed(session, panel)
    before = session.engine.jobs[job]["params"]
    panel.deeds.act("vary", job, 0)
    after = session.engine.jobs[asked(session)["job"]]["params"]
    assert after["seed"] != 5 and {**after, "seed": 5} == before


def test_settings_recipe_and_delete(panel, session):  # noqa: F811
    panel.desk.put({"seed": 5, "stops": [{"prompt": "x"}, {"prompt": "y"}]})
    job = filmed(session, panel)
    panel.desk.put({"seed": 6, "stops": [{"prompt": "p"}, {"prompt": "q"}]})
    panel.deeds.act("settings", job, 0)
    values = panel.desk.values()
    assert values["seed"] == 5 and [stop["prompt"] for stop in values["stops"]] == ["x", "y"]
    panel.deeds.act("recipe", job, 0)
    assert json.loads(QGuiApplication.clipboard().text())["operation"] == "image.travel"
    panel.deeds.act("delete", job, 0)
    assert session.engine.items[f"{job}-1"]["trashed"] and not panel.batches.newest_first()
    session.undo.undo()
    assert not session.engine.items[f"{job}-1"]["trashed"] and panel.batches.newest_first()


def test_a_dropped_clip_brings_back_its_settings_and_itself(panel, session, tmp_path):  # noqa: F811
    path = clip(tmp_path / "elsewhere.mp4")
    stops = [{"prompt": "one", "frames": 3}, {"prompt": "two", "seed": 4}]
    recipe = Recipe(
        operation="image.travel", params={"stops": stops, "seed": 9, "fps": 8}, job="gone", artifact="gone-1"
    )
    assert panel.accepts(recipe)
    panel.restore(recipe, path)
    values = panel.desk.values()
    assert (values["seed"], values["fps"]) == (9, 8)
    assert values["stops"][0] == {"prompt": "one", "seed": None, "frames": 3}
    assert panel.batches.get("gone").pictures[0].path == str(path)


def test_a_draft_brings_everything_back(panel, session, qtbot):  # noqa: F811
    panel.settings.choose_mode("words")
    panel.ui.prompt.set_value("waves")
    panel.desk.put({"stops": [{"prompt": "u"}, {"prompt": "v"}, {"prompt": "w"}], "fps": 9})
    draft = json.loads(json.dumps(panel.draft()))
    other = show(session, qtbot, draft)
    assert other.ui.forms.mode.id == "words" and other.ui.prompt.value() == "waves"
    assert [stop["prompt"] for stop in other.ui.stops.value()] == ["u", "v", "w"]
    assert other.desk.values()["fps"] == 9


def test_a_refused_travel_says_why_where_the_clip_would_be(panel, session):  # noqa: F811
    session.engine.refuse = StudioError("No", "because", code="x")
    panel.generate()
    assert panel.batches.newest_first()[0].error["title"] == "No"


def test_a_file_that_is_gone_says_so(panel, session):  # noqa: F811
    job = filmed(session, panel)
    Path(session.engine.items[f"{job}-1"]["path"]).unlink()
    session.engine.emit("library", changed=[f"{job}-1"], removed=[])
    assert panel.batches.get(job).pictures[0].gone == "The file is gone"
    assert "view" not in tile(panel, job).offered()


# saving ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif", ".png"])
def test_a_clip_is_saved_as_what_the_ending_says(suffix, tmp_path):
    source = clip(tmp_path / "a.mp4")
    said = save(Order(source, tmp_path / f"b{suffix}"))
    if suffix == ".png":
        names = sorted(path.name for path in tmp_path.glob("b*.png"))
        assert names == [f"b-{number:04}.png" for number in range(1, 7)] and said.startswith("6 pictures")
        return
    from plugins.image import containers

    count, size, fps = containers.facts(tmp_path / f"b{suffix}")
    assert (count, size) == (6, (64, 48)) and fps == pytest.approx(12, rel=0.06)


def test_an_ending_that_means_nothing_is_refused(tmp_path):
    with pytest.raises(StudioError, match="cannot be saved"):
        save(Order(clip(tmp_path / "a.mp4"), tmp_path / "b.doc"))


def test_the_dialog_holds_nothing_up_and_saves(panel, session, qtbot, tmp_path):  # noqa: F811
    job = filmed(session, panel)
    panel.deeds.act("export", job, 0)
    dialog = panel.export.dialog
    assert dialog is not None and dialog.isVisible()
    dialog.filterSelected.emit("Animated GIF (*.gif)")
    assert dialog.selectedFiles()[0].endswith(f"{job}-1.gif")
    dialog.fileSelected.emit(str(tmp_path / "out.webp"))
    qtbot.waitUntil(lambda: bool(session.notices))
    assert session.notices[0][0] == "The clip was saved" and (tmp_path / "out.webp").stat().st_size > 100
    dialog.reject()


def test_every_button_has_a_name_and_help(panel, session, qtbot):  # noqa: F811
    job = filmed(session, panel)
    panel.view(job, 0)
    unnamed = [b for b in panel.findChildren(QToolButton) if b.isVisible() and not (b.accessibleName() or b.text())]
    assert unnamed == []
