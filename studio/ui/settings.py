"""Settings of the window: theme and density. What the engine owns (folders, plugins) is read here, never written.

The engine is the only writer of its `settings.json`; the window keeps its own choices in `window.json`,
so that two processes never write one file.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from PySide6.QtCore import QObject, Signal

from studio.paths import Paths
from studio.ui.store import JsonStore

Theme = Literal["system", "light", "dark"]
DensityName = Literal["simple", "expert"]


class Choices(BaseModel):
    """The window's own settings. Unknown keys of a newer version are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
    theme: Theme = "system"
    density: DensityName = "simple"
    seen: tuple[str, ...] = ()


class Settings(QObject):
    """`changed(key)`: a choice is another now. `problem`: what was wrong with the file, empty when nothing."""

    changed = Signal(str)

    def __init__(self, paths: Paths, parent: QObject | None = None):
        super().__init__(parent)
        self._store = JsonStore(paths.data / "window.json")
        self._engine = paths.settings
        self.choices = _valid(self._store.read())
        self.problem = self._store.problem

    def set(self, key: str, value: Any) -> None:
        """Raises ValidationError when the value is none of the allowed."""
        choices = Choices.model_validate({**self.choices.model_dump(), key: value})
        if choices == self.choices:
            return
        self.choices = choices
        self._store.write(choices.model_dump(mode="json"))
        self.problem = self._store.problem
        self.changed.emit(key)

    def once(self, what: str) -> bool:
        """True the first time it is asked about `what`, ever."""
        if what in self.choices.seen:
            return False
        self.set("seen", (*self.choices.seen, what))
        return True

    def disabled_plugins(self) -> list[str]:
        """Ids the person switched off; read from the engine's file, as the rail is built before it answers."""
        found = JsonStore(self._engine).peek().get("disabled_plugins")
        return [str(id) for id in found] if isinstance(found, list) else []


def _valid(values: dict[str, Any]) -> Choices:
    """The choices in `values`, the standard one for each that is not allowed."""
    try:
        return Choices.model_validate(values)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors()}
        return Choices.model_validate({key: value for key, value in values.items() if key not in wrong})
