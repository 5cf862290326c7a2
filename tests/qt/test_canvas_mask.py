"""Painting the mask: strokes, shapes, whole-mask actions, undo with bounded memory, what goes in and out."""

import asyncio

import pytest
from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.kit.canvas.brush import Stroke
from studio.kit.canvas.mask import Mask
from tests.qt.canvas_rig import (
    LEFT,
    MIDDLE,
    RIGHT,
    at,
    canvas_on_screen,
    click,
    drag,
    light_theme,
    painted,
    picture,
)

pytestmark = pytest.mark.qt
theme = pytest.fixture(light_theme)


@pytest.fixture
def canvas(qtbot, theme):
    found = canvas_on_screen(qtbot, theme)
    found.set_brush(size=20, softness=0)
    return found


def test_a_stroke_paints_along_the_way_of_the_pointer(canvas, qtbot):
    with qtbot.waitSignal(canvas.mask_changed):
        drag(canvas, (50, 100), (200, 100), (350, 100))
    assert canvas.has_mask()
    assert [painted(canvas, x, 100) for x in (50, 120, 200, 300, 345)] == [255] * 5
    assert painted(canvas, 200, 109) > 200 and painted(canvas, 200, 112) == 0
    assert painted(canvas, 20, 100) == 0


def test_what_is_painted_is_seen_at_once(canvas):
    before = canvas.grab().toImage().pixelColor(at(canvas, 200, 150))
    drag(canvas, (190, 150), (200, 150), let_go=False)
    assert canvas.grab().toImage().pixelColor(at(canvas, 200, 150)) != before
    QTest.mouseRelease(canvas, LEFT, Qt.KeyboardModifier.NoModifier, at(canvas, 200, 150))


def test_a_soft_stroke_is_as_soft_drawn_slowly_as_at_once():
    slow, fast = Mask(QSize(300, 100)), Mask(QSize(300, 100))
    for mask, step in ((slow, 1), (fast, 50)):
        stroke = Stroke(mask, 60, 1.0, False)
        for x in range(50, 251, step):
            stroke.pull(QPointF(x, 50))
    profiles = [[mask.image.pixelColor(150, y).red() for y in range(100)] for mask in (slow, fast)]
    assert all(abs(a - b) <= 10 for a, b in zip(*profiles, strict=True))
    assert 20 < profiles[0][65] < 235 and profiles[0][50] > 245 and profiles[0][85] == 0


def test_the_right_button_and_the_eraser_take_away(canvas):
    canvas.fill()
    drag(canvas, (50, 50), (100, 50), button=RIGHT)
    assert painted(canvas, 75, 50) == 0
    QTest.keyClick(canvas, Qt.Key.Key_X)
    assert canvas.erasing()
    drag(canvas, (50, 200), (100, 200))
    assert painted(canvas, 75, 200) == 0
    drag(canvas, (75, 200), (80, 200), button=RIGHT)
    assert painted(canvas, 75, 200) == 255


def test_a_rectangle_and_its_square(canvas):
    canvas.set_tool("rectangle")
    drag(canvas, (100, 100), (200, 150))
    assert painted(canvas, 150, 125) == 255 and painted(canvas, 150, 155) == 0 and painted(canvas, 95, 125) == 0
    drag(canvas, (210, 10), (240, 20), keys=Qt.KeyboardModifier.ShiftModifier)
    assert painted(canvas, 225, 35) == 255


def test_a_lasso_freely_and_corner_by_corner(canvas):
    canvas.set_tool("lasso")
    drag(canvas, (50, 50), (150, 50), (150, 150), (50, 150))
    assert painted(canvas, 100, 100) == 255 and painted(canvas, 170, 100) == 0
    for corner in ((200, 200), (300, 200), (250, 280)):
        click(canvas, *corner)
    assert painted(canvas, 250, 220) == 0
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert painted(canvas, 250, 220) == 255 and painted(canvas, 210, 270) == 0


def test_a_lasso_closes_on_its_first_corner_and_can_be_left_off(canvas):
    canvas.set_tool("lasso")
    for corner in ((200, 200), (300, 200), (250, 280)):
        click(canvas, *corner)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not canvas.has_mask()
    for corner in ((200, 200), (300, 200), (250, 280), (201, 201)):
        click(canvas, *corner)
    assert painted(canvas, 250, 220) == 255


