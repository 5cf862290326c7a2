"""The person's saved prompts and personas: files in `<data>/prompts` and `<data>/personas`.

Owns SavedPrompt and Prompts (Markdown files with variables), Persona and Personas (JSON files: a name, a system
prompt, settings of text.chat). Imports the standard library, errors and this plugin's shelf and variables.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError

from .prompt_variables import Variable, fill, variables
from .shelf import Shelf


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """problem: why its file cannot be used, in words."""

    name: str
    text: str = ""
    problem: str = ""

    @property
    def variables(self) -> list[Variable]:
        return variables(self.text)

    def filled(self, values: Mapping[str, str]) -> str:
        """Raises StudioError for variables without a value."""
        return fill(self.text, values)


class Prompts:
    """All saved prompts."""

    def __init__(self, data: Path):
        self.shelf = Shelf(data / "prompts", ".md", "prompt")

    def all(self) -> list[SavedPrompt]:
        """By name; files that cannot be used are among them, with the reason."""
        return [self._listed(name) for name in self.shelf.names()]

    def get(self, name: str) -> SavedPrompt:
        return SavedPrompt(name, self.shelf.read(name))

    def save(self, name: str, text: str, *, replace: bool = False) -> SavedPrompt:
        if not text.strip():
            raise StudioError("The prompt is empty", "There is nothing to save.", "Write it first.", code="empty")
        self.shelf.write(name, text, replace=replace)
        return SavedPrompt(name, text)

    def _listed(self, name: str) -> SavedPrompt:
        try:
            return self.get(name)
        except StudioError as error:
            return SavedPrompt(name, problem=f"{error.title}. {error.detail}")


@dataclass(frozen=True, slots=True)
class Persona:
    """How a model is to be: system prompt, and values of text.chat's fields that go with it."""

    name: str
    system: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Personas:
    """All personas."""

    def __init__(self, data: Path):
        self.shelf = Shelf(data / "personas", ".json", "persona")

    def all(self) -> list[Persona]:
        """By name; files that cannot be used are among them, with the reason."""
        return [self._listed(name) for name in self.shelf.names()]

    def get(self, name: str) -> Persona:
        """Raises StudioError when its file is gone or holds no persona."""
        try:
            found = json.loads(self.shelf.read(name))
        except (ValueError, RecursionError) as error:
            raise _no_persona(name, f"it is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise _no_persona(name, "it is no object")
        system, settings = found.get("system", ""), found.get("settings", {})
        if not isinstance(system, str) or not isinstance(settings, dict):
            raise _no_persona(name, "“system” is a text and “settings” an object")
        return Persona(name, system, settings)

    def save(self, persona: Persona, *, replace: bool = False) -> Persona:
        content = {"system": persona.system, "settings": persona.settings}
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        self.shelf.write(persona.name, text, replace=replace)
        return persona

    def _listed(self, name: str) -> Persona:
        try:
            return self.get(name)
        except StudioError as error:
            return Persona(name, problem=f"{error.title}. {error.detail}")


def _no_persona(name: str, why: str) -> StudioError:
    return StudioError("The file holds no persona", f"{name}: {why}.", "Write it anew.", code="no-persona")
