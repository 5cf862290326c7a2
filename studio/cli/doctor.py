"""`studio doctor`: looks at everything the application relies on and says how to repair what is wrong."""

import asyncio
import importlib.metadata
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from studio import __version__
from studio.cli import show
from studio.cli.catalogue import AsJson
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.cli.session import Studio

DISTRIBUTION = "atelier-studio"
SHOWN = ("torch", "transformers", "diffusers", "PySide6-Essentials", "pydantic")
MIN_FREE = 2_000_000_000
SAFE_SQLITE = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Finding:
    """level: "ok", "note" (works, worth knowing) or "problem". `fix` says what to do."""

    level: str
    topic: str
    detail: str
    fix: str = ""


def doctor(context: typer.Context, json: AsJson = False) -> int:
    """Check the installation, the folders and the engine; say how to repair what is wrong."""
    found = list(examine(context.obj))
    if json:
        keys = ("level", "topic", "detail", "fix")
        print(show.as_json([{key: getattr(finding, key) for key in keys} for finding in found]))
    else:
        marks = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
        for finding in found:
            print(f"{marks[finding.level]}  {finding.topic}: {show.printable(finding.detail)}")
            if finding.fix:
                print(f"           → {finding.fix}")
    return 1 if any(finding.level == "problem" for finding in found) else 0


def examine(studio: "Studio") -> Iterator[Finding]:
    """Every finding, good ones too, in the order in which people would look."""
    yield Finding("ok", "Atelier", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from requirements()
    yield from conflicts(version_of)
    yield from _graphics()
    yield from _screen()
    yield from storage(studio.paths.data, "data folder")
    yield _sqlite()
    yield from _engine(studio)


def version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> Iterator[Finding]:
    """Whether what is installed is what the application asks for."""
    from packaging.requirements import Requirement

    if not version_of(DISTRIBUTION):
        yield Finding("note", "Libraries", "the application runs without being installed; versions are not checked")
        return
    wrong = []
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate({"extra": ""}):
            continue
        installed = version_of(needed.name)
        if installed is None or not needed.specifier.contains(installed, prereleases=True):
            wrong.append(f"{needed.name} {installed or 'is missing'} (needed: {needed.specifier})")
    if wrong:
        yield Finding("problem", "Libraries", "; ".join(wrong), "Remove the folder .venv and start ./run.")
    else:
        shown = ", ".join(f"{name} {version_of(name)}" for name in SHOWN)
        yield Finding("ok", "Libraries", shown)


def conflicts(version: Callable[[str], str | None]) -> Iterator[Finding]:
    """Combinations that are known to break. `version`: the installed version of a distribution, or None."""
    pip = f"{Path(sys.executable).name} -m pip"
    torch, audio, qt = version("torch") or "", version("torchaudio"), version("PySide6-Essentials") or ""
    if audio and audio.partition("+")[0] != torch.partition("+")[0]:
        detail = f"torchaudio {audio} beside torch {torch} breaks the audio models; Atelier does not use it"
        yield Finding("problem", "torchaudio", detail, f"{pip} uninstall torchaudio")
    if kernels := version("kernels"):
        detail = f"kernels {kernels} downloads compiled code while a model loads"
        yield Finding("problem", "kernels", detail, f"{pip} uninstall kernels")
    if qt.startswith("6.12.0") or qt in ("6.11.0", "6.11.1"):
        detail = f"PySide6 {qt} ends the window by itself or breaks its layout"
        yield Finding("problem", "PySide6", detail, f'{pip} install "PySide6-Essentials>=6.11.2,<6.12"')
    for other in ("PyQt6", "PyQt5", "PySide2"):
        if found := version(other):
            yield Finding("note", other, f"{other} {found} is installed too; Atelier does not use it")


def storage(folder: Path, what: str) -> Iterator[Finding]:
    """Whether the folder can be written and has room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror}"
        yield Finding("problem", what.capitalize(), detail, "Make it writable, or choose another with --data FOLDER.")
        return
    room = f"{folder}, {show.size(free)} free"
    if free < MIN_FREE:
        yield Finding("problem", what.capitalize(), room, "Make room on this disk: results are saved here.")
    else:
        yield Finding("ok", what.capitalize(), room)


def _graphics() -> Iterator[Finding]:
    """Without loading torch: whether there is a GPU, and whether the installed torch could use it."""
    card = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    built_for_cpu = "+cpu" in (version_of("torch") or "")
    if card and built_for_cpu:
        fix = "Install the CUDA build of the same torch version into .venv."
        yield Finding("note", "GPU", "there is one, but the installed torch was built for the CPU only", fix)
    elif card:
        yield Finding("ok", "GPU", "an NVIDIA driver is there")
    else:
        yield Finding("ok", "GPU", f"none found; {os.cpu_count()} processors do the work")


def _screen() -> Iterator[Finding]:
    from studio.cli.display import display_problem
    from studio.cli.libraries import advice, missing_libraries

    if missing := missing_libraries():
        yield Finding("problem", "System libraries", ", ".join(missing), advice(missing).splitlines()[-1].strip())
    if reason := display_problem():
        yield Finding("note", "Display", reason, "The command line works without one: studio run --help")
    else:
        yield Finding("ok", "Display", os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or "there")


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        return Finding("ok", "SQLite", f"{version}; Atelier writes its journal with one connection, as this one needs")
    return Finding("ok", "SQLite", version)


def _engine(studio: "Studio") -> Iterator[Finding]:
    """Starts the engine when none runs, and asks it for its folders, plugins and models."""

    async def question() -> tuple[dict[str, Any], dict[str, Any]]:
        async with studio.engine() as client:
            return await client.call("hello", client="doctor", version=__version__), await client.call("models")

    try:
        hello, models = asyncio.run(question())
    except (OSError, StudioError) as error:
        fix = f"The reason should be in {studio.paths.logs}."
        yield Finding("problem", "Engine", str(error), fix)
        return
    yield Finding("ok", "Engine", f"answers (process {hello['pid']}, version {hello['version']})")
    if hello["version"] != __version__:
        yield Finding("problem", "Engine", "it is of another version than this program", "studio engine stop")
    yield from storage(Path(hello["library"]), "library")
    for plugin in hello["plugins"]:
        if problem := plugin.get("problem"):
            yield Finding(
                "problem", f"Plugin {plugin['id']}", str(StudioError.from_dict(problem)), "Repair or remove it."
            )
    usable = [model for model in models["models"] if not model.get("problem")]
    if usable:
        yield Finding("ok", "Models", ", ".join(model["id"] for model in usable[:5]))
    else:
        yield Finding("problem", "Models", "none is usable", "studio models add FOLDER")
