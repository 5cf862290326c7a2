"""What a worker keeps between jobs: in a real process with the probe plugin, and Residency by itself."""

import threading
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.hub.hashes import weights_hash
from studio.library.recipe import read_recipe, text_of
from studio.sdk.operation import JobCancelled, ModelInfo
from studio.wire.messages import Cancel, Memory, Progress, Unload
from studio.worker.baton import Turn
from studio.worker.models import Residency
from tests.patience import PATIENCE_S
from tests.worker.worker_rig import WorkerProcess, worker_process

pytestmark = pytest.mark.worker


@pytest.fixture
def worker(tmp_path):
    with worker_process(tmp_path) as process:
        yield process


def model(base: Path, name: str, weights: bytes = b"weights") -> dict[str, dict]:
    folder = base / name
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    return {name: {"id": name, "path": str(folder), "capability": "text-generation", "size": 1000, "newer": 1}}


def saved(worker: WorkerProcess, job: str) -> str:
    return text_of(worker.done(job).artifacts[0]["path"])


def test_a_model_is_loaded_once_and_told_of(worker: WorkerProcess, tmp_path):
    models = model(tmp_path, "tales")
    texts = [saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) for _ in range(3)]
    assert texts == ["tales loads=1"] * 3
    worker.hear(Memory, residents={"tales": 1000})


def test_what_is_resident_is_told_before_the_end_for_whoever_chooses_the_next_job(worker: WorkerProcess, tmp_path):
    done = worker.done(worker.run("probe.model", {"model": "tales"}, models=model(tmp_path, "tales")))
    told = worker.hear(Memory, residents={"tales": 1000})
    assert worker.heard.index(told) < worker.heard.index(done)


def test_the_recipe_holds_the_hash_of_the_weights(worker: WorkerProcess, tmp_path):
    models = model(tmp_path, "tales", b"w" * 3_000_000)
    done = worker.done(worker.run("probe.model", {"model": "tales"}, models=models))
    used = read_recipe(done.artifacts[0]["path"]).models
    assert [(m.ref, m.sha256, m.path) for m in used] == [
        ("tales", weights_hash(tmp_path / "tales"), str(tmp_path / "tales"))
    ]
    known = {"tales": {**models["tales"], "sha256": "f" * 64}}
    done = worker.done(worker.run("probe.model", {"model": "tales"}, models=known))
    assert read_recipe(done.artifacts[0]["path"]).models[0].sha256 == "f" * 64


def test_changed_weights_are_loaded_again(worker: WorkerProcess, tmp_path):
    models = model(tmp_path, "tales")
    assert saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) == "tales loads=1"
    first = weights_hash(tmp_path / "tales")
    model(tmp_path, "tales", b"other weights")
    job = worker.run("probe.model", {"model": "tales"}, models=models)
    assert saved(worker, job) == "tales loads=2"
    recipe = read_recipe(worker.done(job).artifacts[0]["path"])
    assert recipe.models[0].sha256 == weights_hash(tmp_path / "tales") != first


def test_unload_drops_it(worker: WorkerProcess, tmp_path):
    models = model(tmp_path, "tales")
    assert saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) == "tales loads=1"
    worker.channel.send(Unload("tales"))
    worker.wait(lambda heard: [m for m in heard if isinstance(m, Memory) and not m.residents])
    assert saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) == "tales loads=2"


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("error", "model-load", "the weights are not numbers"),
        ("memory", "out-of-memory", "in use"),
        ("studio", "truncated", "12 of 40 bytes"),
    ],
)
def test_a_model_that_does_not_load_fails_its_job_and_is_not_kept(worker: WorkerProcess, tmp_path, how, code, words):
    models = model(tmp_path, "tales")
    failed = worker.failed(worker.run("probe.model", {"model": "tales", "how": how}, models=models))
    assert failed.error["code"] == code and words in failed.error["detail"], failed.error
    if how != "studio":
        assert "backend.py" in failed.error["log"]
    assert worker.wait(lambda heard: [m for m in heard if isinstance(m, Memory)])[-1].residents == {}
    assert saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) == "tales loads=2"


def test_a_model_that_was_not_given_is_named(worker: WorkerProcess, tmp_path):
    failed = worker.failed(worker.run("probe.model", {"model": "absent"}, models=model(tmp_path, "tales")))
    assert failed.error["code"] == "unknown-model"
    assert "absent" in failed.error["detail"] and "tales" in failed.error["detail"]


def test_cancel_while_a_model_is_loaded(worker: WorkerProcess, tmp_path):
    models = model(tmp_path, "tales")
    job = worker.run("probe.model", {"model": "tales", "load_ms": 500}, models=models)
    worker.hear(Progress, job, stage="Loading tales")
    worker.channel.send(Cancel(job))
    worker.cancelled(job)
    assert not [m for m in worker.about(job, Progress) if m.done], "it went on after the load"
    assert saved(worker, worker.run("probe.model", {"model": "tales"}, models=models)) == "tales loads=1"


def test_a_more_urgent_job_waits_until_a_model_is_whole(worker: WorkerProcess, tmp_path):
    models = {**model(tmp_path, "one"), **model(tmp_path, "two")}
    slow = worker.run("probe.model", {"model": "one", "load_ms": 300, "steps": 50}, models=models, rank=2)
    worker.hear(Progress, slow, stage="Loading one")
    urgent = worker.run("probe.model", {"model": "two"}, models=models, rank=0)
    assert saved(worker, urgent) == "two loads=2"
    assert saved(worker, slow) == "one loads=2"


# Residency by itself -------------------------------------------------------------------------------


