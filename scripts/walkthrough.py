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

from PIL import Image, PngImagePlugin

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.end2end.desktop import Desktop, desktop, wait_for

SIZES = ((1280, 720), (1920, 1080))
THEMES = ("dark", "light")
OLD = (
    "a red heart\nNegative prompt: blurry\n"
    "Steps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3.5, Seed: 77, Size: 64x64, Version: v1.10.1"
)
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
        self.keys("Escape")
        self.chat()
        self.pictures()
        self.code()
        self.clips()
        self.keys("ctrl+7")
        self.picture("library")
        self.keys("ctrl+8")
        self.picture("models")
        self.keys("ctrl+comma")
        self.picture("settings")
        self.keys("F1")
        self.picture("keyboard")
        here.close()

    def chat(self) -> None:
        """A question, the answer while it comes, and another version of it."""
        here, done = self.here, len(self.here.jobs("finished", "failed", "cancelled"))
        self.keys("ctrl+2")
        self.picture("chat-first")
        self.keys("ctrl+l", "ctrl+Return")
        wait_for(lambda: here.jobs("running"))
        time.sleep(1.0)
        self.snap("chat-answering")
        self.ended(done + 1)
        self.keys("ctrl+r")
        self.ended(done + 2)
        here.screen.type("Make it better and shorter, but very detailed")
        self.picture("chat-versions")

    def code(self) -> None:
        """A suggestion while one types, what is written from a description as changes, and a run."""
        here = self.here
        self.keys("ctrl+5")
        self.picture("code-first")
        self.click(700, 250)
        self.keys("ctrl+End")
        here.screen.type("return")
        time.sleep(4)
        self.picture("code-suggestion")
        done = len(here.jobs("finished", "failed", "cancelled"))
        self.keys("Escape", "ctrl+l")
        here.screen.type("add two numbers")
        self.keys("ctrl+Return")
        self.ended(done + 1)
        self.picture("code-changes")
        done = len(here.jobs("finished", "failed", "cancelled"))
        self.keys("F5")
        self.ended(done + 1)
        self.picture("code-run")

    def pictures(self) -> None:
        """Painting: a batch, a branch at half-way, a mask, more room, a table, an old file."""
        here, done = self.here, len(self.here.jobs("finished", "failed", "cancelled"))
        self.keys("ctrl+3")
        self.picture("tasks")
        self.keys("ctrl+4")
        self.picture("image-first")
        for count, prompt in ((4, "red apple"), (4, "{cat|dog|fox|panda} face")):
            params = {"prompt": prompt, "count": count, "steps": 60}
            here.ask("submit", operation="image.generate", params=params, origin="image.panel")
            wait_for(lambda: here.jobs("running"))
            time.sleep(2.0)
            self.snap("image-painting")
            done += 1
            self.ended(done)
        self.picture("image-painted")
        self.keys("ctrl+e")
        self.picture("image-expert")
        self.keys("ctrl+e", "ctrl+b")
        self.picture("image-branch")
        self.keys("ctrl+a")
        here.screen.type("green apple")
        self.keys("ctrl+Return")
        done += 1
        self.ended(done)
        self.picture("image-branched")
        self.keys("Escape", "ctrl+u", "alt+3")
        self.picture("image-inpaint")
        self.stroke()
        self.picture("image-mask")
        self.keys("ctrl+Return")
        done += 1
        self.ended(done)
        self.keys("alt+4")
        self.picture("image-extend")
        self.keys("alt+5")
        self.picture("image-enlarge")
        self.keys("alt+1")
        self.table()
        old = here.paths.data / "old.png"
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", OLD)
        Image.new("RGB", (64, 64), "orange").save(old, pnginfo=info)
        here.start(str(old)).wait(60)
        self.picture("image-old-file")

    def stroke(self) -> None:
        """A stroke of the brush through the middle of the canvas, which is left of the results."""
        hands, (width, height) = self.here.screen.hands, self.here.screen.size
        left, top = round(0.5 * (80 + (width - 320) / 2)), round(height * 0.6)
        hands("mousemove", str(left - 60), str(top), "mousedown", "1")
        for at in range(12):
            hands("mousemove", str(left - 60 + at * 10), str(top - at * 4))
        hands("mouseup", "1")

    def click(self, x: int, y: int) -> None:
        self.here.screen.hands("mousemove", str(x), str(y), "click", "1")
        time.sleep(0.5)

    def table(self) -> None:
        """Guidance across, prompts down. The switch stands at the right end of the line of modes."""
        width, done = self.here.screen.size[0], len(self.here.jobs("finished", "failed", "cancelled"))
        self.click(width - 366, 112)  # puts the starter's card away
        self.click(width - 380, 70)
        values = ("1, 2, 4", "red apple, green apple, cat face")
        for row, (name, text) in enumerate(zip(("Guidance", "Prompt"), values, strict=True)):
            self.click(225, 125 + 35 * row)
            self.here.screen.type(name)
            self.keys("Return")
            self.click(600, 125 + 35 * row)
            self.here.screen.type(text)
        self.click(137, 234)
        self.ended(done + 9)
        self.picture("image-table")
        self.click(width - 460, 70)

    def clips(self) -> None:
        """A travel between two prompts, and the clip playing."""
        done = len(self.here.jobs("finished", "failed", "cancelled"))
        self.keys("ctrl+6")
        self.picture("video-first")
        self.keys("ctrl+l", "ctrl+Return")
        wait_for(lambda: self.here.jobs("running"))
        time.sleep(1.5)
        self.snap("video-making")
        self.ended(done + 1)
        self.picture("video-made")


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
