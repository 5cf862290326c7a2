"""A player for clips: the picture, play and pause, a slider over the frames, loop, speed, one frame on or back.

Space plays, ← and → step, Home and End go to the ends, L loops. Decoding is playback.py's.
"""

from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from studio.kit.canvas.checkers import draw_checkers
from studio.kit.controls.number import StillSlider
from studio.kit.playback import SPEEDS, Playback
from studio.kit.surface import label, name, tool_button
from studio.kit.theme import Theme

NARROW = 420


class Stage(QWidget):
    """The picture as large as it fits. clicked: the mouse was pressed on it. left: a double click."""

    clicked = Signal()
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self._image = QImage()
        self._words = ""
        self.setMinimumSize(96, 96)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Clip")
        self.setAccessibleDescription("Space plays and pauses, the arrows go one frame on or back")
        theme.changed.connect(self.update)

    def show_image(self, image: QImage | None, words: str = "") -> None:
        self._image, self._words = image if image is not None else QImage(), words
        self.update()

    def image(self) -> QImage:
        return self._image

    def sizeHint(self) -> QSize:
        return QSize(480, 360)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("window"))
        if not self._image.isNull():
            size = QSize(self._image.size()).scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(0, 0, size.width(), size.height())
            place.moveCenter(QRectF(self.rect()).center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if self._image.hasAlphaChannel():
                draw_checkers(painter, place, place.topLeft(), self._theme)
            painter.drawImage(place, self._image)
        if self._words:
            painter.setPen(self._theme.colour("muted"))
            box = QRectF(self.rect()).adjusted(24, 24, -24, -24)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._words)
        if self.hasFocus():
            painter.setPen(self._theme.colour("focus"))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.clicked.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.left.emit()


class Player(QWidget):
    """Shows one clip at a time. left: Enter or a double click wants to go back."""

    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme = theme
        self.playback = Playback(self)
        self.stage = Stage(theme)
        self.slider = StillSlider(Qt.Orientation.Horizontal)
        name(self.slider, "Frame", "The frame on show; arrows step through them")
        self.slider.setRange(0, 0)
        self.play = tool_button("Play", icon=theme.icon("mdi6.play"), help="Plays and pauses (Space)")
        self.back = tool_button("Frame back", icon=theme.icon("mdi6.skip-previous"), help="One frame back (←)")
        self.on = tool_button("Frame on", icon=theme.icon("mdi6.skip-next"), help="One frame on (→)")
        self.loop = tool_button("Loop", icon=theme.icon("mdi6.repeat"), help="Begins again at the end (L)")
        self.loop.setCheckable(True)
        self.loop.setChecked(True)
        self.speed = tool_button("1×", text=True, help="How fast it plays")
        self.speed.setPopupMode(self.speed.ToolButtonPopupMode.InstantPopup)
        self.speed.setMenu(self._speeds())
        self.words = label(small=True)
        self.words.setAccessibleName("Place in the clip")
        self.words.setMinimumWidth(1)
        self._build()
        self._connect()
        self._show_state()

    def _speeds(self) -> QMenu:
        menu = QMenu(self.speed)
        for speed in SPEEDS:
            menu.addAction(f"{speed:g}×").triggered.connect(partial(self._set_speed, speed))
        return menu

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(4)
        for part in (self.play, self.back, self.on):
            line.addWidget(part)
        line.addWidget(self.slider, 1)
        for part in (self.words, self.loop, self.speed):
            line.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.stage, 1)
        column.addLayout(line)

    def _connect(self) -> None:
        playback = self.playback
        playback.shown.connect(self._on_shown)
        playback.changed.connect(self._show_state)
        playback.failed.connect(lambda why: self.stage.show_image(None, why))
        self.play.clicked.connect(playback.toggle)
        self.back.clicked.connect(lambda: playback.step(-1))
        self.on.clicked.connect(lambda: playback.step(1))
        self.loop.toggled.connect(playback.set_loop)
        self.slider.valueChanged.connect(self._on_slider)
        self.slider.sliderPressed.connect(lambda: playback.play(False))
        self.stage.clicked.connect(playback.toggle)
        self.stage.left.connect(self.left)

    # what is shown ---------------------------------------------------------------------------

    def open(self, path: str, *, play: bool = True) -> None:
        """Another clip, from its beginning."""
        self.stage.show_image(None)
        self.playback.open(path, play=play)

    def show_image(self, image: QImage | None, words: str = "") -> None:
        """A picture instead of a clip: what is there while it is made."""
        self.playback.close()
        self.stage.show_image(image, words)
        self._show_state()

    def close_clip(self) -> None:
        """Nothing is decoded any more."""
        self.playback.close()

    def frame(self) -> QImage:
        """The frame on show."""
        return self.stage.image()

    def _on_shown(self, number: int, image: QImage) -> None:
        self.stage.show_image(image)
        self._place(number)

    def _place(self, number: int) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(number)
        self.slider.blockSignals(False)
        self.words.setText(place_words(number, self.playback.count, self.playback.fps))

    def _show_state(self) -> None:
        playback = self.playback
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, playback.count - 1))
        self.slider.setPageStep(max(1, playback.count // 10))
        self.slider.blockSignals(False)
        there = playback.frames is not None
        for part in (self.play, self.back, self.on, self.slider):
            part.setEnabled(there)
        self.play.setIcon(self._theme.icon("mdi6.pause" if playback.playing else "mdi6.play"))
        self.play.setAccessibleName("Pause" if playback.playing else "Play")
        self.loop.setChecked(playback.loop)
        self.speed.setText(f"{playback.speed:g}×")
        self._place(playback.number)

    def _set_speed(self, speed: float, _checked: bool = False) -> None:
        self.playback.set_speed(speed)

    def _on_slider(self, value: int) -> None:
        self.playback.play(False)
        self.playback.go_to(value)

    # hands -----------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow player leaves the room to the slider."""
        super().resizeEvent(event)
        self.words.setVisible(event.size().width() >= NARROW)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
            return
        back = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        match Qt.Key(event.key()):
            case Qt.Key.Key_Space:
                self.playback.toggle()
            case Qt.Key.Key_Left:
                self.playback.step(1 if back else -1)
            case Qt.Key.Key_Right:
                self.playback.step(-1 if back else 1)
            case Qt.Key.Key_Home:
                self.playback.go_to(0)
            case Qt.Key.Key_End:
                self.playback.go_to(self.playback.count - 1)
            case Qt.Key.Key_L:
                self.loop.toggle()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.left.emit()
            case _:
                super().keyPressEvent(event)


def place_words(number: int, count: int, fps: float) -> str:
    """Frame and time, as "12 of 48 · 0:01.0 of 0:04.0"."""
    if not count:
        return ""
    return f"{number + 1:,} of {count:,} · {_clock(number / fps)} of {_clock(count / fps)}"


def _clock(seconds: float) -> str:
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