def test_fill_invert_clear_by_keys(canvas):
    QTest.keyClick(canvas, Qt.Key.Key_F)
    assert painted(canvas, 0, 0) == painted(canvas, 399, 299) == 255
    drag(canvas, (50, 50), (60, 50), button=RIGHT)
    QTest.keyClick(canvas, Qt.Key.Key_I)
    assert painted(canvas, 55, 50) == 255 and painted(canvas, 300, 200) == 0
    QTest.keyClick(canvas, Qt.Key.Key_C)
    assert not canvas.has_mask()


def test_brush_keys_and_painting_without_a_pointer(canvas):
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert canvas.brush.size > 20
    for _ in range(60):
        QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert canvas.brush.size == 1
    canvas.set_brush(size=30)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert painted(canvas, 200, 150) == 255


def test_undo_and_redo_of_every_kind_of_change(canvas):
    history, states = canvas.history, [canvas.mask_image()]

    def kept() -> None:
        states.append(canvas.mask_image())

    drag(canvas, (50, 100), (350, 100))
    kept()
    drag(canvas, (100, 100), (150, 100), button=RIGHT)
    kept()
    canvas.set_tool("rectangle")
    drag(canvas, (10, 150), (390, 290))
    kept()
    canvas.invert()
    kept()
    canvas.set_mask(picture(400, 300, "#808080"))
    kept()
    canvas.clear()
    kept()
    assert history.undo_title == "clear mask"
    for state in reversed(states[:-1]):
        assert history.undo()
        assert canvas.mask_image() == state
    assert not canvas.has_mask() and not history.can_undo
    for state in states[1:]:
        assert history.redo()
        assert canvas.mask_image() == state


def test_a_click_that_changes_nothing_is_no_step(canvas):
    canvas.fill()
    title = canvas.history.undo_title
    drag(canvas, (50, 50), (100, 50))
    canvas.fill()
    assert canvas.history.undo_title == title == "fill mask"
    canvas.history.undo()
    assert not canvas.history.can_undo


def test_steps_keep_tiles_and_not_masks(canvas, qtbot):
    canvas.set_picture(picture(4096, 2048))
    canvas.set_brush(size=60, softness=1)
    canvas.fill()
    qtbot.waitUntil(lambda: canvas.masking.undo.size() < 40_000)
    drag(canvas, (1000, 1000), (1200, 1000), button=RIGHT)
    drag(canvas, (1100, 900), (1100, 1100), button=RIGHT)
    assert canvas.masking.undo.size() < 4096 * 2048 / 8
    qtbot.waitUntil(lambda: canvas.masking.undo.size() < 40_000)
    before = canvas.mask_image()
    for _ in range(3):
        canvas.history.undo()
    assert not canvas.has_mask()
    for _ in range(3):
        canvas.history.redo()
    assert canvas.mask_image() == before


def test_memory_of_undo_is_bounded_and_the_oldest_steps_go(canvas, qtbot):
    canvas.masking.undo.budget = 3000
    canvas.set_brush(size=90, softness=1)
    for step in range(12):
        drag(canvas, (50 + 20 * step, 80), (60 + 20 * step, 250), button=LEFT if step % 2 else RIGHT)
        drag(canvas, (50 + 20 * step, 60), (60 + 20 * step, 200))
    qtbot.waitUntil(lambda: canvas.masking.undo.size() <= 3000)
    before, steps = canvas.mask_image(), 0
    while canvas.history.undo():
        steps += 1
    assert 0 < steps < 12
    for _ in range(steps):
        canvas.history.redo()
    assert canvas.mask_image() == before


def test_a_mask_of_another_size_is_scaled_and_said(canvas, qtbot):
    mask = QImage(200, 150, QImage.Format.Format_Grayscale8)
    mask.fill(0)
    for y in range(150):
        for x in range(100):
            mask.setPixelColor(x, y, QColor("white"))
    with qtbot.waitSignal(canvas.noticed) as said:
        canvas.set_mask(mask)
    assert "200 × 150" in said.args[0] and "400 × 300" in said.args[0]
    assert painted(canvas, 100, 150) == 255 and painted(canvas, 300, 150) == 0


def test_a_mask_of_alpha_alone_is_read_by_its_alpha(canvas):
    mask = QImage(400, 300, QImage.Format.Format_Alpha8)
    mask.fill(0)
    mask.scanLine(10)[:] = b"\xff" * 400
    canvas.set_mask(mask)
    assert painted(canvas, 50, 10) == 255 and painted(canvas, 50, 11) == 0


