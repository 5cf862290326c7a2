"""Named points at which tests kill the engine, to the instruction. Does nothing unless $ATELIER_CRASH names one.

ATELIER_CRASH="done.after_commit:3" ends the process with SIGKILL the third time that point is passed.
"""

import os
import signal

KINDS = ("submit", "done", "change", "erase")
POINTS = (
    *(f"{kind}.{when}_commit" for kind in KINDS for when in ("before", "after")),
    "start.after_send",
    "done.before_handle",
    "restore.before",
    "restore.after",
)

_name, _, _count = os.environ.get("ATELIER_CRASH", "").partition(":")
_left = int(_count or 1)


def point(name: str) -> None:
    """Passes a point; the process may end here."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
