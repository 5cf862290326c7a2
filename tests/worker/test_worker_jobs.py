"""Jobs in a real worker process: results, streams, failures, and that one never harms the next."""

from pathlib import Path

import pytest

from studio.library.recipe import read_recipe, text_of
from studio.wire.messages import Baton, Hello, Memory, Prewarm, Progress, Running
from tests.worker.worker_rig import PROBE, WorkerProcess, worker_process

pytestmark = pytest.mark.worker


@pytest.fixture
def worker(tmp_path):
    with worker_process(tmp_path) as process:
        yield process


def test_hello_names_process_device_and_budget(worker: WorkerProcess):
    hello = worker.hear(Hello)
    assert hello.pid == worker.process.pid
    assert hello.facts["budget"] > 0 and hello.facts["threads"] > 0
    if hello.device == "cpu":
        assert hello.dtype == "float32"


def test_a_job_says_who_has_the_device_runs_and_leaves_a_receipt(worker: WorkerProcess):
    job = worker.run("probe.noop")
    worker.done(job)
    told = worker.hear(Memory)
    assert told.measured["job"] == job and 0 < told.used <= told.measured["peak"] < told.total
    assert told.measured["alone"] and told.measured["warm"] and 0 < told.measured["before"] <= told.measured["peak"]
    worker.hear(Baton, job="")
    kinds = [type(m).__name__ for m in worker.about(job) if not isinstance(m, Progress)]
    assert kinds == ["Baton", "Running", "Done"]
    receipt = worker.receipt_of(job)
    assert receipt is not None and receipt["job"] == job and receipt["artifacts"] == []


def test_streamed_text_is_complete_and_in_order_and_the_file_holds_text_and_recipe(worker: WorkerProcess):
    text = "".join(f"{i} – größer, 漢字 🙂\r\n" for i in range(2000)) + "no newline at the end"
    job = worker.run("probe.echo", {"text": text, "chunks": 700})
    done = worker.done(job)
    assert worker.streamed(job) == text
    artifact = done.artifacts[0]
    assert artifact["id"] == f"{job}-1" and worker.receipt_of(job)["artifacts"] == [artifact]
    assert text_of(artifact["path"]) == text
    recipe = read_recipe(Path(artifact["path"]))
    assert (recipe.operation, recipe.job, recipe.artifact) == ("probe.echo", job, f"{job}-1")
    assert recipe.device == worker.hear(Hello).device and recipe.dtype == worker.hear(Hello).dtype
    assert recipe.facts["stop_reason"] == "end" and done.facts["chunks"] == recipe.facts["chunks"]
    assert {"atelier", "python"} <= set(recipe.versions) and "torch" not in recipe.versions
    assert recipe.created > 0 and recipe.app == "atelier test"


def test_progress_has_its_first_and_last_step_and_rises(worker: WorkerProcess):
    job = worker.run("probe.steps", {"steps": 3000})
    worker.done(job)
    steps = [m for m in worker.about(job, Progress) if not m.stage]
    counts = [m.done for m in steps]
    assert counts[0] == 1 and counts[-1] == 3000 and counts == sorted(counts)
    assert len(counts) < 3000, "every single step was sent"
    assert steps[-1].rate > 0 and all(m.total == 3000 for m in steps)
    assert any(m.stage == "Getting ready" for m in worker.about(job, Progress))


def test_one_failed_job_leaves_the_worker_well(worker: WorkerProcess):
    for how, code, words in (
        ("error", "plugin", "thrown on purpose"),
        ("studio", "probe", "thrown on purpose"),
        ("exit", "plugin", "exit code 3"),
        ("keyboard", "plugin", "probe.throw"),
        ("memory", "out-of-memory", "in use"),
        ("base", "plugin", "thrown on purpose"),
        ("disk", "disk-full", "/somewhere"),
        ("cancelled", "plugin", ""),
        ("long", "plugin", "\\ud800xxx"),
    ):
        failed = worker.failed(worker.run("probe.throw", {"how": how}))
        assert failed.error["code"] == code, failed
        assert words in str(failed.error) and not failed.fatal
        assert len(str(failed.error)) < 100_000
        if how != "cancelled":
            assert "misbehaving.py" in failed.error.get("log", "") or how == "studio"
        assert not worker.receipt(failed.job).exists()
    worker.done(worker.run("probe.noop"))


