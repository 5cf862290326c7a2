"""Choosing a model: the list comes later, the choice stays, broken models cannot be chosen, folders are added."""

import pytest
from PySide6.QtCore import Qt

from studio.kit.amounts import bytes_words, count_words
from studio.kit.fit import FitLine
from studio.kit.models import REF, ModelPicker
from studio.kit.theme import Theme
from tests.qt.kit_rig import Session, entry

pytestmark = pytest.mark.qt


@pytest.fixture
def session(qapp, tmp_path):
    return Session(tmp_path, Theme("light"))


@pytest.fixture
def picker(session, qtbot):
    picker = ModelPicker(session, "text-generation")
    qtbot.addWidget(picker)
    picker.resize(300, 80)
    picker.show()
    picker.heard = []
    picker.changed.connect(picker.heard.append)
    return picker


def choose(picker, ref):
    """As a person does in the list."""
    picker.combo.activated.emit(picker.combo.findData(ref, REF))


def texts(picker):
    return [picker.combo.itemText(row) for row in range(picker.combo.count())]


def test_until_the_list_is_there_the_choice_is_kept(picker):
    picker.set_value("big")
    assert picker.value() == "big" and picker.combo.currentText() == "big"
    assert "Looking" in picker.line.text()
    picker.reload()
    assert picker.value() == "big" and picker.combo.currentText() == "Big" and not picker.heard


def test_the_list_is_asked_for_by_capability_and_says_what_the_default_is(picker, session):
    picker.reload()
    assert ("models", {"capability": "text-generation"}) in session.calls
    assert texts(picker)[:3] == ["Tales (default)", "Tales", "Big"]
    assert picker.combo.currentText() == "Tales (default)" and picker.value() == ""
    assert picker.entry()["id"] == "tales"
    assert picker.line.text() == "llama · 5.1 M parameters · 20.4 MB"


def test_choosing_by_mouse_and_by_keyboard(picker, qtbot):
    picker.reload()
    choose(picker, "big")
    assert picker.heard == ["big"] and picker.value() == "big"
    qtbot.keyClick(picker.combo, Qt.Key.Key_Up)
    assert picker.value() == "tales"
    choose(picker, "tales")
    assert picker.heard == ["big", "tales"]


def test_a_path_means_the_model_that_lies_there(picker):
    picker.reload()
    picker.set_value("/models/big")
    assert picker.value() == "/models/big" and picker.combo.currentText() == "Big"
    assert not picker.line.property("problem")


def test_a_model_that_is_gone_stays_chosen_and_is_marked(picker, session):
    picker.reload()
    picker.set_value("big")
    session.entries = [entry()]
    picker.reload()
    assert picker.value() == "big" and picker.combo.currentText() == "big (not found)"
    assert picker.line.property("problem") is True
    session.entries = [entry(), entry("big")]
    picker.reload()
    assert picker.combo.currentText() == "Big" and picker.line.property("problem") is False


def test_a_broken_model_is_listed_and_cannot_be_chosen(picker, session):
    session.entries.append(entry("broken", problem={"title": "A weights file is cut off", "detail": "at 3 MB"}))
    picker.reload()
    row = picker.combo.findData("broken", REF)
    assert "cannot be used" in picker.combo.itemText(row) and not picker.items.item(row).isEnabled()
    assert "cut off" in picker.items.item(row).toolTip()
    picker.set_value("broken")
    assert picker.line.text() == "A weights file is cut off at 3 MB" and picker.line.property("problem") is True


def test_no_models_at_all_says_what_to_do(picker, session):
    session.entries = []
    picker.reload()
    assert "Add a folder" in picker.line.text() and texts(picker)[-1] == "Add a folder of models…"


def test_a_folder_is_added_without_a_modal_loop(picker, session, tmp_path):
    picker.reload()
    picker.set_value("big")
    choose(picker, "\0add")
    assert picker.value() == "big" and picker.combo.currentText() == "Big" and not picker.heard
    assert picker.dialog.isVisible()
    session.entries.append(entry("third"))
    picker.dialog.fileSelected.emit(str(tmp_path))
    picker.dialog.close()
    assert ("models.add_folder", {"path": str(tmp_path)}) in session.calls
    assert "Third" in texts(picker)


def test_an_old_answer_does_not_replace_a_newer_one(picker, session):
    session.hold = True
    picker.reload()
    picker.reload()
    first, second = session.held
    session.finish(second)
    session.entries = []
    session.finish(first)
    assert "Tales" in texts(picker)


@pytest.mark.parametrize(("answer", "words"), [("yes", "Fits"), ("tight", "Fits barely"), ("no", "Does not fit")])
def test_the_fit_in_words_and_colour(session, qtbot, answer, words):
    line = FitLine(session, "x.make")
    qtbot.addWidget(line)
    estimate = {"total": 12e9, "parts": {"weights": 10e9, "cache": 2e9}, "rungs": ["Choose a smaller model."]}
    line.show_answer({"fits": answer, "budget": 24e9, "estimate": estimate})
    assert line.accessibleName() == f"{words}: needs 12.0 GB of 24.0 GB"
    assert line._dot.property("level") == answer
    assert "weights 10.0 GB" in line.toolTip() and ("smaller" in line.toolTip()) == (answer != "yes")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (20_400_000, "20.4 MB"), (123e9, "123 GB")],
)
def test_bytes_in_words(count, words):
    assert bytes_words(count) == words


def test_parameters_in_words():
    assert [count_words(n) for n in (12, 5_100_000, 494_000_000, 7_000_000_000)] == ["12", "5.1 M", "494 M", "7.0 B"]
