"""The command line with a real engine and real workers: what goes where, how it ends, and what is left."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.library.recipe import embed_text, read_recipe, text_of
from tests.patience import PATIENCE_S
from tests.tiny_models import build_llama
from tests.worker.cli_rig import Studio, on_its_own, on_one_engine
from tests.worker.engine_rig import Nursery

pytestmark = pytest.mark.worker
TEXT = "Ein Text,\nmit Ümlauten 🎈\r\nund ohne Zeilenende"


@pytest.fixture(scope="module")
def studio(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from on_one_engine(tmp_path_factory.mktemp("cli"), nursery)


@pytest.fixture
def fresh(own_data: Path) -> Iterator[Studio]:
    """Without an engine."""
    yield from on_its_own(own_data)


def saved(process: subprocess.CompletedProcess[str], word: str = "Saved") -> Path:
    (line,) = [line for line in process.stderr.splitlines() if line.startswith(word + " ")]
    return Path(line.removeprefix(word + " "))


def test_the_text_alone_is_on_standard_output(fresh: Studio):
    run = fresh("run", "probe.echo", "--text", "-", "--chunks", "7", stdin=TEXT.encode())
    assert run.stdout == TEXT
    path = saved(run)
    assert text_of(path) == TEXT
    assert read_recipe(path).params["chunks"] == 7
    assert len(run.stderr.splitlines()) == 1  # no progress into a file


def test_a_result_that_is_no_text_is_named_on_standard_output(studio: Studio):
    run = studio("run", "probe.disk", "--bytes", "100")
    assert Path(run.stdout.strip()).stat().st_size == 100


def test_failures_say_why_and_leave_with_1(studio: Studio):
    run = studio("run", "probe.steps", "--fail-at", "3", expect=1)
    assert "The step failed on purpose" in run.stderr and "Step 3" in run.stderr
    run = studio("run", "probe.die", "--how", "segv", expect=1)
    assert "SIGSEGV" in run.stderr
    run = studio("run", "import_throws.backend", expect=1)
    assert "import_throws" in run.stderr
    assert studio("run", "probe.echo", "--text", "still here").stdout == "still here"


def test_ctrl_c_cancels_and_keeps_what_was_made(studio: Studio):
    process = studio.start("run", "probe.steps", "--steps", "100000", "--delay-ms", "5", "--on-cancel", "save")
    assert process.stdout
    first = process.stdout.read(24)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    kept = Path(next(line for line in err.decode().splitlines() if line.startswith("Kept ")).removeprefix("Kept "))
    assert text_of(kept) + " " == (first + out).decode()
    assert studio.newest()["state"] == "cancelled"


def test_a_reader_that_leaves_stops_the_work_quietly(studio: Studio):
    process = studio.start("run", "probe.steps", "--steps", "100000", "--delay-ms", "5")
    assert process.stdout and process.stderr
    process.stdout.read(12)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(PATIENCE_S) == 141
    process.stderr.close()
    assert process.stdin
    process.stdin.close()
    assert studio.newest()["state"] == "cancelled"


def test_a_detached_job_is_watched_and_steered(studio: Studio):
    job = studio("run", "probe.steps", "--steps", "100000", "--delay-ms", "5", "--detach").stdout.strip()
    studio.wait(job, "running")
    studio("pause", job[:8])
    assert studio.wait(job, "paused")
    assert "paused" in studio("jobs").stdout
    studio("resume", job)
    studio.wait(job, "running")
    studio("cancel", job[:8])
    studio.wait(job, "cancelled")
    assert "No job begins with" in studio("cancel", "zzzz", expect=2).stderr
    ended = studio.json("jobs", "--state", "cancelled")["jobs"]
    assert job in [one["id"] for one in ended] and {one["state"] for one in ended} == {"cancelled"}
    studio("retry", job)
    assert studio.wait(job, "queued", "starting", "running")
    studio("cancel", job)
    studio.wait(job, "cancelled")


def test_a_run_as_json_is_one_object(studio: Studio):
    told = studio.json("run", "probe.echo", "--text", "a b", "--priority", "batch")
    assert (told["state"], told["text"], told["params"]["text"]) == ("finished", "a b", "a b")
    assert Path(told["artifacts"][0]["path"]).is_file()
    assert studio.newest()["id"] == told["id"] and studio.newest()["origin"] == "cli"


def test_again_says_whether_the_result_is_the_same(studio: Studio, tmp_path: Path):
    path = saved(studio("run", "probe.steps", "--steps", "20", "--seed", "7"))
    run = studio("again", str(path))
    assert "Exact" in run.stdout
    assert Path(run.stderr.strip().removeprefix("Made again: ")) != path
    other = tmp_path / "other.md"
    recipe = read_recipe(path)
    other.write_bytes(embed_text(text_of(path) + " more", recipe.model_copy(update={"device": "toaster"})).encode())
    run = studio("again", str(other), expect=1)
    assert "Different" in run.stdout and "device toaster → " in run.stdout


def test_the_library_is_searched_thrown_away_and_brought_back(studio: Studio):
    studio("run", "probe.echo", "--text", "The brown fox")
    studio("run", "probe.echo", "--text", "The grey wolf")
    (fox,) = studio.json("library", "list", "fox")["items"]
    assert "The brown fox" in studio("library", "show", fox["id"]).stdout
    studio("library", "trash", fox["id"])
    assert [item["id"] for item in studio.json("library", "list")["items"]] != []
    assert studio.json("library", "list", "fox")["items"] == []
    assert fox["id"] in studio("library", "list", "--trashed").stdout
    studio("library", "restore", fox["id"])
    assert fox["id"] in studio("library").stdout


def test_models_are_added_and_write_the_same_text_for_the_same_seed(studio: Studio, tmp_path: Path):
    build_llama(tmp_path / "models" / "tiny-llama")
    studio("models", "add", str(tmp_path / "models"))
    (model,) = [m for m in studio.json("models", "--capability", "text-generation")["models"] if not m["starter"]]
    assert "tiny-llama" in studio("models").stdout
    arguments = [
        "run",
        "text.generate",
        "--model",
        model["id"],
        "--prompt",
        "Once",
        "--seed",
        "7",
        "--max-tokens",
        "12",
    ]
    first, second = studio(*arguments), studio(*arguments)
    assert first.stdout == second.stdout != ""
    path = saved(first)
    assert text_of(path) == "Once" + first.stdout
    assert "tokens/s" in first.stderr
    assert "Exact" in studio("again", str(path)).stdout
    assert "--max-tokens" in studio(*arguments[:-1], "0", expect=2).stderr
    refused = studio("run", "text.generate", "--model", "no-such", "--prompt", "x", expect=2)
    assert "no-such" in refused.stderr
    studio("models", "remove", str(tmp_path / "models"))
    assert "tiny-llama" not in studio("models").stdout


def test_plugins_doctor_and_engine_tell_what_is_there(fresh: Studio):
    assert "No engine runs" in fresh("engine").stdout
    listed = fresh("plugins").stdout
    assert "broken_manifest" in listed and "not valid TOML" in listed
    found = {entry["topic"]: entry for entry in json.loads(fresh("doctor", "--json", expect=1).stdout)}
    assert found["Engine"]["level"] == found["Library"]["level"] == found["Data folder"]["level"] == "ok"
    assert found["Plugin broken_manifest"]["level"] == "problem"
    status = fresh.json("engine", "status")
    assert status["pid"] > 0
    fresh("engine", "stop")
    assert "No engine runs" in fresh("engine").stdout
