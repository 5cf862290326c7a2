"""Travels with tiny picture models: the pictures at the stops, the way between them, cancelling, jobs in turn."""

import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plugins.image import backend_clips, containers
from plugins.image.params_clips import Travel
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests.image_rig import QUIET, Context, painted, plan, same, tiny
from tests.text_context import Turns

pytestmark = [pytest.mark.worker, *QUIET]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def models(folder):
    return {family: tiny(family, folder) for family in ("sd15", "sdxl", "flux")}


def travel(model: str = "sd15", frames: tuple[int, ...] = (3, 1), **more: Any) -> Travel:
    stops = [{"prompt": f"a {name} fox", "frames": count} for name, count in zip("rbg", frames, strict=False)]
    values = {"stops": stops, "model": model, "width": 64, "height": 64, "steps": 2, "seed": 5, "ease": "linear"}
    return Travel.load({**values, **more})


def pictures(params: Travel, ctx: Context, monkeypatch: Any) -> list[Image.Image]:
    """The pictures before any codec."""
    kept: list[Image.Image] = []

    def write(path: Path, container: str, frames: Any, fps: float) -> None:
        kept.extend(frames)
        path.write_bytes(b"clip")

    monkeypatch.setattr(containers, "write", write)
    backend_clips.Travel().run(params, ctx)
    return kept


@pytest.mark.parametrize("family", ["sd15", "sdxl", "flux"])
def test_the_stops_are_the_pictures_of_their_prompts_and_the_way_lies_between(family, models, tmp_path, monkeypatch):
    loaded = models[family]
    found = pictures(travel(family), Context(tmp_path, loaded), monkeypatch)
    assert len(found) == 4
    for at, prompt in ((0, "a r fox"), (3, "a b fox")):
        alone = painted(loaded, Context(tmp_path), plan(5, prompt=prompt, steps=2))[0].image
        assert np.abs(np.asarray(found[at], int) - np.asarray(alone, int)).max() <= 2
    assert len({picture.tobytes() for picture in found}) == 4


def test_seeds_glide_too(models, tmp_path, monkeypatch):
    stops = [{"prompt": "a fox", "frames": 4, "seed": 1}, {"prompt": "a fox", "seed": 2}]
    found = pictures(travel(stops=stops), Context(tmp_path, models["sd15"]), monkeypatch)
    for at, seed in ((0, 1), (4, 2)):
        alone = painted(models["sd15"], Context(tmp_path), plan(seed, prompt="a fox", steps=2))[0].image
        assert np.abs(np.asarray(found[at], int) - np.asarray(alone, int)).max() <= 2
    arrays = [np.asarray(picture, int) for picture in found]
    far = np.abs(arrays[4] - arrays[0]).mean()
    assert all(np.abs(b - a).mean() < far for a, b in pairwise(arrays))


def test_batches_make_no_difference_but_for_rounding(models, tmp_path, monkeypatch):
    one, three = (
        pictures(travel(at_once=count), Context(tmp_path, models["sd15"], job=str(count)), monkeypatch)
        for count in (1, 3)
    )
    for a, b in zip(one, three, strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 2


def test_a_loop_plays_as_a_file_with_its_facts(models, tmp_path):
    ctx = Context(tmp_path, models["sd15"])
    backend_clips.Travel().run(travel(frames=(2, 2, 1), loop=True, fps=8), ctx)
    (saved,) = ctx.saved
    assert saved["path"].suffix == ".mp4" and saved["media"] == "video/mp4"
    count, size, fps = containers.facts(saved["path"])
    assert (count, size) == (5, (64, 64)) and fps == pytest.approx(8, rel=0.02)
    told = {name: ctx.facts[name] for name in ("frames", "fps", "width", "height", "seed")}
    assert told == {"frames": 5, "fps": 8, "width": 64, "height": 64, "seed": 5}


def test_the_same_travel_gives_the_same_bytes(models, tmp_path):
    files = []
    for job in ("one", "two"):
        ctx = Context(tmp_path, models["sdxl"], job=job)
        backend_clips.Travel().run(travel("sdxl", container="webp"), ctx)
        files.append(ctx.saved[0]["path"].read_bytes())
    assert files[0] == files[1]


def test_previews_show_the_newest_picture_alone(models, tmp_path):
    ctx = Context(tmp_path, models["sd15"])
    backend_clips.Travel().run(travel(at_once=2), ctx)
    assert ctx.boundaries == [(1, 2), (2, 2)] * 2 and ctx.rounds[-1] == "frame 2/2"
    assert ctx.previews and all(len(frames) == 1 and frames[0] for frames in ctx.previews)


def test_a_cancelled_travel_keeps_the_clip_of_the_whole_pictures(models, tmp_path):
    ctx = Context(tmp_path, models["sd15"], stop=5)  # two pictures are done, the third has one step of two
    with pytest.raises(JobCancelled):
        backend_clips.Travel().run(travel(at_once=1), ctx)
    assert len(list(containers.read(ctx.saved[0]["path"]))) == 2
    assert (ctx.facts["frames"], ctx.facts["frames_asked"]) == (2, 4)


def test_a_travel_that_is_cancelled_at_once_keeps_nothing(models, tmp_path):
    ctx = Context(tmp_path, models["sd15"], stop=1)
    with pytest.raises(JobCancelled):
        backend_clips.Travel().run(travel(at_once=1), ctx)
    assert ctx.saved == []


def test_two_travels_in_turn_make_what_each_makes_alone(models, tmp_path, monkeypatch):
    loaded = models["sd15"]
    asked = {"a": travel(at_once=1), "b": travel(at_once=1, seed=9)}
    alone, together = {}, {}
    kept: dict[str, list[Image.Image]] = {}

    def write(path: Path, container: str, frames: Any, fps: float) -> None:
        kept[path.stem.split("-")[0]] = list(frames)
        path.write_bytes(b"clip")

    monkeypatch.setattr(containers, "write", write)
    for job, params in asked.items():
        backend_clips.Travel().run(params, Context(tmp_path, loaded, job=job))
        alone[job] = kept[job]
    turns = Turns(list(asked))

    def work(job: str) -> None:
        turns.wait(job)
        try:
            backend_clips.Travel().run(asked[job], Context(tmp_path, loaded, job=job, turns=turns))
            together[job] = kept[job]
        finally:
            turns.leave(job)

    threads = [threading.Thread(target=work, args=(job,)) for job in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job in asked:
        assert all(same(a, b) for a, b in zip(alone[job], together[job], strict=True))


def test_a_video_model_does_not_travel(tmp_path, folder):
    loaded = tiny("wan", folder)
    with pytest.raises(StudioError, match="cannot"):
        backend_clips.Travel().run(travel("wan"), Context(tmp_path, loaded))
