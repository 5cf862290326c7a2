"""The canvas beside the results: the mask reaches the job, the frame its fields, regions their list."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage

from studio.kit.canvas.brush import Brush
from tests.qt.image_panel_rig import asked, panel, session, show  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn

pytestmark = pytest.mark.qt


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "input.png"
    drawn(0, 96).save(str(path))
    return str(path)


@pytest.fixture
def inpainting(session, panel, picture, qtbot):  # noqa: F811
    panel.settings.use_picture(picture, "inpaint")
    qtbot.waitUntil(lambda: panel.ui.side.canvas.picture() is not None)
    return panel


def stroke(canvas) -> None:
    canvas.masking.begin_stroke(QPointF(20, 20), Brush(size=12), False)
    canvas.masking.pull(QPointF(60, 60))
    canvas.masking.end_stroke()


def test_the_canvas_is_there_where_something_is_painted_or_dragged(session, panel):  # noqa: F811
    shown = {}
    for mode in ("create", "transform", "inpaint", "extend", "enlarge", "edit"):
        panel.settings.choose_mode(mode)
        shown[mode] = panel.ui.side.isVisible()
    assert [mode for mode, on in shown.items() if on] == ["inpaint", "extend"]


def test_generate_keeps_the_painted_mask_and_sends_it_along(session, inpainting, qtbot):  # noqa: F811
    stroke(inpainting.ui.side.canvas)
    inpainting.generate()
    qtbot.waitUntil(lambda: bool(session.called("submit")))
    params = asked(session)["params"]
    assert params["mask"].startswith("input:")
    mask = QImage(str(session.input_path(params["mask"])))
    assert (mask.width(), mask.height()) == (96, 96)
    assert mask.pixelColor(40, 40).red() > 200 and mask.pixelColor(90, 5).red() == 0


def test_without_anything_painted_it_says_so(session, inpainting):  # noqa: F811
    inpainting.generate()
    assert not session.called("submit") and "Paint" in inpainting.ui.forms.current.problems()["mask"]


def test_the_mask_survives_a_restart(session, inpainting, qtbot):  # noqa: F811
    stroke(inpainting.ui.side.canvas)
    qtbot.waitUntil(lambda: bool(inpainting.desk.values()["mask"]))
    again = show(session, qtbot, json.loads(json.dumps(inpainting.draft())))
    qtbot.waitUntil(lambda: again.ui.side.canvas.has_mask())
    again.generate()
    assert asked(session)["params"]["mask"] == inpainting.desk.values()["mask"]


def test_undo_takes_the_stroke_back(session, inpainting, qtbot):  # noqa: F811
    canvas = inpainting.ui.side.canvas
    stroke(canvas)
    qtbot.waitUntil(lambda: bool(inpainting.desk.values()["mask"]))
    session.undo.undo()
    assert not canvas.has_mask()
    qtbot.waitUntil(lambda: not inpainting.desk.values()["mask"])


def test_frame_and_fields_say_the_same(session, panel, picture, qtbot):  # noqa: F811
    panel.settings.use_picture(picture, "extend")
    canvas = panel.ui.side.canvas
    qtbot.waitUntil(lambda: canvas.picture() is not None)
    assert canvas.frame_margins() == (0, 0, 64, 0)
    panel.desk.put({"left": 32, "right": 0})
    assert canvas.frame_margins() == (32, 0, 0, 0)
    canvas.set_frame_margins(0, 16, 24, 8)
    values = panel.desk.values()
    assert (values["left"], values["top"], values["right"], values["bottom"]) == (0, 16, 24, 8)


def test_regions_and_their_list_say_the_same(session, panel):  # noqa: F811
    panel.ui.draw.setChecked(True)
    canvas = panel.ui.side.canvas
    assert panel.ui.side.isVisible() and canvas.mode() == "regions"
    canvas.set_regions([(0.0, 0.0, 0.5, 1.0, ""), (0.5, 0.0, 1.0, 1.0, "")])
    regions = panel.desk.values()["regions"]
    assert [(r["left"], r["right"], r["weight"]) for r in regions] == [(0.0, 0.5, 1.0), (0.5, 1.0, 1.0)]
    panel.desk.put({"regions": [{**regions[0], "prompt": "sky"}, {**regions[1], "prompt": "sea"}]})
    assert [row[4] for row in canvas.regions()] == ["sky", "sea"]
    canvas.set_regions(canvas.regions()[1:])
    assert [r["prompt"] for r in panel.desk.values()["regions"]] == ["sea"]
    panel.ui.draw.setChecked(False)
    assert not panel.ui.side.isVisible()


def test_a_picture_that_cannot_be_read_is_said(session, panel, tmp_path: Path, qtbot):  # noqa: F811
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    panel.settings.use_picture(str(path), "inpaint")
    qtbot.waitUntil(lambda: "broken.png" in panel.ui.taken.title.text())
    assert panel.ui.side.pages.currentWidget() is panel.ui.side.empty
