"""Whether a window can be shown here. Standard library only: asked before anything heavy is loaded.

`python -m studio.cli.display` leaves with 0 when there is a display, else says why not and leaves with 1.
"""

import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path


def display_problem(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Why no window can be shown, as a sentence; empty when one can, or when Qt was told what to use."""
    if not platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return ""
    if wayland := environment.get("WAYLAND_DISPLAY"):
        place = Path(environment.get("XDG_RUNTIME_DIR", "")) / wayland
        if _answers(str(place)):
            return ""
    display = environment.get("DISPLAY", "")
    if not display and not wayland:
        return "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)."
    if _x_answers(display):
        return ""
    return f"The display {display or wayland} does not answer."


def _x_answers(display: str) -> bool:
    found = re.fullmatch(r"(?P<host>[^:]*):(?P<number>\d+)(\.\d+)?", display)
    if not found:
        return False
    host, number = found["host"], int(found["number"])
    if host in ("", "unix"):
        place = f"/tmp/.X11-unix/X{number}"
        return _answers(place) or _answers("\0" + place)
    try:
        with socket.create_connection((host, 6000 + number), timeout=3):
            return True
    except OSError:
        return False


def _answers(place: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(place)
        except OSError:
            return False
    return True


if __name__ == "__main__":
    problem = display_problem()
    if problem:
        print(problem)
    sys.exit(1 if problem else 0)
