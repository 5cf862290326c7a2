"""The form: one definition becomes controls; wrong values are told, right ones kept; nothing is lost when it folds."""

import gc
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QScrollArea

from studio.errors import StudioError
from studio.host.discover import discover
from studio.host.loader import load_params
from studio.kit.form import ParamsForm
from studio.kit.plain import PlainEditor
from studio.kit.theme import Theme
from studio.paths import bundled
from tests.qt.kit_rig import Everything, Mood, Required, Session

pytestmark = pytest.mark.qt
VALUES = {
    "prompt": "Once\r\nupon", "model": "big", "temperature": 1.15, "top_p": 0.5, "tokens": 33, "steps": 9, "size": 2,
    "style": "oil_painting", "mood": "wild_one", "upscale": True, "factor": 3.0, "note": "n", "negative": "x\ny",
    "picture": "/p.png", "stop": ["\n", "User:"], "seed": 42,
}  # fmt: skip


@pytest.fixture
def session(qapp, tmp_path):
    return Session(tmp_path, Theme("light"))


@pytest.fixture
def build(session, qtbot):
    def build(params=Everything, **options):
        form = ParamsForm(params, session, **options)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(form)
        area.resize(340, 600)
        qtbot.addWidget(area)
        area.show()
        form.area = area
        form.heard = []
        form.changed.connect(lambda: form.heard.append(form.value()))
        return form

    return build


def shown(form):
    return [name for name, row in form.rows.items() if row.isVisible()]


def retype(qtbot, form, name, text):
    edit = form.rows[name].control.edit
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClick(edit, Qt.Key.Key_Delete)
    qtbot.keyClicks(edit, text)


# the value -------------------------------------------------------------------------------------


def test_a_new_form_has_the_defaults_and_they_are_valid(build):
    form = build()
    assert Everything.load(form.value()) == Everything()
    assert form.value()["mood"] == Mood.CALM.value and type(form.value()["mood"]) is str
    assert not form.problems()


def test_all_values_come_back_as_they_were(build):
    form = build()
    form.set_value(VALUES)
    assert form.value() == VALUES and form.heard == [VALUES]
    form.set_value(VALUES)
    assert len(form.heard) == 1, "the same again is no change"


def test_the_value_is_a_copy(build):
    form = build()
    form.value()["temperature"] = 99
    assert form.value()["temperature"] == 0.8


def test_fields_shown_elsewhere_are_no_part_of_the_form(build):
    form = build(exclude=("prompt", "model"))
    assert "prompt" not in form.value() and "prompt" not in form.rows
    form.set_value(VALUES)
    assert form.value() == {name: value for name, value in VALUES.items() if name not in ("prompt", "model")}


def test_values_of_another_version_do_no_harm(build):
    form = build()
    form.set_value({"temperature": 99, "tokens": "many", "gone": 1, "seed": 7, "stop": None})
    assert form.value()["temperature"] == 0.8 and form.value()["tokens"] == 200 and form.value()["seed"] == 7
    assert set(form.problems()) == {"temperature", "tokens", "stop"}
    form.set_value({"temperature": 1})
    assert "temperature" not in form.problems() and form.value()["temperature"] == 1


def test_required_fields_begin_plain_and_are_never_reset(build):
    form = build(Required)
    assert form.value() == {"text": "", "count": 3}
    assert form.is_default("text") and form.is_default("count")


# typing ----------------------------------------------------------------------------------------


def test_typing_changes_the_value(build, qtbot):
    form = build()
    retype(qtbot, form, "temperature", "1.5")
    assert form.value()["temperature"] == 1.5 and form.heard[-1]["temperature"] == 1.5


def test_what_is_no_number_is_told_under_its_control(build, qtbot):
    form = build()
    row = form.rows["temperature"]
    retype(qtbot, form, "temperature", "warm")
    assert form.problems() == {"temperature": "“warm” is not a number."} and not form.heard
    note = row._note
    assert note.isVisible() and note.mapTo(row, QPoint(0, 0)).y() > row.control.mapTo(row, QPoint(0, 0)).y()
    assert "not a number" in row.control.edit.accessibleDescription()
    assert row.control.edit.property("invalid") is True
    assert form.value()["temperature"] == 0.8
    retype(qtbot, form, "temperature", "1")
    assert not form.problems() and not note.isVisible() and row.control.edit.property("invalid") is False


def test_what_the_params_class_refuses_is_told_and_the_last_valid_value_stays(build, qtbot):
    form = build()
    form.set_density("expert")
    retype(qtbot, form, "note", "damn")
    assert form.problems() == {"note": "It is not polite."} and form.value()["note"] == "dam"
    qtbot.keyClicks(form.rows["note"].control.edit, "ed")
    assert form.problems()["note"].startswith("String should have at most 5")
    assert form.rows["note"].control.edit.text() == "damned", "what was typed stays to be corrected"
    assert form.value()["note"] == "damne"


