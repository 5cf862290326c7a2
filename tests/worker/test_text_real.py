"""text.generate in a real worker process, on a tiny model on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.library.recipe import read_recipe, text_of
from studio.wire.messages import Cancel, Memory, Progress
from tests import tiny_models
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = pytest.mark.worker
PROMPT = "Once upon a time — 🦊"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_qwen2(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """One for all: importing what writes texts takes seconds."""
    with worker_process(tmp_path_factory.mktemp("worker"), env={"ATELIER_DEVICE": "cpu"}) as process:
        yield process


def generate(worker: WorkerProcess, folder: Path, **params: Any) -> str:
    values = {"prompt": PROMPT, "model": "tiny", "max_tokens": 30, "seed": 5, "temperature": 1.2, **params}
    info = {
        "id": "tiny",
        "path": str(folder),
        "capability": "text-generation",
        "size": (folder / "model.safetensors").stat().st_size,
    }
    return worker.run("text.generate", values, models={"tiny": info})


def test_a_text_is_streamed_saved_and_can_be_made_again(worker: WorkerProcess, tiny: Path) -> None:
    job = generate(worker, tiny)
    artifact = worker.done(job).artifacts[0]
    streamed = worker.streamed(job)
    assert streamed
    assert text_of(artifact["path"]) == PROMPT + streamed
    recipe = read_recipe(Path(artifact["path"]))
    assert recipe.facts["stop_reason"] == "length" and recipe.facts["tokens"] == 30
    assert recipe.facts["prompt_chars"] == len(PROMPT) and recipe.facts["seed"] == 5
    assert len(recipe.models[0].sha256) == 64
    assert {"torch", "transformers"} <= set(recipe.versions)
    again = generate(worker, tiny, **{k: v for k, v in recipe.params.items() if k != "model"})
    facts = worker.done(again).facts
    assert worker.streamed(again) == streamed
    assert facts["reused_tokens"] == facts["prompt_tokens"] - 1
    weights = (tiny / "model.safetensors").stat().st_size
    assert worker.wait(lambda heard: any(m.residents.get("tiny", 0) > weights for m in heard if isinstance(m, Memory)))
    assert [m.stage for m in worker.about(again, Progress) if m.stage.startswith("Loading")] == []


def test_two_jobs_at_once_write_what_each_writes_alone(worker: WorkerProcess, tiny: Path) -> None:
    asked: list[dict[str, Any]] = [{"seed": 1, "max_tokens": 120}, {"seed": 2, "max_tokens": 120, "top_p": 0.8}]
    alone = []
    for params in asked:
        job = generate(worker, tiny, **params)
        worker.done(job)
        alone.append(worker.streamed(job))
    together = [generate(worker, tiny, **params) for params in asked]
    for job in together:
        worker.done(job)
    assert [worker.streamed(job) for job in together] == alone


def test_cancelling_keeps_the_beginning(worker: WorkerProcess, tiny: Path) -> None:
    job = generate(worker, tiny, max_tokens=1100, temperature=1.0)
    # Not those of reading the prompt, which are counted as well.
    worker.wait(
        lambda heard: any(isinstance(m, Progress) and m.job == job and m.done > 3 and not m.stage for m in heard),
        "steps",
    )
    worker.channel.send(Cancel(job))
    artifact = worker.cancelled(job).artifacts[0]
    assert text_of(artifact["path"]) == PROMPT + worker.streamed(job)
    recipe = read_recipe(Path(artifact["path"]))
    assert recipe.facts["stop_reason"] == "cancelled"
    assert 3 < recipe.facts["tokens"] < 1100


def test_errors_arrive_in_words_and_the_next_job_runs(worker: WorkerProcess, tiny: Path, tmp_path: Path) -> None:
    broken = tiny_models.truncated(tiny, tmp_path / "broken")
    assert worker.failed(generate(worker, broken)).error["code"] == "truncated"
    damaged = tiny_models.with_nan(tiny, tmp_path / "damaged")
    assert worker.failed(generate(worker, damaged)).error["code"] == "not-finite"
    assert worker.failed(generate(worker, tiny, prompt="")).error["code"] == "empty"
    assert worker.failed(generate(worker, tiny, prompt="fox " * 250_000)).error["code"] == "too-long"
    worker.done(generate(worker, tiny))


def test_several_continuations_are_streamed_side_by_side_and_saved_each(worker: WorkerProcess, tiny: Path) -> None:
    job = generate(worker, tiny, count=3)
    artifacts = worker.done(job).artifacts
    alone = [generate(worker, tiny, seed=seed) for seed in (5, 6, 7)]
    for other in alone:
        worker.done(other)
    texts = [worker.streamed(job, item) for item in range(3)]
    assert texts == [worker.streamed(other) for other in alone]
    assert [text_of(artifact["path"]) for artifact in artifacts] == [PROMPT + text for text in texts]
    recipes = [read_recipe(Path(artifact["path"])) for artifact in artifacts]
    assert [(recipe.facts["seed"], recipe.params["seed"], recipe.params["count"]) for recipe in recipes] == [
        (seed, seed, 1) for seed in (5, 6, 7)
    ]


@pytest.mark.slow
def test_compiled_in_earnest(worker: WorkerProcess, tiny: Path) -> None:
    """By the compiler that people get: half a minute and more, once."""
    plain, first, second = (generate(worker, tiny, compiled=compiled) for compiled in (False, True, True))
    assert worker.done(first).facts["compile_seconds"] > 0
    assert "compile_seconds" not in worker.done(second).facts
    worker.done(plain)
    assert worker.streamed(plain) == worker.streamed(first) == worker.streamed(second)
