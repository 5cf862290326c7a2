"""Input files, steering, previews and results' own recipes, through a real engine and worker."""

import asyncio
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.recipe import read_recipe

pytestmark = pytest.mark.worker


def test_a_job_reads_copies_that_outlive_the_files(engine, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"first")
    (tmp_path / "b.txt").write_bytes(b"second")

    async def scene() -> None:
        async with engine.life() as watcher:
            put, _ = await watcher.client.call_with_frames("input.put", [b"third"], suffix=".txt")
            await watcher.client.call("hold", held=True)
            pieces = [{"file": str(tmp_path / "b.txt")}, {"file": put["input"]}]
            job = await watcher.submit("probe.gather", {"file": str(tmp_path / "a.txt"), "pieces": pieces})
            for name in "ab":
                (tmp_path / f"{name}.txt").unlink()
            await watcher.client.call("hold", held=False)
            ended = await watcher.ended(job)
            assert ended["state"] == "finished", ended["error"]
            saved = Path(ended["artifacts"][0]["path"])
            assert saved.read_bytes() == b"first+second+third"
            recipe = read_recipe(saved)
            assert recipe.params["file"].startswith("input:") and recipe.params["pieces"][1]["file"] == put["input"]
            again = await watcher.submit("probe.gather", recipe.params)
            repeated = await watcher.ended(again)
            assert Path(repeated["artifacts"][0]["path"]).read_bytes() == saved.read_bytes()
            assert (engine.paths.steps / job / "last").read_bytes() == saved.read_bytes()

    asyncio.run(scene())


def test_a_running_job_is_steered_and_shows_a_picture_for_each_result(engine, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x")

    async def scene() -> None:
        async with engine.life() as watcher:
            job = await watcher.submit("probe.gather", {"file": str(tmp_path / "a.txt"), "steps": 100_000})
            shown = await watcher.until(
                lambda: next((e for e in watcher.events if e.kind == "preview" and e.job == job), None), "a preview"
            )
            assert shown.frames == [b"\x89PNG first", b""] and shown.data["media"] == "image/png"
            answer, frames = await watcher.client.call_with_frames("preview", job=job)
            assert frames == shown.frames and answer["media"] == "image/png"
            await watcher.client.call("steer", job=job, data={"do": "finish"})
            ended = await watcher.ended(job)
            recipe = read_recipe(Path(ended["artifacts"][0]["path"]))
            assert recipe.facts["heard"] == [{"do": "finish"}]
            assert 0 < recipe.params["steps"] < 100_000, "the result's own params stand in its recipe"
            assert ended["params"]["steps"] == 100_000
            with pytest.raises(StudioError) as refused:
                await watcher.client.call("steer", job=job, data={})
            assert refused.value.code == "state"

    asyncio.run(scene())


def test_asking_whether_it_fits_needs_and_copies_no_file(engine, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x")

    async def scene() -> None:
        async with engine.life() as watcher:
            for file in ("", str(tmp_path / "a.txt")):
                answer = await watcher.client.call("fits", operation="probe.gather", params={"file": file})
                assert answer["fits"] == "yes"
            assert not engine.paths.inputs.exists()

    asyncio.run(scene())


@pytest.mark.parametrize("value", ["", "relative.png", "/nowhere/at/all.png", "input:" + "0" * 64, "/"])
def test_an_input_that_cannot_be_read_is_refused_before_it_is_queued(engine, value):
    async def scene() -> None:
        async with engine.life() as watcher:
            with pytest.raises(StudioError) as refused:
                await watcher.submit("probe.gather", {"file": value})
            assert refused.value.code == "no-input" and "file" in refused.value.problems
            assert await watcher.jobs() == {}

    asyncio.run(scene())
