"""The system libraries that Qt needs, found out by loading it in a child process. Standard library only.

`python -m studio.cli.libraries` says what is missing and the line that installs it, and leaves with 1 then.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable

# soname: (Debian and Ubuntu, Fedora)
PACKAGES = {
    "libEGL": ("libegl1", "mesa-libEGL"),
    "libGL": ("libgl1", "mesa-libGL"),
    "libGLX": ("libgl1", "libglvnd-glx"),
    "libOpenGL": ("libopengl0", "libglvnd-opengl"),
    "libxkbcommon": ("libxkbcommon0", "libxkbcommon"),
    "libxkbcommon-x11": ("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libdbus-1": ("libdbus-1-3", "dbus-libs"),
    "libfontconfig": ("libfontconfig1 fontconfig", "fontconfig"),
    "libfreetype": ("libfreetype6", "freetype"),
    "libglib-2.0": ("libglib2.0-0", "glib2"),
    "libgthread-2.0": ("libglib2.0-0", "glib2"),
    "libX11-xcb": ("libx11-xcb1", "libX11-xcb"),
    "libxcb": ("libxcb1", "libxcb"),
    "libxcb-cursor": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-icccm": ("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image": ("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms": ("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-render-util": ("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-util": ("libxcb-util1", "xcb-util"),
}
XCB_SUBLIBRARY = ("randr", "render", "shape", "shm", "sync", "xfixes", "xinerama", "xkb", "glx")
PACKAGES |= {f"libxcb-{name}": (f"libxcb-{name}0", "libxcb") for name in XCB_SUBLIBRARY}
PACKAGES["libxcb-xkb"] = ("libxcb-xkb1", "libxcb")
PACKAGES["libxcb-sync"] = ("libxcb-sync1", "libxcb")

# Loads what the window loads, and the platform plugin that Qt itself loads later and only grumbles about.
PROBE = """
import ctypes, pathlib, sys
import PySide6
found = []
for module in ("QtCore", "QtGui", "QtWidgets"):
    try:
        __import__("PySide6." + module)
    except ImportError as error:
        found.append(str(error))
folder = pathlib.Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms"
for plugin in folder.glob("libqxcb.so"):
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        found.append(str(error))
print("\\n".join(found))
files = [*folder.glob("libqxcb.so"), *pathlib.Path(PySide6.__file__).parent.glob("Qt[GW]*i*.abi3.so")]
print("files", *files, sep="\\n")
"""


def missing_libraries() -> list[str]:
    """Names such as "libEGL.so.1" that Qt could not load; a sentence when it failed for another reason."""
    if not sys.platform.startswith("linux"):
        return []
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if probe.returncode:
        lines = probe.stderr.strip().splitlines() or [f"loading Qt ended with {probe.returncode}"]
        return [lines[-1]]
    messages, _, files = probe.stdout.partition("files\n")
    found = names_in(messages.splitlines())
    return list(dict.fromkeys(found + _all_missing(files.split()))) if found else []


def _all_missing(files: list[str]) -> list[str]:
    """Every library that these files lack; the loader itself stops at the first."""
    if not shutil.which("ldd"):
        return []
    listing = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    return list(dict.fromkeys(re.findall(r"^\s*(\S+) => not found", listing, re.MULTILINE)))


def names_in(messages: Iterable[str]) -> list[str]:
    """The libraries that the loader's messages name, each once; messages that name none stay whole."""
    found: dict[str, None] = {}
    for message in messages:
        name = re.match(r"(\S+?\.so[.\d]*): cannot open shared object file", message)
        if message.strip():
            found[name[1] if name else message.strip()] = None
    return list(found)


def advice(missing: list[str], *, dnf: bool | None = None) -> str:
    """What to install for these libraries, as the exact line."""
    dnf = shutil.which("dnf") is not None if dnf is None else dnf
    packages: dict[str, None] = {}
    unknown = []
    for library in missing:
        known = PACKAGES.get(library.partition(".so")[0])
        if known:
            packages |= dict.fromkeys(known[1 if dnf else 0].split())
        else:
            unknown.append(library)
    lines = [f"The window needs system libraries that are missing: {', '.join(missing)}"]
    if packages:
        lines += ["Install them with:", f"    sudo {'dnf' if dnf else 'apt-get'} install {' '.join(packages)}"]
    if unknown:
        lines.append(f"No package is known here for: {', '.join(unknown)}")
    return "\n".join(lines)


if __name__ == "__main__":
    absent = missing_libraries()
    if absent:
        print(advice(absent))
    sys.exit(1 if absent else 0)
