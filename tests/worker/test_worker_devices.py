"""The probe in a sacrificial child: real children, some of which really die of SIGILL."""

import json
import sys
from pathlib import Path

import pytest

from studio.paths import Paths
from studio.wire.messages import Hello
from studio.worker import devices
from studio.worker.devices import ISA, Outcome, choose, environment, probe_cpu
from tests.worker.worker_rig import worker_process

pytestmark = pytest.mark.worker

# A stand-in for the worker's executable: it dies as a virtual machine does that only claims to know AMX.
DYING = """#!{python}
import json, os, signal
print(json.dumps({{"works": ["float32"]}}), flush=True)
if os.environ.get("ONEDNN_MAX_CPU_ISA") not in {good}:
    os.kill(os.getpid(), signal.SIGILL)
print(json.dumps({{"works": ["float32", "float16", "bfloat16"]}}), flush=True)
"""


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.delenv(ISA, raising=False)
    monkeypatch.delenv("ATELIER_DEVICE", raising=False)
    return Paths(tmp_path / "data").prepare()


def dying_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: list[str]) -> None:
    script = tmp_path / "probe"
    script.write_text(DYING.format(python=sys.executable, good=good))
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def test_this_machine_s_probe_finds_products_that_survive_and_are_right(paths: Paths):
    """Whatever this processor can do, what the probe decides for must work in a fresh process."""
    found = probe_cpu(devices.child)
    assert "float32" in found["works"]
    extra = {ISA: found["isa"]} if found["isa"] else {}
    again = devices.child("cpu", extra)
    assert not again.died and again.found["works"] == found["works"]


@pytest.mark.expects_log
def test_a_processor_that_dies_of_a_bfloat16_product_gets_a_cap(paths: Paths, tmp_path, monkeypatch):
    dying_machine(tmp_path, monkeypatch, ["AVX512_CORE_BF16", "AVX512_CORE_VNNI", "AVX2"])
    assert environment(paths) == {ISA: "AVX512_CORE_BF16"}
    kept = json.loads((paths.data / "probe.json").read_text())["cpu"]
    assert kept["deaths"] == {"none": "SIGILL"} and kept["torch"] == devices.torch_version()
    assert kept["cpu"] == devices.cpu_model()
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert environment(paths) == {ISA: "AVX512_CORE_BF16"}, "it was not kept"


@pytest.mark.expects_log
def test_a_processor_that_dies_whatever_is_tried_keeps_what_works_most(paths: Paths, tmp_path, monkeypatch):
    dying_machine(tmp_path, monkeypatch, [])
    assert environment(paths) == {}
    kept = json.loads((paths.data / "probe.json").read_text())["cpu"]
    assert kept["works"] == ["float32"] and set(kept["deaths"].values()) == {"SIGILL"}


def test_a_product_that_is_wrong_counts_like_a_death(paths: Paths):
    def run(kind: str, extra: dict[str, str]) -> Outcome:
        return Outcome({"works": list(devices.DTYPES) if extra.get(ISA) == "AVX2" else ["float32"]}, "")

    assert environment(paths, run) == {ISA: "AVX2"}


@pytest.mark.expects_log
@pytest.mark.parametrize("end", ["SIGKILL", "no answer within 180 s", "exit code 1: No module named 'torch'"])
def test_a_probe_that_could_not_be_made_decides_nothing_and_is_not_kept(paths: Paths, end):
    asked = []

    def run(kind: str, extra: dict[str, str]) -> Outcome:
        asked.append(extra)
        return Outcome({}, end)

    assert environment(paths, run) == {} and asked == [{}]
    assert environment(paths, run) == {} and asked == [{}, {}]


def test_what_was_found_counts_for_this_processor_kernel_and_torch_only(paths: Paths, monkeypatch):
    asked = []

    def run(kind: str, extra: dict[str, str]) -> Outcome:
        asked.append(kind)
        return Outcome({"works": list(devices.DTYPES)}, "")

    for _ in range(2):
        environment(paths, run)
    assert asked == ["cpu"]
    monkeypatch.setattr(devices, "torch_version", lambda: "99.0")
    environment(paths, run)
    assert asked == ["cpu"] * 2
    (paths.data / "probe.json").write_text("{ not json")
    environment(paths, run)
    assert asked == ["cpu"] * 3


