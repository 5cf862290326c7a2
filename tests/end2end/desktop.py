"""A screen of its own with the real application on it, driven by keys and looked at by pixels.

Xvfb is the screen, xdotool the hands, Pillow the eyes. Nothing here knows the application's insides:
what happened is asked of the engine through the same client that the window uses.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageGrab

from studio.engine.client import EngineClient
from studio.paths import Paths
from tests.patience import PATIENCE_S

NEEDED = ("Xvfb", "xdotool")


def available() -> bool:
    return all(shutil.which(tool) for tool in NEEDED)


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE_S, every: float = 0.1) -> Any:
    """The first true answer of `what`. Raises AssertionError when none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"nothing came of {what} in {seconds} s")


class Screen:
    """A virtual screen of a given size."""

    def __init__(self, width: int, height: int):
        self.size = (width, height)
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            self.display = f":{numbers.readline().strip()}"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait()

    def picture(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.display)

    def hands(self, *words: str) -> str:
        """Runs xdotool; its output."""
        done = subprocess.run(
            ["xdotool", *words],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def type(self, text: str) -> None:
        self.hands("type", "--delay", "12", text)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.hands("key", key)
            time.sleep(0.05)


class Desktop:
    """The application in a window that fills a screen, on a data folder."""

    def __init__(self, screen: Screen, data: Path, *, environment: dict[str, str] | None = None):
        self.screen, self.paths = screen, Paths(data)
        self.environment = {**os.environ, "DISPLAY": screen.display, "QT_QPA_PLATFORM": "xcb", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def open(self, *arguments: str) -> "Desktop":
        """Starts the window and waits until it is on the screen, filling it."""
        self.process = self.start(*arguments)
        window = wait_for(lambda: self.screen.hands("search", "--onlyvisible", "--name", "Atelier").split())[-1]
        width, height = self.screen.size
        self.screen.hands("windowmove", window, "0", "0")
        self.screen.hands("windowsize", window, str(width), str(height))
        self.screen.hands("windowfocus", window)
        time.sleep(1.0)
        return self

    def until_still(self, seconds: float = 1.0) -> None:
        """Waits until nothing on the screen has changed for a while; a blinking caret is allowed."""
        last, since = None, time.monotonic()
        deadline = since + PATIENCE_S
        while time.monotonic() - since < seconds and time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.screen.picture().resize((64, 36)).tobytes()
            if last is None or sum(abs(a - b) > 24 for a, b in zip(now, last, strict=True)) > 12:
                last, since = now, time.monotonic()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "studio", "--data", str(self.paths.data), *arguments]
        return subprocess.Popen(command, env=self.environment)

    def close(self) -> None:
        """Closes the window as its user would; the engine goes on."""
        assert self.process is not None
        self.screen.key("ctrl+q")
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the window did not close on Ctrl+Q") from None

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method: str, **params: Any) -> Any:
        """One request to the running engine."""

        async def once() -> Any:
            client = await EngineClient.connect(self.paths)
            try:
                return await client.call(method, **params)
            finally:
                await client.close()

        return asyncio.run(once())

    def jobs(self, *states: str) -> list[dict[str, Any]]:
        found = self.ask("jobs", **({"states": list(states)} if states else {}))
        return found["jobs"]

    def end(self) -> None:
        """Stops window and engine, whatever state they are in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        with contextlib.suppress(Exception):
            self.ask("shutdown")


@contextlib.contextmanager
def desktop(data: Path, size: tuple[int, int] = (1280, 720), **environment: str) -> Iterator[Desktop]:
    screen = Screen(*size)
    here = Desktop(screen, data, environment=environment)
    try:
        yield here
    finally:
        here.end()
        screen.close()
