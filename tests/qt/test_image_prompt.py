"""The image panel's prompt box: what it makes, weights at the cursor, problems, exact text."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor

from plugins.image.prompting import wildcards_folder
from plugins.image.ui_prompt import PromptBox, summary
from studio.kit.theme import Theme
from tests.qt.kit_rig import Session

pytestmark = pytest.mark.qt
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def session(tmp_path, qapp):
    return Session(tmp_path, Theme("light"))


@pytest.fixture
def box(qtbot, session):
    box = PromptBox(session, "What is to be seen")
    qtbot.addWidget(box)
    box.resize(900, 200)
    box.show()
    box.setFocus()
    return box


def put(box, text, start=None, end=None):
    box.set_value(text)
    if start is not None:
        cursor = box.editor.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(start if end is None else end, QTextCursor.MoveMode.KeepAnchor)
        box.editor.setTextCursor(cursor)
    box.refresh()


def test_a_plain_prompt_shows_nothing_more(box):
    put(box, "a red cat")
    assert not box.line.isVisible() and not box.list.isVisible() and not box.problem.isVisible()
    assert box.editor.extraSelections() == []


def test_choices_tell_what_they_make_and_unfold(box, qtbot):
    box.set_making("all", 1)
    put(box, "a {red|blue} cat")
    assert box.line.isVisible()
    assert box.line.accessibleName() == "Makes 2 pictures: a red cat; a blue cat"
    qtbot.mouseClick(box.line, Qt.MouseButton.LeftButton)
    assert box.list.isVisible() and box.list.text() == "a red cat\na blue cat"
    put(box, "no choices")
    assert not box.list.isVisible()


def test_how_the_form_expands_is_said(box):
    put(box, "{a|b|c}")
    assert box.line.accessibleName().startswith("Draws one of 3: ")
    box.set_making("random", 4)
    box.refresh()
    assert box.line.accessibleName().startswith("Makes 4 pictures, each draws one of 3: ")
    box.set_making("random", 2, seed=5)
    box.refresh()
    assert len(box.explained.preview) == 2
    assert summary(box.explained, "random", 2).startswith("Makes 2 pictures")


def test_it_waits_until_a_person_stops_typing(box, qtbot):
    qtbot.keyClicks(box.editor, "{x|y}")
    assert not box.line.isVisible()
    qtbot.waitUntil(box.line.isVisible)
    assert box.value() == "{x|y}"


def test_problems_are_marked_and_said(box, session):
    put(box, "a (red cat __nothing__")
    assert box.problem.isVisible() and "never closed" in box.problem.text() and "1 more" in box.problem.text()
    marked = [selection.cursor.selectedText() for selection in box.editor.extraSelections()]
    assert marked.count("(") == 1 and marked.count("__nothing__") == 2  # its colour and its wave
    folder = wildcards_folder(session.paths.data)
    folder.mkdir(parents=True)
    (folder / "nothing.txt").write_text("something")
    put(box, "a __nothing__")
    assert not box.problem.isVisible()


def test_too_many_combinations_say_so_instead_of_a_line(box):
    box.set_making("all", 1)
    put(box, "{a|b}" * 10)
    assert not box.line.isVisible() and "1024" in box.problem.text()
    assert len(box.editor.extraSelections()) == 30  # the marks of the choices; the whole prompt is not underlined


def test_ctrl_up_and_down_weigh_the_word_at_the_cursor(box, qtbot):
    put(box, "a red cat", 3)
    qtbot.keyClick(box.editor, Qt.Key.Key_Up, CTRL)
    assert box.value() == "a (red:1.05) cat"
    qtbot.keyClick(box.editor, Qt.Key.Key_Up, CTRL)
    assert box.value() == "a (red:1.1) cat"
    assert not box.editor.textCursor().hasSelection()
    for _ in range(2):
        qtbot.keyClick(box.editor, Qt.Key.Key_Down, CTRL)
    assert box.value() == "a red cat"
    box.refresh()
    assert box.editor.extraSelections() == []


def test_a_selection_stays_on_its_words_beside_letters_that_qt_counts_twice(box, qtbot):
    put(box, "😀 red cat 😀", 3, 10)
    qtbot.keyClick(box.editor, Qt.Key.Key_Down, CTRL)
    assert box.value() == "😀 (red cat:0.95) 😀"
    assert box.editor.textCursor().selectedText() == "red cat"
    box.refresh()
    assert [s.cursor.selectedText() for s in box.editor.extraSelections()] == ["(red cat:0.95)"]
    qtbot.keyClick(box.editor, Qt.Key.Key_Up, CTRL)
    assert box.value() == "😀 red cat 😀"


def test_a_weight_is_one_step_to_undo(box, qtbot):
    put(box, "a red cat", 3)
    qtbot.keyClick(box.editor, Qt.Key.Key_Up, CTRL)
    box.editor.undo()
    assert box.value() == "a red cat"


@pytest.mark.parametrize("text", ["", "a\r\nb", "a\u2028(b", "😀 (x:1.2)", "{a|b}\n__c__"])
def test_colours_change_neither_the_text_nor_say_that_it_changed(box, text):
    said = []
    box.set_value(text)
    box.changed.connect(lambda: said.append(1))
    box.refresh()
    box._theme.changed.emit()
    assert box.value() == text and said == []


def test_ctrl_return_submits_and_history_is_the_editors(box, qtbot):
    box.set_history(["one", "two"])
    with qtbot.waitSignal(box.submitted):
        qtbot.keyClick(box.editor, Qt.Key.Key_Return, CTRL)
    box.remember("three")
    assert box.history() == ["one", "two", "three"]


def test_a_narrow_box_cuts_the_line_and_is_no_wider(box):
    box.set_making("all", 1)
    put(box, "{" + "|".join(f"a long description of number {n}" for n in range(20)) + "}")
    box.resize(320, 200)
    assert box.line.text().endswith("…") and box.minimumSizeHint().width() <= 320
