"""Walks through the real window on a screen of its own and keeps a picture of every scene.

    python scripts/walkthrough.py [--out docs/screenshots] [--only dark-1280x720]

Needs Xvfb and xdotool. Two sizes, both themes; the pictures are for looking at, and for the documents.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.end2end.desktop import Desktop, desktop, wait_for

SIZES = ((1280, 720), (1920, 1080))
THEMES = ("dark", "light")
QUEUED = [f"The {who} opened the door and" for who in ("king", "old woman", "fox", "giant", "miller", "queen", "bear")]


class Walk:
    """One walk at one size in one theme."""

    def __init__(self, here: Desktop, out: Path, name: str):
        self.here, self.out, self.name, self.number = here, out, name, 0

    def picture(self, what: str) -> None:
        self.here.until_still(0.6)
        self.snap(what)

    def snap(self, what: str) -> None:
        self.number += 1
        picture = self.here.screen.picture()
        picture.save(self.out / f"{self.name}-{self.number:02d}-{what}.png", optimize=True)

    def keys(self, *keys: str) -> None:
        self.here.screen.key(*keys)
        time.sleep(0.4)

    def ended(self, count: int) -> None:
        wait_for(lambda: len(self.here.jobs("finished", "failed", "cancelled")) >= count)

    def run(self) -> None:
        """The scenes, in the order of a first session."""
        here = self.here
        here.open()
        wait_for(lambda: here.paths.runtime.joinpath("engine.sock").exists())
        self.picture("first-start")
        self.keys("ctrl+1", "ctrl+l", "ctrl+Return")
        wait_for(lambda: here.jobs("running"))
        time.sleep(1.2)
        self.snap("writing")
        self.ended(1)
        self.picture("written")
        self.keys("ctrl+e")
        self.picture("expert")
        self.keys("ctrl+e", "ctrl+l", "ctrl+a")
        here.screen.type("The king looked at the little dog and said: ")
        self.keys("ctrl+Return")
        self.ended(2)
        self.keys("ctrl+a", "BackSpace", "ctrl+Return")
        time.sleep(1)
        self.picture("empty-prompt")
        here.screen.type("Once there was a fox")
        for prompt in QUEUED:
            params = {"prompt": prompt, "max_tokens": 240}
            here.ask("submit", operation="text.generate", params=params, priority="batch", origin="cli")
        wait_for(lambda: here.jobs("running"))
        self.keys("ctrl+j")
        time.sleep(0.8)
        self.snap("queue")
        self.ended(3 + len(QUEUED))
        self.keys("ctrl+j", "ctrl+k")
        self.picture("palette")
        self.keys("Escape", "ctrl+2")
        self.picture("library")
        self.keys("ctrl+3")
        self.picture("models")
        self.keys("ctrl+comma")
        self.picture("settings")
        self.keys("F1")
        self.picture("keyboard")
        here.close()


def walk(out: Path, size: tuple[int, int], theme: str) -> None:
    name = f"{theme}-{size[0]}x{size[1]}"
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        (data / "window.json").write_text(json.dumps({"theme": theme}))
        with desktop(data, size) as here:
            Walk(here, out, name).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    every: list[tuple[tuple[int, int], str]] = [(size, theme) for size in SIZES for theme in THEMES]
    for size, theme in every:
        if options.only in ("", f"{theme}-{size[0]}x{size[1]}"):
            walk(options.out, size, theme)
            print(f"{theme} {size[0]}x{size[1]} done", flush=True)


if __name__ == "__main__":
    main()
