"""One batch on screen: a tile for every picture, what was asked, what is going on, and what can be done with it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QToolButton, QWidget

from studio.kit.error import ErrorView
from studio.kit.results import about
from studio.kit.surface import Words, label, tool_button
from studio.kit.theme import Theme
from studio.kit.thumbs import Thumbs
from studio.sdk.progress import share

from .sampler_names import A1111_SAMPLERS
from .ui_batches import Batch, Picture, ignored, status
from .ui_tile import PictureTile
from .ui_words import WORDS, icon_of, offered_for

PAD = 12
GAP = 8
WORDS_WIDE = 250
PROMPT_SHOWN = 280
LEAST = 96
PAIR = 2 * 128 + GAP
"""Room for two tiles side by side."""

TITLES = {
    "image.generate": "Create",
    "image.transform": "Transform",
    "image.inpaint": "Inpaint",
    "image.outpaint": "Extend",
    "image.upscale": "Enlarge",
    "image.edit": "Edit",
}


def shape(width: int, count: int, side: int) -> tuple[int, int, bool]:
    """How `count` tiles lie in a card of `width`: columns, their side, and whether the words stand beside them."""
    inside = max(LEAST, width - 2 * PAD)
    count, side = max(1, count), max(LEAST, min(side, inside))
    if count * (side + GAP) - GAP <= inside - WORDS_WIDE - 2 * GAP:
        return count, side, True
    least = 2 if inside >= PAIR else 1
    columns = min(count, max(least, round((inside + GAP) / (side + GAP))))
    rows = -(-count // columns)
    columns = -(-count // rows)  # as even as it goes: six are three and three, not four and two
    return columns, min(side * 5 // 4, (inside - (columns - 1) * GAP) // columns), False


def height_guess(batch: Batch, width: int, side: int) -> int:
    """About how high the card of a batch will be, for the scroll bar before it is built."""
    count = batch.count if batch.visible else 0
    columns, side, beside = shape(width, count, side)
    rows = -(-count // columns)
    tiles = rows * (side + GAP) - GAP if count else 0
    return 2 * PAD + (max(tiles, 120) if beside else tiles + 100)


class BatchCard(QFrame):
    """asked: (action, batch, number; -1 is the whole batch). resized: it wants another height now."""

    asked = Signal(str, str, int)
    resized = Signal(str)
    chosen = Signal(str, int)
    makes: type[PictureTile] = PictureTile

    def __init__(self, id: str, find: Callable[[str], Batch | None], thumbs: Thumbs, theme: Theme, side: int):
        super().__init__()
        self.id = id
        self._find, self._thumbs, self._theme, self._side = find, thumbs, theme, side
        self._wide = 0
        self.tiles: dict[tuple[int, str], PictureTile] = {}
        self._error: ErrorView | None = None
        self._error_for: dict[str, Any] | None = None
        self._buttons: list[QToolButton] = []
        self._buttons_for: object = None
        self.setProperty("card", True)
        self.prompt = label(wrap=True, selectable=True)
        self.facts = label(wrap=True, small=True)
        self.note = label(wrap=True, small=True)
        self.state = label(wrap=True, muted=True)
        self.state.setAccessibleName("State")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of this batch")
        for part in (self.prompt, self.facts, self.note, self.state, self.bar):
            part.setParent(self)

    # what is shown ---------------------------------------------------------------------------

    def refresh(self) -> None:
        """Brings everything up to date."""
        batch = self._find(self.id)
        if batch is None:
            return
        self._show_tiles(batch)
        self._show_words(batch)
        self._show_progress(batch)
        self._show_error(batch)
        self._show_buttons(batch)
        before = self.height()
        if self._wide and self.fit(self._wide) != before:
            self.resized.emit(self.id)

    def tile(self, number: int) -> PictureTile | None:
        return next((tile for (at, _), tile in self.tiles.items() if at == number), None)

    def set_side(self, side: int) -> None:
        self._side = side

    def _show_tiles(self, batch: Batch) -> None:
        shown = batch.shown if batch.visible else []
        wanted = {(picture.number, picture.artifact): picture for picture in shown}
        self._adopt(wanted)
        for key in [key for key in self.tiles if key not in wanted]:
            tile = self.tiles.pop(key)
            tile.hide()
            tile.deleteLater()
        for at, (key, picture) in enumerate(wanted.items()):
            if key not in self.tiles:
                self.tiles[key] = self._make_tile(picture)
            self.tiles[key].show_picture(picture, not batch.ended, at, len(shown))
        self.tiles = {key: self.tiles[key] for key in wanted}

    def _adopt(self, wanted: dict[tuple[int, str], Picture]) -> None:
        """A picture whose file has come keeps its tile, and with it the keyboard."""
        for number, artifact in wanted:
            old = (number, "")
            if artifact and old in self.tiles and old not in wanted and (number, artifact) not in self.tiles:
                self.tiles[number, artifact] = self.tiles.pop(old)

    def _make_tile(self, picture: Picture) -> PictureTile:
        tile = self.makes(picture, self._thumbs, self._theme, self)
        tile.asked.connect(lambda deed, number: self.asked.emit(deed, self.id, number))
        tile.moved.connect(self._move)
        tile.chosen.connect(lambda number: self.chosen.emit(self.id, number))
        tile.show()
        return tile

    def _show_words(self, batch: Batch) -> None:
        prompt = " ".join(batch.prompt[: 4 * PROMPT_SHOWN].split())
        shown = prompt if len(prompt) <= PROMPT_SHOWN else prompt[:PROMPT_SHOWN] + "…"
        self.prompt.setText(shown or "No prompt")
        title, found, state, note = self._say(batch)
        self.facts.setText(" · ".join(found))
        self.note.setText(note)
        self.state.setText(state)
        self.setAccessibleName(f"{title}: {shown[:60]}")

    def _say(self, batch: Batch) -> tuple[str, list[str], str, str]:
        """Its title, how it was made, what is going on, and a note."""
        return TITLES.get(batch.operation, "Batch"), facts(batch), status(batch), ignored(batch)

    def _show_progress(self, batch: Batch) -> None:
        self.bar.setVisible(batch.working)
        part = share(batch.progress)
        self.bar.setRange(0, 0 if part is None else 1000)
        self.bar.setValue(round(1000 * (part or 0)))

    def _show_error(self, batch: Batch) -> None:
        error = batch.error if batch.state in ("failed", "queued", "cancelled") else None
        if error and self._error is None:
            self._error = ErrorView(self._theme, parent=self)
            self._error.fold.clicked.connect(lambda: self.fit(self._wide) and self.resized.emit(self.id))
        if self._error is not None and error != self._error_for:
            self._error.show_error(error, about(batch))
        self._error_for = error

    def _show_buttons(self, batch: Batch) -> None:
        wanted = offered_for(batch)
        if wanted == self._buttons_for:
            return
        focused = next((b.property("action") for b in self._buttons if b.hasFocus()), None)
        for button in self._buttons:
            button.hide()
            button.deleteLater()
        self._buttons_for = wanted
        self._buttons = [self._button(deed) for deed in wanted]
        for button in self._buttons:
            button.show()
            if focused == button.property("action"):
                button.setFocus()

    def _button(self, deed: str) -> QToolButton:
        title, help = WORDS[deed]
        alone = deed in ("use", "remove")
        button = tool_button(title, icon=self._theme.icon(icon_of(deed)), text=not alone, help=help)
        button.setParent(self)
        button.setProperty("action", deed)
        button.clicked.connect(lambda: self.asked.emit(deed, self.id, -1))
        return button

    # its shape -------------------------------------------------------------------------------

    def fit(self, width: int) -> int:
        """Lays everything out at this width; the height that it takes."""
        self._wide = width
        count = len(self.tiles)
        columns, side, beside = shape(width, count, self._side)
        for at, tile in enumerate(self.tiles.values()):
            row, column = divmod(at, columns)
            self._set(tile, PAD + column * (side + GAP), PAD + row * (side + GAP), side, side, width)
        rows = -(-count // columns)
        tiles_high = rows * (side + GAP) - GAP if count else 0
        left, top = PAD, PAD
        if beside and count:
            left = PAD + columns * (side + GAP) + GAP
        elif count:
            top = PAD + tiles_high + GAP
        end = self._fit_words(left, top, width - PAD - left, width)
        height = max(end, PAD + tiles_high) + PAD
        if self.height() != height or self.width() != width:
            self.setFixedSize(QSize(width, height))
        return height

    def _fit_words(self, left: int, top: int, room: int, width: int) -> int:
        """Prompt, facts, error, progress, state and buttons, one below the other. The lower end."""
        y = top
        for part in (self.prompt, self.facts):
            y = self._put(part, left, y, room, width) + 4
        if self._error is not None and self._error_for:
            self._error.setFixedWidth(room)
            self._error.layout().activate()  # type: ignore[union-attr]
            high = self._error.sizeHint().height()
            self._set(self._error, left, y, room, high, width)
            y += high + 4
        if not self.bar.isHidden():
            self._set(self.bar, left, y + 4, room, 4, width)
            y += 12
        y = self._put(self.state, left, y, room, width) + 4
        y = self._put(self.note, left, y, room, width) + 4
        return self._fit_buttons(left, y, room, width)

    def _put(self, words: QWidget, left: int, y: int, room: int, width: int) -> int:
        assert isinstance(words, Words)
        if not words.text():
            words.hide()
            return y
        words.show()
        words.setMinimumHeight(0)
        high = max(words.heightForWidth(room), 1)
        self._set(words, left, y, room, high, width)
        return y + words.height()

    def _fit_buttons(self, left: int, y: int, room: int, width: int) -> int:
        x = 0
        high = 0
        for button in self._buttons:
            size = button.sizeHint()
            if x and x + size.width() > room:
                x, y = 0, y + high + 2
            self._set(button, left + x, y, size.width(), size.height(), width)
            x += size.width() + 2
            high = max(high, size.height())
        return y + high

    def _set(self, part: QWidget, x: int, y: int, width: int, height: int, whole: int) -> None:
        """Places a part; from right to left where words are read so."""
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            x = whole - x - width
        part.setGeometry(x, y, width, height)

    # keys ------------------------------------------------------------------------------------

    def _move(self, number: int, key: int) -> None:
        """An arrow key on a tile: its neighbour takes the keyboard, or the one of the next batch."""
        numbers = [at for at, _ in self.tiles]
        columns = shape(self._wide, len(numbers), self._side)[0]
        back = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        by = {
            Qt.Key.Key_Left: 1 if back else -1,
            Qt.Key.Key_Right: -1 if back else 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
        }
        at = numbers.index(number)
        wanted = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(numbers) - 1}.get(Qt.Key(key), at + by.get(Qt.Key(key), 0))
        if 0 <= wanted < len(numbers):
            list(self.tiles.values())[wanted].setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.asked.emit("after" if wanted > at else "before", self.id, number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.asked.emit("remove", self.id, -1)
            return
        super().keyPressEvent(event)


def facts(batch: Batch) -> list[str]:
    """How it was made, shortly: mode, size, sampler, guidance, seed."""
    params = batch.params
    found = [TITLES.get(batch.operation, "")]
    if params.get("width") and params.get("height"):
        found.append(f"{params['width']} × {params['height']}")
    if params.get("sampler") not in (None, "auto"):
        found.append(A1111_SAMPLERS.get(params["sampler"], str(params["sampler"])))
    if params.get("guidance") is not None:
        found.append(f"CFG {params['guidance']:g}")
    if batch.seed is not None:
        found.append(f"seed {batch.seed}")
    return [part for part in found if part]
