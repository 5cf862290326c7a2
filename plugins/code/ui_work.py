"""What the panel has asked of the engine: one deed and one run at a time, watched, shown, and made of them what
they are: words, changes or output.

Owns CodeWork. It touches only the lower half of the panel; the text itself is changed by `desk.put`.
"""

from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.errors import StudioError
from studio.kit.panel import EventLike
from studio.kit.results import JobResult, state_words
from studio.kit.session import Session

from .hunks import Proposal
from .outcome import Outcome, outcome
from .params import Deed, Work
from .ui_desk import FileDesk
from .ui_layout import CodeLayout

WORK, RUN = "code.work", "code.run"
ENDED = ("finished", "failed", "cancelled")
ROUNDS = 3
"""So often a failing run is given to the model before a person has to look."""

TITLES = {
    Deed.WRITE: "Writing", Deed.CHANGE: "Changing", Deed.EXPLAIN: "Explanation", Deed.FIX: "Looking for mistakes",
    Deed.TESTS: "Writing tests", Deed.REFACTOR: "Simplifying",
}  # fmt: skip


class Task(JobResult):
    """A deed or a run that was asked for. stream: what has come of it so far."""

    stream: str = ""

    def begun_anew(self) -> None:
        self.stream = ""

    def take_live(self, live: dict[str, Any] | None) -> None:
        super().take_live(live)
        if live:
            self.stream = str(live.get("stream") or "")

    def append(self, at: int, text: str) -> bool:
        """Whether nothing before it is missing."""
        have = len(self.stream)
        if at > have:
            return False
        self.stream += text[have - at :]
        return True


