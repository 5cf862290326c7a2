"""Log files of the processes: rotated, capped, one per process kind. Imports only paths."""

import logging
import logging.handlers
import sys
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(folder: Path, name: str, *, to_stderr: bool = False) -> None:
    """Sends the root logger to `folder/name.log` (2 MB, 3 old ones kept), and to stderr when asked.

    A folder that cannot be written leaves stderr as the only target instead of stopping the process.
    """
    handlers: list[logging.Handler] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                folder / f"{name}.log", maxBytes=2_000_000, backupCount=3, encoding="utf-8"
            )
        )
    except OSError:
        to_stderr = True
    if to_stderr and sys.stderr is not None:
        handlers.append(logging.StreamHandler(sys.stderr))
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=handlers, force=True)
