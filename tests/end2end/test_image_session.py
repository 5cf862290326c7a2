"""A session with the image panel in the real window: paint, branch, repaint, extend, enlarge, drop an old file."""

import time
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.end2end.desktop import Desktop, available, desktop, wait_for
from tests.patience import PATIENCE_S
from tests.tiny_pipelines import make

pytestmark = [
    pytest.mark.end2end,
    pytest.mark.skipif(not available(), reason="needs Xvfb and xdotool"),
    pytest.mark.timeout(900),
]
OLD = (
    "a red fox\nNegative prompt: blurry\nSteps: 4, Sampler: Euler a, CFG scale: 6.5, Seed: 77, Size: 64x64, Version: v1"
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    make("sdxl", tmp_path / "models" / "tiny-sdxl")
    return tmp_path / "models"


def ended(here: Desktop, count: int) -> list[dict]:
    """The image jobs that have ended, newest first; all of them finished."""

    def found() -> list[dict] | None:
        jobs = [job for job in here.jobs("finished", "failed", "cancelled") if job["operation"].startswith("image.")]
        return jobs if len(jobs) >= count else None

    jobs = sorted(wait_for(found), key=lambda job: job["created"], reverse=True)
    assert all(job["state"] == "finished" for job in jobs), [job["error"] for job in jobs]
    here.until_still()
    return jobs


def opened(job: dict) -> Image.Image:
    """The picture of a job, with its texts."""
    with Image.open(job["artifacts"][0]["path"]) as picture:
        picture.load()
        return picture


def keys(here: Desktop, *names: str) -> None:
    for name in names:
        here.screen.key(name)
        time.sleep(0.3)


def paint_mask(here: Desktop) -> None:
    """A stroke in the middle of the canvas."""
    here.screen.hands("mousemove", "300", "450", "mousedown", "1")
    for at in range(8):
        here.screen.hands("mousemove", str(300 + at * 8), str(450 + at * 4))
    here.screen.hands("mouseup", "1")
    time.sleep(1.0)


def test_a_session_of_painting(short_folder: Path, models: Path, tmp_path: Path):
    old, info = tmp_path / "old.png", PngImagePlugin.PngInfo()
    info.add_text("parameters", OLD)
    Image.new("RGB", (64, 64), "orange").save(old, pnginfo=info)
    with desktop(short_folder / "data") as here:
        here.open()
        wait_for(lambda: here.paths.runtime.joinpath("engine.sock").exists())
        here.ask("models.add_folder", path=str(models))
        keys(here, "ctrl+4", "ctrl+l", "ctrl+Return")
        (first,) = ended(here, 1)
        assert first["params"]["prompt"] == "red apple" and first["origin"] == "image.panel"
        assert "parameters" in opened(first).info

        keys(here, "ctrl+b")
        here.until_still()
        keys(here, "ctrl+a")
        here.screen.type("green leaf")
        keys(here, "ctrl+Return")
        branch = ended(here, 2)[0]
        assert branch["params"]["start_latents"].startswith("input:") and branch["params"]["prompt"] == "green leaf"

        keys(here, "ctrl+u", "ctrl+Return")
        transformed = ended(here, 3)[0]
        assert transformed["operation"] == "image.transform" and transformed["params"]["picture"].startswith("input:")

        keys(here, "alt+3")
        here.until_still()
        paint_mask(here)
        keys(here, "ctrl+Return")
        repainted = ended(here, 4)[0]
        assert repainted["operation"] == "image.inpaint" and repainted["params"]["mask"].startswith("input:")

        keys(here, "alt+4", "ctrl+Return")
        extended = ended(here, 5)[0]
        assert opened(extended).size == (128, 64)

        keys(here, "alt+5", "ctrl+Return")
        enlarged = ended(here, 6)[0]
        assert opened(enlarged).size == (128, 128)

        here.start(str(old)).wait(PATIENCE_S)
        here.until_still()
        keys(here, "ctrl+Return")
        fox = ended(here, 7)[0]
        wanted = {"prompt": "a red fox", "negative": "blurry", "steps": 4, "seed": 77, "sampler": "euler-a"}
        assert {name: fox["params"][name] for name in wanted} == wanted

        here.close()
        here.open()
        here.until_still()
        keys(here, "ctrl+Return")
        again = ended(here, 8)[0]
        assert {name: again["params"][name] for name in wanted} == wanted, "what was set survives a restart"
        here.close()