def test_params_are_checked_again_in_the_worker(worker: WorkerProcess):
    failed = worker.failed(worker.run("probe.echo", {"chunks": 0, "colour": "red"}))
    assert failed.error["code"] == "invalid"
    assert "chunks" in failed.error["detail"] and "colour" in failed.error["detail"]
    assert not worker.about(failed.job, Running)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("import_throws.params", "the params cannot be imported"),
        ("import_throws.backend", "the backend cannot be imported"),
        ("import_throws.exit", "exit code 4"),
    ],
)
def test_a_plugin_whose_import_fails_fails_its_job_only(worker: WorkerProcess, operation, words):
    failed = worker.failed(worker.run(operation))
    assert words in failed.error["detail"] and failed.error["code"] == "plugin"
    worker.done(worker.run("probe.noop"))


def test_a_failure_in_mid_job_keeps_the_stream_and_frees_the_device(worker: WorkerProcess):
    job, following = worker.run("probe.steps", {"steps": 9, "fail_at": 4}), worker.run("probe.noop")
    failed = worker.failed(job)
    assert failed.error["detail"] == "Step 4."
    assert worker.streamed(job).count(" ") == 3
    worker.done(following)


def test_a_job_that_has_a_receipt_is_not_run_again(worker: WorkerProcess):
    job = worker.run("probe.echo", {"text": "once"})
    first = worker.done(job)
    worker.hear(Memory)
    with worker._changed:
        worker.heard.clear()
    worker.run("probe.echo", {"text": "once"}, job=job, attempt=2)
    again = worker.done(job)
    assert again.artifacts == first.artifacts and again.facts == first.facts
    assert not worker.about(job, Running)
    assert len(list(worker.library.rglob("*.md"))) == 1


def test_a_job_that_is_here_already_is_not_started_twice(worker: WorkerProcess):
    job = worker.run("probe.steps", {"steps": 20, "delay_ms": 10})
    worker.hear(Running, job)
    worker.run("probe.steps", {"steps": 20, "delay_ms": 10}, job=job)
    worker.done(job)
    worker.done(worker.run("probe.noop"))
    assert len(worker.about(job, Running)) == 1


def test_a_later_attempt_does_not_overwrite_what_an_earlier_one_saved(worker: WorkerProcess):
    job = worker.run("probe.echo", {"text": "first"})
    first = worker.done(job).artifacts[0]
    worker.receipt(job).unlink()
    with worker._changed:
        worker.heard.clear()
    worker.run("probe.echo", {"text": "second"}, job=job)
    second = worker.done(job).artifacts[0]
    assert (first["id"], second["id"]) == (f"{job}-1", f"{job}-2")
    assert (text_of(first["path"]), text_of(second["path"])) == ("first", "second")
    assert read_recipe(second["path"]).artifact == f"{job}-2"


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said yet what the processor bears: it has to be tried."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


def test_prewarming_imports_the_backend_and_a_broken_one_harms_nothing(untried: None, worker: WorkerProcess):
    def backend(plugin: str, package: str, target: str) -> Prewarm:
        return Prewarm({"folder": str(PROBE / plugin), "package": f"studio_plugins.{package}", "target": target})

    worker.channel.send(backend("import_throws", "import_throws", "leaving:Absent"))
    worker.channel.send(backend("probe", "probe", "backend_torch:Product"))
    done = worker.done(worker.run("probe.torch"))
    assert done.facts["total"] == 64.0 and done.facts["grad"] is True
    recipe = read_recipe(done.artifacts[0]["path"])
    assert "torch" in recipe.versions
    assert (worker.paths.data / "probe.json").exists(), "torch was imported without the probe"


def test_no_operation_without_torch_imports_torch_or_qt(tmp_path):
    before = (
        "import atexit, os\nleave = os._exit\n"
        "def told(code):\n"
        "    print('IMPORTED', [n for n in ('torch', 'numpy', 'PySide6', 'transformers', 'PIL') if n in sys.modules])\n"
        "    sys.stdout.flush()\n    leave(code)\n"
        "os._exit = told"
    )
    with worker_process(tmp_path, before=before) as worker:
        worker.done(worker.run("probe.echo"))
        worker.close()
        assert "IMPORTED []" in worker.output.read_text()
