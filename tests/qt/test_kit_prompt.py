"""The prompt editor: exact text, plain pastes, growing, history at the edges, undo."""

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QKeyEvent, QTextCursor

from studio.kit.prompt import PromptEditor

pytestmark = pytest.mark.qt

EXACT = [
    "",
    "plain",
    "a\r\nb\rc",
    "a\u2028b\u2029c",
    "a\u00a0b",
    "NUL \0 inside",
    "\ud800 half",
    "😀 e\u0301",
    "\ufdd0",
    "x\n",
]


@pytest.fixture
def editor(qtbot):
    editor = PromptEditor("Write")
    qtbot.addWidget(editor)
    editor.resize(400, 60)
    editor.show()
    editor.setFocus()
    return editor


@pytest.mark.parametrize("text", EXACT)
def test_a_text_comes_back_exactly(editor, text):
    editor.set_value(text)
    assert editor.value() == text


@pytest.mark.parametrize("text", EXACT)
def test_a_text_comes_back_exactly_without_an_undo_of_its_own(editor, text):
    editor.setUndoRedoEnabled(False)
    editor.set_value("before")
    editor.set_value(text)
    assert editor.value() == text


def test_what_a_person_types_is_the_value(editor, qtbot):
    editor.set_value("a\r\nb")
    qtbot.keyClicks(editor, "c")
    assert editor.value() == "a\nbc"
    editor.setUndoRedoEnabled(False)
    editor.set_value("x\r\n")
    qtbot.keyClicks(editor, "y")
    assert editor.value() == "x\ny"


def test_no_break_spaces_survive_editing(editor, qtbot):
    editor.set_value("a\u00a0b")
    qtbot.keyClicks(editor, "c")
    assert editor.value() == "a\u00a0bc"


def test_undo_in_the_editor_brings_the_old_prompt_back(editor, qtbot):
    editor.set_value("old")
    editor.set_value("new\r\n")
    editor.undo()
    assert editor.value() == "old"
    editor.redo()
    assert editor.value() == "new\r\n"


def test_ctrl_z_goes_to_the_window_when_nothing_is_left_here(editor, qtbot):
    def override():
        event = QKeyEvent(QKeyEvent.Type.ShortcutOverride, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        event.ignore()
        editor.event(event)
        return event.isAccepted()

    assert not override()
    qtbot.keyClicks(editor, "a")
    assert override()


def test_a_paste_is_plain_and_half_characters_do_no_harm(editor):
    mime = QMimeData()
    mime.setHtml("<b>bold</b> <img src='x'>")
    mime.setText("<b>bold</b>")
    editor.insertFromMimeData(mime)
    assert editor.value() == "<b>bold</b>"
    editor.clear()
    mime.setText("a\ud83d")
    editor.insertFromMimeData(mime)
    assert editor.value().startswith("a")
    editor.value().encode("utf-8", "replace")


def test_it_grows_to_eight_lines_and_no_further(editor):
    heights = []
    for lines in (1, 2, 3, 8, 9, 50):
        editor.set_value("\n".join("x" * lines))
        heights.append(editor.height())
    one, two, three, eight, nine, fifty = heights
    assert one == two < three < eight == nine == fifty
    line = editor.fontMetrics().lineSpacing()
    assert abs((eight - two) - 6 * line) <= 2


def test_a_megabyte_is_held(editor):
    text = "word " * 200_000
    editor.set_value(text)
    assert editor.value() == text


def test_ctrl_return_submits_and_return_does_not(editor, qtbot):
    sent = []
    editor.submitted.connect(lambda: sent.append(editor.value()))
    editor.set_value("a")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert not sent and editor.value() == "a\n"
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(editor, Qt.Key.Key_Enter, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.KeypadModifier)
    assert sent == ["a\n", "a\n"]


def test_changed_is_told_whoever_changed_it(editor, qtbot):
    told = []
    editor.changed.connect(lambda: told.append(editor.value()))
    editor.set_value("a")
    qtbot.keyClicks(editor, "b")
    assert told[-1] == "ab" and "a" in told


def test_up_and_down_at_the_edges_go_through_the_history(editor, qtbot):
    for text in ("one", "two\nlines", "one"):
        editor.remember(text)
    assert editor.history() == ["two\nlines", "one"]
    editor.set_value("draft\nhere")
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    assert editor.value() == "draft\nhere", "inside the text the cursor moves"
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    assert editor.value() == "one"
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    assert editor.value() == "two\nlines"
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    assert editor.value() == "two\nlines"
    editor.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClick(editor, Qt.Key.Key_Down)
    assert editor.value() == "one"
    qtbot.keyClick(editor, Qt.Key.Key_Down)
    assert editor.value() == "draft\nhere"


def test_an_edited_old_prompt_is_a_new_draft(editor, qtbot):
    editor.set_history(["one", "two"])
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    qtbot.keyClicks(editor, "!")
    assert editor.value() == "!two"
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    qtbot.keyClick(editor, Qt.Key.Key_Up)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClick(editor, Qt.Key.Key_Down)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClick(editor, Qt.Key.Key_Down)
    assert editor.value() == "!two"
