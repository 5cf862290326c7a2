"""Modes, drafts, presets, sizes, and a form that follows the model's family."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from tests.qt.image_panel_rig import asked, panel, session, show  # noqa: F401 (fixtures)
from tests.qt.image_rig import drawn, painter_entry

pytestmark = pytest.mark.qt


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "input.png"
    drawn(0).save(str(path))
    return str(path)


def test_what_modes_have_in_common_is_carried_along_and_nothing_is_lost(session, panel, picture):  # noqa: F811
    lora = {"model": "l", "weight": 0.5}
    panel.desk.put({"prompt": "a fox", "negative": "text", "steps": 33, "seed": 5, "width": 64, "loras": [lora]})
    panel.settings.choose_mode("transform")
    values = panel.desk.values()
    assert (values["prompt"], values["negative"], values["steps"], values["seed"]) == ("a fox", "text", 33, 5)
    assert values["loras"] == [lora] and values["width"] == 0, "the size of Transform is the picture's own"
    panel.desk.put({"picture": picture, "strength": 0.25, "steps": 12})
    panel.settings.choose_mode("inpaint")
    assert panel.desk.values()["picture"] == picture and panel.desk.values()["strength"] == 0.9
    panel.settings.choose_mode("transform")
    assert panel.desk.values()["strength"] == 0.25
    panel.settings.choose_mode("create")
    assert panel.desk.values()["width"] == 64 and panel.desk.values()["steps"] == 12


@pytest.mark.parametrize("mode", ["transform", "inpaint", "extend", "enlarge", "edit"])
def test_a_mode_without_its_picture_says_so_and_asks_nothing(session, panel, mode):  # noqa: F811
    panel.settings.choose_mode(mode)
    panel.generate()
    assert not session.called("submit") and "picture" in panel.ui.forms.current.problems()["picture"]


def test_each_mode_asks_for_its_operation(session, panel, picture):  # noqa: F811
    operations = {"transform": "image.transform", "extend": "image.outpaint", "enlarge": "image.upscale",
                  "edit": "image.edit", "create": "image.generate"}  # fmt: skip
    for mode, operation in operations.items():
        panel.settings.choose_mode(mode)
        if mode != "create":
            panel.desk.put({"picture": picture})
        panel.generate()
        assert asked(session)["operation"] == operation
        session.params_class(operation).load(asked(session)["params"])


def test_undo_goes_back_to_the_mode_of_the_edit(session, panel):  # noqa: F811
    panel.settings.choose_mode("transform")
    panel.desk.set_values({"steps": 7}, "change the steps")
    panel.settings.choose_mode("create")
    session.undo.undo()
    assert panel.ui.forms.mode.id == "transform" and panel.desk.values()["steps"] != 7
    assert panel.ui.modes.value() == "transform"


def test_the_draft_of_every_mode_survives_a_restart(session, panel, qtbot, picture):  # noqa: F811
    panel.desk.put({"prompt": "kept", "negative": "not this", "count": 5})
    panel.settings.choose_mode("inpaint")
    panel.desk.put({"picture": picture, "grow": 12})
    panel.ui.negative.set_open(True)
    again = show(session, qtbot, json.loads(json.dumps(panel.draft())))
    values = again.desk.values()
    assert again.ui.forms.mode.id == "inpaint" and again.ui.modes.value() == "inpaint"
    assert (values["prompt"], values["negative"], values["picture"], values["grow"]) == (
        "kept", "not this", picture, 12,
    )  # fmt: skip
    assert again.ui.negative.is_open()
    assert again.ui.forms.form("create").value()["count"] == 5


def test_a_draft_of_another_version_takes_what_still_fits(session, panel, qtbot):  # noqa: F811
    draft = {"mode": "dream", "values": {"create": {"steps": -4, "count": 3, "gone": 1}, "x": 1}, "prompt": 7,
             "models": [], "folded": {"create": "no"}, "tile": "large", "scroll": 3}  # fmt: skip
    again = show(session, qtbot, draft)
    values = again.desk.values()
    assert values["mode"] == "create" and values["count"] == 3 and values["steps"] == 25
    assert values["prompt"] == "red apple"


def test_presets_are_saved_taken_and_deleted_with_undo(session, panel, qtbot):  # noqa: F811
    bar = panel.ui.presets
    panel.desk.put({"steps": 44, "prompt": "preset words", "seed": 3})
    bar.ask_name()
    qtbot.keyClicks(bar.field, "Fine")
    qtbot.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.button.isVisible()
    panel.desk.put({"steps": 2, "prompt": "other", "seed": 8})
    bar._fill()
    next(action for action in bar.menu.actions() if action.text() == "Fine").trigger()
    assert panel.desk.values()["steps"] == 44 and panel.desk.values()["prompt"] == "preset words"
    assert panel.desk.values()["seed"] == 8, "a preset keeps no seed"
    bar._delete("Fine")
    assert not bar._read()
    session.undo.undo()
    assert list(bar._read()) == ["Fine"]
    panel.settings.choose_mode("transform")
    assert not bar._read(), "each operation has presets of its own"


def test_a_broken_preset_file_is_said_and_harms_nothing(session, panel):  # noqa: F811
    path = panel.ui.presets._presets.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{broken")
    panel.ui.presets._fill()
    assert session.notices[-1][0] == "The presets cannot be read" and path.read_text() == "{broken"


def test_shapes_are_the_familys_sizes(session, panel, qtbot):  # noqa: F811
    sizes = panel.ui.sizes
    assert sizes.own() == (64, 64)
    qtbot.mouseClick(sizes.buttons["Portrait"], Qt.MouseButton.LeftButton)
    width, height = panel.desk.values()["width"], panel.desk.values()["height"]
    assert 0 < width < height and sizes.buttons["Portrait"].isChecked()
    qtbot.mouseClick(sizes.buttons["Swap"], Qt.MouseButton.LeftButton)
    assert (panel.desk.values()["width"], panel.desk.values()["height"]) == (height, width)
    qtbot.mouseClick(sizes.buttons["Square"], Qt.MouseButton.LeftButton)
    assert panel.desk.values()["width"] == panel.desk.values()["height"] == 64


def test_the_form_follows_the_models_family(session, panel):  # noqa: F811
    flux = painter_entry(
        "flux-dev", family="FluxPipeline", config={"_class_name": "FluxPipeline", "components": {}}, starter=False
    )
    session.engine.model_entries = [painter_entry(), flux]
    session.engine.emit("models")
    form = panel.ui.forms.current
    assert form.rows["clip_skip"].control.isEnabled() and not form.rows["shift"].control.isEnabled()
    panel.ui.model.set_value("flux-dev")
    panel.settings._follow()
    assert not form.rows["clip_skip"].control.isEnabled() and form.rows["shift"].control.isEnabled()
    assert "CLIP" in form.rows["clip_skip"].toolTip() or "CLIP" in form.rows["clip_skip"].control.toolTip()


def test_a_mode_that_the_family_cannot_do_says_so_above_the_button(session, panel):  # noqa: F811
    session.engine.model_entries = [
        painter_entry("z", family="ZImagePipeline", config={"_class_name": "ZImagePipeline", "components": {}})
    ]
    session.engine.emit("models")
    from_words = panel.ui.cannot.text()
    panel.settings.choose_mode("inpaint")
    assert not from_words and (panel.ui.cannot.isVisible() == bool(panel.ui.cannot.text()))


def test_density_shows_more_and_keeps_values(session, panel):  # noqa: F811
    panel.desk.put({"clip_skip": 2})
    panel.set_density("expert")
    assert panel.ui.forms.current.rows["clip_skip"].isVisible()
    panel.set_density("simple")
    assert not panel.ui.forms.current.rows["clip_skip"].isVisible() and panel.desk.values()["clip_skip"] == 2


def test_what_repeats_a_result_exactly_ends_with_the_next_change(session, panel):  # noqa: F811
    steering = [{"step": 3, "item": 0, "do": "stop"}]
    panel.desk.set_values({"prompt": "{a|b}", "expanded": ["a"], "steering": steering}, "restore")
    panel.generate()
    assert asked(session)["params"]["expanded"] == ["a"] and asked(session)["params"]["steering"] == steering
    panel.desk.set_values({"prompt": "a fox"}, "write")
    panel.generate()
    assert asked(session)["params"]["expanded"] == [] and asked(session)["params"]["steering"] == []


def test_a_mode_without_a_model_says_what_to_do(session, panel):  # noqa: F811
    assert not panel.ui.cannot.isVisible()
    session.engine.do_models = lambda capability="": {"models": [], "folders": []}
    session.engine.emit("models")
    panel.settings.choose_mode("edit")
    assert "No model that edits by instruction" in panel.ui.cannot.text() and panel.ui.cannot.isVisible()
