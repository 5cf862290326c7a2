"""One picture large: its steps, what can be done with it, and the sheet for a branch."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from studio.kit.pictures import Pictures
from studio.kit.session import Session
from studio.kit.surface import label, tool_button

from .ui_batches import Batch, Picture, status
from .ui_branch import BranchSheet
from .ui_large import LargePage
from .ui_steps import Step, StepScrubber, steps_of
from .ui_view import PictureView
from .ui_words import WORDS, icon_of, offered

SHOWN = ("stop_one", "drop", "save", "branch", "vary", "input", "enlarge", "compare", "settings", "restore", "delete")
LARGEST = 8192


class Viewer(LargePage):
    """branched(params): go on from a step. branching(on): the sheet for that is open."""

    branched = Signal(object)
    branching = Signal(bool)
    deed_words = WORDS
    icon_of = staticmethod(icon_of)
    result, results, keys = "picture", "results", ("←", "→")

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(session, parent)
        self._pictures = Pictures(self)
        self._shown: object = None
        self.view = PictureView(session.theme)
        self.scrubber = StepScrubber()
        self.sheet = BranchSheet(session)
        self.zoom = label(small=True)
        icon = session.theme.icon("mdi6.fit-to-screen-outline")
        self.fit = tool_button("Fit", icon=icon, help="Fits it into the view (0)")
        column = self._build(self.view, (self.zoom, self.fit))
        column.insertWidget(2, self.scrubber)
        column.addWidget(self.sheet)
        self.fit.clicked.connect(self.view.fit)
        self.view.moved.connect(self.moved)
        self.view.left.connect(self.left)
        self.view.view_changed.connect(self._show_zoom)
        self.scrubber.picked.connect(self._on_step)
        self.sheet.closed.connect(self.close_branch)
        self.sheet.wanted.connect(self.branched)

    # what is shown ---------------------------------------------------------------------------

    def show_picture(self, batch: Batch, picture: Picture) -> None:
        """Shows this picture, or brings it up to date when it is on show already."""
        fresh = (batch.id, picture.number) != (self.batch, self.number)
        self.batch, self.number = batch.id, picture.number
        if fresh:
            self._shown = None
            self.close_branch()
            self.scrubber.show_steps([], "Result")
        end = "Result" if picture.path else "Now"
        self.scrubber.show_steps(steps_of(self._session.paths.steps, batch.id, picture.item), end)
        if fresh:
            self.scrubber.choose_end()
        self._show_words(batch, picture)
        possible = offered(picture, not batch.ended)
        self._show_buttons(tuple(deed for deed in SHOWN if deed in possible))
        self._show_now(picture)

    def branch(self, params: dict[str, object]) -> None:
        """Opens the sheet, at the step half-way when none is chosen."""
        if self.scrubber.step() is None:
            self.scrubber.choose_middle()
        self.sheet.show_branch(params)
        self.sheet.show_step(self.scrubber.step())
        self.branching.emit(True)

    def close_branch(self) -> None:
        if self.sheet.isVisible() and self.sheet.isAncestorOf(self.sheet.window().focusWidget() or self.sheet):
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)
        self.sheet.hide()
        self.branching.emit(False)

    def _show_words(self, batch: Batch, picture: Picture) -> None:
        seed = batch.seed_of(picture)
        count = len(batch.shown)
        at = next((at for at, other in enumerate(batch.shown) if other is picture), 0)
        parts = [f"Picture {at + 1} of {count}" if count > 1 else ""]
        stopped = picture.facts.get("stopped_at")
        parts += [f"seed {seed}" if seed is not None else "", f"stopped after step {stopped}" if stopped else ""]
        parts.append(status(batch))
        self.words.setText("  ·  ".join(part for part in parts if part))
        self.view.setAccessibleName(f"Picture: {batch.prompt[:80]}")

    def _show_zoom(self) -> None:
        self.zoom.setText("" if self.view.content().isEmpty() else f"{self.view.zoom():.0%}")

    def _show_now(self, picture: Picture) -> None:
        """The step that is chosen, else the file, else the newest preview."""
        step = self.scrubber.step()
        if step is not None:
            self._show_step(step)
        elif picture.path and not picture.gone:
            if self._shown is None and picture.frame:
                self._show_frame(picture.frame)
            self._show_file(picture.path)
        elif picture.frame:
            self._show_frame(picture.frame)
        else:
            self.view.show_image(None, picture.gone or "Waiting for the first step")

    def _show_step(self, step: Step) -> None:
        if step.picture:
            self._show_file(step.picture)
        else:
            self._shown = None
            self.view.show_image(None, f"No picture was kept of {step.name}")

    def _show_frame(self, frame: bytes) -> None:
        if self._shown is frame:
            return
        self._shown = frame
        image = QImage.fromData(frame)
        if not image.isNull():
            self.view.show_image(image)

    def _show_file(self, path: str) -> None:
        if self._shown == path:
            return
        self._shown = path

        def then(image: QImage, problem: str) -> None:
            if self._shown == path:
                words = f"{Path(path).name} cannot be shown: {problem}" if image.isNull() else ""
                self.view.show_image(image, words)

        self._pictures.load(path, QSize(LARGEST, LARGEST), then)

    def _on_step(self, step: Step | None) -> None:
        self.sheet.show_step(step)
        if step is not None:
            self._show_step(step)
        else:
            self.asked.emit("refresh", self.batch, self.number)
