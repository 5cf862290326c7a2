"""`studio` on bad days: work that never yields, an engine that dies, a folder that cannot be used, deaf readers."""

import json
import os
import signal
from pathlib import Path

import pytest

from studio.library.recipe import text_of
from tests.worker.engine_rig import gone
from tests.worker.test_cli_engine import Studio, saved

pytestmark = pytest.mark.worker


@pytest.fixture
def studio(own_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATELIER_CANCEL_GRACE", "0.5")
    studio = Studio(own_data)
    yield studio
    studio("engine", "stop")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Only for jobs that load nothing: the first import of a model's library takes longer on a cold disk."""
    monkeypatch.setenv("ATELIER_WATCHDOG", "5")


def running(studio: Studio) -> dict:
    """The one job there is, once it runs; the test's own limit ends a vain wait."""
    while not (jobs := studio.json("jobs", "--state", "running")["jobs"]):
        pass
    return jobs[0]


@pytest.mark.parametrize("how", ["hang", "spin_nostep"])
def test_ctrl_c_ends_a_run_that_never_yields(studio: Studio, how: str):
    process = studio.start("run", "probe.die", "--how", how, "--at-step", "0")
    job = running(studio)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert studio.job(job["id"])["state"] == "cancelled"
    assert studio("run", "probe.echo", "--text", "next").stdout == "next"


def test_a_run_that_never_yields_is_stopped_by_itself(impatient: None, studio: Studio):
    run = studio("run", "probe.die", "--how", "hang", "--at-step", "0", expect=1)
    assert "did not report for 5 s" in run.stderr
    assert studio("run", "probe.echo", "--text", "next").stdout == "next"


def test_an_engine_killed_under_a_follower_is_said_and_the_job_runs_to_its_end(studio: Studio):
    process = studio.start("run", "probe.steps", "--steps", "60", "--delay-ms", "30", "--seed", "4")
    job = running(studio)
    pid = studio.json("engine", "status")["pid"]
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and b"engine" in said and b"Traceback" not in said, said
    finished = studio.wait(job["id"], "finished", "failed")
    assert finished["state"] == "finished", finished["error"]
    (artifact,) = finished["artifacts"]
    assert len(text_of(artifact["path"]).split()) == 60


def test_a_result_that_nobody_could_read_is_kept_all_the_same(studio: Studio):
    process = studio.start("run", "probe.echo", "--text", "one two", "--json")
    out, _ = process.communicate(timeout=120)
    path = Path(json.loads(out)["artifacts"][0]["path"])
    assert "Exact" in studio("again", str(path)).stdout
    path.write_text("all of it gone")
    assert "no recipe" in studio("again", str(path), expect=2).stderr
    assert saved(studio("run", "probe.echo", "--text", "x")).is_file()


def test_prompts_that_are_none_leave_with_2_and_words(studio: Studio, tmp_path: Path):
    files = {"nul": (b"a\0b", "NUL"), "half": (b"\xed\xa0\x80", "no UTF-8"), "empty": (b"", "empty")}
    files["long"] = (b"x" * 1_000_000, "too long")
    for name, (data, words) in files.items():
        (tmp_path / name).write_bytes(data)
        run = studio("run", "text.generate", "--prompt", f"@{tmp_path / name}", expect=2)
        assert words in run.stderr and run.stdout == "", (name, run.stderr)
    assert studio("run", "text.generate", "--prompt", "Once", "--max-tokens", "3").stdout
