"""Each control: values go in and out, the keyboard works, wrong text is told and the last value stays."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from studio.kit.controls.choice import ChoiceControl, SwitchControl
from studio.kit.controls.choose import control_for
from studio.kit.controls.escapes import typeable, visible
from studio.kit.controls.lines import LinesControl
from studio.kit.controls.model import ModelControl
from studio.kit.controls.number import NumberControl, between, parse
from studio.kit.controls.scale import STEPS, scale_of, step_of
from studio.kit.controls.seed import SeedControl
from studio.kit.controls.text import FileControl, LineControl, TextControl
from studio.kit.theme import Theme
from tests.qt.kit_rig import Everything, Mood, Required, Session, spec

pytestmark = pytest.mark.qt

KINDS = {
    "prompt": TextControl, "model": ModelControl, "temperature": NumberControl, "tokens": NumberControl,
    "steps": NumberControl, "size": NumberControl, "style": ChoiceControl, "mood": ChoiceControl,
    "upscale": SwitchControl, "note": LineControl, "negative": TextControl, "picture": FileControl,
    "stop": LinesControl, "seed": SeedControl,
}  # fmt: skip

VALUES = [
    ("prompt", "one\r\ntwo\u2028three\u00a0four"), ("model", "big"), ("temperature", 0.1234567891), ("tokens", 8192),
    ("steps", None), ("steps", 7), ("size", 10**12), ("style", "oil_painting"), ("mood", Mood.WILD.value),
    ("upscale", True), ("note", "häß"), ("negative", "a\nb"), ("picture", None), ("picture", "/a/b.png"),
    ("stop", ["\n\n", "\\n", " User:"]), ("seed", None), ("seed", 2**32 - 1),
]  # fmt: skip


class Bench:
    """A control on screen, with what it said."""

    def __init__(self, qtbot, session, name, params=Everything):
        self.control = control_for(spec(name, params), session)
        self.changed, self.problems = [], []
        self.control.changed.connect(self.changed.append)
        self.control.problem.connect(self.problems.append)
        self.frame = QWidget()
        self.frame.resize(320, 200)
        for part in (self.control.head, self.control):
            if part is not None:
                part.setParent(self.frame)
        qtbot.addWidget(self.frame)
        self.frame.show()
        self.qtbot = qtbot

    def retype(self, text):
        """As a person replaces all of a field's text."""
        self.control.edit.setFocus()
        self.control.edit.selectAll()
        self.qtbot.keyClick(self.control.edit, Qt.Key.Key_Delete)
        self.qtbot.keyClicks(self.control.edit, text)


@pytest.fixture
def bench(qtbot, qapp, tmp_path):
    session, kept = Session(tmp_path, Theme("light")), []

    def build(name, params=Everything):
        kept.append(Bench(qtbot, session, name, params))
        return kept[-1]

    yield build


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_each_field_has_the_control_of_its_kind(bench, name, kind):
    control = bench(name).control
    assert type(control) is kind
    assert control.edit.accessibleName() == spec(name).title
    assert control.focusProxy() is control.edit


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_value_comes_back_as_it_was_and_is_not_announced(bench, name, value):
    found = bench(name)
    found.control.set_value(value)
    assert found.control.value() == value
    assert not found.changed and not found.problems


# numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("0,5", 0.5), (" 2 ", 2.0), ("1e-1", 0.1), (".5", 0.5), ("5", 5.0), ("٣", 3.0)],
)
def test_numbers_as_people_write_them(text, value):
    assert parse(text, spec("temperature")) == value


@pytest.mark.parametrize(("text", "value"), [("8,192", 8192), ("1 000", 1000), ("1e3", 1000), ("+7", 7)])
def test_whole_numbers_as_people_write_them(text, value):
    found = parse(text, spec("tokens"))
    assert found == value and isinstance(found, int)


def test_a_large_whole_number_loses_no_digit():
    assert parse("9007199254740993", spec("size")) == 9007199254740993


@pytest.mark.parametrize("text", ["", "x", "1.5", "nan", "inf", "1e999", "0", "-3", "8193", "1,2,3", "0x10", "--1"])
def test_what_is_no_number_for_the_field_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"^(?!could not).+\.$"):
        parse(text, spec("tokens"))


def test_the_range_in_words():
    assert between(spec("temperature")) == "Between 0 and 5"
    assert between(spec("top_p")) == "More than 0 and at most 1"
    assert between(spec("size")) == "More than 0"


def test_an_optional_number_may_be_empty():
    assert parse("", spec("steps")) is None


def test_typing_a_number_counts_at_once(bench):
    found = bench("temperature")
    found.retype("1.25")
    assert found.control.value() == 1.25 and found.changed[-1] == 1.25
    assert not any(found.problems)


def test_wrong_text_is_told_and_the_last_value_stays(bench):
    found = bench("temperature")
    found.retype("warm")
    assert found.control.value() == 0.8 and not found.changed
    assert found.problems[-1] == "“warm” is not a number."
    found.retype("9")
    assert found.problems[-1] == "Between 0 and 5." and found.control.value() == 0.8
    found.retype("2")
    assert found.problems[-1] == "" and found.changed == [2.0]


