"""A canvas in a window with real mouse events, for the tests of the canvas and its tools."""

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.kit.canvas import Canvas
from studio.kit.history import History
from studio.kit.theme import Theme

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NONE = Qt.KeyboardModifier.NoModifier


def light_theme(qapp) -> Iterator[Theme]:
    """A fixture."""
    found = Theme("light")
    yield found
    found.set_choice("system")


def canvas_on_screen(qtbot, theme: Theme) -> Canvas:
    """A fixture: a canvas with a picture."""
    found = Canvas(theme, History())
    qtbot.addWidget(found)
    found.resize(640, 480)
    found.show()
    found.set_picture(picture())
    return found


def picture(width: int = 400, height: int = 300, colour: str = "#88aacc") -> QImage:
    found = QImage(width, height, QImage.Format.Format_RGB32)
    found.fill(QColor(colour))
    return found


def at(canvas: Canvas, x: float, y: float) -> QPoint:
    """A place of the picture, in the widget."""
    return canvas.view.to_widget(QPointF(x, y)).toPoint()


def drag(canvas: Canvas, *points: tuple[float, float], button=LEFT, keys=NONE, let_go: bool = True) -> None:
    """Presses at the first place of the picture, moves over the others and lets go at the last."""
    QTest.mousePress(canvas, button, keys, at(canvas, *points[0]))
    for point in points[1:]:
        place = QPointF(at(canvas, *point))
        event = QMouseEvent(
            QEvent.Type.MouseMove, place, canvas.mapToGlobal(place), Qt.MouseButton.NoButton, button, keys
        )
        QApplication.sendEvent(canvas, event)
    if let_go:
        QTest.mouseRelease(canvas, button, keys, at(canvas, *points[-1]))


def click(canvas: Canvas, x: float, y: float, button=LEFT) -> None:
    QTest.mouseClick(canvas, button, NONE, at(canvas, x, y))


def wheel(canvas: Canvas, place: QPoint, notches: int, keys=NONE) -> None:
    spot = QPointF(place)
    event = QWheelEvent(
        spot, canvas.mapToGlobal(spot), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, keys,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def painted(canvas: Canvas, x: int, y: int) -> int:
    """The mask's value at a pixel of the picture."""
    return canvas.mask_image().pixelColor(x, y).red()


def mean(image: QImage) -> float:
    grey = image.scaled(1, 1, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    return grey.pixelColor(0, 0).lightness()


def half_clear(width: int = 64, height: int = 64) -> QImage:
    """Left half red, right half transparent."""
    found = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    found.fill(Qt.GlobalColor.transparent)
    painter = QPainter(found)
    painter.fillRect(0, 0, width // 2, height, QColor("#ff0000"))
    painter.end()
    return found
