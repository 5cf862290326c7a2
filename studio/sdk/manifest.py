"""The schema of plugin.toml. Reading one imports nothing of the plugin."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from studio.errors import StudioError

API = "1"
Target = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OperationEntry(_Closed):
    """An operation. `params`, `backend` and `estimate` are `module:name`, relative to the plugin's package.

    device: whether it computes on the device. One that does not runs beside whatever has it.
    """

    id: str
    title: str
    summary: str = ""
    task: str = ""
    version: int = 1
    params: Target
    backend: Target
    estimate: Target | None = None
    produces: tuple[str, ...] = ()
    priority: str = Field("interactive", pattern="^(interactive|batch|training|maintenance)$")
    watchdog_s: float = Field(120.0, gt=0)
    model_field: str = "model"
    device: bool = True


class PanelEntry(_Closed):
    """A panel. Without a `class` the window makes a form and a result view for its operations."""

    id: str
    title: str
    icon: str = ""
    order: int = 100
    panel: Target | None = Field(None, alias="class")
    operations: tuple[str, ...] = ()


class Manifest(_Closed):
    """foreign: a function that reads what other programs write into files; see docs/plugins.md.

    requires: ids of the plugins whose modules this one imports.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    api: tuple[str, ...] = (API,)
    name: str
    version: str = "0"
    summary: str = ""
    licence: str = ""
    homepage: str = ""
    requires: tuple[str, ...] = ()
    foreign: Target | None = None
    operation: tuple[OperationEntry, ...] = ()
    panel: tuple[PanelEntry, ...] = ()

    @field_validator("api")
    @classmethod
    def _known_api(cls, api: tuple[str, ...]) -> tuple[str, ...]:
        if API not in api:
            raise ValueError(f"it was written for plugin contract {', '.join(api)}; this application offers {API}")
        return api

    @model_validator(mode="after")
    def _ids_are_owned(self) -> "Manifest":
        for entry in (*self.operation, *self.panel):
            if not re.match(rf"^{re.escape(self.id)}\.[a-z0-9.-]+$", entry.id):
                raise ValueError(f"the id {entry.id!r} must begin with {self.id + '.'!r}")
        ids = [entry.id for entry in (*self.operation, *self.panel)]
        if len(set(ids)) != len(ids):
            raise ValueError("an id is given twice")
        return self


def read_manifest(path: Path) -> Manifest:
    """The manifest in `path`. Raises StudioError saying what is wrong and where."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise StudioError("The plugin's manifest cannot be read", f"{path}: {error}", code="manifest") from None
    except tomllib.TOMLDecodeError as error:
        raise StudioError("The plugin's manifest is not valid TOML", f"{path}: {error}", code="manifest") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudioError("The plugin's manifest is not valid", f"{path}: {problems}", code="manifest") from None
