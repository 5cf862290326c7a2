"""One thing a person can do, by name: the command palette, menus and shortcuts show the same. No Qt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Action:
    """id: owned by the panel, e.g. "text.generate". shortcut: Qt's portable form ("Ctrl+Return"), or empty.

    enabled: asked when the action is about to be shown or run; None means always.
    """

    id: str
    title: str
    shortcut: str
    run: Callable[[], Any]
    enabled: Callable[[], bool] | None = None

    @property
    def is_enabled(self) -> bool:
        return self.enabled is None or self.enabled()