def test_a_choice_of_the_person_is_left_alone(paths: Paths, monkeypatch):
    monkeypatch.setenv(ISA, "AVX2")
    assert environment(paths, lambda kind, extra: pytest.fail("probed")) == {}


def test_a_graphics_device_is_used_when_its_probe_survives(paths: Paths, monkeypatch):
    monkeypatch.setenv("ATELIER_DEVICE", "cuda")
    found = {"name": "a card", "total": 10**10, "works": ["float32", "bfloat16"], "dtype": "bfloat16"}
    device = choose(paths, lambda kind, extra: Outcome(found, ""))
    assert (device.name, device.dtype, device.facts["total"]) == ("cuda", "bfloat16", 10**10)
    assert choose(paths, lambda kind, extra: pytest.fail("probed again")).name == "cuda"


@pytest.mark.expects_log
@pytest.mark.parametrize("outcome", [Outcome({}, "SIGSEGV"), Outcome({"why": "torch sees no CUDA device"}, "")])
def test_a_graphics_device_that_fails_its_probe_leaves_the_processor(paths: Paths, monkeypatch, outcome):
    monkeypatch.setenv("ATELIER_DEVICE", "cuda")
    device = choose(paths, lambda kind, extra: outcome)
    assert (device.name, device.dtype) == ("cpu", "float32")
    good = Outcome({"dtype": "float16", "works": ["float16"]}, "")
    assert choose(paths, lambda kind, extra: good).name == "cuda", "one bad day was kept for ever"


def test_the_real_graphics_probe_tells_what_is_there_without_dying(paths: Paths):
    outcome = devices.child("cuda", {})
    assert not outcome.died
    assert outcome.found.get("dtype") or outcome.found["why"]


@pytest.mark.gpu
def test_a_graphics_device_is_found_by_itself(paths: Paths):
    device = choose(paths)
    assert device.name == "cuda" and device.facts["total"] > 0


def test_how_a_child_died_is_told(paths: Paths, tmp_path, monkeypatch):
    def program(text: str) -> None:
        script = tmp_path / "program"
        script.write_text(f"#!{python}\n{text}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    python = sys.executable
    program("import os\nos.kill(os.getpid(), 11)")
    assert devices.child("cpu", {}).died == "SIGSEGV"
    program("import sys\nprint('no JSON')\nprint('{\"works\": []}')\nsys.exit('it went wrong')")
    assert devices.child("cpu", {}) == Outcome({"works": []}, "exit code 1: it went wrong")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    assert "absent" in devices.child("cpu", {}).died


def test_a_worker_in_a_new_data_folder_probes_before_torch_is_imported_and_keeps_what_was_found(paths: Paths):
    with worker_process(paths.data.parent) as worker:
        worker.done(worker.run("probe.noop"))
        assert not (paths.data / "probe.json").exists(), "it was probed without need"
        done = worker.done(worker.run("probe.torch"))
        kept = json.loads((paths.data / "probe.json").read_text())["cpu"]
        assert "float32" in kept["works"] and done.facts["isa"] == kept["isa"] and done.facts["total"] == 64.0


def test_the_worker_sets_what_the_probe_decided_before_torch_is_imported(paths: Paths, tmp_path: Path):
    kept = {"cpu": {"key": devices.machine_key(), "isa": "AVX512_CORE_VNNI", "works": ["float32"], "deaths": {}}}
    (paths.data / "probe.json").write_text(json.dumps(kept))
    with worker_process(tmp_path) as worker:
        worker.done(worker.run("probe.noop"))
        done = worker.done(worker.run("probe.torch"))
        assert done.facts["isa"] == "AVX512_CORE_VNNI" and done.facts["total"] == 64.0


@pytest.mark.expects_log
def test_a_worker_that_was_asked_for_a_device_that_is_not_there_says_what_it_uses(tmp_path: Path):
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is one")
    with worker_process(tmp_path, env={"ATELIER_DEVICE": "cuda"}) as worker:
        hello = worker.hear(Hello)
        assert hello.device == "cpu" and "cuda" in hello.facts["device"]["why"]
