"""How smoothly an 8-megapixel mask is painted: stroke moves, each followed by a repaint of the whole canvas.

    python -m benchmarks.canvas

Offscreen, a canvas of 1600×1000 device pixels, 500 moves of a soft brush across a picture of 3840×2160. A frame is
one move and the repaint after it; `max_gap_ms` is the longest of them, the press, the release with its step to undo,
and the wait for one mask being encoded as PNG in the background included.
"""

import math
import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QRadialGradient
from PySide6.QtWidgets import QApplication

from benchmarks.rig import percentile, report
from studio.kit.canvas import Canvas
from studio.kit.history import History
from studio.kit.theme import Theme

WIDE, HIGH, MOVES = 3840, 2160, 500
Button = Qt.MouseButton


def picture() -> QImage:
    found = QImage(WIDE, HIGH, QImage.Format.Format_RGB32)
    painter = QPainter(found)
    gradient = QRadialGradient(QPointF(WIDE / 3, HIGH / 3), WIDE / 1.5)
    gradient.setColorAt(0, QColor("#ffd9a0"))
    gradient.setColorAt(1, QColor("#1f3b63"))
    painter.fillRect(found.rect(), gradient)
    painter.end()
    return found


def send(canvas: Canvas, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
    event = QMouseEvent(kind, at, canvas.mapToGlobal(at), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


def way(step: int) -> QPointF:
    """A spiral over most of the canvas: fast and slow, near and far from what is painted already."""
    share = step / MOVES
    angle = share * 14 * math.pi
    return QPointF(800 + 640 * share * math.cos(angle), 500 + 420 * share * math.sin(angle))


def timed(frames: list[float], canvas: Canvas, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton) -> None:
    began = time.perf_counter()
    held = Button.NoButton if kind == QEvent.Type.MouseButtonRelease else Button.LeftButton
    send(canvas, kind, at, button, held)
    canvas.repaint()
    frames.append(time.perf_counter() - began)


def encoding(app: QApplication, canvas: Canvas) -> tuple[float, float]:
    """Seconds until the mask is a PNG, and the longest gap of the event loop meanwhile."""
    found: list[bytes] = []
    began = last = time.perf_counter()
    longest = 0.0
    canvas.encode_mask(found.append)
    while not found:
        app.processEvents()
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        time.sleep(0.001)
    return time.perf_counter() - began, longest


def main() -> None:
    app = QApplication([])
    theme = Theme("dark")
    theme.apply()
    canvas = Canvas(theme, History())
    canvas.resize(1600, 1000)
    canvas.show()
    canvas.set_picture(picture())
    canvas.set_brush(size=160, softness=0.5)
    app.processEvents()
    time.sleep(0.3)
    app.processEvents()
    frames: list[float] = []
    timed([], canvas, QEvent.Type.MouseMove, way(0), Button.NoButton)
    ends: list[float] = []
    timed(ends, canvas, QEvent.Type.MouseButtonPress, way(0), Button.LeftButton)
    for step in range(MOVES):
        timed(frames, canvas, QEvent.Type.MouseMove, way(step), Button.NoButton)
    timed(ends, canvas, QEvent.Type.MouseButtonRelease, way(MOVES), Button.LeftButton)
    encoded, gap = encoding(app, canvas)
    p50, p95 = (1000 * percentile(frames, share) for share in (0.5, 0.95))
    longest = 1000 * max(*frames, *ends, gap)
    rate = len(frames) / sum(frames)
    report(
        "Painting an 8-megapixel mask, canvas of 1600×1000",
        [
            ("what", "measured", "asked"),
            ("frame, median", f"{p50:.1f} ms", ""),
            ("frame, 95 of 100", f"{p95:.1f} ms", "16.7 ms"),
            ("frames a second", f"{rate:.0f}", "60"),
            ("longest wait", f"{longest:.1f} ms", "50 ms"),
            ("mask as PNG, in the background", f"{1000 * encoded:.0f} ms", ""),
        ],
        {
            "frames_per_second": rate,
            "p50_ms": p50,
            "p95_ms": p95,
            "max_gap_ms": longest,
            "encode_ms": 1000 * encoded,
            "undo_mib": canvas.masking.undo.size() / 2**20,
        },
    )
    canvas.close()


if __name__ == "__main__":
    main()
