"""One clip large: the player, and what can be done with the clip."""

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.flow import FlowLayout
from studio.kit.player import Player
from studio.kit.posters import MovingPreview
from studio.kit.session import Session
from studio.kit.surface import label, tool_button

from .ui_batches import Batch, Picture
from .ui_clips_results import WORDS, icon_of, offered, status


class ClipPage(QWidget):
    """asked: (action, batch, number). left: back to the results. moved(by): another clip is wanted."""

    asked = Signal(str, str, int)
    moved = Signal(int)
    left = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self._session, theme = session, session.theme
        self.batch, self.number, self.path = "", -1, ""
        self._deeds: tuple[str, ...] = ()
        self._buttons: list[QWidget] = []
        self.player = Player(theme)
        self.preview = MovingPreview(self)
        self.preview.changed.connect(self._show_preview)
        self.back = tool_button("Back", icon=theme.icon("mdi6.arrow-left"), text=True, help="Back to all clips (Esc)")
        self.last = tool_button("Last clip", icon=theme.icon("mdi6.chevron-left"), help="Last clip (Page Up)")
        self.next = tool_button("Next clip", icon=theme.icon("mdi6.chevron-right"), help="Next clip (Page Down)")
        self.words = label(small=True)
        head = QHBoxLayout()
        head.setSpacing(4)
        for part in (self.back, self.last, self.next):
            head.addWidget(part)
        head.addWidget(self.words, 1)
        bar = QWidget()
        self._flow = FlowLayout(bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 0, 24, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.player, 1)
        column.addWidget(bar)
        self.back.clicked.connect(self.left)
        self.player.left.connect(self.left)
        self.last.clicked.connect(lambda: self.moved.emit(-1))
        self.next.clicked.connect(lambda: self.moved.emit(1))

    def show_clip(self, batch: Batch, picture: Picture) -> None:
        """Shows this clip, or brings it up to date when it is on show already."""
        fresh = (batch.id, picture.number) != (self.batch, self.number)
        self.batch, self.number = batch.id, picture.number
        seed = "" if batch.seed is None else f"seed {batch.seed}"
        self.words.setText("  ·  ".join(part for part in (seed, status(batch)) if part))
        self.player.stage.setAccessibleName(f"Clip: {batch.prompt[:80]}")
        self._show_buttons(offered(picture, not batch.ended))
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

    def focus(self) -> None:
        self.player.stage.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_preview(self) -> None:
        if not self.path and self.batch:
            self.player.show_image(self.preview.image())

    def _show_buttons(self, deeds: tuple[str, ...]) -> None:
        deeds = tuple(deed for deed in deeds if deed != "view")
        if deeds == self._deeds:
            return
        self._deeds = deeds
        for button in self._buttons:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        for deed in deeds:
            title, help = WORDS[deed]
            button = tool_button(title, icon=self._session.theme.icon(icon_of(deed)), text=True, help=help)
            button.clicked.connect(partial(self._ask, deed))
            self._flow.addWidget(button)
            self._buttons.append(button)

    def _ask(self, deed: str, _checked: bool = False) -> None:
        self.asked.emit(deed, self.batch, self.number)

    def keyPressEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        by = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}.get(Qt.Key(event.key()), 0)
        if by:
            self.moved.emit(by)
        elif event.key() == Qt.Key.Key_Delete and "delete" in self._deeds:
            self._ask("delete")
        else:
            super().keyPressEvent(event)
