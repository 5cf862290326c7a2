"""One clip large: the player, and what can be done with the clip."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from studio.kit.player import Player
from studio.kit.posters import MovingPreview
from studio.kit.session import Session

from .ui_batches import Batch, Picture
from .ui_clips_results import WORDS, icon_of, offered, status
from .ui_large import LargePage


class ClipPage(LargePage):
    """The clip plays; while it is made, what there is of it."""

    deed_words = WORDS
    icon_of = staticmethod(icon_of)
    result, results, keys = "clip", "clips", ("Page Up", "Page Down")

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(session, parent)
        self.path = ""
        self.player = Player(session.theme)
        self.preview = MovingPreview(self)
        self.preview.changed.connect(self._show_preview)
        self._build(self.player)
        self.player.left.connect(self.left)

    def show_clip(self, batch: Batch, picture: Picture) -> None:
        """Shows this clip, or brings it up to date when it is on show already."""
        fresh = (batch.id, picture.number) != (self.batch, self.number)
        self.batch, self.number = batch.id, picture.number
        seed = "" if batch.seed is None else f"seed {batch.seed}"
        self.words.setText("  ·  ".join(part for part in (seed, status(batch)) if part))
        self.player.stage.setAccessibleName(f"Clip: {batch.prompt[:80]}")
        self._show_buttons(tuple(deed for deed in offered(picture, not batch.ended) if deed != "view"))
        if picture.path and not picture.gone:
            self.preview.stop()
            if fresh or self.path != picture.path:
                self.path = picture.path
                self.player.open(picture.path)
            return
        self.path = ""
        if picture.frame and not picture.gone:
            self.preview.show_data(picture.frame)
        else:
            self.player.show_image(None, picture.gone or "Waiting for the first step")

    def leave(self) -> None:
        """Nothing plays any more."""
        self.player.close_clip()
        self.preview.stop()
        self.batch, self.number, self.path = "", -1, ""

    def frame(self) -> QImage:
        """The frame on show; none while it is made."""
        return self.player.frame() if self.path else QImage()

    @property
    def frame_number(self) -> int:
        """Of the frame on show, from 0."""
        return self.player.playback.number

    def focus(self) -> None:
        self.player.stage.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_preview(self) -> None:
        if not self.path and self.batch:
            self.player.show_image(self.preview.image())

    def keyPressEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        by = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}.get(Qt.Key(event.key()), 0)
        if by:
            self.moved.emit(by)
        elif event.key() == Qt.Key.Key_Delete and "delete" in self._deeds:
            self._ask("delete")
        else:
            super().keyPressEvent(event)
