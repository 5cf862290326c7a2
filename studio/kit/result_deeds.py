"""What can be done with any panel's results: ask again, stop, report, delete and bring back. Touches no widget.

A panel's deeds are a subclass with a method `do_<action>` for each further action it offers.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from studio.errors import StudioError
from studio.kit.error import report
from studio.kit.results import ENDED, JobResult, JobResults, about
from studio.kit.session import Session

R = TypeVar("R", bound=JobResult)


class ResultDeeds(QObject, Generic[R]):
    """changed: the list of results is another. revealed: this result should be shown.

    deleted: (label, undo, redo) of a deletion that has been done.
    """

    changed = Signal()
    revealed = Signal(str)
    focused_prompt = Signal()
    deleted = Signal(str, object, object)

    def __init__(self, session: Session, origin: str, results: JobResults[R], parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._origin, self._results = session, origin, results
        self._refused = 0

    def do(self, action: str, id: str) -> None:
        """The action of this name on the result `id`; nothing when the result is gone."""
        result = self._results.get(id)
        if result is not None:
            getattr(self, "do_" + action)(result)

    # making ----------------------------------------------------------------------------------

    def ask(self, operation: str, values: dict[str, Any], parents: Sequence[str] = ()) -> None:
        self._session.spawn(self._ask(operation, values, tuple(parents)))

    async def _ask(self, operation: str, values: dict[str, Any], parents: tuple[str, ...]) -> None:
        """A refused request becomes a result that says why, where the result would have been."""
        title = " ".join(self.title(values)[:400].split())[:60]
        try:
            id = await self._session.submit(operation, values, title=title, origin=self._origin, parents=parents)
        except StudioError as error:
            self._refuse(operation, values, error)
            return
        if self._results.get(id) is None:
            self._results.take(await self._session.call("job", job=id))
            self.changed.emit()
        self.revealed.emit(id)

    def title(self, values: dict[str, Any]) -> str:
        """What a request is called in the queue; the beginning is used."""
        return str(values.get("prompt", ""))

    def _refuse(self, operation: str, values: dict[str, Any], error: StudioError) -> None:
        self._refused += 1
        newest = max((result.created for result in self._results), default=0.0)
        result = self._results.make(f"refused-{self._refused}", dict(values))
        result.state, result.created, result.seq = "failed", newest, 2**31 + self._refused
        result.operation, result.local, result.error = operation, True, error.to_dict()
        self._results.add(result)
        self.changed.emit()
        self.revealed.emit(result.id)

    def do_retry(self, result: R) -> None:
        if result.local:
            self._results.remove(result.id)
            self.changed.emit()
            self.ask(result.operation, dict(result.params))
        else:
            self._session.spawn(self._session.call("retry", job=result.id))

    def do_stop(self, result: R) -> None:
        self._session.spawn(self._session.call("cancel", job=result.id))

    def do_cancel(self, result: R) -> None:
        self.do_stop(result)

    def do_resume(self, result: R) -> None:
        self._session.spawn(self._session.call("resume", job=result.id))

    def stop_one(self) -> bool:
        """Stops what runs here, else the newest that waits; False when there is nothing to stop."""
        going = sorted(self._results.unfinished(), key=lambda result: (not result.working, -result.created))
        going = [result for result in going if result.state != "cancelling"]
        if going:
            self.do_stop(going[0])
        return bool(going)

    # out of the application ------------------------------------------------------------------

    def do_report(self, result: R) -> None:
        QGuiApplication.clipboard().setText(report(result.error or {}, about(result)))

    def show_folder(self, file: str) -> None:
        folder = Path(file).parent
        if not file or not folder.is_dir():
            self._session.notify("The folder is not there", str(folder), "warning")
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def copy_recipe(self, result: R, artifact: str, path: str = "") -> None:
        self._session.spawn(self._copy_recipe(result, artifact, path))

    async def _copy_recipe(self, result: R, artifact: str, path: str) -> None:
        """Of the file where there is one, else of the request."""
        if artifact:
            recipe = (await self._session.call("library.get", id=artifact)).get("recipe")
        elif path:
            recipe = await self._session.call("recipe.read", path=path)
        else:
            recipe = None
        plain = {
            "operation": result.operation,
            "params": result.params,
            "job": result.id,
            "facts": result.facts,
        }
        QGuiApplication.clipboard().setText(json.dumps(recipe or plain, indent=2, ensure_ascii=False))

    # taking away -----------------------------------------------------------------------------

    def files(self, result: R) -> list[str]:
        """Artifacts that go to the trash with the result."""
        raise NotImplementedError

    def do_delete(self, result: R) -> None:
        """Hides the result and moves its files to the trash; the engine forgets the job at the next opening."""
        if result.state not in ENDED:
            return

        def redo() -> None:
            self._results.hide(result.id)
            self.trash(self.files(result), "library.trash")
            self.changed.emit()

        def undo() -> None:
            self._results.hide(result.id, False)
            self.trash(self.files(result), "library.restore")
            self.changed.emit()
            self.revealed.emit(result.id)

        redo()
        self.deleted.emit("delete a result", undo, redo)

    def trash(self, ids: list[str], method: str) -> None:
        if ids:
            self._session.spawn(self._session.call(method, ids=ids))

    async def forget(self, ids: list[str]) -> None:
        """Drops jobs that were deleted in an earlier session from the engine's history."""
        for id in ids:
            try:
                await self._session.call("forget", job=id)
            except StudioError as error:
                if error.code != "unknown-job":  # forgotten already is what was wanted
                    raise
