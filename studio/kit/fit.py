"""Will it fit? A dot in green, amber or red with the numbers, asked of the engine when settings rest."""

from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from studio.errors import StudioError
from studio.kit.amounts import bytes_words
from studio.kit.session import Session
from studio.kit.surface import label, restyle, tip

REST_MS = 300
WORDS = {"yes": "Fits", "tight": "Fits barely", "no": "Does not fit"}


class FitLine(QWidget):
    """`check(params)` asks, a moment later, about the newest params only. Hidden until there is an answer."""

    def __init__(self, session: Session, operation: str, parent: QWidget | None = None):
        super().__init__(parent)
        self._session, self._operation = session, operation
        self._params: dict[str, Any] = {}
        self._round = 0
        self._dot = QLabel("●")
        self._words = label(small=True)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        line.addWidget(self._dot)
        line.addWidget(self._words, 1)
        self._soon = QTimer(self, singleShot=True, interval=REST_MS)
        self._soon.timeout.connect(self._ask)
        self.answer = ""
        self.hide()

    def set_operation(self, operation: str) -> None:
        """Another operation's memory is asked for from now on."""
        self._operation = operation

    def forget(self) -> None:
        """Nothing can be told now, and nothing is said."""
        self._round += 1
        self._soon.stop()
        self.hide()

    def check(self, params: dict[str, Any]) -> None:
        self._params = params
        self._round += 1
        self._soon.start()

    def _ask(self) -> None:
        self._session.spawn(self._fetch(dict(self._params), self._round))

    async def _fetch(self, params: dict[str, Any], round: int) -> None:
        """What cannot be told (a model that is gone, a prompt not written yet) is no answer, and no notice."""
        try:
            found = await self._session.call("fits", operation=self._operation, params=params)
        except StudioError as error:
            found = {"problem": str(error)}
        if round == self._round:
            self.show_answer(found)

    def show_answer(self, found: dict[str, Any]) -> None:
        """Shows the engine's answer: {"fits", "estimate", "budget"}, or {"problem"}."""
        self.answer = str(found.get("fits", ""))
        total, budget = int((found.get("estimate") or {}).get("total") or 0), int(found.get("budget") or 0)
        known = self.answer in WORDS and total > 0
        if known:
            text = f"{WORDS[self.answer]}: needs {bytes_words(total)} of {bytes_words(budget)}"
        else:
            text = "Whether it fits is not known"
            self.answer = ""
        self._words.setText(text)
        self.setAccessibleName(text)
        restyle(self._dot, level=self.answer or "unknown")
        self.setToolTip(tip(_details(found)))
        self.setVisible(known or "problem" in found)


def _details(found: dict[str, Any]) -> str:
    if found.get("problem"):
        return str(found["problem"])
    estimate = found.get("estimate") or {}
    parts = ", ".join(f"{name} {bytes_words(size)}" for name, size in (estimate.get("parts") or {}).items() if size)
    rungs = " ".join(str(rung) for rung in estimate.get("rungs") or ()) if found.get("fits") != "yes" else ""
    return ". ".join(part for part in (f"Memory: {parts}" if parts else "", rungs) if part)
