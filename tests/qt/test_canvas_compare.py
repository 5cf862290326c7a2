"""The before/after slider: one scale for two sizes, the divider by mouse and keys, labels, shared pan and zoom."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from studio.kit.slider_compare import SliderCompare
from studio.kit.theme import Theme
from tests.qt.canvas_rig import picture

pytestmark = pytest.mark.qt
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def compare(qtbot, qapp):
    found = SliderCompare(Theme("light"))
    qtbot.addWidget(found)
    found.resize(600, 400)
    found.show()
    found.set_pictures(picture(100, 75, "#ff0000"), picture(400, 300, "#0000ff"))
    return found


def colours(compare: SliderCompare, y: int = 300) -> tuple[str, str]:
    shot, at = compare.grab().toImage(), round(compare.divider())
    return shot.pixelColor(at - 30, y).name(), shot.pixelColor(at + 30, y).name()


def test_two_sizes_lie_on_each_other(compare):
    assert compare.content().width() == 400
    assert colours(compare) == ("#ff0000", "#0000ff")
    whole = compare.view.rect_to_widget(compare.content())
    corner = QPoint(round(whole.left()) + 2, round(min(whole.bottom(), 398)) - 3)
    assert compare.grab().toImage().pixelColor(corner).name() == "#ff0000"


def test_the_divider_is_dragged(compare, qtbot):
    start = QPoint(round(compare.divider()), 200)
    QTest.mousePress(compare, LEFT, NONE, start)
    with qtbot.waitSignal(compare.divider_moved):
        QTest.mouseMove(compare, start + QPoint(100, 0))
    QTest.mouseRelease(compare, LEFT, NONE, start + QPoint(100, 0))
    assert compare.divider() == pytest.approx(start.x() + 100, abs=1.5)
    assert colours(compare) == ("#ff0000", "#0000ff")


def test_the_divider_by_keys_stays_within(compare):
    QTest.keyClick(compare, Qt.Key.Key_Right)
    assert compare.value() == pytest.approx(0.52)
    QTest.keyClick(compare, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert compare.value() == pytest.approx(0.42)
    QTest.keyClick(compare, Qt.Key.Key_Home)
    QTest.keyClick(compare, Qt.Key.Key_Left)
    assert compare.value() == 0
    QTest.keyClick(compare, Qt.Key.Key_End)
    assert compare.value() == 1 and "100 %" in compare.accessibleDescription()


def test_pan_and_zoom_keep_both_together(compare):
    compare.set_zoom(4.0)
    QTest.mousePress(compare, LEFT, NONE, QPoint(100, 200))
    QTest.mouseMove(compare, QPoint(160, 240))
    QTest.mouseRelease(compare, LEFT, NONE, QPoint(160, 240))
    assert 60 < compare.divider() < 540
    assert colours(compare, 200 + 60) == ("#ff0000", "#0000ff")
    compare.set_pictures(picture(50, 50, "#00ff00"), picture(400, 300, "#0000ff"))
    assert compare.zoom() == 4


def test_a_label_without_room_is_left_out(compare):
    compare.set_labels("Original", "")
    compare.set_value(1)
    with_label = compare.grab().toImage().copy(0, 0, 100, 40)
    compare.set_labels("", "")
    assert compare.grab().toImage().copy(0, 0, 100, 40) != with_label
    compare.set_value(0)
    without = compare.grab().toImage()
    compare.set_labels("Original", "")
    assert compare.grab().toImage() == without


def test_nothing_to_compare_is_no_trouble(compare):
    compare.set_pictures(None, None)
    compare.grab()
    compare.set_pictures(None, picture(20, 20))
    compare.grab()
    QTest.keyClick(compare, Qt.Key.Key_Right)
