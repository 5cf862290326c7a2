"""The page of one result in large: the way back, to the last and to the next one, and what can be done with it."""

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.kit.flow import FlowLayout
from studio.kit.session import Session
from studio.kit.surface import label, tool_button


class LargePage(QWidget):
    """asked: (action, batch, number). left: back to the results. moved(by): another result is wanted.

    A page makes its parts, then calls `_build`. deed_words, icon_of: of what can be done; result, results: what it
    shows; keys: what goes to the last and to the next one.
    """

    asked = Signal(str, str, int)
    moved = Signal(int)
    left = Signal()
    deed_words: Mapping[str, tuple[str, str]]
    icon_of: Callable[[str], str]
    result: str
    results: str
    keys: tuple[str, str]

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self._session, theme = session, session.theme
        self.batch, self.number = "", -1
        self._deeds: tuple[str, ...] = ()
        self._buttons: list[QWidget] = []
        self.words = label(small=True)
        last, next = (f"{word} {self.result}" for word in ("Last", "Next"))
        back = f"Back to all {self.results} (Esc)"
        self.back = tool_button("Back", icon=theme.icon("mdi6.arrow-left"), text=True, help=back)
        self.last = tool_button(last, icon=theme.icon("mdi6.chevron-left"), help=f"{last} ({self.keys[0]})")
        self.next = tool_button(next, icon=theme.icon("mdi6.chevron-right"), help=f"{next} ({self.keys[1]})")
        self.back.clicked.connect(self.left)
        self.last.clicked.connect(lambda: self.moved.emit(-1))
        self.next.clicked.connect(lambda: self.moved.emit(1))

    def _build(self, main: QWidget, beside: tuple[QWidget, ...] = ()) -> QVBoxLayout:
        """The head with `beside` at its end, `main` with all the room, and the buttons."""
        head = QHBoxLayout()
        head.setSpacing(4)
        for part in (self.back, self.last, self.next):
            head.addWidget(part)
        head.addWidget(self.words, 1)
        for part in beside:
            head.addWidget(part)
        self._bar = QWidget()
        self._flow = FlowLayout(self._bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 0, 24, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(main, 1)
        column.addWidget(self._bar)
        return column

    def _show_buttons(self, deeds: tuple[str, ...]) -> None:
        if deeds == self._deeds:
            return
        self._deeds = deeds
        for button in self._buttons:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        for deed in deeds:
            title, help = self.deed_words[deed]
            button = tool_button(title, icon=self._session.theme.icon(self.icon_of(deed)), text=True, help=help)
            button.clicked.connect(partial(self._ask, deed))
            self._flow.addWidget(button)
            self._buttons.append(button)

    def _ask(self, deed: str, _checked: bool = False) -> None:
        self.asked.emit(deed, self.batch, self.number)