def test_the_beginning_of_a_wrong_number_is_no_value(bench):
    found = bench("tokens")
    before = found.control.value()
    found.retype("99999")
    assert found.control.value() == before and found.changed[-1] == before
    assert found.problems[-1] == "Between 1 and 8192."


def test_escape_in_a_number_comes_before_the_windows_esc_and_undoes_what_was_typed(bench, qtbot):
    found, stopped = bench("tokens"), []
    shortcut = QShortcut(QKeySequence("Esc"), found.frame)
    shortcut.activated.connect(lambda: stopped.append(1))
    found.frame.activateWindow()
    qtbot.waitUntil(found.frame.isActiveWindow)
    before = found.control.value()
    found.retype("12")
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Escape)
    assert found.control.value() == found.changed[-1] == before and not stopped
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Escape)
    assert stopped == [1]


def test_the_beginning_of_a_number_is_no_mistake_until_it_stays(bench, qtbot):
    found = bench("temperature")
    for beginning in ("-", "-1", "1e", "."):
        found.retype(beginning)
        assert not any(found.problems), beginning
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Return)
    assert found.problems[-1]
    found.retype("")
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Return)
    assert found.problems[-1] == "A number is needed here."


def test_escape_gives_the_last_value_back(bench, qtbot):
    found = bench("temperature")
    found.retype("warm")
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Escape)
    assert found.control.edit.text() == "0.8" and found.problems[-1] == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [(Qt.Key.Key_Up, 0.85), (Qt.Key.Key_Down, 0.75), (Qt.Key.Key_PageUp, 1.3), (Qt.Key.Key_PageDown, 0.3)],
)
def test_arrow_keys_step(bench, qtbot, key, value):
    found = bench("temperature")
    qtbot.keyClick(found.control.edit, key)
    assert found.changed == [value]


def test_steps_stop_at_the_ends(bench, qtbot):
    found = bench("top_p")
    qtbot.keyClick(found.control.edit, Qt.Key.Key_Up)
    assert found.control.value() == 1.0 and not found.changed
    found.control.set_value(0.02)
    for _ in range(5):
        qtbot.keyClick(found.control.edit, Qt.Key.Key_Down)
    assert found.control.value() == 0.01, "zero itself is not allowed"


def test_the_slider_moves_the_number_by_key_and_by_mouse(bench, qtbot):
    found = bench("temperature")
    slider = found.control.slider
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert found.changed == [0.85] and found.control.edit.text() == "0.85"
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert found.control.value() == 0
    slider.resize(300, 22)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(150, 11))
    assert found.control.value() == pytest.approx(1.0, abs=0.1), "a click beside the handle takes it there"
    qtbot.mouseMove(slider, QPoint(299, 11))
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(299, 11))
    assert found.control.value() == 2.0


def test_a_number_beyond_the_slider_is_kept(bench):
    found = bench("temperature")
    found.control.set_value(4.5)
    assert found.control.value() == 4.5 and found.control.slider.value() == STEPS


def test_an_open_range_has_no_slider(bench):
    assert bench("size").control.slider is None


