"""The whole application on a screen of its own, used with the keyboard as a person would."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.recipe import embed_text, read_recipe, text_of
from studio.sdk.artifact import Recipe
from tests.end2end.desktop import Desktop, available, desktop, wait_for
from tests.patience import PATIENCE_S
from tests.tiny_models import build_llama

pytestmark = [
    pytest.mark.end2end,
    pytest.mark.skipif(not available(), reason="needs Xvfb and xdotool"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    build_llama(folder / "tiny-llama")
    return folder


@pytest.fixture
def data(short_folder: Path) -> Path:
    return short_folder / "data"


def prepared(here: Desktop, models: Path) -> None:
    """The tiny model is the only one that the text panel needs to find."""
    wait_for(lambda: here.paths.runtime.joinpath("engine.sock").exists())
    here.ask("models.add_folder", path=str(models))


def generate(here: Desktop, prompt: str) -> None:
    here.screen.key("ctrl+1", "ctrl+a")
    here.screen.type(prompt)
    here.screen.key("ctrl+Return")


def ended(here: Desktop, count: int) -> list[dict]:
    return wait_for(lambda: found if len(found := here.jobs("finished", "failed", "cancelled")) >= count else None)


def test_a_first_session(data: Path, models: Path):
    """Type, watch, repeat with the same seed, stop, close in mid-answer, reopen, drop the file back."""
    with desktop(data) as here:
        here.open()
        prepared(here, models)
        generate(here, "Once upon a time")
        (first,) = ended(here, 1)
        assert first["state"] == "finished", first["error"]
        path = Path(first["artifacts"][0]["path"])
        assert text_of(path).startswith("Once upon a time")
        recipe = read_recipe(path)
        assert recipe.params["prompt"] == "Once upon a time" and recipe.params["seed"] is not None

        again = here.ask("duplicate", job=first["id"])["job"]
        both = ended(here, 2)
        second = next(job for job in both if job["id"] == again)
        assert text_of(Path(second["artifacts"][0]["path"])) == text_of(path)

        here.close()
        here.open(str(path))
        here.until_still()
        here.screen.key("ctrl+Return")
        third = next(job for job in ended(here, 3) if job["id"] not in (first["id"], again))
        assert third["params"] == first["params"], "dropping the file back restores everything"
        assert text_of(Path(third["artifacts"][0]["path"])) == text_of(path)


def test_escape_stops_and_keeps_what_was_made(data: Path, tmp_path: Path):
    """A model that never ends by itself is asked for more than anyone waits for; Esc ends it."""
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 8}
    build_llama(tmp_path / "models" / "endless", eos_token_id=10**6, max_position_embeddings=9000, **sizes)
    params = {"prompt": "Once", "model": "endless", "max_tokens": 8000, "seed": 4}
    recipe = Recipe(operation="text.generate", params=params)
    file = tmp_path / "endless.md"
    file.write_text(embed_text("Once upon a time", recipe))
    with desktop(data) as here:
        here.open()
        prepared(here, tmp_path / "models")
        here.close()
        here.open(str(file))
        here.until_still()
        here.screen.key("ctrl+Return")
        wait_for(lambda: [job for job in here.jobs("running") if (job.get("live") or {}).get("stream")])
        here.screen.key("Escape")
        (stopped,) = ended(here, 1)
        assert stopped["state"] == "cancelled", stopped["error"]
        (kept,) = stopped["artifacts"]
        text = text_of(Path(kept["path"]))
        assert text.startswith("Once") and len(text) > len("Once")
        assert read_recipe(Path(kept["path"])).facts["tokens"] < 8000


def test_a_killed_window_costs_nothing(data: Path):
    """Jobs go on in the engine; the next window shows them with their history."""
    probe = str(Path(__file__).parents[1] / "probe_plugin")
    with desktop(data, ATELIER_PLUGINS=probe) as here:
        here.open()
        wait_for(lambda: here.paths.runtime.joinpath("engine.sock").exists())
        for i in range(5):
            here.ask("submit", job=f"{i:032d}", operation="probe.steps", params={"steps": 30, "delay_ms": 20})
        wait_for(lambda: here.jobs("running"))
        here.kill()
        assert [job["state"] for job in ended(here, 5)] == ["finished"] * 5
        here.open()
        here.screen.key("ctrl+q")
        here.process.wait(PATIENCE_S)


def test_a_second_start_hands_over_and_leaves(data: Path):
    with desktop(data) as here:
        here.open()
        second = here.start()
        assert second.wait(PATIENCE_S) == 0
        assert here.process.poll() is None


def test_the_window_outlives_the_engine(data: Path):
    """The engine is killed under the window: the window lives and has a new engine soon."""
    with desktop(data) as here:
        here.open()
        wait_for(lambda: here.paths.runtime.joinpath("engine.sock").exists())
        pid = here.ask("status")["pid"]
        os.kill(pid, signal.SIGKILL)

        def new_engine() -> bool:
            try:
                return here.ask("status")["pid"] != pid
            except (StudioError, OSError):
                return False

        wait_for(new_engine)
        assert here.process.poll() is None


def test_without_a_display_the_window_says_so(data: Path):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment.pop("QT_QPA_PLATFORM", None)
    done = subprocess.run(
        [sys.executable, "-m", "studio", "--data", str(data)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode != 0
    assert "display" in done.stderr.lower()
    assert "Traceback" not in done.stderr
