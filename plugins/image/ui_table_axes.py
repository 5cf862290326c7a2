"""The three lines that say what a table varies: a field, its values, and how many those are."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from studio.errors import StudioError
from studio.kit.controls.choice import StillCombo
from studio.kit.surface import label, restyle, tool_button
from studio.kit.theme import Theme

from .axes import LETTERS, Axis, Chosen, Values, example, parse

NOTHING = "Nothing"
WAYS = ("across", "down", "as tabs")
UNREADABLE = "Some values cannot be read."
HELP = "1, 2, 3 · 1-10 (+2) · 0.1-1 [5] · “a, b” in quotes · * for all"


class AxisLine(QObject):
    """One axis. changed: another field or other values."""

    changed = Signal()

    def __init__(self, letter: str, way: str, theme: Theme, parent: QObject | None = None):
        super().__init__(parent)
        self._axes: list[Axis] = []
        self._wanted = ""
        self.combo = StillCombo()
        self.combo.setAccessibleName(f"{letter} axis")
        self.combo.setAccessibleDescription(f"What varies {way}")
        self.text = QLineEdit()
        self.text.setAccessibleName(f"{letter} values")
        self.text.setAccessibleDescription(HELP)
        self.text.setToolTip(HELP)
        self.text.setClearButtonEnabled(True)
        self.letter = label(letter, strong=True)
        self.count = label("", muted=True, small=True)
        self.every = tool_button(
            f"All {letter} values", icon=theme.icon("asterisk"), help="Puts in all choices of this field."
        )
        self.problem = label("", wrap=True, problem=True)
        self.problem.hide()
        self.combo.activated.connect(self._chose)
        self.text.textEdited.connect(lambda _text: self.changed.emit())
        self.every.clicked.connect(self._fill)
        self._follow()

    def key(self) -> str:
        return self._wanted

    def axis(self) -> Axis | None:
        return next((axis for axis in self._axes if axis.key == self._wanted), None)

    def line(self) -> dict[str, str]:
        return {"key": self._wanted, "text": self.text.text()}

    def set_line(self, line: dict[str, Any]) -> None:
        self._wanted = str(line.get("key") or "")
        self.text.setText(str(line.get("text") or ""))
        self._follow()

    def set_axes(self, axes: Sequence[Axis]) -> None:
        """What can be chosen now. A field that is gone stays named, and says so when it is used."""
        self._axes = list(axes)
        self.combo.clear()
        self.combo.addItem(NOTHING, "")
        for axis in axes:
            self.combo.addItem(axis.title, axis.key)
        self._follow()

    def read(self, values: Values) -> Chosen | None:
        """The values that stand here; None for no axis. Raises StudioError."""
        if not self._wanted:
            return None
        axis = self.axis()
        if axis is None:
            raise StudioError("This cannot vary here", f"These settings have no {self._wanted}.", code="axis")
        return parse(axis, self.text.text(), values)

    def show_count(self, count: int, problem: str) -> None:
        """problem: why the values cannot be read; an empty line is no mistake yet."""
        shown = problem if self.text.text().strip() else ""
        self.count.setText(f"{count}" if count else "")
        self.count.setAccessibleName(f"{count} values" if count else "no values")
        self.problem.setText(shown)
        self.problem.setVisible(bool(shown))
        restyle(self.text, invalid=bool(shown))

    def _chose(self, at: int) -> None:
        self._wanted = str(self.combo.itemData(at) or "")
        self._follow()
        self.changed.emit()

    def _fill(self) -> None:
        self.text.setText("*")
        self.changed.emit()

    def _follow(self) -> None:
        axis = self.axis()
        self.combo.setCurrentIndex(max(0, self.combo.findData(self._wanted)))
        self.text.setEnabled(bool(self._wanted))
        self.text.setPlaceholderText(example(axis) if axis else "")
        self.every.setEnabled(axis is not None and axis.kind in ("choice", "model", "switch"))


class AxisLines(QWidget):
    """X, Y and Z. changed: what `read` gives may be another now."""

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.lines = [AxisLine(letter, way, theme, self) for letter, way in zip(LETTERS, WAYS, strict=True)]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.shape("space", "half"))
        for row, line in enumerate(self.lines):
            for column, widget in enumerate((line.letter, line.combo, line.text, line.every, line.count)):
                grid.addWidget(widget, 2 * row, column)
            grid.addWidget(line.problem, 2 * row + 1, 2, 1, 2)
            line.count.setMinimumWidth(line.count.fontMetrics().horizontalAdvance("000"))
            line.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
            line.changed.connect(self.changed)
        grid.setColumnStretch(1, 2)
        grid.setColumnStretch(2, 5)

    def set_axes(self, axes: Sequence[Axis]) -> None:
        for line in self.lines:
            line.set_axes(axes)

    def state(self) -> list[dict[str, str]]:
        return [line.line() for line in self.lines]

    def set_state(self, lines: Sequence[Any]) -> None:
        for line, found in zip(self.lines, lines, strict=False):
            if isinstance(found, dict):
                line.set_line(found)

    def read(self, values: Values) -> tuple[list[Chosen], str]:
        """The axes with their values, and why there is no table of them ("" when there is)."""
        found: list[Chosen] = []
        problem = ""
        for line in self.lines:
            words = ""
            one = None
            try:
                one = line.read(values)
            except StudioError as error:
                words = " ".join(part for part in (error.detail, error.hint) if part)
            if one is not None:
                found.append(one)
            line.show_count(len(one.values) if one else 0, words)
            problem = problem or (UNREADABLE if words and line.text.text().strip() else words)
        if not found and not problem:
            problem = "Choose what varies, and write its values."
        return found, problem
