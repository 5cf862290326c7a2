"""What can be done with a result of the text panel beyond what every panel offers. Touches no widget."""

from typing import Any, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from studio.kit.result_deeds import ResultDeeds
from studio.kit.session import Session

from .ui_results import Result, Results

OPERATION = "text.generate"


class Form(Protocol):
    """The panel's prompt and settings, as the deeds need them."""

    def values(self) -> dict[str, Any]: ...

    def set_values(self, values: dict[str, Any], label: str) -> None: ...


class Deeds(ResultDeeds[Result]):
    """`form` takes what is used again."""

    def __init__(self, session: Session, origin: str, results: Results, form: Form, parent: QObject | None = None):
        super().__init__(session, origin, results, parent)
        self._form = form

    def generate(self, values: dict[str, Any], parents: tuple[str, ...] = ()) -> None:
        self.ask(OPERATION, values, parents)

    def do_again(self, result: Result) -> None:
        self.generate(dict(result.params), self._parents(result))

    def do_vary(self, result: Result) -> None:
        self.generate({**result.params, "seed": None}, self._parents(result))

    def do_continue(self, result: Result) -> None:
        values = {**self._form.values(), "prompt": result.whole}
        self._form.set_values(values, "continue")
        self.generate(values, self._parents(result))

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
        self.copy_recipe(result, "" if result.gone else result.artifact, result.path)

    def do_folder(self, result: Result) -> None:
        self.show_folder(result.file)

    # taking away -----------------------------------------------------------------------------

    def files(self, result: Result) -> list[str]:
        """None that is gone for good, and none that was only dropped here."""
        kept = result.artifact and not result.path and not (result.gone and not result.trashed)
        return result.ids if kept else []

    def do_restore(self, result: Result) -> None:
        self.trash(result.ids, "library.restore")
