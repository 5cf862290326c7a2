"""Streamed text, errors and empty places."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.density import DensitySwitch
from studio.kit.empty import EmptyState
from studio.kit.error import ErrorView
from studio.kit.stream import StreamText
from studio.kit.theme import Theme
from studio.sdk.params import Density

pytestmark = pytest.mark.qt
ERROR = {"title": "It died", "detail": "By a signal.", "hint": "Try again.", "code": "died", "log": "line 1\n<b>2</b>"}


@pytest.fixture
def theme(qapp):
    return Theme("light")


@pytest.fixture
def place(qtbot):
    """Shows a widget as a panel would: in a column with room below."""
    kept = []

    def place(widget, width=500):
        page = QWidget()
        column = QVBoxLayout(page)
        column.addWidget(widget)
        column.addStretch(1)
        page.resize(width, 700)
        qtbot.addWidget(page)
        page.show()
        kept.append(page)
        return widget

    return place


# text ------------------------------------------------------------------------------------------


def test_streamed_text_is_appended_and_never_rich(place):
    text = place(StreamText())
    for piece in ("<b>not ", "bold</b>\n", "&amp; a\r\nb", "", "😀"):
        text.append(piece)
    assert text.toPlainText() == "<b>not bold</b>\n&amp; a\nb😀"
    assert text.text() == "<b>not bold</b>\n&amp; a\r\nb😀"


def test_a_selection_survives_what_is_appended(place):
    text = place(StreamText())
    text.append("one two")
    cursor = text.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(3, QTextCursor.MoveMode.KeepAnchor)
    text.setTextCursor(cursor)
    text.append(" three")
    assert text.textCursor().selectedText() == "one"


def test_a_longer_text_is_only_appended_to_and_another_replaces(place):
    text = place(StreamText())
    text.show_text("one")
    before = text.document().begin().blockNumber(), text.document().revision()
    text.show_text("one two")
    assert text.document().revision() - before[1] <= 1 and text.text() == "one two"
    text.show_text("other")
    assert text.toPlainText() == "other"


@pytest.mark.parametrize("size", [9.0, 10.3, 13.7])
def test_it_is_as_tall_as_its_text_at_any_width_and_size(place, qtbot, size):
    text = place(StreamText(), width=600)
    font = text.font()
    font.setPointSizeF(size)
    text.setFont(font)
    text.show_text("word " * 200 + "\n\n漢字 and ᚠ of other fonts\n" + "the last line")

    def fits():
        end = QTextCursor(text.document())
        end.movePosition(QTextCursor.MoveOperation.End)
        return 0 <= text.viewport().height() - text.cursorRect(end).bottom() <= 4

    qtbot.waitUntil(fits)
    high = text.height()
    text.window().resize(300, 700)
    qtbot.waitUntil(fits)
    assert text.height() > high


# errors ----------------------------------------------------------------------------------------


def test_an_error_folds_its_details_and_can_be_copied_whole(theme, place, qtbot):
    view = place(ErrorView(theme, ERROR, {"operation": "text.generate", "versions": {"torch": "2"}}))
    assert not view.log.isVisible()
    qtbot.mouseClick(view.fold, Qt.MouseButton.LeftButton)
    assert view.log.isVisible() and view.log.toPlainText() == "line 1\n<b>2</b>"
    qtbot.mouseClick(view.copy, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    for part in (
        "It died [died]",
        "By a signal.",
        "Try again.",
        "operation: text.generate",
        '{"torch": "2"}',
        "<b>2</b>",
    ):
        assert part in copied


def test_an_error_without_a_log_has_no_fold(theme, place):
    view = place(ErrorView(theme, StudioError("No", "Because.")))
    assert view.fold.isHidden() and view.hint.isHidden() and view.title.textFormat() == Qt.TextFormat.PlainText
    view.show_error(None)
    assert view.isHidden()


# empty places, density -------------------------------------------------------------------------


def test_an_empty_place_has_one_button(theme, place, qtbot):
    empty = place(EmptyState("Nothing yet", "Write something. " * 20, "Begin", icon=theme.icon("mdi6.cog")))
    done = []
    empty.acted.connect(lambda: done.append("acted"))
    empty.window().resize(700, 500)
    qtbot.waitUntil(lambda: empty.detail.height() >= empty.detail.heightForWidth(empty.detail.width()) > 30)
    qtbot.mouseClick(empty.button, Qt.MouseButton.LeftButton)
    empty.show_words("Other", button="Go", act=lambda: done.append("go"))
    qtbot.mouseClick(empty.button, Qt.MouseButton.LeftButton)
    assert done == ["acted", "acted", "go"] and empty.detail.isHidden()
    empty.show_words("No button")
    assert empty.button.isHidden()


def test_density_by_mouse_and_keyboard(place, qtbot):
    switch = place(DensitySwitch())
    heard = []
    switch.changed.connect(heard.append)
    assert switch.value() == "simple"
    qtbot.mouseClick(switch.buttons[Density.EXPERT], Qt.MouseButton.LeftButton)
    switch.buttons[Density.EXPERT].setFocus()
    qtbot.keyClick(switch.buttons[Density.EXPERT], Qt.Key.Key_Left)
    assert heard == ["expert", "simple"]
    switch.set_value("expert")
    assert switch.value() == "expert" and len(heard) == 2
