"""One clip on screen: its poster, which plays under the mouse or with Space; while it is made, what there is of it."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QHideEvent, QImage, QKeyEvent, QPainter, QPaintEvent, QPixmap, QPolygonF
from PySide6.QtWidgets import QWidget

from studio.kit.playback import Playback
from studio.kit.posters import MovingPreview
from studio.kit.theme import Theme
from studio.kit.thumbs import Thumbs

from . import ui_clips_results as results
from .ui_batches import Batch, Picture
from .ui_card import BatchCard
from .ui_clips_modes import MODES, OF_OPERATION
from .ui_tile import PictureTile

HOVER_MS = 250
BADGE = 34


class ClipTile(PictureTile):
    """A tile of which the picture moves."""

    words = results.WORDS
    overlay, while_running = results.ON_TILE, ()

    def __init__(self, picture: Picture, thumbs: Thumbs, theme: Theme, parent: QWidget | None = None):
        super().__init__(picture, thumbs, theme, parent)
        self.playback = Playback(self)
        self.playback.shown.connect(self._on_frame)
        self.preview = MovingPreview(self)
        self.preview.changed.connect(self.update)
        self._playing: QPixmap | None = None
        self._rest = QTimer(self, singleShot=True, interval=HOVER_MS)
        self._rest.timeout.connect(self.start)

    # what is shown ---------------------------------------------------------------------------

    def show_picture(self, picture: Picture, running: bool, at: int, of: int) -> None:
        super().show_picture(picture, running, at, of)
        if self._growing and picture.frame:
            self.preview.show_data(picture.frame)
        elif not self._growing:
            self.preview.stop()
        self.setAccessibleName("Clip" if of == 1 else f"Clip {at + 1} of {of}")
        self.setAccessibleDescription(
            self._note() or "Space plays it here, Enter large; the menu key shows what can be done"
        )

    def pixmap(self) -> QPixmap | None:
        if self._playing is not None:
            return self._playing
        moving = self.preview.image() if self._growing else None
        return QPixmap.fromImage(moving) if moving is not None else super().pixmap()

    def offered(self) -> tuple[str, ...]:
        return results.offered(self._picture, self._running)

    def icon_of(self, deed: str) -> str:
        return results.icon_of(deed)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._growing or self._playing is not None or not self._picture.path or self._picture.gone:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.rect().center())
        ring = QRectF(0, 0, BADGE, BADGE)
        ring.moveCenter(middle)
        painter.setPen(Qt.PenStyle.NoPen)
        back = self._theme.colour("popup")
        back.setAlphaF(0.82)
        painter.setBrush(back)
        painter.drawEllipse(ring)
        painter.setBrush(self._theme.colour("text"))
        third = BADGE / 3
        corners = [QPointF(-third / 2, -third * 0.6), QPointF(-third / 2, third * 0.6), QPointF(third * 0.65, 0)]
        painter.drawPolygon(QPolygonF([middle + corner for corner in corners]))
        painter.end()

    # playing ---------------------------------------------------------------------------------

    @property
    def is_playing(self) -> bool:
        return self.playback.playing

    def start(self) -> None:
        """Plays the file here, again and again."""
        if self._picture.path and not self._picture.gone and not self.playback.playing:
            self.playback.open(self._picture.path, play=True)

    def halt(self) -> None:
        """The poster again; nothing is decoded any more."""
        self._rest.stop()
        self.playback.close()
        self._playing = None
        self.update()

    def _on_frame(self, _number: int, image: QImage) -> None:
        self._playing = QPixmap.fromImage(image)
        self.update()

    # hands -----------------------------------------------------------------------------------

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._rest.start()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.halt()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.halt()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.halt() if self.is_playing else self.start()
            return
        super().keyPressEvent(event)


class ClipCard(BatchCard):
    """One job on screen: its clip, what was asked, and what is going on."""

    makes = ClipTile

    def _say(self, batch: Batch) -> tuple[str, list[str], str, str]:
        mode = MODES.get(OF_OPERATION.get(batch.operation, ""))
        title = mode.title if mode is not None else "Clip"
        return title, results.facts(batch, title), results.status(batch), ""
