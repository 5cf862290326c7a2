"""What the window gives to a panel: the engine, other panels, notices, undo, theme and paths.

The window implements this; panels and kit widgets know only the protocol, so a test can stand in for it.
"""

from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from studio.kit.history import History
from studio.kit.theme import Theme
from studio.paths import Paths
from studio.sdk.params import Params


class Session(Protocol):
    """One per panel. Engine calls raise StudioError; what `spawn` runs shows its errors on the panel."""

    theme: Theme
    paths: Paths
    undo: History

    async def call(self, method: str, **params: Any) -> Any:
        """Asks the engine; the answer is JSON. Raises StudioError."""
        ...

    async def call_frames(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> tuple[Any, list[bytes]]:
        """Like call, with raw bytes beside the request and beside the answer."""
        ...

    async def put_input(self, data: bytes, suffix: str, name: str = "") -> str:
        """Keeps bytes as an input file and gives what params hold: `input:…`, or the path of a file called `name`."""
        ...

    def input_path(self, value: str) -> Path:
        """The file of an InputFile value. Raises StudioError when it is gone."""
        ...

    async def submit(
        self,
        operation: str,
        params: dict[str, Any],
        *,
        title: str = "",
        origin: str = "",
        priority: str | None = None,
        parents: Sequence[str] = (),
    ) -> str:
        """Queues a job, durably, and gives its id. `origin` is the panel's id when empty."""
        ...

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine to its end; its errors appear on the panel."""
        ...

    def params_class(self, operation_id: str) -> type[Params]: ...

    def operations(self) -> Mapping[str, Any]:
        """Every usable operation by id."""
        ...

    async def models(self, capability: str = "") -> list[dict[str, Any]]:
        """The catalogue's entries (hub ModelEntry as dictionaries) that can do this; all when empty."""
        ...

    def open_panel(self, panel_id: str, payload: dict[str, Any] | None = None) -> None: ...

    def notify(self, title: str, detail: str = "", level: str = "info") -> None:
        """Says something without stopping anybody. level: "info", "warning" or "error"."""
        ...
