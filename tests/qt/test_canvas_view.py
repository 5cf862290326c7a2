"""Looking at the canvas: pan, zoom, transparency, large pictures, frame, regions, the tool bar."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSlider, QToolButton

from studio.kit.canvas import CanvasTools
from tests.qt.canvas_rig import (
    MIDDLE,
    RIGHT,
    at,
    canvas_on_screen,
    click,
    drag,
    half_clear,
    light_theme,
    mean,
    wheel,
)

pytestmark = pytest.mark.qt
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
theme = pytest.fixture(light_theme)
canvas = pytest.fixture(canvas_on_screen)


def test_a_picture_is_shown_fitted_and_stays_so_when_the_widget_grows(canvas):
    whole = canvas.view.rect_to_widget(canvas.extent())
    assert canvas.rect().contains(whole.toAlignedRect()) and canvas.zoom() > 1.3
    canvas.resize(320, 240)
    assert canvas.zoom() < 0.8
    assert canvas.rect().contains(canvas.view.rect_to_widget(canvas.extent()).toAlignedRect())


def test_the_wheel_zooms_at_the_pointer_and_pans(canvas):
    place = QPoint(200, 150)
    held = canvas.view.to_content(QPointF(place))
    wheel(canvas, place, 3, CTRL)
    assert canvas.zoom() > 2
    away = canvas.view.to_content(QPointF(place)) - held
    assert abs(away.x()) < 1 and abs(away.y()) < 1
    before = QPointF(canvas.view.place)
    wheel(canvas, place, 1)
    assert canvas.view.place.y() > before.y() and canvas.view.place.x() == before.x()
    wheel(canvas, place, 1, SHIFT)
    assert canvas.view.place.x() > before.x()


def test_keys_zoom_fit_and_pan(canvas):
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert canvas.zoom() == 1
    QTest.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.zoom() == pytest.approx(1.25)
    QTest.keyClick(canvas, Qt.Key.Key_Minus)
    assert canvas.zoom() == pytest.approx(1)
    before = QPointF(canvas.view.place)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.view.place.x() < before.x()
    QTest.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.view.fitted


def test_space_and_the_middle_button_take_hold_of_the_picture(canvas):
    before = QPointF(canvas.view.place)
    drag(canvas, (100, 100), (120, 110), button=MIDDLE)
    moved = canvas.view.place - before
    assert moved.x() > 20 and moved.y() > 8
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    drag(canvas, (100, 100), (80, 100))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.view.place.x() < before.x() + moved.x() and not canvas.has_mask()


def test_the_picture_cannot_be_lost(canvas):
    for _ in range(40):
        wheel(canvas, QPoint(10, 10), -10)
        wheel(canvas, QPoint(10, 10), -10, SHIFT)
    seen = canvas.view.rect_to_widget(canvas.extent()).intersected(canvas.rect().toRectF())
    assert seen.width() >= 40 and seen.height() >= 40


def test_transparent_places_show_a_checkerboard(canvas):
    canvas.set_picture(half_clear())
    canvas.set_mode("view")
    shot = canvas.grab().toImage()
    row = {shot.pixelColor(at(canvas, 40, 20) + QPoint(step, 0)).name() for step in range(40)}
    assert row == {canvas.theme.colour("raised").name(), canvas.theme.colour("pressed").name()}
    assert shot.pixelColor(at(canvas, 10, 20)).name() == "#ff0000"


def test_large_zoom_shows_pixels_as_squares(canvas):
    two = QImage(2, 1, QImage.Format.Format_RGB32)
    two.setPixel(0, 0, 0xFF000000)
    two.setPixel(1, 0, 0xFFFFFFFF)
    canvas.set_picture(two)
    canvas.set_mode("view")
    canvas.set_zoom(40)
    shot = canvas.grab().toImage()
    edge = at(canvas, 1, 0.5)
    assert {shot.pixelColor(edge + QPoint(step, 0)).red() for step in range(-10, 10)} == {0, 255}


def test_a_very_large_picture_is_reduced_in_the_background(canvas, qtbot):
    fine = QImage(30_000, 200, QImage.Format.Format_RGB32)
    fine.fill(0xFF000000)
    for y in range(0, 200, 2):
        fine.scanLine(y)[:] = b"\xff" * fine.bytesPerLine()
    canvas.set_picture(fine)
    canvas.set_mode("view")
    canvas.grab()
    assert canvas.pyramid.image.constBits() is not None
    with qtbot.waitSignal(canvas.pyramid.ready):
        canvas.grab()
    shot = canvas.grab().toImage()
    assert 110 < shot.pixelColor(canvas.rect().center()).red() < 145  # lines of one pixel have become grey


def test_the_frame_is_dragged_outwards_in_steps_of_eight(canvas, qtbot):
    canvas.set_mode("frame")
    with qtbot.waitSignal(canvas.frame_changed):
        drag(canvas, (400, 150), (421, 150))
    assert canvas.frame_margins() == (0, 0, 24, 0)
    drag(canvas, (0, 0), (-10, -30))
    assert canvas.frame_margins() == (8, 32, 24, 0)
    drag(canvas, (-8, 100), (50, 100))
    assert canvas.frame_margins() == (0, 32, 24, 0)
    canvas.history.undo()
    assert canvas.frame_margins() != (0, 32, 24, 0)
    canvas.history.redo()
    assert canvas.frame_margins() == (0, 32, 24, 0)


def test_the_frame_by_keys_and_from_the_form(canvas):
    canvas.set_mode("frame")
    canvas.set_frame_margins(3, 20, -8, 99_999)
    assert canvas.frame_margins() == (0, 16, 0, 8192)
    canvas.set_frame_margins(0, 0, 0, 0)
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    QTest.keyClick(canvas, Qt.Key.Key_Down, CTRL)
    QTest.keyClick(canvas, Qt.Key.Key_Down, SHIFT)
    assert canvas.frame_margins() == (8, 0, 0, 72)
    assert not canvas.history.can_redo
    canvas.clear_frame()
    assert canvas.frame_margins() == (0, 0, 0, 0)


def test_the_new_area_is_hatched_and_in_sight(canvas):
    canvas.set_mode("frame")
    canvas.set_frame_margins(0, 0, 400, 0)
    whole = canvas.view.rect_to_widget(canvas.content())
    assert canvas.rect().contains(whole.toAlignedRect())
    part = canvas.grab().toImage().copy(at(canvas, 500, 60).x(), at(canvas, 500, 60).y(), 60, 30)
    assert len({part.pixel(x, y) for x in range(60) for y in range(30)}) > 1


def test_regions_are_drawn_moved_resized_and_deleted(canvas, qtbot):
    canvas.set_mode("regions")
    with qtbot.waitSignal(canvas.regions_changed):
        drag(canvas, (40, 30), (200, 150))
    assert canvas.regions() == [(pytest.approx(0.1, abs=0.01), pytest.approx(0.1, abs=0.01), 0.5, 0.5, "")]
    drag(canvas, (100, 100), (180, 100))
    left, _top, right, _bottom, _label = canvas.regions()[0]
    assert left == pytest.approx(0.3, abs=0.01) and right == pytest.approx(0.7, abs=0.01)
    drag(canvas, (280, 150), (400, 290))
    assert canvas.regions()[0][2:4] == (pytest.approx(1, abs=0.01), pytest.approx(0.967, abs=0.01))
    click(canvas, 10, 290)
    assert canvas.selected_region() == -1
    click(canvas, 300, 100)
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert canvas.regions() == []
    canvas.history.undo()
    assert len(canvas.regions()) == 1


def test_regions_by_keys(canvas):
    canvas.set_mode("regions")
    QTest.keyClick(canvas, Qt.Key.Key_Insert)
    assert canvas.regions() == [(0.25, 0.25, 0.75, 0.75, "")] and canvas.selected_region() == 0
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Down, SHIFT)
    assert canvas.regions() == [(0.26, 0.25, 0.76, 0.76, "")]
    QTest.keyClick(canvas, Qt.Key.Key_Insert)
    QTest.keyClick(canvas, Qt.Key.Key_PageUp)
    assert canvas.selected_region() == 0
    for _ in range(12):
        canvas.add_region()
    assert len(canvas.regions()) == 8


def test_regions_from_the_form_are_kept_inside(canvas):
    canvas.set_regions([(-1, 0.2, 0.5, 7, "sky"), (0.4, 0.4, 0.4, 0.4, "")])
    assert canvas.regions()[0] == (0, 0.2, 0.5, 1, "sky")
    left, top, right, bottom, _ = canvas.regions()[1]
    assert right > left and bottom > top


def test_every_tool_is_reachable_named_and_says_its_key(canvas, theme, qtbot):
    bar = CanvasTools(canvas, theme)
    qtbot.addWidget(bar)
    controls = bar.findChildren(QToolButton) + bar.findChildren(QSlider)
    assert len(controls) > 14
    for control in controls:
        assert control.accessibleName() and control.toolTip() and control.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert "(B)" in bar.buttons["brush"].toolTip()


def test_the_bar_follows_the_canvas_and_greys_what_cannot_be_done(canvas, theme, qtbot):
    bar = CanvasTools(canvas, theme)
    qtbot.addWidget(bar)
    bar.show()
    assert not bar.buttons["clear"].isEnabled() and not bar.buttons["undo"].isEnabled()
    QTest.mouseClick(bar.buttons["fill"], Qt.MouseButton.LeftButton)
    assert bar.buttons["clear"].isEnabled() and "fill mask" in bar.buttons["undo"].toolTip()
    QTest.mouseClick(bar.buttons["lasso"], Qt.MouseButton.LeftButton)
    assert canvas.tool() == "lasso" and bar.buttons["lasso"].isChecked() and not bar.sizes.isEnabled()
    canvas.set_tool("brush")
    bar.sizes.setFocus()
    before = canvas.brush.size
    QTest.keyClick(bar.sizes, Qt.Key.Key_Right)
    assert canvas.brush.size > before
    canvas.set_mode("regions")
    assert bar.buttons["add"].isVisible() and not bar.buttons["brush"].isVisible()
    canvas.set_mode("mask")
    canvas.set_picture(None)
    assert not bar.buttons["fill"].isEnabled() and not bar.buttons["brush"].isEnabled()


def test_a_bar_that_is_gone_leaves_the_history_alone(canvas, theme, qtbot):
    bar = CanvasTools(canvas, theme)
    listeners = len(canvas.history.listeners)
    bar.deleteLater()
    qtbot.waitUntil(lambda: len(canvas.history.listeners) < listeners)
    canvas.fill()


def test_right_to_left_the_picture_is_not_mirrored(canvas):
    canvas.set_picture(half_clear())
    canvas.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    canvas.set_mode("view")
    shot = canvas.grab().toImage()
    assert shot.pixelColor(at(canvas, 10, 20)).name() == "#ff0000"


def test_another_theme_is_another_canvas(canvas, theme):
    canvas.set_picture(None)
    light = mean(canvas.grab().toImage())
    theme.set_choice("dark")
    assert mean(canvas.grab().toImage()) < light - 100


def test_a_right_click_outside_of_the_mask_mode_is_left_to_the_panel(canvas):
    canvas.set_mode("view")
    drag(canvas, (10, 10), (40, 40), button=RIGHT)
    drag(canvas, (10, 10), (40, 40))
    assert not canvas.has_mask() and not canvas.history.can_undo


def test_a_canvas_refuses_what_it_does_not_have(canvas):
    with pytest.raises(ValueError, match="frame"):
        canvas.set_mode("paint")
    with pytest.raises(ValueError, match="lasso"):
        canvas.set_tool("pencil")


def test_a_canvas_that_goes_away_takes_its_steps_along(canvas):
    canvas.fill()
    canvas.set_mode("frame")
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    canvas.forget()
    assert not canvas.history.can_undo
