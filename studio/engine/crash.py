"""Named points at which tests kill the engine, to the instruction. Does nothing unless $ATELIER_CRASH names one.

ATELIER_CRASH="done.after_commit:3" ends the process with SIGKILL the third time that point is passed.
`<kind>.before_commit` and `.after_commit` surround a transaction that holds such a change; "commit.inside" is
between its statements and its COMMIT.
"""

import os
import signal

KINDS = ("submit", "done", "failed", "cancel", "died", "erase", "change")
POINTS = (
    *(f"{kind}.{when}_commit" for kind in KINDS for when in ("before", "after")),
    "commit.before",
    "commit.inside",
    "commit.after",
    "start.before_send",
    "start.after_send",
    "done.before_handle",
    "restore.before",
    "restore.before_sweep",
    "restore.after_sweep",
    "restore.after",
    "backup.before_rename",
    "stop.before_close",
)

_name, _, _count = os.environ.get("ATELIER_CRASH", "").partition(":")
_left = int(_count or 1)


def arm(spec: str) -> None:
    """Takes `name[:nth]` as the environment would; for a process that was forked after the import."""
    global _name, _left
    _name, _, count = spec.partition(":")
    _left = int(count or 1)


def point(name: str) -> None:
    """Passes a point; the process may end here."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
