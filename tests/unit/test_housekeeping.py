"""Steps of old jobs make room for new ones."""

import os

import pytest

from studio.engine.housekeeping import trim_steps

pytestmark = pytest.mark.unit


def job(folder, name, size, age):
    (folder / name).mkdir(parents=True)
    (folder / name / "0-1.safetensors").write_bytes(b"x" * size)
    os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))


def test_the_oldest_go_first_and_only_as_many_as_needed(tmp_path):
    for age, name in enumerate(("new", "middle", "old", "oldest")):
        job(tmp_path, name, 100, age)
    assert trim_steps(tmp_path, (), 250) == ["oldest", "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle", "new"]
    assert trim_steps(tmp_path, (), 250) == []


def test_running_jobs_and_links_are_spared(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"x" * 100)
    steps = tmp_path / "steps"
    job(steps, "running", 100, 9)
    job(steps, "ended", 100, 1)
    (steps / "link").symlink_to(outside)
    assert trim_steps(steps, {"running"}, 0) == ["ended"]
    assert (steps / "running").is_dir() and (outside / "kept").exists()


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert trim_steps(tmp_path / "none", (), 0) == []
