"""text.generate with weights in fewer bits, in a real worker that has bitsandbytes and torchao."""

import os
from pathlib import Path
from typing import Any

import pytest

from studio.wire.messages import Memory, Progress
from tests import quantised_rig, tiny_models
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = [
    pytest.mark.worker,
    pytest.mark.skipif(quantised_rig.place() is None, reason="bitsandbytes and torchao are not installed"),
]
ROOT = Path(__file__).resolve().parents[2]


def generate(worker: WorkerProcess, folder: Path, **params: Any) -> str:
    values = {"prompt": "Once upon a time", "model": "tiny", "max_tokens": 20, "seed": 5, "temperature": 0, **params}
    size = (folder / "model.safetensors").stat().st_size
    info = {"id": "tiny", "path": str(folder), "capability": "text-generation", "size": size}
    return worker.run("text.generate", values, models={"tiny": info})


def test_packed_weights_write_and_weigh_less(tmp_path: Path) -> None:
    folder = tiny_models.build_qwen2(tmp_path / "tiny", hidden_size=256, intermediate_size=512)
    path = os.pathsep.join(filter(None, (quantised_rig.place(), str(ROOT))))
    env = {"ATELIER_DEVICE": "cpu", "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    sizes: dict[str, int] = {}
    with worker_process(tmp_path, env=env) as worker:
        for weights in ("as stored", "int8", "int4"):
            before = sum(sizes.values())
            job = generate(worker, folder, weights=weights)
            assert worker.done(job).facts["tokens"] > 0 and worker.streamed(job)
            if weights != "as stored":
                assert any(m.stage == f"Loading tiny in {weights}" for m in worker.about(job, Progress))
            told = [m.residents.get("tiny", 0) for m in worker.heard if isinstance(m, Memory)]
            sizes[weights] = max(told) - before
        again = generate(worker, folder, weights="int4")
        worker.done(again)
        assert worker.streamed(again) == worker.streamed(job)
    assert sizes["int4"] < sizes["int8"] < sizes["as stored"] / 2
