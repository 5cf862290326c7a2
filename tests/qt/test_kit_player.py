"""The player: every frame in order, stepping, ends, speed, memory that stays bounded, files that are no clips."""

from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from studio.host.discover import discover
from studio.host.loader import load_from
from studio.kit.playback import ClipFrames, Playback
from studio.kit.player import Player, place_words
from studio.kit.posters import Posters, pictures_of
from studio.kit.theme import Theme
from studio.paths import bundled
from tests.qt.clips_rig import clip, preview, which

pytestmark = pytest.mark.qt


def colour(image: QImage) -> int:
    return which(image.pixelColor(image.width() // 2, image.height() // 2).getRgb())


@pytest.fixture
def player(qtbot, tmp_path: Path):
    player = Player(Theme("light"))
    qtbot.addWidget(player)
    player.resize(400, 300)
    player.show()
    return player


def opened(player, qtbot, path, count=6):
    player.open(str(path), play=False)
    qtbot.waitUntil(lambda: player.playback.count == count and not player.frame().isNull())
    return player.playback


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_every_frame_is_shown_once_and_in_order(suffix, player, qtbot, tmp_path):
    playback = opened(player, qtbot, clip(tmp_path / f"a{suffix}", fps=100))
    playback.set_loop(False)
    shown = []
    playback.shown.connect(lambda number, image: shown.append((number, colour(image))))
    playback.play()
    qtbot.waitUntil(lambda: not playback.playing)
    assert shown == [(number, number) for number in range(1, 6)]


def test_a_loop_begins_again_and_the_end_stops_without(player, qtbot, tmp_path):
    playback = opened(player, qtbot, clip(tmp_path / "a.mp4", fps=100))
    seen = []
    playback.shown.connect(lambda number, _image: seen.append(number))
    playback.play()
    qtbot.waitUntil(lambda: seen.count(0) >= 2)
    player.loop.click()
    qtbot.waitUntil(lambda: not playback.playing)
    assert playback.number == 5
    playback.play()
    assert playback.number == 0


def test_keys_play_and_step(player, qtbot, tmp_path):
    playback = opened(player, qtbot, clip(tmp_path / "a.mp4", fps=5))
    key = lambda k: qtbot.keyClick(player.stage, k)  # noqa: E731
    key(Qt.Key.Key_Right)
    key(Qt.Key.Key_Right)
    assert playback.number == 2
    key(Qt.Key.Key_Left)
    assert playback.number == 1 and player.slider.value() == 1
    key(Qt.Key.Key_End)
    assert playback.number == 5
    key(Qt.Key.Key_Home)
    assert playback.number == 0
    key(Qt.Key.Key_Space)
    assert playback.playing and player.play.accessibleName() == "Pause"
    key(Qt.Key.Key_Space)
    assert not playback.playing


def test_the_slider_scrubs_and_says_where(player, qtbot, tmp_path):
    opened(player, qtbot, clip(tmp_path / "a.mp4", fps=2))
    player.slider.setValue(4)
    qtbot.waitUntil(lambda: colour(player.frame()) == 4)
    assert player.words.text() == "5 of 6 · 0:02.0 of 0:03.0"
    assert place_words(0, 0, 12) == ""


def test_speed_is_what_was_chosen(player, qtbot, tmp_path):
    playback = opened(player, qtbot, clip(tmp_path / "a.mp4"))
    player.speed.menu().actions()[-1].trigger()
    assert playback.speed == 4 and player.speed.text() == "4×"


def test_long_clips_stay_within_their_memory(qtbot, tmp_path):
    path = clip(tmp_path / "a.mp4", count=40, size=(64, 48))
    frames = ClipFrames(str(path), kept_bytes=10 * 64 * 48 * 4)
    frames.open()
    qtbot.waitUntil(lambda: frames.count == 40)
    for number in range(40):
        qtbot.waitUntil(lambda number=number: frames.get(number, 2) is not None)
        assert frames.kept() <= 10 * 64 * 48 * 4
        image = frames.get(number, 0)
        assert image is not None and colour(image) == number % 6


def test_what_is_no_clip_says_so(player, qtbot, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    with qtbot.waitSignal(player.playback.failed):
        player.open(str(tmp_path / "a.mp4"))
    assert player.playback.count == 0
    with qtbot.waitSignal(player.playback.failed):
        player.open(str(tmp_path / "none.mp4"))


def test_a_clip_cut_short_while_it_plays_says_so(qtbot, tmp_path):
    path = clip(tmp_path / "a.mp4", count=30)
    path.write_bytes(path.read_bytes()[:-200])
    playback = Playback()
    with qtbot.waitSignal(playback.failed):
        playback.open(str(path), play=True)


def test_closing_in_the_middle_leaves_nothing(player, qtbot, tmp_path):
    opened(player, qtbot, clip(tmp_path / "a.mp4", fps=100)).play()
    player.show_image(None, "words")
    assert player.playback.frames is None and not player.playback.playing


def test_clips_and_posters_that_go_while_they_are_read_do_no_harm(qtbot, tmp_path):
    path, ended = clip(tmp_path / "a.mp4", count=20, fps=200), []
    for turn in range(60):
        playback, posters = Playback(), Posters()
        posters.load(path, QSize(32, 32), lambda _image, _problem: None)
        playback.open(str(path), play=True)
        qtbot.wait(turn % 7)
        playback.close()
        posters.deleteLater()
    last = Posters()
    last.load(path, QSize(32, 32), lambda image, _problem: ended.append(image))
    qtbot.waitUntil(lambda: bool(ended))
    assert not ended[0].isNull()


def test_posters_are_first_frames_and_one_frame_can_be_had(qtbot, tmp_path):
    path, found = clip(tmp_path / "a.mp4"), {}
    posters = Posters()
    posters.load(path, QSize(32, 32), lambda image, problem: found.update(first=(image, problem)))
    posters.load_frame(path, -1, lambda image, problem: found.update(last=(image, problem)))
    posters.load(tmp_path / "no.mp4", QSize(32, 32), lambda image, problem: found.update(none=(image, problem)))
    qtbot.waitUntil(lambda: len(found) == 3)
    assert found["first"][0].size() == QSize(32, 24) and colour(found["first"][0]) == 0
    assert found["last"][0].size() == QSize(64, 48) and colour(found["last"][0]) == 5
    assert found["none"][0].isNull() and found["none"][1]


def test_a_moving_preview_has_all_its_pictures():
    assert [colour(image) for image in pictures_of(preview(3))] == [0, 1, 2]
    assert pictures_of(b"nothing") == []


def test_the_library_plays_a_clip_in_the_pictures_place(qtbot, tmp_path):
    plugins = discover([bundled("plugins")], installed=False)
    library = next(plugin for plugin, entry in plugins.panels() if entry.id == "library.panel")
    preview = load_from(library, "ui_preview:Preview")(Theme("light"), lambda *_: "", lambda *_: True)
    qtbot.addWidget(preview)
    preview.show()
    preview.show_clip(str(clip(tmp_path / "a.mp4")))
    preview.show_picture(QImage(8, 8, QImage.Format.Format_RGB32))
    qtbot.waitUntil(lambda: preview.player.playback.count == 6)
    assert preview.playing and not preview.picture.isVisible() and not preview.player.playback.playing
    (tmp_path / "b.mp4").write_bytes(b"of another program")
    preview.show_clip(str(tmp_path / "b.mp4"))
    qtbot.waitUntil(lambda: not preview.playing)
    assert preview.picture.isVisible()
    preview.show_clip("")
    preview.show_picture(None)
    assert preview.text.isVisible()