def test_the_mask_goes_out_as_grey_png_at_once_and_later(canvas, qtbot):
    drag(canvas, (50, 100), (350, 100))
    now = canvas.mask_png()
    read = QImage.fromData(now)
    assert read.size() == QSize(400, 300) and read.isGrayscale()
    assert read.pixelColor(200, 100).red() == 255 and read.pixelColor(200, 200).red() == 0
    later: list[bytes] = []
    canvas.encode_mask(later.append)
    canvas.clear()
    qtbot.waitUntil(lambda: bool(later))
    assert later == [now]


def test_a_coroutine_can_wait_for_the_png(canvas):
    canvas.fill()

    async def ask() -> bytes:
        waiting = asyncio.ensure_future(canvas.encoded_mask())
        while not waiting.done():
            QApplication.processEvents()
            await asyncio.sleep(0.001)
        return waiting.result()

    assert QImage.fromData(asyncio.run(ask())).pixelColor(1, 1).red() == 255


def test_another_picture_of_the_same_size_keeps_the_mask_and_any_other_forgets_it(canvas):
    canvas.fill()
    canvas.set_picture(picture(400, 300, "#112233"))
    assert canvas.has_mask()
    canvas.set_picture(picture(200, 300))
    assert not canvas.has_mask() and not canvas.history.can_undo
    canvas.set_picture(None)
    assert canvas.picture() is None and not canvas.has_mask()
    drag(canvas, (10, 10), (20, 20))
    canvas.fill()
    canvas.set_mask(picture())
    assert not canvas.has_mask()


def test_a_pen_presses_the_brush_small_and_its_end_erases(canvas):
    canvas.set_brush(size=40, softness=0)
    kinds = QPointingDevice.PointerType

    def touch(kind: QEvent.Type, pointer: QPointingDevice.PointerType, x: float, pressure: float) -> None:
        device = QPointingDevice(
            "pen", 7, QInputDevice.DeviceType.Stylus, pointer, QPointingDevice.Capability.Pressure, 1, 1
        )
        place = QPointF(at(canvas, x, 150))
        release = kind == QEvent.Type.TabletRelease
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletMove else LEFT
        held = Qt.MouseButton.NoButton if release else LEFT
        event = QTabletEvent(
            kind, device, place, canvas.mapToGlobal(place), pressure, 0, 0, 0, 0, 0,
            Qt.KeyboardModifier.NoModifier, button, held,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)

    touch(QEvent.Type.TabletPress, kinds.Pen, 100, 0.2)
    touch(QEvent.Type.TabletMove, kinds.Pen, 300, 1.0)
    touch(QEvent.Type.TabletRelease, kinds.Pen, 300, 0)
    high = [sum(painted(canvas, x, y) > 128 for y in range(100, 200)) for x in (105, 200, 298)]
    assert 8 <= high[0] <= 16 < high[1] < 34 < high[2] <= 42
    touch(QEvent.Type.TabletPress, kinds.Eraser, 200, 1.0)
    touch(QEvent.Type.TabletRelease, kinds.Eraser, 200, 0)
    assert painted(canvas, 200, 150) == 0


def test_a_mask_of_a_very_wide_picture_is_bounded(canvas):
    canvas.set_picture(picture(30_000, 40))
    canvas.set_brush(size=40, softness=0)
    canvas.set_tool("rectangle")
    drag(canvas, (0, 0), (15_000, 40))
    mask = canvas.mask_image()
    assert mask.width() == 8192
    assert mask.pixelColor(1000, 5).red() == 255 and mask.pixelColor(6000, 5).red() == 0


def test_panning_does_not_paint(canvas):
    drag(canvas, (100, 100), (200, 150), button=MIDDLE)
    assert not canvas.has_mask()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (257, 255), (256, 512)])
def test_tiles_of_odd_masks_are_read_and_written_back(size):
    mask = Mask(QSize(*size))
    tiles = mask.tiles(mask.rect)
    mask.image.fill(7)
    mask.touched(mask.rect)
    assert [mask.read(tile) for tile in tiles] == [7] * len(tiles)
    for tile in tiles:
        place = mask.place(tile)
        rows = bytes(range(place.width() % 256)) + bytes(place.width() - place.width() % 256)
        mask.write(tile, rows * place.height())
        back = mask.read(tile)
        assert back == rows * place.height() or (isinstance(back, int) and len(set(rows)) == 1)
    assert mask.tiles(QRect(-50, -50, 20, 20)) == []