def test_a_wide_range_is_crowded_at_the_small_end():
    scale = scale_of(spec("tokens"))
    assert scale.value(0) == 1 and scale.value(STEPS) == 8192
    assert scale.value(STEPS // 2) < 1200
    found = [scale.value(position) for position in range(STEPS + 1)]
    assert found == sorted(found) and all(isinstance(value, int) for value in found)


@pytest.mark.parametrize("name", ["temperature", "tokens", "factor"])
def test_every_place_of_a_slider_is_an_allowed_number(name):
    scale, field = scale_of(spec(name)), spec(name)
    for position in range(STEPS + 1):
        value = scale.value(position)
        assert field.minimum <= value <= field.maximum
        assert scale.value(scale.position(value)) == value or abs(scale.position(value) - position) <= 6


def test_steps_fit_the_range():
    assert step_of(spec("temperature")) == 0.05
    assert step_of(spec("factor")) == 0.01
    assert step_of(spec("tokens")) == 1


def test_the_wheel_is_left_to_the_page(bench, qtbot):
    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QWheelEvent

    for name, part in (("temperature", "slider"), ("style", "combo")):
        found = bench(name)
        widget = getattr(found.control, part)
        here = QPointF(5, 5)
        event = QWheelEvent(
            here, widget.mapToGlobal(here), QPoint(0, 0), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        widget.clearFocus()
        widget.wheelEvent(event)
        assert not event.isAccepted() and not found.changed


# choices ---------------------------------------------------------------------------------------


def test_a_choice_by_keyboard(bench, qtbot):
    found = bench("style")
    qtbot.keyClick(found.control.combo, Qt.Key.Key_Down)
    assert found.changed == ["oil_painting"]
    assert found.control.combo.currentText() == "Oil painting"


def test_a_switch_by_keyboard_and_mouse(bench, qtbot):
    found = bench("upscale")
    qtbot.keyClick(found.control.switch, Qt.Key.Key_Space)
    qtbot.mouseClick(found.control.switch, Qt.MouseButton.LeftButton)
    assert found.changed == [True, False]


@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_the_knob_of_a_switch_lies_at_the_far_end_when_on(bench, direction):
    switch = bench("upscale").control.switch
    switch.setLayoutDirection(direction)
    switch.resize(switch.sizeHint())
    sides = {}
    for on in (True, False):
        switch.setChecked(on)
        image = switch.grab().toImage()
        left = image.pixelColor(3 + 9, 12).lightness()
        right = image.pixelColor(3 + 34 - 9, 12).lightness()
        sides[on] = "left" if left > right else "right"
    far = "right" if direction == Qt.LayoutDirection.LeftToRight else "left"
    assert sides[True] == far and sides[False] != far


# seeds -----------------------------------------------------------------------------------------


def test_the_lock_keeps_the_last_seed_and_opens_again(bench):
    found = bench("seed")
    found.control.set_last(4711)
    assert "4711" in found.control.field.placeholderText()
    found.control.lock.click()
    assert found.changed == [4711] and found.control.field.text() == "4711"
    found.control.lock.click()
    assert found.changed == [4711, None] and found.control.field.text() == ""


def test_the_dice_draws_a_seed_and_keeps_it(bench):
    found = bench("seed")
    found.control.dice.click()
    found.control.dice.click()
    assert len(set(found.changed)) == 2 and all(0 <= seed < 2**32 for seed in found.changed)
    assert found.control.lock.isChecked()


def test_a_typed_seed_closes_the_lock(bench):
    found = bench("seed")
    found.retype("7")
    assert found.changed == [7] and found.control.lock.isChecked()
    found.retype("")
    assert found.changed[-1] is None and not found.control.lock.isChecked()


@pytest.mark.parametrize("text", ["-1", "4294967296", "1.5", "abc"])
def test_a_wrong_seed_is_told(bench, text):
    found = bench("seed")
    found.control.set_value(5)
    found.control.field.setText(text)
    found.control.field.textEdited.emit(text)
    assert found.problems[-1].endswith(".")
    assert found.control.value() == 5 and not found.changed


# words -----------------------------------------------------------------------------------------


def test_a_line_is_announced_while_it_is_typed(bench):
    found = bench("note")
    found.retype("ab")
    assert found.changed == ["a", "ab"]


def test_chips_are_added_taken_back_and_removed_by_keyboard(bench, qtbot):
    found = bench("stop")
    for text in ("###", "\\n\\nUser:"):
        found.retype(text)
        qtbot.keyClick(found.control.field, Qt.Key.Key_Return)
    assert found.control.value() == ["###", "\\n\\nUser:"]
    assert [chip.text().strip("\u2068\u2069") for chip in found.control.chips] == ["###", "\\n\\nUser:"]
    qtbot.keyClick(found.control.field, Qt.Key.Key_Backspace)
    assert found.control.value() == ["###"] and found.control.field.text() == "\\n\\nUser:"
    qtbot.keyClick(found.control.field, Qt.Key.Key_Return)
    found.control.chips[0].setFocus()
    qtbot.keyClick(found.control.chips[0], Qt.Key.Key_Delete)
    assert found.control.value() == ["\\n\\nUser:"]
    qtbot.mouseClick(found.control.chips[0], Qt.MouseButton.LeftButton)
    assert found.control.value() == [] and found.changed[-1] == []


def test_a_chip_is_not_added_twice_and_what_is_typed_is_not_lost_with_the_focus(bench, qtbot):
    found = bench("stop")
    found.control.set_value(["a"])
    found.retype("a")
    qtbot.keyClick(found.control.field, Qt.Key.Key_Return)
    assert found.control.value() == ["a"] and not found.changed
    found.control.field.setText("b")
    found.control.field.added.emit()
    assert found.control.value() == ["a", "b"]


def test_invisible_characters_are_seen(bench):
    found = bench("stop")
    found.control.set_value(["\n", "\t&x", " a "])
    assert [chip.text().strip("\u2068\u2069") for chip in found.control.chips] == ["\\n", "\\t&&x", "␣a␣"]
    assert visible("\u200b\x07\U000e0001") == "\\u200b\\x07\\U000e0001"
    assert typeable("a\nb\\n") == "a\\nb\\n"


def test_a_file_is_chosen_without_stopping_anything(bench, qtbot, tmp_path):
    found = bench("picture")
    found.control.browse.click()
    assert found.control.dialog.isVisible()
    found.control.dialog.fileSelected.emit(str(tmp_path / "a.png"))
    found.control.dialog.close()
    assert found.changed == [str(tmp_path / "a.png")]
    found.retype("")
    assert found.changed[-1] is None


def test_required_fields_begin_plain(bench):
    assert bench("text", Required).control.value() is None
    assert bench("count", Required).control.value() is None
