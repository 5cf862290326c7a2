"""Estimates of painting: what makes them larger, and what they do without knowing a model."""

import pytest

from plugins.image import estimate
from plugins.image.params import Generate, Lora, Transform
from plugins.image.params_clips import Clip, Stop, Travel
from plugins.image.params_more import Upscale
from studio.sdk.operation import ModelInfo

pytestmark = pytest.mark.unit

SD15 = ModelInfo("sd", "/sd", "text-to-image", "StableDiffusionPipeline", size=4 << 30, parameters=1 << 30)
WAN = ModelInfo("wan", "/wan", "text-to-video", "WanPipeline", size=4 << 30, parameters=1 << 30)
LORA = ModelInfo("lora", "/lora", "adapter", size=7 << 20)


@pytest.fixture(autouse=True)
def on_a_processor(monkeypatch):
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")


def find(ref):
    return {"lora": LORA, "wan": WAN, "none": None}.get(ref, SD15)


def total(**params):
    return estimate.generate(Generate(**params), find).total


def test_weights_are_those_of_the_files_in_the_type_that_runs():
    found = estimate.generate(Generate(), find)
    assert found.weights == 4 << 30
    assert found.working == max(found.parts["painting"], found.parts["decoding"])
    assert estimate.generate(Generate(quantised="int8"), find).weights == 1 << 30


def test_more_and_larger_pictures_take_more():
    assert total(width=1024, height=1024) > total(width=512, height=512)
    assert total(hires=2.0) > total()
    assert total(count=16, at_once=16) > total(count=16, at_once=1) == total(count=16)
    assert total(count=2, at_once=64) == total(count=2, at_once=2)
    assert total(loras=[Lora(model="lora")]) == total() + (7 << 20)


def test_every_operation_has_one():
    for found in (
        estimate.transform(Transform(picture="a.png"), find),
        estimate.upscale(Upscale(picture="a.png"), find),
        estimate.upscale(Upscale(picture="a.png", refine=0), find),
        estimate.clip(Clip(model="wan"), find),
        estimate.travel(Travel(stops=[Stop(prompt="a"), Stop(prompt="b")]), find),
    ):
        assert found.total > 0
    long = estimate.clip(Clip(model="wan", frames=161), find)
    assert long.working > estimate.clip(Clip(model="wan", frames=17), find).working


def test_a_model_that_is_unknown_or_of_no_family_is_no_error_here():
    assert estimate.generate(Generate(model="none"), find).total == 0
    other = ModelInfo("x", "/x", "text-generation", "llama", size=10)
    assert estimate.generate(Generate(), lambda ref: other).total == 10


def test_a_part_of_a_model_counts_with_the_folder_that_completes_it():
    config = {"_class_name": "FluxPipeline", "needs": "flux", "companion": "/flux"}
    file = ModelInfo("net", "/net.gguf", "text-to-image", "FluxPipeline", size=100, parameters=1000, config=config)
    folder = ModelInfo("flux", "/flux", "text-to-image", "FluxPipeline", size=1, parameters=1500)
    found = estimate.weights(file, lambda ref: folder if ref == "/flux" else None)
    assert found == 100 + 500 * 4


def test_packed_weights_count_as_they_lie_in_the_files():
    packed = {"parts": {"transformer": "nf4"}, "size": 600, "parameters": 1000}
    config = {"_class_name": "FluxPipeline", "packed": packed}
    folder = ModelInfo("nf4", "/nf4", "text-to-image", "FluxPipeline", size=900, parameters=1300, config=config)
    assert estimate.weights(folder, lambda ref: None) == 600 + 300 * 4
    assert estimate.weights(folder, lambda ref: None, "int8") == 600 + 300
    for dtype, bytes_each in (("q8_0", 1), ("f16", 4), ("bf16", 1)):
        config = {"_class_name": "FluxPipeline"}
        file = ModelInfo("n", "/n.gguf", "text-to-image", "", size=1000, parameters=1000, dtype=dtype, config=config)
        assert estimate.weights(file, lambda ref: None) == 1000 * bytes_each
