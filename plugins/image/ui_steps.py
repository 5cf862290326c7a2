"""What a picture was like between its steps: files that its job left behind, and a slider through them."""

import re
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.kit.controls.number import StillSlider
from studio.kit.surface import label, name

NAMED = re.compile(r"(\d+)-(\d+)\.(jpg|safetensors|png)")


@dataclass(frozen=True)
class Step:
    """`number` steps are done. picture: what it was like, or a step before it, which is not shown more often than that.

    latents: what painting can go on from, "" when they were not kept. tiles: of a picture that is painted in tiles,
    those that are done, which it can go on from as well.
    """

    number: int
    picture: str
    latents: str
    tiles: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return bool(self.latents or self.tiles)

    @property
    def name(self) -> str:
        return f"{'tile' if self.tiles else 'step'} {self.number}"


def steps_of(steps: Path, job: str, picture: int) -> list[Step]:
    """The steps of one picture that there are files of, in order. None where they were cleared."""
    found: dict[int, dict[str, str]] = {}
    folder = steps / job
    if not job or not folder.is_dir():
        return []
    for path in folder.iterdir():
        named = NAMED.fullmatch(path.name)
        if named and int(named[1]) == picture:
            found.setdefault(int(named[2]), {})[named[3]] = str(path)
    listed: list[Step] = []
    seen, tiles = next((f["jpg"] for _, f in sorted(found.items()) if "jpg" in f), ""), []
    for number, files in sorted(found.items()):
        seen = files.get("jpg", seen)
        tiles += [files["png"]] if "png" in files else []
        whole = len(tiles) == number  # none of them is missing
        listed.append(Step(number, seen, files.get("safetensors", ""), tuple(tiles) if whole else ()))
    return listed


class StepScrubber(QWidget):
    """A slider through the steps; its far end is the picture as it is now. picked(Step or None)."""

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._steps: list[Step] = []
        self._end = "Result"
        self.slider = StillSlider(Qt.Orientation.Horizontal)
        name(self.slider, "Step", "Shows the picture as it was after each step; the far end is the result")
        self.words = label(small=True)
        self.words.setMinimumWidth(96)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(label("Steps", muted=True))
        line.addWidget(self.slider, 1)
        line.addWidget(self.words)
        self.slider.valueChanged.connect(self._on_value)
        self._say()
        self.hide()

    def show_steps(self, steps: list[Step], end: str) -> None:
        """Steps come in front of the end, which is called `end`; one that is chosen stays chosen."""
        chosen = self.step()
        if steps == self._steps and end == self._end:
            return
        self._steps, self._end = list(steps), end
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(steps))
        at = next(
            (i for i, step in enumerate(steps) if chosen is not None and step.number == chosen.number), len(steps)
        )
        self.slider.setValue(at)
        self.slider.blockSignals(False)
        self.setVisible(bool(steps))
        self._say()
        if chosen is not None and self.step() is None:
            self.picked.emit(None)

    def step(self) -> Step | None:
        """The step that is chosen; None is the picture as it is now."""
        at = self.slider.value()
        return self._steps[at] if at < len(self._steps) else None

    def has_steps(self) -> bool:
        return bool(self._steps)

    def choose(self, number: int | None) -> None:
        at = next((i for i, step in enumerate(self._steps) if step.number == number), len(self._steps))
        self.slider.setValue(at)

    def choose_end(self) -> None:
        self.slider.setValue(len(self._steps))

    def choose_middle(self) -> None:
        """The step half-way: where a branch may still change much."""
        usable = [at for at, step in enumerate(self._steps) if step.usable]
        if usable:
            self.slider.setValue(usable[len(usable) // 2])

    def _say(self) -> None:
        step = self.step()
        self.words.setText(self._end if step is None else f"After {step.name}")
        self.slider.setAccessibleDescription(self.words.text())

    def _on_value(self, _value: int) -> None:
        self._say()
        self.picked.emit(self.step())
