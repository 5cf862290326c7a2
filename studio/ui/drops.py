"""Anything dropped anywhere: a result goes to the panel that can restore it, a model folder to the models.

What is recognised is decided by content, by the engine; this only sends and routes.
"""

from collections.abc import Iterable
from pathlib import Path

from studio.errors import StudioError
from studio.sdk.artifact import Recipe
from studio.ui.host import PanelHost
from studio.ui.session import Notify, PanelSession

MODELS_PANEL = "models.panel"
MODEL_MARKS = ("config.json", "model_index.json")


class Drops:
    """Takes paths, from a drop, the command line or a second start."""

    def __init__(self, session: PanelSession, host: PanelHost, notify: Notify):
        self._session, self._host, self._notify = session, host, notify

    def take(self, paths: Iterable[str]) -> None:
        """Does with each what is right for it; what went wrong is said in a notice."""
        for path in paths:
            self._session.spawn(self._one(Path(path)))

    async def _one(self, path: Path) -> None:
        if path.is_dir():
            await self._folder(path)
        elif path.exists():
            await self._file(path)
        else:
            self._notify("This file is not there", str(path), "warning")

    async def _folder(self, path: Path) -> None:
        found = (await self._session.call("models.add_folder", path=str(path)))["models"]
        self._notify(f"Added the folder {path.name}", f"Models known now: {found}.")
        self._host.open(MODELS_PANEL)

    async def _file(self, path: Path) -> None:
        if path.suffix == ".safetensors" or path.name in MODEL_MARKS:
            await self._folder(path.parent)
            return
        try:
            recipe = Recipe.model_validate(await self._session.call("recipe.read", path=str(path)))
        except StudioError as error:
            if error.code != "no-recipe":
                raise
            if self._as_input(path):
                return
            raise StudioError(
                f"{path.name} holds no recipe",
                error.detail or "It was not made here, or its recipe was removed.",
                "Drop a result of this application, or a folder with a model.",
                code="no-recipe",
            ) from None
        self.restore(recipe, path)

    def _as_input(self, path: Path) -> bool:
        """Gives a file without a recipe to the panel on show, or to one that reads files of other programs."""
        reading = [place.id for place in self._host.places() if place.plugin.manifest and place.plugin.manifest.foreign]
        for id in dict.fromkeys((self._host.current_id, *reading)):
            if self._host.ask(id, "look at this file", lambda panel: panel.accepts_file(path)):
                self._host.open(id)
                self._host.ask(id, "take this file", lambda panel: panel.drop_file(path))
                return True
        return False

    def restore(self, recipe: Recipe, path: Path | None = None, *, first: str = "") -> None:
        """Opens the panel that accepts `recipe` and lets it restore everything; `first` is asked first.

        Raises StudioError when none does.
        """
        for id in dict.fromkeys((*([first] if first else ()), *self._candidates(recipe.operation))):
            if self._host.ask(id, "read this recipe", lambda panel: panel.accepts(recipe)):
                self._host.open(id)
                self._host.ask(id, "restore this result", lambda panel: panel.restore(recipe, path))
                return
        raise StudioError(
            "No panel can restore this file",
            f"It was made with {recipe.operation}, which no panel here knows.",
            "Install or switch on the plugin it was made with.",
            code="no-panel",
        )

    def _candidates(self, operation: str) -> list[str]:
        """Panels whose manifest names the operation, then those that are built; none is built only to be asked."""
        places = self._host.places()
        named = [place.id for place in places if operation in place.entry.operations]
        return named + [id for id in self._host.built() if id not in named]