class CodeWork(QObject):
    """changed: something was asked for or has ended. run_wanted(tests): a mended file is to be run again."""

    changed = Signal()
    run_wanted = Signal(bool)

    def __init__(self, session: Session, origin: str, ui: CodeLayout, desk: FileDesk, parent: QObject):
        super().__init__(parent)
        self._session, self._origin, self._ui, self._desk = session, origin, ui, desk
        self.task: Task | None = None
        self._target = ""
        self._rounds = 0
        self._mending = False
        ui.changes.wanted.connect(self._make)
        ui.changes.closed.connect(self._settled)
        ui.output.stop.connect(self.stop)

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.ended

    # asking ----------------------------------------------------------------------------------

    def do(self, values: dict[str, Any]) -> None:
        """Asks the model; values: params of code.work."""
        self._session.spawn(self._ask(WORK, values, f"{Deed(values['deed']).capitalize()} {values.get('path', '')}"))

    def run(self, values: dict[str, Any]) -> None:
        """Runs code; values: params of code.run."""
        what = "Tests of" if values["tests"] else "Run"
        self._session.spawn(self._ask(RUN, values, f"{what} {values['main']}"))

    async def _ask(self, operation: str, values: dict[str, Any], title: str) -> None:
        self._ui.error.show_error(None)
        try:
            id = await self._session.submit(operation, values, title=title.strip(), origin=self._origin)
            job = await self._session.call("job", job=id)
        except StudioError as error:
            self.show_error(error)
            return
        self._take(Task(id, values), job)

    def stop(self) -> bool:
        if self.task is None or self.task.ended:
            return False
        self._session.spawn(self._session.call("cancel", job=self.task.id))
        return True

    def mend(self, values: dict[str, Any]) -> None:
        """Asks for the failure of the last run to be mended; values: params of code.work but for that."""
        failure = self._ui.output.shown()[-8000:]
        self._rounds += 1
        self._mending = True
        self.do({**values, "deed": Deed.FIX, "failure": failure, "start": 0, "end": 0})

    # hearing ---------------------------------------------------------------------------------

    async def reload(self) -> None:
        """What was asked for last, also by a window before this one."""
        answer = await self._session.call("jobs", origin=self._origin, newest=True, limit=1)
        for job in answer["jobs"]:
            self._take(Task(str(job["id"]), dict(job["params"])), job)

    def on_event(self, event: EventLike) -> None:
        task = self.task
        if task is None or event.job != task.id:
            return
        if event.kind == "job":
            task.update(event.data)
            self._show()
        elif event.kind == "progress":
            task.progress = dict(event.data)
            self._say()
        elif event.kind == "stream":
            before = len(task.stream)
            if task.append(int(event.data["at"]), str(event.data["text"])):
                self._stream(task, task.stream[before:])
            else:
                self._session.spawn(self._catch_up(task))

    async def _catch_up(self, task: Task) -> None:
        task.take_live((await self._session.call("job", job=task.id)).get("live"))
        self._begin(task)

    def _take(self, task: Task, job: dict[str, Any]) -> None:
        self.task = task
        task.update(job)
        self._begin(task)
        self._show()

    def _begin(self, task: Task) -> None:
        """Shows the page of what was asked for, with what has come so far."""
        if task.operation == RUN:
            self._ui.output.begin("Tests" if task.params.get("tests") else str(task.params.get("main", "")))
            self._ui.show_below(self._ui.output)
        else:
            self._ui.answer.title.setText(TITLES[Deed(task.params["deed"])])
            self._ui.answer.text.show_text("")
            self._ui.show_below(self._ui.answer)
        self._stream(task, task.stream)

    def _stream(self, task: Task, text: str) -> None:
        if task.operation == RUN:
            self._ui.output.append(text)
        else:
            self._ui.answer.text.append(text)

    def _say(self) -> None:
        task = self.task
        if task is None:
            return
        words = state_words(task, "") or ""
        if task.operation == RUN:
            self._ui.output.working(words)
        else:
            self._ui.answer.said.setText(words)

    def _show(self) -> None:
        """The task is another, or has ended."""
        task = self.task
        if task is None:
            return
        if not task.ended:
            self._say()
        elif task.operation == RUN:
            self._ended_run(task)
        else:
            self._session.spawn(self._ended_deed(task))
        self.changed.emit()

    def _ended_run(self, task: Task) -> None:
        words = {"failed": "It was not run", "cancelled": "Stopped"}.get(task.state, "")
        if task.error:
            self.show_error(task.error)
            return
        failed = bool(task.facts.get("exit_code")) and task.state == "finished"
        self._ui.output.ended(task.facts, words, mendable=failed)
        if not failed:
            self._rounds, self._mending = 0, False
        elif self._rounds >= ROUNDS:
            self._ui.output.working(f"Still failing after {ROUNDS} rounds: look at it yourself, or change the model")

    async def _ended_deed(self, task: Task) -> None:
        """From the file of the answer: what was streamed may have been before this window."""
        artifact = next((str(a["id"]) for a in task.artifacts), "")
        if artifact:
            try:
                item = await self._session.call("library.get", id=artifact)
                task.stream = str(item.get("text") or task.stream)
            except StudioError:
                pass  # the file is gone; what was streamed is shown
        if task is not self.task:
            return
        self._ui.answer.text.show_text(task.stream)
        self._ui.answer.said.setText("Stopped" if task.state == "cancelled" else "")
        if task.state == "failed" and task.error:
            self.show_error(task.error)
        elif task.state == "finished":
            self._propose(task)

    def _propose(self, task: Task) -> None:
        try:
            params = Work.load({name: v for name, v in task.params.items() if name in Work.model_fields})
            found = outcome(params, task.stream, str(task.facts.get("form", "")))
        except StudioError as error:
            self.show_error(error)
            return
        if found is not None:
            self._show_changes(found)

    def _show_changes(self, found: Outcome) -> None:
        buffer = self._desk.buffers.find(found.path)
        old = found.old
        if old is None:
            old = buffer.text if buffer is not None else ""
        self._target = found.path
        self._ui.changes.show_proposal(found.path, Proposal.between(old, found.new), found.words)
        self._ui.show_below(self._ui.changes)

    # changes ---------------------------------------------------------------------------------

    def _make(self, numbers: list[int]) -> None:
        """Makes these hunks in the text as it is now; all of them or none."""
        proposal = self._ui.changes.proposal
        if proposal is None:
            return
        buffer = self._desk.buffers.find(self._target)
        now = buffer.text if buffer is not None else ""
        try:
            text = self._again(proposal, numbers, now)
        except StudioError as error:
            self._session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        self._desk.put(self._target, text)
        self._ui.changes.made(numbers)

    def _again(self, proposal: Proposal, numbers: list[int], now: str) -> str:
        """Hunks that were made before move the others; against the text they have become, all are found again."""
        made = [number for number, card in enumerate(self._ui.changes.cards) if card.state == "accepted"]
        if made and proposal.apply(made) == now:
            return proposal.apply([*made, *numbers])
        return proposal.apply(numbers, now)

    def _settled(self) -> None:
        """All changes are decided. What was to be mended is run again."""
        accepted = any(card.state == "accepted" for card in self._ui.changes.cards)
        if self._mending and accepted and self._rounds <= ROUNDS:
            self._mending = False
            self.run_wanted.emit(False)

    def show_error(self, error: StudioError | dict[str, Any]) -> None:
        self._ui.error.show_error(error)
        self._ui.show_below(self._ui.error)
        self.changed.emit()
