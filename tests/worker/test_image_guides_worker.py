"""Guides in a real worker that shares its steps: jobs with and without them on one model, in turn."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.hub.catalogue import Catalogue
from studio.library import inputs
from tests.guides_rig import picture, resident
from tests.worker.test_image_adapters import of_diffusers
from tests.worker.test_image_guides import ip_adapter, unet_control
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = [
    pytest.mark.worker,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]


def pixels(worker: WorkerProcess, job: str) -> np.ndarray[Any, Any]:
    (artifact,) = worker.done(job).artifacts
    with Image.open(artifact["path"]) as made:
        return np.asarray(made)


def test_jobs_that_take_turns_make_the_pictures_that_each_makes_alone(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    loaded = resident("sd15", folder)
    files = [
        folder / "sd15",
        of_diffusers(loaded, folder),
        ip_adapter(loaded, folder / "ip"),
        unet_control(loaded, folder / "edges"),
    ]
    catalogue = Catalogue([folder], tmp_path / "models.json")
    infos = [catalogue.find(str(path)).require_usable().to_info() for path in files]
    known = {info.id: dataclasses.asdict(info) for info in infos}
    base, lora, adapter, edges = known
    assert [info.capability for info in infos] == ["text-to-image", "adapter", "ip-adapter", "controlnet"]
    with worker_process(tmp_path, env={"ATELIER_SHARE_STEPS": "1", "OMP_NUM_THREADS": "1"}) as worker:
        picture(64).save(tmp_path / "disc.png")
        shown = inputs.keep_file(worker.paths.data / "inputs", tmp_path / "disc.png")
        common = {"model": base, "prompt": "a red cat", "seed": 3, "steps": 6, "width": 64, "height": 64}
        asked = {
            "bare": {},
            "lora": {"loras": [{"model": lora, "weight": 0.9}]},
            "all": {
                "loras": [{"model": lora, "weight": -0.4}],
                "controls": [{"model": edges, "picture": shown, "map": "canny"}],
                "references": [{"model": adapter, "picture": shown}],
            },
        }
        alone = {
            name: pixels(worker, worker.run("image.generate", {**common, **more}, job=f"a{name}", models=known))
            for name, more in asked.items()
        }
        for name, more in asked.items():
            worker.run("image.generate", {**common, **more}, job=f"b{name}", models=known)
        mixed = {name: pixels(worker, f"b{name}") for name in asked}
        turns = [message.job for message in worker.heard if type(message).__name__ == "Baton"]
    together = [job for job in turns if job.startswith("b")]
    assert len(together) > 2 * len(asked), "the jobs ran one after the other"
    assert len({one.tobytes() for one in alone.values()}) == 3
    for name in asked:
        assert (mixed[name] == alone[name]).all(), name
