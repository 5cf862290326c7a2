"""The code panel's widgets and where they stand. Knows nothing of jobs."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.kit.column import ControlsColumn
from studio.kit.density import DensitySwitch
from studio.kit.error import ErrorView
from studio.kit.fit import FitLine
from studio.kit.form import ParamsForm
from studio.kit.head import panel_head
from studio.kit.models import ModelPicker
from studio.kit.prompt import PromptEditor
from studio.kit.segments import Segments
from studio.kit.session import Session
from studio.kit.start import StartButtons
from studio.kit.starter import StarterCard
from studio.kit.stream import StreamText
from studio.kit.surface import label, push_button, tool_button
from studio.sdk.params import Params

from .params import Deed
from .ui_changes import ChangesView
from .ui_files import FileTabs, FileTree
from .ui_output import OutputView

OWN = ("deed", "instruction", "text", "start", "end", "path", "failure", "files", "model")
"""Params with a place of their own, outside of the form."""

STARTER = (
    "is a small starter model that has read only the standard library of Python. It completes lines and fills holes; "
    "a larger model also follows instructions."
)
NOT_FOR_CODE = "is a small starter model that was never taught code. Choose a model of code for suggestions that help."
DEEDS = (
    (Deed.WRITE, "Write", "Writes what you describe, at the cursor or in place of the selected part"),
    (Deed.CHANGE, "Change", "Changes the selected part, or the file, as you say"),
    (Deed.EXPLAIN, "Explain", "Says what the selected part, or the file, does"),
    (Deed.FIX, "Fix", "Looks for mistakes and mends them"),
    (Deed.TESTS, "Tests", "Writes tests for the selected part, or the file"),
    (Deed.REFACTOR, "Refactor", "Makes it simpler without changing what it does"),
)
WANTED = {
    Deed.WRITE: "Describe what to write: “a function that …”",
    Deed.CHANGE: "Say what should be different",
    Deed.EXPLAIN: "What do you want to know? May stay empty",
    Deed.FIX: "What goes wrong? May stay empty",
    Deed.TESTS: "What matters most? May stay empty",
    Deed.REFACTOR: "What bothers you? May stay empty",
}


class AnswerView(QWidget):
    """What the model says, while it says it."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.title = label(heading=True)
        self.said = label(muted=True)
        self.text = StreamText()
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 4)
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addWidget(self.said, 1)
        inside = QWidget()
        padded = QVBoxLayout(inside)
        padded.setContentsMargins(16, 0, 16, 12)
        padded.addWidget(self.text)
        padded.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Answer")
        scroll.setWidget(inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(scroll, 1)


class CodeLayout(QWidget):
    """Files on the left, editor and what came of it in the middle, the controls on the right."""

    density_changed = Signal(str)

    def __init__(self, title: str, session: Session, operation: str, params: type[Params]):
        super().__init__()
        theme = session.theme
        self._session = session
        self.form = ParamsForm(params, session, exclude=OWN)
        self.model = ModelPicker(session, "code-generation", described=False)
        self.density = DensitySwitch()
        self.fit = FitLine(session, operation)
        self.starter = StarterCard(theme, NOT_FOR_CODE, for_code=STARTER)
        self.tree = FileTree(theme)
        self.tabs = FileTabs(theme)
        self.editors = QStackedWidget()
        self.deeds = Segments("What the model does", [(str(deed), name, help) for deed, name, help in DEEDS])
        self.prompt = PromptEditor(WANTED[Deed.WRITE])
        self.prompt.setUndoRedoEnabled(False)
        self.start = StartButtons("Asks the model", "Stops and keeps what was said so far")
        self.generate, self.stop = self.start.generate, self.start.stop
        self.run = push_button("Run", icon=theme.icon("mdi6.play"), help="Runs this file, shut in (F5)")
        tube = theme.icon("mdi6.test-tube")
        self.test = push_button("Run tests", icon=tube, help="Runs its tests, shut in (Shift+F5)")
        self.save = tool_button("Save", icon=theme.icon("mdi6.content-save-outline"), help="Saves this file (Ctrl+S)")
        self.suggest = tool_button(
            "Suggestions", icon=theme.icon("mdi6.lightbulb-outline"), text=True,
            help="Suggests how to go on while you type: Tab takes it, Ctrl+→ a word of it, Esc drops it",
        )  # fmt: skip
        self.suggest.setCheckable(True)
        self.suggest.setChecked(True)
        self.suggest_said = label(small=True, muted=True)
        self.suggest_said.setContentsMargins(16, 4, 16, 4)
        self.suggest_said.hide()
        self.disk = _DiskNote()
        self.answer, self.changes, self.output = AnswerView(), ChangesView(theme), OutputView(theme)
        self.error = ErrorView(theme)
        self._troubled = _padded(self.error)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._left(title), 1)
        row.addWidget(ControlsColumn(theme, [self.form], [self.fit], [self.generate, self.stop]))
        for wanted in (self.density.changed, self.form.density_wanted):
            wanted.connect(self.set_density)
            wanted.connect(self.density_changed)
        self.deeds.changed.connect(self._deed_chosen)

    def _left(self, title: str) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(panel_head(self._session.theme, title, [self.density], self.model))
        note = QHBoxLayout()
        note.setContentsMargins(24, 0, 24, 8)
        note.addWidget(self.starter)
        column.addLayout(note)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.tree)
        middle.addWidget(self._work(), 1)
        column.addLayout(middle, 1)
        column.addLayout(self._foot())
        return column

    def _work(self) -> QSplitter:
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 0, 16, 4)
        bar.setSpacing(8)
        bar.addWidget(self.tabs, 1)
        for part in (self.suggest, self.save, self.run, self.test):
            bar.addWidget(part)
        above = QWidget()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.disk)
        column.addWidget(self.editors, 1)
        column.addWidget(self.suggest_said)
        self.below = QStackedWidget()
        for page in (self.answer, self.changes, self.output, self._troubled):
            self.below.addWidget(page)
        self.below.hide()
        split = self._split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(above)
        split.addWidget(self.below)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        self.editors.setMinimumHeight(96)
        self.below.setMinimumHeight(120)
        return split

    def _foot(self) -> QVBoxLayout:
        foot = QVBoxLayout()
        foot.setContentsMargins(24, 8, 24, 16)
        foot.setSpacing(8)
        line = QHBoxLayout()
        line.addWidget(self.deeds)
        line.addStretch(1)
        foot.addLayout(line)
        foot.addWidget(self.prompt)
        return foot

    def deed(self) -> Deed:
        return Deed(self.deeds.value())

    def set_deed(self, deed: Deed) -> None:
        self.deeds.set_value(str(deed))
        self._deed_chosen(str(deed))

    def _deed_chosen(self, deed: str) -> None:
        self.prompt.setPlaceholderText(WANTED[Deed(deed)])

    def show_below(self, page: QWidget | None) -> None:
        """One of answer, changes, output and error; None closes the lower part."""
        if page is not None and self.below.isHidden():
            high = self._split.height()
            self.below.show()
            self._split.setSizes([high * 11 // 20, high * 9 // 20])
        self.below.setVisible(page is not None)
        if page is not None:
            self.below.setCurrentWidget(self._troubled if page is self.error else page)

    def set_density(self, density: str) -> None:
        """ "simple" or "expert"; values stay."""
        self.density.set_value(density)
        self.form.set_density(density)

    def show_busy(self, busy: bool, stoppable: bool, connected: bool) -> None:
        self.start.show_busy(busy, stoppable, connected)
        for button in (self.run, self.test):
            button.setEnabled(connected)


class _DiskNote(QFrame):
    """Says that another program has changed the file. reload, keep: what the person wants."""

    reload = Signal()
    keep = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("notice", "warning")
        self.words = label(wrap=True)
        take = push_button("Take what is on disk", help="In place of what you changed here; Ctrl+Z brings that back")
        keep = push_button("Keep mine", help="Saving writes over what is on disk")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(self.words, 1)
        row.addWidget(take)
        row.addWidget(keep)
        take.clicked.connect(self.reload)
        keep.clicked.connect(self.keep)
        self.hide()

    def show_file(self, name: str, gone: bool) -> None:
        ending = "was removed" if gone else "was changed"
        self.words.setText(f"{name} {ending} by another program, and you have changed it here.")
        self.setVisible(bool(name))


def _padded(inside: QWidget) -> QWidget:
    outside = QWidget()
    column = QVBoxLayout(outside)
    column.setContentsMargins(16, 8, 16, 12)
    column.addWidget(inside)
    column.addStretch(1)
    return outside
