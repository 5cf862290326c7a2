"""The canvas's tool bar: tools, eraser, brush, whole-mask actions, undo and zoom, each with its key in the tooltip.

Owns buttons and sliders; what they do is the canvas's. Wraps onto more lines when it is narrow (kit.flow).
"""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from studio.kit.canvas.canvas import Canvas
from studio.kit.controls.number import StillSlider
from studio.kit.flow import FlowLayout
from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

SLIDER = 88
FINEST = 100
"""Steps of the size slider; sizes grow along it, so that small ones can be met."""
TOOLS = (
    ("brush", "Brush", "brush", "Paints the mask (B). Right button or X erases."),
    ("lasso", "Lasso", "lasso", "Draws an outline: drag freely, or click corners and close with Return (L)."),
    ("rectangle", "Rectangle", "rectangle-outline", "From corner to corner; with Shift a square (R)."),
)


def size_at(step: int, most: int) -> int:
    """The brush size at a place of its slider: from 1 to `most`, more slowly where it is small."""
    return round(1 + (most - 1) * (step / FINEST) ** 2)


def step_of(size: int, most: int) -> int:
    return min(FINEST, round(FINEST * ((max(1, size) - 1) / (most - 1)) ** 0.5))


class CanvasTools(QWidget):
    """Follows its canvas: what cannot be done now is grey."""

    MOST = 400

    def __init__(self, canvas: Canvas, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.canvas, self.theme = canvas, theme
        self.setAccessibleName("Canvas tools")
        self.buttons: dict[str, QToolButton] = {}
        self._flow = FlowLayout(spacing=theme.shape("space", "half"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._flow)
        self._mask_tools = [self._tools(), self._brush(), self._actions()]
        self._region_tools = self._group(
            self._button("add", "Add region", "plus-box-outline", "Adds a region (Insert).", canvas.add_region),
            self._button(
                "remove", "Delete region", "delete-outline", "Deletes the region (Delete).", canvas.remove_region
            ),
        )
        self._frame_tools = self._group(
            self._button("no_frame", "No frame", "fullscreen-exit", "Takes all edges back.", self._no_frame)
        )
        self._history()
        self._zoom()
        for signal in (canvas.tool_changed, canvas.changed, canvas.view_changed, canvas.region_selected):
            signal.connect(self._follow)
        canvas.history.listeners.append(self._follow)
        self.destroyed.connect(partial(_leave, canvas.history.listeners, self._follow))
        self._follow()

    # -- made once

    def _tools(self) -> QWidget:
        canvas = self.canvas
        found = [
            self._button(key, title, icon, help, partial(canvas.set_tool, key)) for key, title, icon, help in TOOLS
        ]
        found.append(self._button("eraser", "Eraser", "eraser", "Erases instead of painting (E or X).", self._erase))
        for button in found:
            button.setCheckable(True)
        return self._group(*found)

    def _brush(self) -> QWidget:
        self.sizes = self._slider("Brush size", "Diameter of the brush, in pixels of the picture ([ and ]).", FINEST)
        self.softnesses = self._slider("Brush softness", "How soft the brush's edge is ({ and }).", 100)
        self._size_words = label("", muted=True, small=True)
        self._softness_words = label("", muted=True, small=True)
        for words in (self._size_words, self._softness_words):
            words.setFixedWidth(words.fontMetrics().horizontalAdvance("1000 px"))
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sizes.actionTriggered.connect(self._slid_size)
        self.softnesses.actionTriggered.connect(self._slid_softness)
        return self._group(
            label("Size", muted=True, small=True), self.sizes, self._size_words,
            label("Softness", muted=True, small=True), self.softnesses, self._softness_words,
        )  # fmt: skip

    def _actions(self) -> QWidget:
        canvas = self.canvas
        return self._group(
            self._button("fill", "Fill all", "format-color-fill", "Paints all of the picture (F).", canvas.fill),
            self._button("invert", "Invert", "invert-colors", "Swaps painted and unpainted (I).", canvas.invert),
            self._button("clear", "Clear", "trash-can-outline", "Nothing is painted any more (C).", canvas.clear),
        )

    def _history(self) -> None:
        history = self.canvas.history
        self._group(
            self._button("undo", "Undo", "undo", "Undo (Ctrl+Z).", history.undo),
            self._button("redo", "Redo", "redo", "Redo (Ctrl+Shift+Z).", history.redo),
        )

    def _zoom(self) -> None:
        canvas = self.canvas
        self._zooms = label("", muted=True, small=True)
        self._zooms.setFixedWidth(self._zooms.fontMetrics().horizontalAdvance("6400 %"))
        self._zooms.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._group(
            self._button("out", "Zoom out", "magnify-minus-outline", "Zoom out (-).", lambda: self._by(1 / 1.25)),
            self._zooms,
            self._button("in", "Zoom in", "magnify-plus-outline", "Zoom in (+).", lambda: self._by(1.25)),
            self._button("fit", "Fit", "fit-to-page-outline", "Shows all of it (0).", canvas.fit),
            self._button("whole", "100 %", "numeric-1-box-outline", "One pixel on one pixel (1).", self._whole),
        )

    def _button(self, key: str, title: str, icon: str, help: str, do: Callable[[], object]) -> QToolButton:
        found = tool_button(title, icon=self.theme.icon(icon), help=f"{title}. {help}" if title not in help else help)
        found.clicked.connect(lambda: do())
        self.buttons[key] = found
        return found

    def _slider(self, title: str, help: str, most: int) -> StillSlider:
        found = StillSlider(Qt.Orientation.Horizontal)
        found.setRange(0, most)
        found.setPageStep(most // 10)
        found.setFixedWidth(SLIDER)
        found.setAccessibleName(title)
        found.setAccessibleDescription(help)
        found.setToolTip(help)
        return found

    def _group(self, *widgets: QWidget) -> QWidget:
        """Widgets that stay on one line together."""
        found = QWidget()
        found.setFixedHeight(self.theme.shape("size", "button"))
        line = QHBoxLayout(found)
        line.setContentsMargins(0, 0, self.theme.shape("space", "half"), 0)
        line.setSpacing(self.theme.shape("space", "half") // 2)
        for widget in widgets:
            line.addWidget(widget)
        self._flow.addWidget(found)
        return found

    # -- what the person does

    def _erase(self) -> None:
        self.canvas.set_erasing(not self.canvas.erasing())
        self._follow()

    def _slid_size(self, _action: int) -> None:
        self.canvas.set_brush(size=size_at(self.sizes.sliderPosition(), self.MOST))

    def _slid_softness(self, _action: int) -> None:
        self.canvas.set_brush(softness=self.softnesses.sliderPosition() / 100)

    def _by(self, factor: float) -> None:
        self.canvas.set_zoom(self.canvas.zoom() * factor)

    def _whole(self) -> None:
        self.canvas.set_zoom(1.0)

    def _no_frame(self) -> None:
        self.canvas.clear_frame()

    # -- what the canvas says

    def _follow(self, *_: object) -> None:
        canvas = self.canvas
        mode, there, brush = canvas.mode(), canvas.picture() is not None, canvas.brush
        for group in self._mask_tools:
            group.setVisible(mode == "mask")
        self._region_tools.setVisible(mode == "regions")
        self._frame_tools.setVisible(mode == "frame")
        for key, *_rest in TOOLS:
            self.buttons[key].setChecked(canvas.tool() == key)
        self.buttons["eraser"].setChecked(canvas.erasing())
        for key in (*(tool[0] for tool in TOOLS), "eraser", "fill", "invert", "in", "out", "fit", "whole"):
            self.buttons[key].setEnabled(there)
        round_ = there and canvas.tool() == "brush"
        for slider, place in ((self.sizes, step_of(brush.size, self.MOST)), (self.softnesses, brush.softness * 100)):
            slider.setEnabled(round_)
            if not slider.isSliderDown():
                slider.setValue(round(place))
        self._size_words.setText(f"{brush.size} px")
        self._softness_words.setText(f"{round(brush.softness * 100)} %")
        self._zooms.setText(f"{canvas.zoom() * 100:.0f} %" if there else "")
        self._allow(there)

    def _allow(self, there: bool) -> None:
        canvas, history = self.canvas, self.canvas.history
        self.buttons["clear"].setEnabled(there and not canvas.masking.painting and canvas.has_mask())
        self.buttons["add"].setEnabled(there and canvas.can_add_region())
        self.buttons["remove"].setEnabled(canvas.selected_region() >= 0)
        self.buttons["no_frame"].setEnabled(any(canvas.frame_margins()))
        for key, can, title in (
            ("undo", history.can_undo, history.undo_title),
            ("redo", history.can_redo, history.redo_title),
        ):
            keys = "Ctrl+Z" if key == "undo" else "Ctrl+Shift+Z"
            self.buttons[key].setEnabled(can)
            self.buttons[key].setToolTip(f"{key.title()} {title} ({keys})" if can else f"Nothing to {key} ({keys})")


def _leave(listeners: list[Callable[[], None]], follow: Callable[[], None], *_: object) -> None:
    if follow in listeners:
        listeners.remove(follow)
