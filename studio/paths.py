"""Where things live on disk. Imports nothing of the application and creates nothing until asked."""

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "atelier"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one user data folder; every process of one studio is given the same `data`."""

    data: Path

    @property
    def library(self) -> Path:
        """Default folder for results; the person may choose another in the settings."""
        return self.data / "library"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def plugins(self) -> Path:
        return self.data / "plugins"

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def settings(self) -> Path:
        return self.data / "settings.json"

    @property
    def receipts(self) -> Path:
        """One small file per finished job: the point after which it never runs again."""
        return self.data / "receipts"

    @property
    def inputs(self) -> Path:
        """Copies of the files that operations read, named by their content."""
        return self.data / "inputs"

    @property
    def steps(self) -> Path:
        """One folder a job: what its results were like between two steps. Old ones are cleared."""
        return self.data / "steps"

    @property
    def thumbnails(self) -> Path:
        """Small pictures of results, kept up to a bound; all of them can be made again."""
        return self.data / "thumbnails"

    @property
    def runtime(self) -> Path:
        """Sockets, locks and process files. Short, because a Unix socket's path holds about 100 bytes."""
        mark = hashlib.sha256(str(self.data.absolute()).encode()).hexdigest()[:12]
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return base / f"{APP}-{user}" / mark

    def prepare(self) -> "Paths":
        """Creates the folders that every process relies on. Raises OSError when the disk refuses."""
        self.data.mkdir(0o700, parents=True, exist_ok=True)  # prompts and results are their owner's
        for folder in (self.logs, self.receipts, self.models):
            folder.mkdir(parents=True, exist_ok=True)
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.runtime.parent.chmod(0o700)
        return self


def user_paths(data: str | Path | None = None) -> Paths:
    """The folders of `data`, of `$ATELIER_DATA`, or of the platform's user data folder."""
    chosen = data or os.environ.get("ATELIER_DATA") or platformdirs.user_data_dir(APP, appauthor=False)
    return Paths(Path(chosen).expanduser().absolute())


def bundled(name: str) -> Path:
    """A folder shipped with the application: `plugins` or `assets`.

    In a checkout it lies beside the package; in a wheel below `studio/_bundled`; frozen, in the bundle.
    """
    frozen = getattr(sys, "_MEIPASS", None)
    here = Path(__file__).resolve().parent
    for base in (Path(frozen) if frozen else None, here / "_bundled", here.parent):
        if base is not None and (base / name).is_dir():
            return base / name
    return here.parent / name
