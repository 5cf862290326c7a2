"""The shell part of ./run and ./test: a second start does nothing, what is missing is named, failures show why."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the scripts with an environment whose python only says what it was asked."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("run", "test", "pyproject.toml", "constraints.txt", "scripts/environment.sh"):
        shutil.copy(ROOT / name, folder / name)
    fake(folder / ".venv" / "bin" / "python", 'echo "python $*"')
    return folder


def fake(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def bash(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = ["bash", "-c", f"set -euo pipefail; . scripts/environment.sh; {command}"]
    return subprocess.run(
        line, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def stamped(folder: Path, name: str = "stamp") -> None:
    assert bash(folder, f"fingerprint > .venv/{name}").returncode == 0


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(folder / "run"), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("stamp", ["stamp", "stamp-test"])
def test_a_second_start_goes_straight_to_the_program(checkout, stamp):
    stamped(checkout, stamp)
    started = run(checkout, "run", "a b", "--flag=c d")
    assert (started.stdout, started.stderr) == ("python -m studio run a b --flag=c d\n", "")


def test_the_tests_want_more_than_the_program_has(checkout):
    stamped(checkout)
    assert bash(checkout, 'is_ready "$(fingerprint)" .venv/stamp-test').returncode == 1
    assert bash(checkout, 'is_ready "$(fingerprint)" .venv/stamp').returncode == 0


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_a_changed_set_is_installed_and_stamped(checkout, file):
    stamped(checkout)
    with (checkout / file).open("a") as text:
        text.write("# changed\n")
    started = run(checkout, "ops")
    assert started.returncode == 0
    assert "installing done in" in started.stderr and "Ready after" in started.stderr
    log = (checkout / ".venv" / "install.log").read_text()
    assert "-m pip install" in log and "--constraint constraints.txt --editable ." in log
    assert run(checkout, "ops").stderr == ""


def test_an_environment_of_another_folder_is_made_anew(checkout):
    stamped(checkout)
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    (moved / ".venv" / "home").write_text("elsewhere\n")
    fake(moved / "python", 'if [ "$1 $2" = "-m venv" ]; then mkdir -p $3/bin; cp "$0" $3/bin/python; fi')
    made = bash(moved, 'PYTHON="$PWD/python" ensure_environment ""')
    assert "Making the environment in .venv" in made.stderr, made.stderr
    assert (moved / ".venv" / "home").read_text().strip() == str(moved)


def test_a_failed_install_shows_why_and_is_tried_again(checkout):
    fake(
        checkout / ".venv" / "bin" / "python",
        '[ "$3" = install ] && { echo "No space left on device"; exit 1; }; exit 0',
    )
    for _ in range(2):
        started = run(checkout, "ops")
        assert started.returncode == 1
        assert "No space left on device" in started.stderr and "start again" in started.stderr


@pytest.mark.parametrize("fails", [False, True])
def test_what_packs_weights_is_installed_beside_for_the_tests_alone(checkout, fails):
    script = f'echo "$*" >> asked; case "$*" in *--target*) exit {int(fails)};; esac'
    fake(checkout / ".venv" / "bin" / "python", script)
    made = bash(checkout, 'ensure_environment test; is_ready "$(fingerprint)" .venv/stamp-test')
    assert made.returncode == 0, made.stderr
    asked = (checkout / "asked").read_text().splitlines()
    assert [line.split("--target ")[1] for line in asked if "--target" in line] == [
        ".venv/quantised bitsandbytes torchao"
    ]
    assert ("tests of quantised weights are skipped" in made.stderr) == fails
    (checkout / "asked").unlink()
    bash(checkout, 'rm .venv/stamp-test; ensure_environment ""')
    assert "--target" not in (checkout / "asked").read_text()


def test_without_a_python_the_line_that_installs_one_is_told(checkout, tmp_path):
    (tmp_path / "bin").mkdir()
    told = subprocess.run(
        ["/bin/bash", "-c", ". scripts/environment.sh; find_python"],
        cwd=checkout,
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "needs Python 3.11" in told.stderr and "install python3 python3-venv" in told.stderr


def test_missing_libraries_stop_the_window_and_not_the_command_line(checkout):
    stamped(checkout)
    script = 'case "$*" in *libraries) echo "sudo apt-get install libegl1"; exit 1;; esac; echo "python $*"'
    fake(checkout / ".venv" / "bin" / "python", script)
    window = run(checkout)
    assert window.returncode == 1
    assert "libegl1" in window.stderr and "python -m studio\n" not in window.stdout
    assert run(checkout, "ops").stdout == "python -m studio ops\n"


def test_without_a_display_the_main_job_is_done_through_the_command_line(checkout):
    stamped(checkout)
    script = 'case "$*" in *display) echo "There is no display."; exit 1;; esac; echo " python $*"'
    fake(checkout / ".venv" / "bin" / "python", script)
    told = run(checkout)
    assert told.returncode == 0
    assert "There is no display." in told.stderr and "./run library list" in told.stderr
    assert "python -m studio run text.generate --prompt" in told.stdout
