"""Learned upscalers: both kinds, both namings, tiles without seams."""

import pytest
import torch
from safetensors.torch import save_file

from plugins.image import upscalers
from studio.errors import StudioError

pytestmark = pytest.mark.worker


def compact(scale=2):
    torch.manual_seed(0)
    return upscalers.Compact(3, 8, 2, scale)


def rrdb(shuffle=1, doublings=2):
    torch.manual_seed(1)
    return upscalers.Rrdb(3, 8, 4, 2, doublings, shuffle)


def saved(network, path, rename=lambda name: name):
    save_file({rename(name): tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("network", "scale"),
    [(compact(2), 2), (compact(4), 4), (rrdb(), 4), (rrdb(shuffle=2), 2), (rrdb(shuffle=4), 1)],
    ids=["compact-2", "compact-4", "rrdb-4", "rrdb-2", "rrdb-1"],
)
def test_a_file_gives_the_network_it_was_made_of(network, scale, tmp_path):
    found = upscalers.load(saved(network, tmp_path / "x.safetensors", lambda n: "params_ema." + n), "cpu", "float32")
    assert found.scale == scale
    picture = torch.rand(1, 3, 13, 9)
    with torch.inference_mode():
        assert torch.equal(found.network(picture), network(picture))
        assert found.network(picture).shape == (1, 3, 13 * scale, 9 * scale)


OLD = {
    "conv_first": "model.0",
    "conv_up1": "model.3",
    "conv_up2": "model.6",
    "conv_hr": "model.8",
    "conv_last": "model.10",
}


def old_name(name):
    part, _, rest = name.partition(".")
    if part == "body":
        block, rdb, conv, kind = rest.split(".")
        return f"model.1.sub.{block}.RDB{rdb[3:]}.{conv}.0.{kind}"
    return f"model.1.sub.2.{rest}" if part == "conv_body" else f"{OLD[part]}.{rest}"


def test_the_names_of_the_first_release_are_understood(tmp_path):
    network = rrdb()
    found = upscalers.load(saved(network, tmp_path / "old.safetensors", old_name), "cpu", "float32")
    picture = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(found.network(picture), network(picture))


def test_tiles_leave_no_seams_when_they_overlap_by_what_the_network_sees(tmp_path):
    network = compact(2)
    found = upscalers.load(saved(network, tmp_path / "x.safetensors"), "cpu", "float32")
    picture = torch.rand(3, 37, 41)
    steps = []
    tiled = upscalers.enlarge(found, picture, 16, 4, lambda done, total: steps.append((done, total)))
    with torch.inference_mode():
        whole = network(picture[None])[0].clamp(0, 1)
    assert torch.allclose(tiled, whole, atol=1e-5)
    assert steps == [(i, 9) for i in range(1, 10)]


def test_what_is_no_upscaler_is_refused_in_words(tmp_path):
    save_file({"lora_unet.lora_up.weight": torch.zeros(2, 2)}, tmp_path / "lora.safetensors")
    whole = saved(compact(), tmp_path / "x.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-40])
    broken = compact().state_dict()
    del broken["body.2.weight"]
    save_file(broken, tmp_path / "missing.safetensors")
    for name in ("lora", "cut", "missing"):
        with pytest.raises(StudioError) as refused:
            upscalers.load(tmp_path / f"{name}.safetensors", "cpu", "float32")
        assert refused.value.code == "upscaler" and name in refused.value.detail
