"""Asks for suggestions while a person types, and keeps asking little: one request at a time, reused while it fits.

Owns Ghosts. Suggestions are jobs of their own that leave nothing behind: they are not kept as results and are
forgotten by the queue when they end.
"""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from studio.errors import StudioError
from studio.kit.panel import EventLike
from studio.kit.session import Session

from .ghost import Ghost, Place

OPERATION = "code.complete"
WAIT_MS = 250
TOKENS, LINE_TOKENS = 96, 32
ENDED = ("finished", "failed", "cancelled")

Ask = Callable[[], tuple[Place, dict[str, Any]]]


class Ghosts(QObject):
    """shown(text): what to paint behind the cursor now. said(words): what a suggestion failed of, "" when it is well.

    ask: gives the place of the cursor and the params that do not depend on it.
    """

    shown = Signal(str)
    said = Signal(str)

    def __init__(self, session: Session, origin: str, ask: Ask, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._origin, self._ask = session, origin, ask
        self._on = True
        self._ghost: Ghost | None = None
        self._round = 0
        self._jobs: set[str] = set()
        self._wait = QTimer(self, interval=WAIT_MS, singleShot=True)
        self._wait.timeout.connect(self._start)

    def set_on(self, on: bool) -> None:
        self._on = on
        if not on:
            self.drop()

    def typed(self) -> None:
        """The text or the cursor is another: what was suggested still holds, or something else is asked soon."""
        if not self._on:
            return
        place, _ = self._ask()
        if self._ghost is not None:
            rest = self._ghost.show(place)
            if rest is not None and (rest or not self._ghost.ended):
                self.shown.emit(rest)
                return
        self._let_go()
        self._wait.start()

    def ask_now(self) -> None:
        """The person wants a suggestion at once."""
        self._let_go()
        self._start(asked=True)

    def drop(self) -> None:
        """Nothing is suggested here any more."""
        self._wait.stop()
        self._let_go()
        self.shown.emit("")

    def on_event(self, event: EventLike) -> None:
        ghost = self._ghost
        if event.kind == "job" and event.job in self._jobs and event.data.get("state") in ENDED:
            self._jobs.discard(event.job)
            self._session.spawn(self._forget(event.job))
        if ghost is None or event.job != ghost.job or not ghost.job:
            return
        if event.kind == "stream":
            if ghost.push(int(event.data["at"]), str(event.data["text"])):
                self._cancel(ghost)
            self._show()
        elif event.kind == "job" and event.data.get("state") in ENDED:
            self._ended(ghost, event.data)

    def _start(self, asked: bool = False) -> None:
        place, params = self._ask()
        if not asked and not place.asks:
            return
        before, after = place.sent()
        self._round += 1
        values = {
            **params, "before": before, "after": after, "multiline": place.multiline, "keep": False,
            "max_tokens": TOKENS if place.multiline else LINE_TOKENS,
        }  # fmt: skip
        self._ghost = Ghost(place)
        self._session.spawn(self._submit(self._ghost, values, self._round))

    async def _submit(self, ghost: Ghost, values: dict[str, Any], round: int) -> None:
        try:
            job = await self._session.submit(OPERATION, values, title="Suggestion", origin=self._origin)
        except StudioError as error:
            if round == self._round:
                self._ghost = None
                self.said.emit(f"{error.title}. {error.detail}")
            return
        ghost.job = job
        self._jobs.add(job)
        if ghost is not self._ghost:
            self._cancel(ghost)

    def _ended(self, ghost: Ghost, job: dict[str, Any]) -> None:
        facts = job.get("facts") or {}
        ghost.finish(str(facts["text"]) if "text" in facts else None)
        error = job.get("error") if job.get("state") == "failed" else None
        self.said.emit(f"{error.get('title', '')}. {error.get('detail', '')}" if error else "")
        self._show()

    def _show(self) -> None:
        if self._ghost is not None:
            place, _ = self._ask()
            self.shown.emit(self._ghost.show(place) or "")

    def _let_go(self) -> None:
        ghost, self._ghost = self._ghost, None
        if ghost is not None:
            self._cancel(ghost)
            self.shown.emit("")

    def _cancel(self, ghost: Ghost) -> None:
        if ghost.job and not ghost.ended:
            self._session.spawn(self._stop(ghost.job))

    async def _stop(self, job: str) -> None:
        try:
            await self._session.call("cancel", job=job)
        except StudioError:
            pass  # it has ended meanwhile

    async def _forget(self, job: str) -> None:
        try:
            await self._session.call("forget", job=job)
        except StudioError:
            pass  # gone already
