"""One picture of a batch on screen: its newest preview, then its file, with the buttons that belong to it."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton, QWidget

from studio.kit.surface import tool_button
from studio.kit.theme import Theme
from studio.kit.thumbs import Thumbs

from .ui_batches import ASKED, Picture
from .ui_words import RUNNING, WORDS, icon_of, offered

RADIUS = 6.0
STYLE = """
QFrame[overlay="true"] { background: @popup; border: 1px solid @line; border-radius: @radius_medium; }
QFrame[overlay="true"] QToolButton { padding: 1px 2px; }
"""
ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End)
OVERLAY = ("branch", "keep", "input", "vary")


class PictureTile(QWidget):
    """asked: (action, number). moved: (number, key) an arrow key wants a neighbour. chosen: it got the keyboard.

    words: of every action, its title and help. overlay, while_running: actions with a button on the picture.
    """

    words = WORDS
    overlay, while_running = OVERLAY, RUNNING

    asked = Signal(str, int)
    moved = Signal(int, int)
    chosen = Signal(int)

    def __init__(self, picture: Picture, thumbs: Thumbs, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.number = picture.number
        self._picture, self._thumbs, self._theme = picture, thumbs, theme
        self._running = self._growing = False
        self._single = False
        self._frame: QPixmap | None = None
        self._frame_of = b""
        self._overlay: QFrame | None = None
        self._overlay_for: tuple[str, ...] = ()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    # what is shown ---------------------------------------------------------------------------

    def show_picture(self, picture: Picture, running: bool, at: int, of: int) -> None:
        """Brings everything up to date. It is the one at place `at`, counted from 0, of so many of its batch.

        running: its job is at work; a picture whose file is there grows no more, whatever becomes of the others.
        """
        self._picture, self._running, self._single = picture, running, of == 1
        self._growing = running and not picture.path
        if picture.frame and picture.frame is not self._frame_of:
            self._frame_of = picture.frame
            image = QImage.fromData(picture.frame)
            self._frame = None if image.isNull() else QPixmap.fromImage(image)
        what = "Picture" if of == 1 else f"Picture {at + 1} of {of}"
        self.setAccessibleName(what)
        self.setAccessibleDescription(self._note() or "Enter shows it large; the menu key shows what can be done")
        self._place_overlay()
        self.update()

    def pixmap(self) -> QPixmap | None:
        """What is painted now: the file, while it is read the last preview."""
        if self._picture.path and not self._picture.gone:
            side = int(max(self.width(), 32) * self.devicePixelRatioF())
            found = self._thumbs.get(self._picture.path, _step(side), self.update)
            if found is not None and not found.isNull():
                return found
        return self._frame

    def _note(self) -> str:
        picture = self._picture
        if picture.gone:
            return picture.gone
        if picture.path:
            problem = self._thumbs.problem(picture.path)
            return f"It cannot be shown: {problem}" if problem else ""
        return ASKED.get(picture.asked, "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        path = QPainterPath()
        path.addRoundedRect(box, RADIUS, RADIUS)
        painter.fillPath(path, self._theme.colour("segment"))
        pixmap, note = self.pixmap(), self._note()
        if pixmap is not None:
            self._paint_pixmap(painter, pixmap, path, box)
        else:
            self._paint_words(painter, box, note or ("Waiting for the first step" if self._growing else ""))
        if pixmap is not None and note:
            self._paint_note(painter, box, note)
        self._paint_ring(painter, box)
        painter.end()

    @staticmethod
    def _paint_pixmap(painter: QPainter, pixmap: QPixmap, path: QPainterPath, box: QRectF) -> None:
        painter.save()
        painter.setClipPath(path)
        size = QSize(pixmap.size()).scaled(box.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(box.center())
        painter.drawPixmap(place, pixmap, QRectF(pixmap.rect()))
        painter.restore()

    def _paint_words(self, painter: QPainter, box: QRectF, words: str) -> None:
        painter.setPen(self._theme.colour("muted"))
        inside = box.adjusted(8, 8, -8, -8)
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), words)

    def _paint_note(self, painter: QPainter, box: QRectF, words: str) -> None:
        line = painter.fontMetrics().height() + 8
        strip = QRectF(box.left() + 4, box.top() + 4, box.width() - 8, line)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("popup"))
        painter.drawRoundedRect(strip, 4, 4)
        painter.setPen(self._theme.colour("text"))
        words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(strip.width()) - 12)
        painter.drawText(strip, int(Qt.AlignmentFlag.AlignCenter), words)

    def _paint_ring(self, painter: QPainter, box: QRectF) -> None:
        focused = self.hasFocus()
        colour: QColor = self._theme.colour("focus" if focused else "line")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2.0 if focused else 1.0))
        painter.drawRoundedRect(box, RADIUS, RADIUS)

    # buttons ---------------------------------------------------------------------------------

    def offered(self) -> tuple[str, ...]:
        """What can be done with this picture now."""
        return offered(self._picture, self._running)

    def icon_of(self, deed: str) -> str:
        return icon_of(deed)

    def _wanted(self) -> tuple[str, ...]:
        deeds = self.offered()
        if self._growing:
            return tuple(deed for deed in self.while_running if deed in deeds)
        here = self.underMouse() or self.hasFocus() or (self._overlay is not None and self._has_inner_focus())
        if not here:
            return ()
        return tuple(deed for deed in self.overlay if deed in deeds and not (deed == "keep" and self._single))

    def _has_inner_focus(self) -> bool:
        return any(button.hasFocus() for button in self.findChildren(QToolButton))

    def _place_overlay(self) -> None:
        wanted = self._wanted()
        if wanted != self._overlay_for:
            self._overlay_for = wanted
            if self._overlay is not None:
                self._overlay.hide()
                self._overlay.deleteLater()
            self._overlay = self._make_overlay(wanted) if wanted else None
        if self._overlay is not None:
            self._overlay.adjustSize()
            size = self._overlay.sizeHint()
            self._overlay.setGeometry(
                max(4, self.width() - size.width() - 6), self.height() - size.height() - 6, size.width(), size.height()
            )
            self._overlay.show()

    def _make_overlay(self, deeds: tuple[str, ...]) -> QFrame:
        frame = QFrame(self)
        frame.setProperty("overlay", True)
        line = QHBoxLayout(frame)
        line.setContentsMargins(2, 2, 2, 2)
        line.setSpacing(0)
        for deed in deeds:
            title, help = self.words[deed]
            button = tool_button(f"{title}", icon=self._theme.icon(self.icon_of(deed), "text"), help=f"{title}: {help}")
            button.setProperty("action", deed)
            button.clicked.connect(self._asker(deed))
            line.addWidget(button)
        if not self._growing:
            more = tool_button("More", icon=self._theme.icon("mdi6.dots-horizontal", "text"))
            more.clicked.connect(lambda: self.open_menu(more.mapToGlobal(QPoint(0, more.height()))))
            line.addWidget(more)
        return frame

    def _asker(self, deed: str) -> Callable[[], None]:
        return lambda: self.asked.emit(deed, self.number)

    def open_menu(self, at: QPoint) -> QMenu:
        """Everything that can be done with this picture, in words."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for deed in self.offered():
            title, help = self.words[deed]
            action = menu.addAction(self._theme.icon(self.icon_of(deed)), title)
            action.setToolTip(help)
            action.triggered.connect(self._asker(deed))
        menu.popup(at)
        return menu

    # hands -----------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_overlay()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._place_overlay()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._place_overlay()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.chosen.emit(self.number)
        self._place_overlay()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self._has_inner_focus():
            self._place_overlay()
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.asked.emit("view", self.number)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        self.open_menu(self.mapToGlobal(self.rect().center()) if keyboard else event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier
        if plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.asked.emit("view", self.number)
        elif plain and key == Qt.Key.Key_Delete and not self._growing:
            self.asked.emit("delete", self.number)
        elif plain and key in ARROWS:
            self.moved.emit(self.number, key.value)
        else:
            super().keyPressEvent(event)


def _step(side: int) -> int:
    """Sizes that thumbnails are read in: few, so that a window that is dragged reads none of them again."""
    return next((step for step in (192, 288, 432, 640, 960) if side <= step), 1440)
