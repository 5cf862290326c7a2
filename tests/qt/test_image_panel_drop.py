"""Dropped on the image panel: our results, other programs' pictures, plain pictures, and what is none."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from studio.errors import StudioError
from studio.sdk.artifact import Recipe
from tests.qt.image_panel_rig import asked, card, panel, session, show  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn

pytestmark = pytest.mark.qt
A1111 = (
    "a red fox in the snow\nNegative prompt: blurry\nSteps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 77, "
    "Size: 512x768, Model: dreamshaper_8, Version: v1.10.1"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "old.png"
    drawn(0).save(str(path))
    return path


def reads(session, texts=None, error=None) -> None:  # noqa: F811
    def read(path: str, **_rest):
        if error:
            raise error
        return {"texts": texts or {}}

    session.engine.do_picture_read = read


def recipe(**params) -> Recipe:
    values = {"prompt": "a dropped owl", "seed": 41, "steps": 9, **params}
    return Recipe(operation="image.generate", params=values, job="j1", artifact="j1-1", created=5.0, facts={"seed": 41})


def test_our_picture_restores_every_setting_and_is_among_the_results(session, panel, file):  # noqa: F811
    panel.restore(recipe(), file)
    values = panel.desk.values()
    assert (values["prompt"], values["seed"], values["steps"], values["mode"]) == ("a dropped owl", 41, 9, "create")
    assert card(panel, "j1").tiles and "Restored from old.png" in panel.ui.taken.title.text()
    session.undo.undo()
    assert panel.desk.values()["prompt"] == "red apple"


def test_use_as_input_instead_takes_it_into_transform(session, panel, file, qtbot):  # noqa: F811
    panel.restore(recipe(), file)
    qtbot.mouseClick(panel.ui.taken.button, Qt.MouseButton.LeftButton)
    assert panel.desk.values()["mode"] == "transform" and panel.desk.values()["picture"] == str(file)


def test_a_recipe_of_another_version_is_refused_in_words(session, panel, file):  # noqa: F811
    panel.restore(recipe(steps=0), file)
    assert panel.ui.taken.property("notice") == "error" and "steps" in panel.ui.taken.detail.text()
    assert panel.desk.values()["prompt"] == "red apple"


def test_an_a1111_picture_fills_the_form_and_says_what_it_left(session, panel, file):  # noqa: F811
    reads(session, {"parameters": A1111})
    assert panel.accepts_file(file)
    panel.drop_file(file)
    values = panel.desk.values()
    assert values["prompt"] == "a red fox in the snow" and values["negative"] == "blurry"
    assert (values["steps"], values["seed"], values["guidance"]) == (28, 77, 6.5)
    assert (values["width"], values["height"], values["sampler"]) == (512, 768, "dpmpp-2m")
    assert "A1111" in panel.ui.taken.title.text() and "dreamshaper_8" in panel.ui.taken.detail.text()


def test_a_plain_picture_becomes_the_input_of_the_present_mode(session, panel, file, qtbot):  # noqa: F811
    reads(session)
    panel.drop_file(file)
    qtbot.waitUntil(lambda: panel.desk.values().get("picture") == str(file))
    assert panel.desk.values()["mode"] == "transform"
    panel.settings.choose_mode("enlarge")
    panel.drop_file(file)
    qtbot.waitUntil(lambda: "Enlarge" in panel.ui.taken.title.text())
    assert panel.desk.values()["mode"] == "enlarge"


def test_a_text_file_renamed_is_no_picture_and_that_is_said(session, panel, tmp_path: Path, qtbot):  # noqa: F811
    path = tmp_path / "letter.png"
    path.write_text("Dear all")
    reads(session)
    panel.drop_file(path)
    qtbot.waitUntil(lambda: panel.ui.taken.isVisible())
    assert "letter.png cannot be read" in panel.ui.taken.title.text() and panel.desk.values()["mode"] == "create"


def test_an_error_of_the_reader_is_said_where_it_happened(session, panel, file):  # noqa: F811
    reads(session, error=StudioError("This picture is cut off", "Its end is missing.", code="picture"))
    panel.drop_file(file)
    assert "cut off" in panel.ui.taken.title.text() and panel.desk.values()["mode"] == "create"


def test_other_files_are_not_taken(session, panel, tmp_path: Path):  # noqa: F811
    assert not panel.accepts_file(tmp_path / "song.flac")


def test_a_picture_used_as_input_is_a_parent_of_what_is_made_of_it(session, panel):  # noqa: F811
    panel.generate()
    job = asked(session)["job"]
    session.engine.start(job)
    session.finish(job)
    panel.deeds.act("input", job, 0)
    assert panel.ui.forms.mode.id == "transform"
    panel.generate()
    assert asked(session)["operation"] == "image.transform" and asked(session)["parents"] == [f"{job}-1"]
    panel.deeds.act("inpaint", job, 0)
    assert panel.ui.forms.mode.id == "inpaint" and panel.ui.side.isVisible()
    panel.settings.choose_mode("create")
    panel.deeds.act("reference", job, 0)
    assert panel.desk.values()["references"][0]["picture"].endswith(".png")
