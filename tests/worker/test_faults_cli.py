"""`studio` on bad days: work that never yields, an engine that dies, a folder that cannot be used, deaf readers."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.library.recipe import text_of
from tests.patience import PATIENCE_S
from tests.worker.cli_rig import Studio, on_its_own, on_one_engine
from tests.worker.engine_rig import Nursery, gone
from tests.worker.test_cli_engine import saved

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def studio(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from on_one_engine(tmp_path_factory.mktemp("cli"), nursery, ATELIER_CANCEL_GRACE="0.5")


@pytest.fixture
def fresh(own_data: Path) -> Iterator[Studio]:
    """Without an engine. The one that comes is impatient, so only for jobs that load nothing."""
    yield from on_its_own(own_data, ATELIER_WATCHDOG="2")


@pytest.mark.parametrize("how", ["hang", "spin_nostep"])
def test_ctrl_c_ends_a_run_that_never_yields(studio: Studio, how: str):
    process = studio.start("run", "probe.die", "--how", how, "--at-step", "0")
    job = studio.running()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert (studio.newest()["id"], studio.newest()["state"]) == (job["id"], "cancelled")
    assert studio("run", "probe.echo", "--text", "next").stdout == "next"


def test_a_run_that_never_yields_is_stopped_by_itself(fresh: Studio):
    run = fresh("run", "probe.die", "--how", "hang", "--at-step", "0", expect=1)
    assert "did not report for 2 s" in run.stderr
    assert fresh("run", "probe.echo", "--text", "next").stdout == "next"


def test_an_engine_killed_under_a_follower_is_said_and_the_job_runs_to_its_end(fresh: Studio):
    process = fresh.start("run", "probe.steps", "--steps", "60", "--delay-ms", "30", "--seed", "4")
    job = fresh.running()
    pid = fresh.ask("status")["pid"]
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1 and b"engine" in said and b"Traceback" not in said, said
    fresh("jobs")  # starts the next engine
    finished = fresh.wait(job["id"], "finished", "failed")
    assert finished["state"] == "finished", finished["error"]
    (artifact,) = finished["artifacts"]
    assert len(text_of(artifact["path"]).split()) == 60


def test_a_result_that_nobody_could_read_is_kept_all_the_same(studio: Studio):
    process = studio.start("run", "probe.echo", "--text", "one two", "--json")
    out, _ = process.communicate(timeout=PATIENCE_S)
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
    assert studio("run", "probe.echo", "--text", "next").stdout == "next"
