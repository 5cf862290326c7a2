"""Ten thousand batches in the work area: few are built, the view keeps its place, thumbnails are bounded."""

from pathlib import Path

import pytest
from PySide6.QtCore import QSize

from studio.kit.thumbs import Thumbs
from tests.qt.image_panel_rig import panel, session, show  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn

pytestmark = pytest.mark.qt
MANY = 10_000


def finished(at: int, path: str) -> dict:
    artifacts = [{"id": f"{at}-1", "kind": "image", "path": path}]
    return {"id": str(at), "operation": "image.generate", "params": {"prompt": f"p {at}", "count": 1}, "seq": at,
            "state": "finished", "created": float(at), "origin": "image.panel", "artifacts": artifacts, "facts": {},
            "attempt": 1}  # fmt: skip


@pytest.fixture
def many(session, panel, tmp_path: Path):  # noqa: F811
    path = tmp_path / "one.png"
    drawn(0).save(str(path))
    panel.batches.load([finished(at, str(path)) for at in range(MANY)])
    panel._show_all()
    return panel


def test_only_cards_near_the_screen_are_built(many, qtbot):
    grid = many.ui.grid
    qtbot.waitUntil(lambda: grid.card(str(MANY - 1)) is not None)
    bar = grid.verticalScrollBar()
    for share in (0.25, 0.5, 0.75, 1.0, 0.1):
        bar.setValue(int(bar.maximum() * share))
        qtbot.waitUntil(lambda: not grid._building.isActive())
        assert 0 < len(grid.built()) < 60
        on_screen = [
            at for at in grid._near() if grid._tops[at] < bar.value() + 300 and grid._tops[at + 1] > bar.value()
        ]
        assert all(grid._batches[at].id in grid.built() for at in on_screen)


def test_what_comes_and_goes_above_moves_nothing_on_screen(many, qtbot):
    grid = many.ui.grid
    bar = grid.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    qtbot.waitUntil(lambda: not grid._building.isActive())
    held = grid._anchor()
    many.batches.take(finished(MANY + 1, ""))
    many.batches.hide(str(MANY - 3))
    many._show_all()
    qtbot.waitUntil(lambda: not grid._building.isActive())
    assert grid._anchor() == held
    place = grid.scroll_place()
    bar.setValue(0)
    grid.set_scroll_place(place)
    assert grid._anchor() == held


def test_the_size_of_pictures_is_the_persons_choice_and_remembered(session, many, qtbot):  # noqa: F811
    many.ui.zoom.setValue(320)
    assert many.ui.grid.side == 320 and many.draft()["tile"] == 320
    again = show(session, qtbot, {"tile": 160})
    assert again.ui.grid.side == 160


def test_thumbnails_are_bounded_and_the_newest_are_kept(qtbot, tmp_path: Path):
    thumbs = Thumbs(kept_bytes=5 * 64 * 64 * 4 + 5 * 64)
    paths = []
    for at in range(12):
        path = tmp_path / f"{at}.png"
        drawn(at, 200).save(str(path))
        paths.append(str(path))
    for path in paths:
        arrived = []
        thumbs.get(path, 64, lambda arrived=arrived: arrived.append(1))
        qtbot.waitUntil(lambda arrived=arrived: bool(arrived))
    assert len(thumbs._kept) == 5
    newest = thumbs.get(paths[-1], 64, lambda: None)
    assert newest is not None and newest.size() == QSize(64, 64)
    assert thumbs.get(paths[0], 64, lambda: None) is None
    qtbot.waitUntil(lambda: not thumbs._reading)


def test_a_file_that_is_no_picture_is_said_once_and_not_read_again(qtbot, tmp_path: Path):
    path = tmp_path / "letter.png"
    path.write_text("Dear all")
    thumbs, arrived = Thumbs(), []
    assert thumbs.get(str(path), 64, lambda: arrived.append(1)) is None
    qtbot.waitUntil(lambda: bool(arrived))
    found = thumbs.get(str(path), 64, lambda: None)
    assert found is not None and found.isNull() and thumbs.problem(str(path))
    thumbs.forget(str(path))
    assert not thumbs.problem(str(path))
