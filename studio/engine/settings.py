"""The engine's own settings: where results go, where models are, what is switched off. Stored whole or not at all."""

import json
import logging
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.errors import StudioError
from studio.library import atomic
from studio.sdk.params import invalid

log = logging.getLogger(__name__)


class EngineSettings(BaseModel):
    """library_folder: of the results, the data folder's own when empty. keep_ended: how many ended jobs are kept.

    Unknown keys of a newer version are kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    library_folder: str = ""
    model_folders: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    keep_ended: int = Field(default=5000, ge=0)


class SettingsFile:
    """The settings on disk. A broken file is put aside and said in `notice`."""

    def __init__(self, path: Path):
        self._path = path
        self.notice: StudioError | None = None
        self.values = self._read()

    def _read(self) -> EngineSettings:
        try:
            return EngineSettings.model_validate(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return EngineSettings()
        except (OSError, ValueError) as error:
            aside = self._path.with_suffix(".broken.json")
            try:
                self._path.replace(aside)
            except OSError as problem:
                log.info("the broken settings stay where they are: %s", problem)
            self.notice = StudioError(
                "The engine's settings could not be read", f"{error}. Defaults are used; the file is {aside.name}."
            )
            return EngineSettings()

    def set(self, key: str, value: Any) -> None:
        """Changes one setting. Raises StudioError for an unknown key, a wrong value or a disk that refuses."""
        if key not in EngineSettings.model_fields:
            known = ", ".join(EngineSettings.model_fields)
            raise StudioError("There is no such setting", f"{key!r}; known: {known}.", code="bad-request")
        try:
            changed = EngineSettings.model_validate({**self.values.model_dump(), key: value})
        except ValidationError as error:
            raise invalid(error) from None
        atomic.write_file(self._path, changed.model_dump_json(indent=1).encode())
        self.values = changed