def test_a_list_that_is_too_long_is_told(build, qtbot):
    form = build()
    form.set_density("expert")
    for text in "abcd":
        retype(qtbot, form, "stop", text)
        qtbot.keyClick(form.rows["stop"].control.edit, Qt.Key.Key_Return)
    assert form.value()["stop"] == ["a", "b", "c"] and "at most 3" in form.problems()["stop"]


# defaults --------------------------------------------------------------------------------------


def test_the_reset_is_there_only_while_there_is_something_to_reset(build, qtbot):
    form = build()
    button = form.rows["temperature"].reset_button
    assert not button.isVisible()
    form.set_value({"temperature": 1.5})
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert form.value()["temperature"] == 0.8 and not button.isVisible()
    assert form.rows["temperature"].control.edit.text() == "0.8"


def test_no_row_moves_when_a_reset_comes(build):
    form = build()
    before = {name: row.sizeHint().height() for name, row in form.rows.items()}
    form.set_value(VALUES)
    assert any(row.reset_button.isVisible() for row in form.rows.values())
    assert {name: form.rows[name].sizeHint().height() for name in ("temperature", "seed")} == {
        name: before[name] for name in ("temperature", "seed")
    }


def test_everything_back_to_the_defaults_is_one_step(build, session):
    form = build(history=session.undo)
    form.set_value(VALUES)
    form.reset_all()
    assert Everything.load(form.value()) == Everything()
    session.undo.undo()
    assert form.value() == VALUES


# what is shown ---------------------------------------------------------------------------------


def test_density_hides_and_shows_and_loses_nothing(build):
    form = build()
    form.set_value({"upscale": True})
    simple = shown(form)
    assert "temperature" in simple and not {"steps", "size", "stop"} & set(simple)
    form.set_density("expert")
    assert shown(form) == list(form.rows)
    form.set_value(VALUES)
    form.set_density("simple")
    assert shown(form) == simple and form.value() == VALUES and form.density() == "simple"


def test_in_simple_it_says_that_hidden_settings_are_changed(build, qtbot):
    form = build()
    assert not form._hidden.isVisible()
    form.set_value({"stop": ["x"], "size": 3})
    assert form._hidden.isVisible() and "2 expert settings" in form._hidden.text()
    with qtbot.waitSignal(form.density_wanted) as asked:
        qtbot.mouseClick(form._hidden, Qt.MouseButton.LeftButton)
    assert asked.args == ["expert"]
    form.set_density("expert")
    assert not form._hidden.isVisible()


def test_a_control_is_there_when_its_condition_holds(build, qtbot):
    form = build()
    assert "factor" not in shown(form)
    qtbot.mouseClick(form.rows["upscale"].control.switch, Qt.MouseButton.LeftButton)
    assert "factor" in shown(form)
    form.set_value({"factor": 4.0, "upscale": False})
    assert "factor" not in shown(form) and form.value()["factor"] == 4.0


def test_groups_fold_by_mouse_and_keyboard_and_stay_folded(build, qtbot):
    form = build()
    group = next(group for group in form.groups if group.title == "Sampling")
    qtbot.mouseClick(group.heading, Qt.MouseButton.LeftButton)
    assert form.folded() == ["Sampling"] and "temperature" not in shown(form)
    form.set_density("expert")
    assert "steps" not in shown(form)
    group.heading.setFocus()
    qtbot.keyClick(group.heading, Qt.Key.Key_Right)
    assert form.folded() == [] and "temperature" in shown(form)
    qtbot.keyClick(group.heading, Qt.Key.Key_Space)
    assert form.folded() == ["Sampling"]
    form.set_folded(["Look"])
    assert form.folded() == ["Look"]


def test_a_group_with_no_control_on_screen_is_not_there(build):
    form = build(exclude=("note", "negative", "picture"))
    words = next(group for group in form.groups if group.title == "Words")
    assert not words.isVisible()
    form.set_density("expert")
    assert words.isVisible()


def test_help_is_plain_text(build):
    form = build()
    tip = form.rows["temperature"].toolTip()
    assert "&lt;predictable&gt;" in tip


# keyboard, direction, names --------------------------------------------------------------------


def test_tab_goes_through_the_controls_in_order(build, qtbot):
    form = build()
    form.set_density("expert")
    form.set_value({"upscale": True, "temperature": 1.0})
    seen = []
    form.rows["prompt"].control.edit.setFocus()
    for _ in range(60):
        focus = form.window().focusWidget()
        name = next((name for name, row in form.rows.items() if row.isAncestorOf(focus)), None)
        if name and (not seen or seen[-1] != name):
            seen.append(name)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert seen[: len(form.rows)] == list(form.rows)


def test_a_label_leads_to_its_control_and_everything_has_a_name(build):
    form = build()
    form.set_density("expert")
    for row in form.rows.values():
        assert row.control.edit.accessibleName()
    parts = [w for w in form.findChildren(object) if getattr(w, "focusPolicy", None) and w.isVisible()]
    nameless = [
        w for w in parts
        if w.focusPolicy() & Qt.FocusPolicy.TabFocus and not w.accessibleName() and w.focusProxy() is None
    ]  # fmt: skip
    assert not nameless


