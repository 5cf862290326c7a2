"""A small JSON file that survives anything: written whole or not at all, with the last good copy beside it. No Qt."""

import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class JsonStore:
    """One object in one file. `problem`: what was wrong when it was read, in words; empty when nothing was.

    The window must start on a full disk and in a read-only folder too, so nothing here raises OSError:
    what cannot be written stays in memory and `problem` says so. `durable`: wait for the disk; without it
    a power cut may cost the last content, never the copy before.
    """

    def __init__(self, path: Path, *, durable: bool = True):
        self.path, self._durable = path, durable
        self.problem = ""
        self._written: str | None = None

    @property
    def copy(self) -> Path:
        """The last content that could be read."""
        return self.path.with_name(self.path.name + ".good")

    def read(self) -> dict[str, Any]:
        """The object in the file; in the last good copy when the file is broken; else an empty one."""
        self.problem = ""
        values, reason = _parse(self.path)
        if values is not None:
            self._keep(values)
            return values
        if reason is None:
            return {}
        values, _ = _parse(self.copy)
        used = "The last good copy is used." if values is not None else "The standard values are used."
        self.problem = f"{self.path} {reason}. {used}"
        self._put_aside()
        return values if values is not None else {}

    def peek(self) -> dict[str, Any]:
        """The object in the file, else in its copy. Touches nothing, so it does for a file of another process."""
        values, _ = _parse(self.path)
        return values if values is not None else _parse(self.copy)[0] or {}

    def write(self, values: dict[str, Any]) -> bool:
        """Puts `values` on disk; False (and `problem`) when the disk refuses. An equal content is not written again."""
        text = json.dumps(values, indent=1, sort_keys=True)
        if text == self._written:
            return True
        try:
            _replace(self.path, text, self._durable)
            _replace(self.copy, text, self._durable)
        except OSError as error:
            self.problem = f"{self.path} could not be written: {error.strerror or error}"
            log.info(self.problem)
            return False
        self._written = text
        return True

    def _keep(self, values: dict[str, Any]) -> None:
        text = json.dumps(values, indent=1, sort_keys=True)
        self._written = text
        try:
            if not self.copy.exists() or self.copy.read_text(encoding="utf-8", errors="replace") != text:
                _replace(self.copy, text, self._durable)
        except OSError as error:
            log.info("no copy of %s: %s", self.path, error)

    def _put_aside(self) -> None:
        """Keeps the broken file for whoever wants to look at it."""
        try:
            self.path.replace(self.path.with_name(self.path.name + ".broken"))
        except OSError as error:
            log.info("%s stays where it is: %s", self.path, error)


def _parse(path: Path) -> tuple[dict[str, Any] | None, str | None]:
    """The object, or why there is none; neither when there is no file."""
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError) as error:
        return None, f"is damaged ({error})"
    return (values, None) if isinstance(values, dict) else (None, "holds something else than settings")


def _replace(path: Path, text: str, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
