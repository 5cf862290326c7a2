"""The window's process: parses its arguments, makes every part and connects them. The composition root.

The window is on screen before the engine is asked for; nothing here imports a machine-learning library.
"""

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studio import logs
from studio.errors import StudioError
from studio.paths import Paths, user_paths
from studio.ui.instance import Instance

if TYPE_CHECKING:
    from studio.ui.connection import Client
    from studio.ui.window import Window

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Opens the window and returns when it is closed. With a window open already, hands the files to it."""
    arguments = _parse(argv)
    try:
        return _main(user_paths(arguments.data), arguments.files)
    except StudioError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"Atelier cannot use its data folder. {error}", file=sys.stderr)
    return 1


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="studio", description="The window of Atelier.")
    parser.add_argument("--data", metavar="DIR", help="the data folder (default: $ATELIER_DATA or the platform's)")
    parser.add_argument("files", nargs="*", metavar="FILE", help="results to open, folders with models to add")
    return parser.parse_args(list(argv))


def _main(paths: Paths, files: Sequence[str]) -> int:
    _need_display()
    paths.prepare()
    files = [str(Path(file).absolute()) for file in files]
    instance = Instance(paths.runtime)
    if not instance.acquire():
        instance.hand_over(files)
        print("Atelier is open already; its window was brought to the front.", file=sys.stderr)
        return 0
    try:
        logs.set_up(paths.logs, "window")
        return _run(paths, files, instance)
    finally:
        instance.release()


def _need_display() -> None:
    """Qt ends the process when there is no display, so it is looked for first."""
    if sys.platform in ("win32", "darwin") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise StudioError(
            "There is no display for a window",
            "Neither DISPLAY nor WAYLAND_DISPLAY is set.",
            'Without one, use the command line: studio run text.generate --prompt "…"',
            code="no-display",
        )


def _run(paths: Paths, files: Sequence[str], instance: Instance) -> int:
    os.environ["QT_API"] = "pyside6"
    import qasync
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Atelier")
    app.setDesktopFileName("atelier")
    app.setQuitOnLastWindowClosed(False)
    with qasync.QEventLoop(app) as loop:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_live(paths, files, instance, lambda: launched(paths)))
    return 0


async def launched(paths: Paths) -> "Client":
    """The engine's client, imported when it is first needed: the window is on screen by then."""
    from studio.engine import launch

    return await launch.connect(paths)


def present(window: "Window") -> None:
    """Puts it on the screen, and leaves what start-up made out of every later collection.

    A full one of that takes longer than a picture may (18 to 50 ms), and never finds anything.
    """
    window.show()
    gc.freeze()


async def _live(
    paths: Paths, files: Sequence[str], instance: Instance, connect: "Callable[[], Awaitable[Client]]"
) -> None:
    """From the first paint to the last save."""
    window = compose(paths, connect)
    closed = asyncio.Event()
    window.closing.connect(closed.set)
    present(window)
    await instance.listen(window.come_forward)
    connecting = asyncio.ensure_future(window.context.connection.run())
    if files:
        window.drops.take(files)
    try:
        await closed.wait()
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await shut(window)


async def shut(window: "Window") -> None:
    """Ends what a window has running and leaves the engine to its work."""
    context = window.context
    context.bridge.remove_sinks()
    await context.tasks.close()
    await context.connection.close()
    context.drafts.close()
    window.hide()
    window.deleteLater()


def compose(paths: Paths, connect: "Callable[[], Awaitable[Client]]") -> "Window":
    """The window of a data folder, not shown yet, with all its parts. `connect` gives a client of the engine."""
    from studio.host.discover import discover, plugin_folders
    from studio.kit.theme import Theme
    from studio.ui import look
    from studio.ui.bridge import Bridge
    from studio.ui.connection import Connection
    from studio.ui.drafts import Drafts
    from studio.ui.notices import Notices
    from studio.ui.session import Tasks
    from studio.ui.settings import Settings
    from studio.ui.window import Context, Window

    settings = Settings(paths)
    theme = Theme(settings.choices.theme)
    look.dress(theme)
    theme.apply()
    bridge, notices, drafts = Bridge(), Notices(), Drafts(paths.data / "drafts.json")
    context = Context(
        paths=paths,
        plugins=discover(plugin_folders(paths), settings.disabled_plugins()),
        settings=settings,
        drafts=drafts,
        theme=theme,
        bridge=bridge,
        connection=Connection(connect, bridge.feed),
        notices=notices,
        tasks=Tasks(),
    )
    window = Window(context)
    for part in (settings, theme, bridge, notices, drafts, context.connection):
        part.setParent(window)
    return window