def test_from_right_to_left_labels_and_numbers_change_sides(build, qtbot):
    form = build()
    area = form.area
    row = form.rows["temperature"]

    def sides():
        area.updateGeometry()
        QApplication.sendPostedEvents()
        field = row.control.edit.mapTo(form, row.control.edit.rect().center()).x()
        return "right" if field > form.width() / 2 else "left"

    assert sides() == "right"
    area.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    qtbot.waitUntil(lambda: sides() == "left")
    form.set_value({**VALUES, "upscale": True})
    assert form.value() == VALUES


@pytest.mark.parametrize("width", [272, 320, 480])
@pytest.mark.parametrize("density", ["simple", "expert"])
def test_nothing_is_cut_or_overlaps(build, qtbot, width, density):
    form = build()
    form.set_value(VALUES)
    form.set_density(density)
    form.area.resize(width + 20, 500)
    qtbot.waitUntil(lambda: form.width() >= min(width, form.minimumSizeHint().width()))
    assert form.minimumSizeHint().width() <= 300
    rows = [row for row in form.rows.values() if row.isVisible()]
    places = sorted((row.mapTo(form, QPoint(0, 0)).y(), row.height()) for row in rows)
    for (top, height), (below, _) in pairwise(places):
        assert top + height <= below
    for row in rows:
        edit = row.control.edit
        least = edit.fontMetrics().lineSpacing() + 4
        assert edit.height() >= (least if isinstance(edit, PlainEditor) else edit.minimumSizeHint().height())


# undo, models, fit -----------------------------------------------------------------------------


def test_edits_are_steps_of_the_history_and_typing_is_one(build, session, qtbot):
    form = build(history=session.undo)
    retype(qtbot, form, "temperature", "1.25")
    retype(qtbot, form, "tokens", "12")
    assert session.undo.undo_title == "change tokens"
    session.undo.undo()
    assert form.value()["tokens"] == 200 and form.value()["temperature"] == 1.25
    session.undo.undo()
    assert form.value()["temperature"] == 0.8 and form.rows["temperature"].control.edit.text() == "0.8"
    session.undo.redo()
    assert form.value()["temperature"] == 1.25


def test_without_a_history_nothing_is_remembered(build, session, qtbot):
    form = build()
    retype(qtbot, form, "temperature", "1.25")
    assert not session.undo.can_undo


def test_a_form_that_goes_away_takes_its_steps_along(session, qtbot):
    form = ParamsForm(Everything, session, history=session.undo)
    qtbot.addWidget(form)
    form._change("tokens", 3)
    assert session.undo.can_undo
    form.deleteLater()
    del form
    qtbot.waitUntil(lambda: (gc.collect(), not session.undo.can_undo)[1])


def test_the_fit_is_asked_for_with_the_newest_values(build, session, qtbot):
    session.answers["fits"] = {"fits": "tight", "budget": 8e9, "estimate": {"total": 7e9, "parts": {"weights": 7e9}}}
    form = build(exclude=("prompt",), operation="x.make", rest=lambda: {"prompt": "from elsewhere"})
    form.set_value({"tokens": 3})
    form.set_value({"tokens": 4})
    fit = form.rows["model"].control.fit
    qtbot.waitUntil(lambda: fit.answer == "tight")
    asked = [params for method, params in session.calls if method == "fits"]
    assert len(asked) == 1 and asked[0]["operation"] == "x.make"
    assert asked[0]["params"] == {**form.value(), "prompt": "from elsewhere"}
    assert "7.0 GB of 8.0 GB" in fit.accessibleName() and fit.isVisible()


def test_a_fit_that_cannot_be_told_is_no_error(build, session, qtbot):
    session.answers["fits"] = StudioError("There is no such model", code="unknown-model")
    form = build(operation="x.make")
    fit = form.rows["model"].control.fit
    qtbot.waitUntil(fit.isVisible)
    assert "not known" in fit.accessibleName() and "no such model" in fit.toolTip()


def test_the_seed_of_the_newest_result_can_be_kept(build):
    form = build()
    form.set_last_seed(99)
    form.rows["seed"].control.lock.click()
    assert form.value()["seed"] == 99


def test_the_form_of_text_generate(build, qtbot):
    operation = discover([bundled("plugins")], installed=False).operations()["text.generate"]
    params = load_params(operation)
    form = build(params, exclude=("prompt",), operation="text.generate")
    assert shown(form) == ["model", "max_tokens", "temperature", "top_p", "seed"]
    form.set_density("expert")
    conditional = {spec.name for spec in form.specs if spec.ui.visible_when or spec.ui.widget == "hidden"}
    always = set(params.model_fields) - {"prompt"} - conditional
    assert always <= set(shown(form)) <= always | conditional
    assert params.load({**form.value(), "prompt": "x"}) == params(prompt="x")
