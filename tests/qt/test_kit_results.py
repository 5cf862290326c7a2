"""Results, errors, progress, notices and empty places."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.density import DensitySwitch
from studio.kit.empty import EmptyState
from studio.kit.error import ErrorView
from studio.kit.notice import NoticeLine
from studio.kit.progress import ProgressLine, clock, counted, fraction
from studio.kit.result import ResultCard
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


def test_it_is_as_tall_as_its_text_at_any_width(place, qtbot):
    text = place(StreamText(), width=600)
    text.show_text("word " * 200)
    line = text.fontMetrics().lineSpacing()

    def fits():
        return abs(text.height() - text.document().lineCount() * line - 2) <= 1

    qtbot.waitUntil(fits)
    high = text.height()
    text.window().resize(300, 700)
    qtbot.waitUntil(fits)
    assert text.height() > high


# cards -----------------------------------------------------------------------------------------


def visible(card):
    return {id for id, button in card.buttons.items() if button.isVisible()}


def test_a_result_grows_and_then_offers_what_can_be_done(theme, place, qtbot):
    card = place(ResultCard(theme))
    asked = []
    card.asked.connect(asked.append)
    card.set_title("Tales", "", "seed 7")
    card.set_state("queued")
    assert "Waiting" in card.progress.words.text() and not card.body.isVisible() and visible(card) == {"stop"}
    card.set_state("running", {"done": 5, "total": 10, "rate": 2.5, "unit": "tokens"})
    card.append("Once ")
    assert card.body.isVisible() and card.progress.bar.value() == 500
    assert card.progress.words.text() == "5 of 10 · 2.5 tokens/s · 0:02 left"
    qtbot.mouseClick(card.buttons["stop"], Qt.MouseButton.LeftButton)
    card.set_state("finished")
    assert visible(card) == {"keep", "vary", "use", "copy", "recipe", "folder", "delete"}
    assert not card.progress.isVisible() and card.title.text() == "Tales · seed 7"
    for id in ("vary", "delete"):
        qtbot.mouseClick(card.buttons[id], Qt.MouseButton.LeftButton)
    card.buttons["copy"].setFocus()
    qtbot.keyClick(card.buttons["copy"], Qt.Key.Key_Space)
    assert asked == ["stop", "vary", "delete", "copy"]


def test_a_failed_result_says_why_in_its_place(theme, place):
    card = place(ResultCard(theme))
    card.set_title("Tales")
    card.append("Once")
    card.set_state("failed", error=ERROR)
    assert card.error.isVisible() and card.error.title.text() == "It died" and card.body.isVisible()
    assert card.title.text() == "Tales · Failed" and visible(card) == {"vary", "recipe", "delete"}
    card.set_state("running")
    assert not card.error.isVisible()


def test_a_kept_result_is_marked(theme, place):
    card = place(ResultCard(theme))
    card.set_kept(True)
    assert card.buttons["keep"].isChecked()


def test_parts_of_a_card_do_not_overlap(theme, place, qtbot):
    card = place(ResultCard(theme), width=420)
    card.show_text("word " * 120)
    card.set_state("failed", error={**ERROR, "detail": "A long reason. " * 30})
    card.error.fold.click()

    def apart():
        parts = [part for part in (card.title, card.body, card.error, card._actions) if part.isVisible()]
        tops = [(part.mapTo(card, QPoint(0, 0)).y(), part.height()) for part in parts]
        return all(top + high <= below for (top, high), (below, _) in pairwise(tops))

    qtbot.waitUntil(apart)
    assert card.error.detail.height() > 3 * card.error.title.height()
    card.window().resize(1200, 700)
    qtbot.waitUntil(lambda: card.error.detail.height() < 4 * card.error.title.height())
    qtbot.waitUntil(apart)


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


# progress --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "words", "part"),
    [
        ({}, "", None),
        ({"stage": "Loading tales"}, "Loading tales", None),
        ({"done": 7, "unit": "tokens"}, "7 tokens", None),
        ({"done": 0, "total": 0}, "", None),
        ({"done": 14, "total": 30, "rate": 3.2}, "14 of 30 · 3.2 it/s · 0:05 left", 14 / 30),
        ({"done": 40, "total": 30, "rate": None}, "40 of 30", 1.0),
        ({"done": 1, "total": 2, "rate": 1e-9, "eta_s": 3700}, "1 of 2 · 0.0 it/s · 1:01:40 left", 0.5),
    ],
)
def test_progress_in_words(progress, words, part):
    assert counted(progress) == words and fraction(progress) == part


def test_times_as_on_a_clock():
    assert [clock(s) for s in (0, 59.6, 65, 3700)] == ["0:00", "1:00", "1:05", "1:01:40"]


def test_without_an_end_the_bar_moves_by_itself(place):
    line = place(ProgressLine())
    line.show_progress({"stage": "Loading"}, "Starting")
    assert line.bar.maximum() == 0 and line.words.text() == "Starting · Loading"


# notices, empty places, density ----------------------------------------------------------------


def test_a_notice_says_offers_and_goes(theme, place, qtbot):
    notice = place(NoticeLine(theme))
    done = []
    assert notice.isHidden()
    notice.say("Small models", "They are a start.", "warning", button="Open", act=lambda: done.append("open"))
    assert notice.isVisible() and notice.property("notice") == "warning" and "Small models" in notice.accessibleName()
    qtbot.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(notice.closed):
        qtbot.mouseClick(notice.close_button, Qt.MouseButton.LeftButton)
    assert done == ["open"] and notice.isHidden()
    notice.say("Again")
    assert notice.button.isHidden() and notice.detail.isHidden()


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
