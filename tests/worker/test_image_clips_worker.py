"""Clips in a real worker process: recipes beside the files, previews, cancelling, and a picture painted in between."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plugins.image import containers
from studio.hub.catalogue import Catalogue
from studio.library import inputs
from studio.library.recipe import read_recipe
from studio.wire.messages import Cancel, Preview, Progress
from tests import tiny_pipelines
from tests.image_rig import QUIET
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = [pytest.mark.worker, *QUIET]
STOPS = [{"prompt": "a fox", "frames": 3}, {"prompt": "a cat", "seed": 8}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("sd15", "wan", "wan-image"):
        tiny_pipelines.make(family, folder / family)
    return folder


@pytest.fixture(scope="module")
def known(folder: Path) -> dict[str, Any]:
    catalogue = Catalogue([folder], folder / "models.json")
    found = {name: catalogue.find(str(folder / name)).require_usable() for name in ("sd15", "wan", "wan-image")}
    capabilities = [entry.capability for entry in found.values()]
    assert capabilities == ["text-to-image", "text-to-video", "image-to-video"]
    return {name: dataclasses.asdict(entry.to_info()) for name, entry in found.items()}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory):
    base = tmp_path_factory.mktemp("worker")
    with worker_process(base, env={"ATELIER_SHARE_STEPS": "1", "OMP_NUM_THREADS": "1"}) as process:
        yield process


def travel(worker: WorkerProcess, known: dict[str, Any], **more: Any) -> str:
    values = {"stops": STOPS, "model": "sd15", "seed": 3, "steps": 3, "width": 64, "height": 64, "at_once": 1}
    return worker.run("image.travel", {**values, **more}, models=known)


def file_of(worker: WorkerProcess, job: str) -> Path:
    (artifact,) = worker.done(job).artifacts
    assert artifact["kind"] == "video"
    return Path(artifact["path"])


def test_a_travel_has_its_recipe_beside_it_and_the_recipe_makes_the_same_bytes(worker, known):
    job = travel(worker, known)
    path = file_of(worker, job)
    recipe = read_recipe(path)
    assert (recipe.operation, recipe.facts["frames"], recipe.facts["fps"]) == ("image.travel", 4, 12)
    assert all(len(preview.frames) == 1 for preview in worker.about(job, Preview))
    again = worker.run("image.travel", recipe.params, models=known)
    assert file_of(worker, again).read_bytes() == path.read_bytes()


def test_a_cancelled_travel_keeps_what_was_painted(worker, known):
    job = travel(worker, known, stops=[{"prompt": "a", "frames": 200}, {"prompt": "b"}], steps=2)
    worker.wait(lambda heard: [m for m in heard if isinstance(m, Progress) and m.job == job and m.round > 3])
    worker.channel.send(Cancel(job))
    ended = worker.cancelled(job)
    (artifact,) = ended.artifacts
    count = len(list(containers.read(Path(artifact["path"]))))
    assert 2 <= count < 201
    facts = read_recipe(Path(artifact["path"])).facts
    assert facts["frames_asked"] == 201 and facts["frames"] == count


def test_clips_from_words_and_from_a_picture(worker, known):
    small = {"width": 32, "height": 32, "frames": 5, "steps": 2, "seed": 4}
    words = worker.run("image.clip", {"prompt": "waves", "model": "wan", **small}, models=known)
    Image.new("RGB", (40, 40), "red").save(worker.paths.data / "red.png")
    shown = inputs.keep_file(worker.paths.data / "inputs", worker.paths.data / "red.png")
    picture = {"prompt": "waves", "model": "wan-image", "picture": shown, "container": "webp", **small}
    alive = worker.run("image.animate", picture, models=known)
    for job, suffix in ((words, ".mp4"), (alive, ".webp")):
        path = file_of(worker, job)
        assert path.suffix == suffix and containers.facts(path)[:2] == (5, (32, 32))
        assert [m.stage for m in worker.about(job, Progress) if m.stage][-1] == "Writing the clip"


def test_a_travel_and_a_picture_in_turn_are_what_each_is_alone(worker, known):
    asked = {"prompt": "a dog", "model": "sd15", "seed": 5, "steps": 6, "width": 64, "height": 64}

    def pixels(job: str) -> np.ndarray:
        (artifact,) = worker.done(job).artifacts
        with Image.open(artifact["path"]) as made:
            return np.asarray(made)

    alone = pixels(worker.run("image.generate", asked, models=known))
    clip = file_of(worker, travel(worker, known)).read_bytes()
    job = travel(worker, known)
    other = worker.run("image.generate", asked, models=known)
    assert (pixels(other) == alone).all()
    assert file_of(worker, job).read_bytes() == clip
