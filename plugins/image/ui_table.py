"""The page of the X/Y/Z table: what varies, the cells as they come, and what can be done with the chosen one."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSizePolicy, QTabBar, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.canvas.background import Background
from studio.kit.controls.number import StillSlider
from studio.kit.empty import EmptyState
from studio.kit.panel import EventLike
from studio.kit.session import Session
from studio.kit.surface import label, push_button
from studio.sdk.params import SEED_LIMIT, Params

from .axes import MOST_CELLS, Models, Values, axes, capabilities, cells, common, count
from .ui_table_axes import AxisLines
from .ui_table_cells import Place, State, Table, restored
from .ui_table_export import sheet, written
from .ui_table_grid import CellView
from .ui_table_run import TableRun
from .ui_table_strip import CellStrip

Describe = Callable[[], tuple[str, type[Params], Values]]
SIDES = (80, 512)
EMPTY = ("No table yet", "Choose one to three fields that vary, write their values, and start.")


def _seed() -> int:
    return random.SystemRandom().randint(0, SEED_LIMIT)


class TablePage(QWidget):
    """values_taken(settings of a cell): into the form. picture_opened(job, number): show it large.

    draft_changed: `draft` gives something else. `describe` gives the form's operation, params class and values; it
    is asked when the page is shown, when lines change and when jobs begin and end.
    """

    values_taken = Signal(dict)
    picture_opened = Signal(str, int)
    draft_changed = Signal()

    def __init__(self, session: Session, entry_id: str, describe: Describe, parent: QWidget | None = None):
        super().__init__(parent)
        self._session, self._describe = session, describe
        self._models: Models = {}
        self._asked: set[str] = set()
        self._dialog: QFileDialog | None = None
        self._background = Background(self)
        self.run = TableRun(session, entry_id, self)
        self.setAccessibleName("X/Y/Z table")
        self._build()
        self.lines.changed.connect(self._on_lines)
        self.run.changed.connect(self._on_run)
        self.run.touched.connect(self._on_cell)
        self._show_table()

    # -- what the panel calls

    def on_event(self, event: EventLike) -> None:
        if event.kind == "models":
            self._asked.clear()
            if self.isVisible():
                self.refresh()
        else:
            self.run.on_event(event)

    def attached(self) -> None:
        """The engine is there, for the first time or again."""
        self.run.attached()

    def refresh(self) -> None:
        """The form is another: what can vary is read anew."""
        _operation, params, values = self._describe()
        self.lines.set_axes(axes(params, values, self._models))
        wanted = [name for name in capabilities(params) if name not in self._asked]
        if wanted:
            self._asked.update(wanted)
            self._session.spawn(self._ask_models(wanted))
        self._count()

    def draft(self) -> dict[str, Any]:
        table = self.run.table
        return {
            "lines": self.lines.state(),
            "side": self.view.side(),
            "layer": self.tabs.currentIndex(),
            "table": table.document() if table is not None else None,
        }

    def restore(self, draft: dict[str, Any]) -> None:
        """Puts back what `draft` gave, perhaps in an older version; call `attached` to learn what became of it."""
        lines, document = draft.get("lines"), draft.get("table")
        if isinstance(lines, list):
            self.lines.set_state(lines)
        if isinstance(draft.get("side"), int):
            self.zoom.setValue(min(SIDES[1], max(SIDES[0], draft["side"])))
        if isinstance(document, dict):
            try:
                table = restored(document, self._session.params_class(str(document.get("operation"))))
            except (StudioError, KeyError):
                table = None  # its operation is no longer there
            self.run.set_table(table)
            self._show_table()
        if isinstance(draft.get("layer"), int):
            self.tabs.setCurrentIndex(min(draft["layer"], self.tabs.count() - 1))
        self.refresh()

    # -- made once

    def _build(self) -> None:
        theme = self._session.theme
        one = theme.shape("space", "one")
        self.lines = AxisLines(theme)
        self.note = label("", muted=True, small=True, wrap=True)
        self.start = push_button("Start", primary=True, help="Queues one job for each cell, behind your other work.")
        self.stop = push_button("Cancel all", help="Stops and takes out what has not finished; finished cells stay.")
        self.export = push_button("Export…", help="Writes the table with its headings as one picture.")
        self.zoom = StillSlider(Qt.Orientation.Horizontal)
        self.zoom.setRange(*SIDES)
        self.zoom.setPageStep(64)
        self.zoom.setFixedWidth(110)
        self.zoom.setAccessibleName("Size of the cells")
        self.zoom.setToolTip("Size of the cells")
        self.zoom.setValue(160)
        self.tabs = QTabBar()
        self.tabs.setAccessibleName("Z axis")
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        self.view = CellView(theme)
        self.view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.empty = EmptyState(*EMPTY, icon=theme.icon("table-large", "faint"))
        self.strip = CellStrip(self._session)
        buttons = QHBoxLayout()
        buttons.setSpacing(one)
        for widget in (self.start, self.stop, self.export):
            buttons.addWidget(widget)
        buttons.addWidget(self.note, 1)
        buttons.addWidget(self.zoom)
        column = QVBoxLayout(self)
        column.setContentsMargins(one, one, one, one)
        column.setSpacing(one)
        column.addWidget(self.lines)
        column.addLayout(buttons)
        column.addWidget(self.tabs)
        column.addWidget(self.view, 1)
        column.addWidget(self.empty, 1)
        column.addWidget(self.strip)
        self.start.clicked.connect(self._start)
        self.stop.clicked.connect(self.run.cancel_all)
        self.export.clicked.connect(self._ask_where)
        self.zoom.valueChanged.connect(self._on_zoom)
        self.tabs.currentChanged.connect(self._on_layer)
        self.view.chosen.connect(self._on_chosen)
        self.view.opened.connect(lambda place: self._act("open", place))
        self.strip.asked.connect(lambda deed: self._act(deed, self.view.place()))

    def showEvent(self, event: QShowEvent) -> None:
        self.refresh()
        super().showEvent(event)

    # -- before it starts

    async def _ask_models(self, names: list[str]) -> None:
        try:
            for name in names:
                self._models = {**self._models, name: await self._session.models(name)}
        except StudioError:
            self._asked.difference_update(names)  # asked again when the page is shown next
            raise
        self.refresh()

    def _on_lines(self) -> None:
        self._count()
        self.draft_changed.emit()

    def _count(self) -> None:
        """What Start would make, or why it would not."""
        chosen, problem = self.lines.read(self._describe()[2])
        total = count(chosen)
        if not problem and total > MOST_CELLS:
            problem = f"{total} cells are too many; {MOST_CELLS} are allowed."
        self.start.setEnabled(not problem and not self.run.busy)
        self.stop.setEnabled(self.run.busy)
        self.export.setEnabled(self.run.table is not None and any(state.path for state in self.run.table))
        shape = " × ".join(str(len(one.values)) for one in chosen)
        self.note.setText(self._progress() or problem or f"{shape} = {total} pictures, one seed for all.")

    def _progress(self) -> str:
        if self.run.table is None or not self.run.busy:
            return ""
        finished, failed, total = self.run.table.counts()
        return f"{finished} of {total} finished" + (f", {failed} failed" if failed else "")

    def _start(self) -> None:
        operation, params, values = self._describe()
        chosen, problem = self.lines.read(values)
        if problem or self.run.busy:
            return
        try:
            base = common(params, values, _seed)
            found = cells(params, base, chosen, _seed)
        except StudioError as error:
            self.strip.show_error(error.to_dict())
            return
        self.run.set_table(Table(operation, base, chosen, found))
        self._show_table()
        self.run.start()

    # -- while it comes

    def _show_table(self) -> None:
        table = self.run.table
        self.view.setVisible(table is not None)
        self.empty.setVisible(table is None)
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        for at in range(table.length(2) if table and len(table.chosen) > 2 else 0):
            assert table is not None
            self.tabs.addTab(f"{table.title(2)}: {table.label(2, at)}".replace("&", "&&"))
        self.tabs.blockSignals(False)
        self.tabs.setVisible(self.tabs.count() > 0)
        self.view.set_table(table)
        self._on_chosen(None)

    def _on_layer(self, layer: int) -> None:
        at = self.view.place()
        self.view.set_table(self.run.table, max(0, layer))
        if at is not None:
            self.view.choose((at[0], at[1], max(0, layer)))
        self.draft_changed.emit()

    def _on_zoom(self, side: int) -> None:
        self.view.set_side(side)
        self.draft_changed.emit()

    def _on_run(self) -> None:
        self._count()
        self.draft_changed.emit()

    def _on_cell(self, place: Place) -> None:
        self.view.cells.touch(place)
        if place == self.view.place():
            self._on_chosen(place)

    # -- the chosen cell

    def _state(self, place: Place | None) -> State | None:
        return self.run.table.states.get(place) if self.run.table is not None and place is not None else None

    def _on_chosen(self, place: Place | None) -> None:
        self.strip.show_cell(self._state(place))

    def _act(self, deed: str, place: Place | None) -> None:
        state = self._state(place)
        if state is None or place is None:
            return
        if deed == "values":
            self.values_taken.emit(state.settings())
        elif deed == "open" and state.path:
            self.picture_opened.emit(state.job, 0)
        elif deed == "retry":
            self.run.retry(place)
        elif deed == "cancel":
            self.run.cancel(place)

    # -- out

    def _ask_where(self) -> None:
        """Asks for a place in the library; nothing waits meanwhile."""
        folder = self._session.paths.library
        self._dialog = QFileDialog(self, "Export the table", str(folder / "table.png"), "PNG pictures (*.png)")
        self._dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        self._dialog.setDefaultSuffix("png")
        self._dialog.fileSelected.connect(lambda path: self.write(Path(path)))
        self._dialog.open()

    def write(self, path: Path) -> None:
        """Draws the table in the background and writes it there."""
        if self.run.table is None:
            return
        theme = self._session.theme
        found = sheet(self.run.table, theme.colour("surface"), theme.colour("text"), self.font())
        self._background.run(lambda: written(found, path), lambda problem: self._written(path, problem))

    def _written(self, path: Path, problem: str) -> None:
        if problem:
            self._session.notify("The table was not written", problem, "error")
        else:
            self._session.notify("The table was written", str(path))
