"""The editor: exact text, characters outside of UTF-16's first plane, colours, and the suggestion behind the cursor."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from plugins.code.ui_editor import CodeEditor
from studio.kit.theme import Theme

pytestmark = pytest.mark.qt
SOURCE = 'def area(r):  # 😀 "x"\n    """Many\n    lines."""\n    return 3 * r\n'


@pytest.fixture
def editor(qtbot):
    editor = CodeEditor(Theme("dark"))
    editor.resize(600, 300)
    qtbot.addWidget(editor)
    editor.show()
    qtbot.waitExposed(editor)
    return editor


def keys(qtbot, editor: CodeEditor, text: str) -> None:
    for mark in text:
        if mark == "\t":
            qtbot.keyClick(editor, Qt.Key.Key_Tab)
        elif mark == "\n":
            qtbot.keyClick(editor, Qt.Key.Key_Return)
        else:
            qtbot.keyClicks(editor, mark)


def coloured(editor: CodeEditor, line: int) -> dict[str, str]:
    """The pieces of a line that have a colour, by their text."""
    block = editor.document().findBlockByNumber(line)
    raw = block.text().encode("utf-16-le")
    return {
        raw[2 * f.start : 2 * (f.start + f.length)].decode("utf-16-le"): f.format.foreground().color().name()
        for f in block.layout().formats()
    }


def test_places_are_characters_wherever_the_text_has_wide_ones(editor):
    editor.set_text("a😀b\nc")
    editor.select(2, 3)
    assert editor.textCursor().selectedText() == "b" and editor.span() == (2, 3) and editor.place() == 3
    editor.replace("a😀bb\nc")
    assert editor.text() == "a😀bb\nc"
    editor.undo()
    assert editor.text() == "a😀b\nc"


def test_typing_keeps_the_indentation_and_one_change_is_one_undo(editor, qtbot):
    editor.set_text("")
    keys(qtbot, editor, "if x:\ny = 1\n")
    assert editor.text() == "if x:\n    y = 1\n    "
    before = editor.text()
    editor.replace(SOURCE)
    assert editor.text() == SOURCE
    editor.undo()
    assert editor.text() == before


def test_the_language_is_coloured_line_by_line_and_follows_edits(editor, qtbot):
    editor.set_text(SOURCE)
    editor.highlighter.set_path("x.py")
    qtbot.waitUntil(lambda: editor.highlighter.is_done)
    theme = Theme("dark")
    keyword, string, comment = (theme.colour(f"syntax_{kind}").name() for kind in ("keyword", "string", "comment"))
    assert coloured(editor, 0)["def"] == keyword and coloured(editor, 0)['# 😀 "x"'] == comment
    assert coloured(editor, 1)['"""Many'] == string and coloured(editor, 2)['    lines."""'] == string
    assert coloured(editor, 3)["return"] == keyword
    editor.select(0)
    keys(qtbot, editor, "# ")
    qtbot.waitUntil(lambda: editor.highlighter.is_done)
    assert list(coloured(editor, 0).values()) == [comment] and coloured(editor, 3)["return"] == keyword
    editor.highlighter.set_path("x.unknown-language")
    qtbot.waitUntil(lambda: editor.highlighter.is_done)
    assert coloured(editor, 3) == {} and editor.highlighter.language == ""


def painted(editor: CodeEditor) -> set[tuple[int, int]]:
    """Where the grey of a suggestion stands."""
    picture = editor.viewport().grab().toImage()
    grey = QColor(editor._theme.colour("faint"))
    return {
        (x, y) for y in range(picture.height()) for x in range(picture.width()) if picture.pixelColor(x, y) == grey
    }


def test_a_suggestion_is_painted_and_is_no_part_of_the_text(editor, qtbot):
    editor.set_text("x = \nlast")
    editor.select(4)
    editor.set_ghost("1 +\n    2")
    below = editor.cursorRect().bottom()
    places = painted(editor)
    assert any(y <= below for _, y in places) and any(y > below for _, y in places)
    assert editor.text() == "x = \nlast" and "Suggestion" in editor.accessibleDescription()
    editor.set_ghost("")
    assert not painted(editor)


def test_tab_takes_all_a_word_key_takes_a_word_and_escape_none(editor, qtbot):
    taken: list[str] = []
    editor.accepted.connect(taken.append)
    editor.set_text("x = ")
    editor.select(4)
    editor.set_ghost("first(second)")
    qtbot.keyClick(editor, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert editor.text() == "x = first" and editor.ghost == "(second)"
    keys(qtbot, editor, "(s")
    assert editor.text() == "x = first(s" and editor.ghost == "econd)"
    keys(qtbot, editor, "\t")
    assert editor.text() == "x = first(second)" and editor.ghost == ""
    assert "".join(taken) == "first(second)"
    editor.set_ghost("more")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    assert editor.ghost == "" and editor.text() == "x = first(second)"


def test_what_was_not_suggested_drops_the_suggestion(editor, qtbot):
    editor.set_text("x = ")
    editor.select(4)
    editor.set_ghost("first")
    with qtbot.waitSignal(editor.typed):
        keys(qtbot, editor, "z")
    assert editor.ghost == "" and editor.text() == "x = z"
    editor.set_ghost("more")
    editor.select(0)
    assert editor.ghost == ""


def test_a_long_file_is_opened_and_coloured_piece_by_piece(editor, qtbot):
    editor.set_text(SOURCE * 400)
    editor.highlighter.set_path("x.py")
    assert not editor.highlighter.is_done
    qtbot.waitUntil(lambda: editor.highlighter.is_done, timeout=60_000)
    assert "return" in coloured(editor, 4 * 399 + 3)
