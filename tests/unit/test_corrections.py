"""What was measured corrects what is estimated, within bounds, and survives a restart."""

import asyncio
import json

import pytest

from studio.engine.admission import Admission
from studio.engine.corrections import LARGEST, NOISE, Corrections
from studio.host.discover import discover
from studio.hub.catalogue import Catalogue
from studio.jobs.state import Job
from studio.sdk.operation import Estimate
from studio.sdk.params import Params

pytestmark = pytest.mark.unit
BIG = 10 * NOISE
MANIFEST = """
id = "hungry"
name = "Hungry"
[[operation]]
id = "hungry.eat"
title = "Eat"
params = "params:Wants"
backend = "backend:Eat"
estimate = "params:estimate"
"""
ESTIMATE = Estimate(weights=7, working=BIG, parts={"activations": BIG})


def test_a_run_that_needed_more_raises_the_next_estimate_also_after_a_restart(tmp_path):
    path = tmp_path / "memory.json"
    Corrections(path).learn("image.make", ("m",), BIG, 2 * BIG)
    again = Corrections(path)
    corrected = again.applied("image.make", ("m",), ESTIMATE)
    assert (corrected.working, corrected.weights, corrected.parts["measured"]) == (2 * BIG, 7, BIG)
    assert again.applied("image.make", ("other",), ESTIMATE) == ESTIMATE
    assert again.applied("text.generate", ("m",), ESTIMATE) == ESTIMATE


def test_an_estimate_is_never_lowered_and_never_absurd(tmp_path):
    corrections = Corrections(tmp_path / "memory.json")
    corrections.learn("o", (), BIG, BIG // 5)
    assert corrections.applied("o", (), ESTIMATE) == ESTIMATE
    corrections.learn("o", (), BIG, 1000 * BIG)
    assert corrections.applied("o", (), ESTIMATE).working == int(LARGEST * BIG)


def test_one_bad_run_is_forgotten_over_many_good_ones(tmp_path):
    corrections = Corrections(tmp_path / "memory.json")
    corrections.learn("o", (), BIG, 5 * BIG)
    for _ in range(60):
        corrections.learn("o", (), BIG, BIG)
    assert corrections.applied("o", (), ESTIMATE).working < 1.2 * BIG


@pytest.mark.parametrize("content", [b"", b"[]", b'{"o": "x"}', b'{"o": 1e9}', b"\xff"])
def test_a_damaged_file_costs_a_measurement_only(tmp_path, content):
    path = tmp_path / "memory.json"
    path.write_bytes(content)
    corrections = Corrections(path)
    assert corrections.applied("o", (), ESTIMATE) == ESTIMATE
    corrections.learn("o", (), BIG, 2 * BIG)
    assert json.loads(path.read_bytes()) == {"o": 2.0}


class Wants(Params):
    size: int = BIG


def estimate(params, info):
    return Estimate(working=params.size)


@pytest.fixture
def admission(tmp_path):
    folder = tmp_path / "plugins" / "hungry"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "params.py").write_text("from tests.unit.test_corrections import Wants, estimate\n")
    plugins = discover([tmp_path / "plugins"], installed=False)
    return Admission(plugins, Catalogue([], None, tmp_path), Corrections(tmp_path / "memory.json"), tmp_path / "inputs")


def working(admission) -> int:
    return asyncio.run(admission.check("hungry.eat", {})).estimate.working


@pytest.mark.parametrize(
    ("told", "factor"),
    [
        ({"peak": 3 * BIG, "before": BIG, "warm": True, "alone": True}, 2),
        ({"peak": 3 * BIG, "before": BIG, "warm": False, "alone": True}, 1),
        ({"peak": 3 * BIG, "before": BIG, "warm": True, "alone": False}, 1),
        ({"peak": 3 * BIG, "warm": True, "alone": True}, 1),
        ({}, 1),
    ],
)
def test_only_a_run_that_tells_its_own_need_is_learned_from(admission, told, factor):
    job = Job("a", "hungry.eat", Wants().model_dump())
    asyncio.run(admission.learn(job, {"job": "a", **told}))
    assert working(admission) == factor * BIG


def test_small_differences_are_noise(tmp_path):
    path = tmp_path / "memory.json"
    Corrections(path).learn("o", (), 1000, NOISE - 1)
    assert not path.exists()