class Thing:
    """Weighs what it is told to, like a module, and moves between devices."""

    def __init__(self, size: int):
        self.size, self.place = size, "device"

    def parameters(self):
        return [self]

    def numel(self) -> int:
        return self.size

    def element_size(self) -> int:
        return 1

    def to(self, place: str) -> "Thing":
        self.place = place
        return self


def info(name: str, size: int = 10) -> ModelInfo:
    return ModelInfo(id=name, path="", capability="x", size=size)


def turn() -> Turn:
    return Turn("job", 0, 1)


def used(residency: Residency, name: str, size: int = 10) -> Thing:
    with residency.use(info(name, size), lambda i: Thing(i.size), "", turn()) as thing:
        return thing


def test_the_least_recently_used_goes_when_room_is_needed():
    residency = Residency("cpu", budget=lambda: 30)
    a = used(residency, "a")
    for name in ("b", "c", "a", "d"):
        used(residency, name)
    assert residency.residents() == {"a": 10, "c": 10, "d": 10}
    assert used(residency, "a") is a


class Keeper(Thing):
    """Keeps 8 more bytes to be quicker."""

    extra = 8

    def held(self) -> int:
        return self.extra

    def reclaim(self, need: int) -> int:
        freed = min(need, self.extra)
        self.extra -= freed
        return freed


def test_what_a_model_can_do_without_counts_and_goes_before_any_model():
    residency = Residency("cpu", budget=lambda: 35)
    with residency.use(info("a"), lambda i: Keeper(10), "", turn()) as a:
        assert residency.residents() == {"a": 18}
        used(residency, "b")
        assert a.extra == 8
        used(residency, "c")
        assert residency.residents() == {"a": 15, "b": 10, "c": 10}
    used(residency, "d")
    assert a.extra == 0 and residency.residents() == {"b": 10, "c": 10, "d": 10}


def test_a_load_that_lacks_memory_takes_what_models_in_use_can_do_without():
    residency = Residency("cpu", budget=lambda: 0)
    with residency.use(info("a"), lambda i: Keeper(10), "", turn()) as a:

        def load(_: ModelInfo) -> Thing:
            if a.extra:
                raise MemoryError
            return Thing(5)

        with residency.use(info("new"), load, "", turn()):
            assert residency.residents() == {"a": 10, "new": 5}


def test_what_is_in_use_stays():
    residency = Residency("cpu", budget=lambda: 15)
    with residency.use(info("a"), lambda i: Thing(10), "", turn()) as a:
        residency.unload()
        used(residency, "b")
        with residency.use(info("a"), lambda i: Thing(10), "", turn()) as again:
            assert again is a
    residency.unload("b")
    assert residency.residents() == {"a": 10}
    residency.unload()
    assert residency.residents() == {}


def test_a_graphics_device_parks_models_in_ram_and_fetches_them_back():
    residency = Residency("cuda", budget=lambda: 20)
    a, _, _ = (used(residency, name) for name in ("a", "b", "c"))
    assert a.place == "cpu" and residency.residents() == {"b": 10, "c": 10}
    assert used(residency, "a") is a and a.place == "cuda"


def test_several_things_of_one_model_are_told_apart_by_key():
    residency = Residency("cpu", budget=lambda: 0)
    with (
        residency.use(info("a"), lambda i: Thing(1), "text", turn()) as text,
        residency.use(info("a"), lambda i: Thing(2), "vision", turn()) as vision,
    ):
        assert text is not vision
    assert residency.residents() == {"a": 3}


def test_a_load_that_lacks_memory_is_tried_again_with_everything_unused_dropped():
    residency = Residency("cpu", budget=lambda: 0)
    used(residency, "old")
    tries = []

    def load(_: ModelInfo) -> Thing:
        tries.append(dict(residency.residents()))
        if len(tries) == 1:
            raise MemoryError
        return Thing(5)

    with residency.use(info("new"), load, "", turn()):
        pass
    assert tries == [{"old": 10}, {}] and residency.residents() == {"new": 5}


def test_nothing_of_a_failed_load_stays_in_memory():
    import gc
    import weakref

    residency = Residency("cpu", budget=lambda: 0)
    made = []

    def load(_: ModelInfo) -> Thing:
        half = Thing(10)
        made.append(weakref.ref(half))
        raise ValueError("broken in the middle")

    with pytest.raises(StudioError) as caught, residency.use(info("a"), load, "", turn()):
        pass
    gc.collect()
    assert "broken in the middle" in caught.value.detail and "ValueError" in caught.value.log
    assert made[0]() is None and residency.residents() == {}


def test_a_job_cancelled_in_its_load_stops_there_and_frees_the_next():
    residency = Residency("cpu", budget=lambda: 0)
    mine = turn()

    def load(_: ModelInfo) -> Thing:
        mine.cancelled = True
        mine.check()
        return Thing(1)

    with pytest.raises(JobCancelled), residency.use(info("a"), load, "", mine):
        pytest.fail("it was entered")
    assert residency.residents() == {} and mine.pinned == 0
    used(residency, "b")


def test_a_job_cancelled_while_another_loads_does_not_wait():
    residency = Residency("cpu", budget=lambda: 0)
    loading, go_on = threading.Event(), threading.Event()

    def slow(_: ModelInfo) -> Thing:
        loading.set()
        assert go_on.wait(PATIENCE_S)
        return Thing(1)

    def first() -> None:
        with residency.use(info("a"), slow, "", turn()):
            pass

    thread = threading.Thread(target=first)
    thread.start()
    assert loading.wait(PATIENCE_S)
    mine = turn()
    mine.cancelled = True
    with pytest.raises(JobCancelled), residency.use(info("b"), slow, "", mine):
        pass
    go_on.set()
    thread.join(PATIENCE_S)
    assert residency.residents() == {"a": 1}
