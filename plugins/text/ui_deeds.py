"""What can be done with a result of the text panel, one method each. Asks the engine; touches no widget."""

import json
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from studio.errors import StudioError
from studio.kit.error import report
from studio.kit.session import Session

from .ui_results import ENDED, Result, Results, about

OPERATION = "text.generate"


class Form(Protocol):
    """The panel's prompt and settings, as the deeds need them."""

    def values(self) -> dict[str, Any]: ...

    def set_values(self, values: dict[str, Any], label: str) -> None: ...


class Deeds(QObject):
    """changed: the list of results is another. touched: one result is. said: (title, detail) for the person.

    revealed: this result should be shown. deleted: (label, undo, redo) of a deletion that has been done.
    """

    changed = Signal()
    touched = Signal(str)
    revealed = Signal(str)
    focused_prompt = Signal()
    deleted = Signal(str, object, object)

    def __init__(self, session: Session, origin: str, results: Results, form: Form, parent: QObject | None = None):
        super().__init__(parent)
        self._session, self._origin, self._results, self._form = session, origin, results, form
        self._refused = 0

    def do(self, action: str, id: str) -> None:
        """The action of this name on the result `id`; nothing when the result is gone."""
        result = self._results.get(id)
        if result is not None:
            getattr(self, "do_" + action)(result)

    # making ----------------------------------------------------------------------------------

    def generate(self, values: dict[str, Any], parents: tuple[str, ...] = ()) -> None:
        self._session.spawn(self._generate(values, parents))

    async def _generate(self, values: dict[str, Any], parents: tuple[str, ...]) -> None:
        """A refused request becomes a result that says why, where the text would have been."""
        title = " ".join(str(values.get("prompt", ""))[:400].split())[:60]
        try:
            id = await self._session.submit(OPERATION, values, title=title, origin=self._origin, parents=parents)
        except StudioError as error:
            self._refuse(values, error)
            return
        if self._results.get(id) is None:
            self._results.take(await self._session.call("job", job=id))
            self.changed.emit()
        self.revealed.emit(id)

    def _refuse(self, values: dict[str, Any], error: StudioError) -> None:
        self._refused += 1
        newest = max((result.created for result in self._results), default=0.0)
        id = f"refused-{self._refused}"
        self._results.add(
            Result(id, dict(values), "failed", newest, 2**31 + self._refused, local=True, error=error.to_dict())
        )
        self.changed.emit()
        self.revealed.emit(id)

    def do_again(self, result: Result) -> None:
        self.generate(dict(result.params), self._parents(result))

    def do_vary(self, result: Result) -> None:
        self.generate({**result.params, "seed": None}, self._parents(result))

    def do_continue(self, result: Result) -> None:
        values = {**self._form.values(), "prompt": result.whole}
        self._form.set_values(values, "continue")
        self.generate(values, self._parents(result))

    def do_retry(self, result: Result) -> None:
        if result.local:
            self._results.remove(result.id)
            self.changed.emit()
            self.generate(dict(result.params))
        else:
            self._session.spawn(self._session.call("retry", job=result.id))

    def do_stop(self, result: Result) -> None:
        self._session.spawn(self._session.call("cancel", job=result.id))

    def do_cancel(self, result: Result) -> None:
        self.do_stop(result)

    def do_resume(self, result: Result) -> None:
        self._session.spawn(self._session.call("resume", job=result.id))

    @staticmethod
    def _parents(result: Result) -> tuple[str, ...]:
        return (result.artifact,) if result.artifact else ()

    # the form --------------------------------------------------------------------------------

    def do_use(self, result: Result) -> None:
        self._form.set_values({**self._form.values(), "prompt": result.whole}, "use as input")
        self.focused_prompt.emit()

    def do_settings(self, result: Result) -> None:
        self._form.set_values(dict(result.params), "use these settings")
        self.focused_prompt.emit()

    def do_lock(self, result: Result) -> None:
        self._form.set_values({**self._form.values(), "seed": result.seed}, "lock the seed")

    # out of the application ------------------------------------------------------------------

    def do_copy(self, result: Result) -> None:
        QGuiApplication.clipboard().setText(result.whole)

    def do_recipe(self, result: Result) -> None:
        self._session.spawn(self._copy_recipe(result))

    async def _copy_recipe(self, result: Result) -> None:
        if result.artifact and not result.gone:
            recipe = (await self._session.call("library.get", id=result.artifact)).get("recipe")
        elif result.path:
            recipe = await self._session.call("recipe.read", path=result.path)
        else:
            recipe = None
        recipe = recipe or {"operation": OPERATION, "params": result.params, "job": result.id, "facts": result.facts}
        QGuiApplication.clipboard().setText(json.dumps(recipe, indent=2, ensure_ascii=False))

    def do_report(self, result: Result) -> None:
        QGuiApplication.clipboard().setText(report(result.error or {}, about(result)))

    def do_folder(self, result: Result) -> None:
        folder = Path(result.file).parent
        if not result.file or not folder.is_dir():
            self._session.notify("The folder is not there", str(folder), "warning")
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    # taking away -----------------------------------------------------------------------------

    def do_delete(self, result: Result) -> None:
        """Hides the result and moves its file to the trash; the engine forgets the job at the next opening."""
        if result.state not in ENDED:
            return

        def redo() -> None:
            self._results.hide(result.id)
            self._session.spawn(self._trash(result, "library.trash"))
            self.changed.emit()

        def undo() -> None:
            self._results.hide(result.id, False)
            self._session.spawn(self._trash(result, "library.restore"))
            self.changed.emit()
            self.revealed.emit(result.id)

        redo()
        self.deleted.emit("delete a result", undo, redo)

    async def _trash(self, result: Result, method: str) -> None:
        if result.artifact and not result.path and not (result.gone and not result.trashed):
            await self._session.call(method, ids=[result.artifact])

    def do_restore(self, result: Result) -> None:
        self._session.spawn(self._session.call("library.restore", ids=[result.artifact]))

    async def forget(self, ids: list[str]) -> None:
        """Drops jobs that were deleted in an earlier session from the engine's history."""
        for id in ids:
            try:
                await self._session.call("forget", job=id)
            except StudioError as error:
                if error.code != "unknown-job":  # forgotten already is what was wanted
                    raise
