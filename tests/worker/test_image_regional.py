"""Regions on a shared UNet: each part follows its own words, the rest stays, nothing is left behind."""

from typing import Any

import pytest
import torch

from plugins.image import regional
from plugins.image.conditioning import batch, encode
from plugins.image.params import Region
from studio.errors import StudioError
from tests.guides_rig import Context, Models, together
from tests.words_rig import resident

pytestmark = [
    pytest.mark.worker,
    # diffusers' schedulers make an array of a tensor in the way of NumPy 1.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]
LEFT = Region(prompt="a blue dog", left=0, right=0.5, top=0, bottom=1)


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def loaded(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return resident(request.param, tmp_path_factory.mktemp(request.param))


def painted(
    loaded: Any, ctx: Any = None, regions: Any = (), size: tuple[int, int] = (64, 64), guidance: float = 6.0
) -> torch.Tensor:
    """Latents of a picture by the bare pipeline."""
    ctx = ctx or Context(Models())
    width, height = size
    words = encode(loaded, "a red cat", "bad", guidance=guidance)
    told = regional.region_words(loaded, regions)
    pipeline = loaded.pipeline("text", loaded.make_scheduler())

    def boundary(_p: Any, step: int, _t: Any, kept: dict[str, Any]) -> dict[str, Any]:
        ctx.step(step)
        return kept

    guided = "negative_prompt_embeds" in words.call
    with regional.regional(loaded, ctx, regions, told, width, height, guided=guided), torch.no_grad():
        return pipeline(
            **batch([words]), num_inference_steps=2, guidance_scale=guidance, width=width, height=height,
            generator=torch.Generator().manual_seed(3), output_type="latent", callback_on_step_end=boundary,
        ).images  # fmt: skip


def test_a_mask_covers_its_share():
    found = regional.mask(Region(left=0.25, right=0.5, top=0, bottom=0.625), 8, 4)
    assert found.shape == (4, 8)
    assert found[0].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert found[:, 2].tolist() == [1, 1, 0.5, 0]


def test_layers_of_every_level_find_their_places():
    shared = regional._Shared([], [regional.mask(LEFT, 12, 9)], True)
    assert [shared.at(size).shape for size in (108, 30, 9)] == [(1, 108, 1), (1, 30, 1), (1, 9, 1)]  # type: ignore[union-attr]
    assert shared.at(77) is None
    assert shared.at(108).reshape(9, 12)[0].tolist() == [1.0] * 6 + [0.0] * 6  # type: ignore[union-attr]


@pytest.mark.parametrize("guidance", [1.0, 6.0])
@pytest.mark.parametrize("size", [(64, 64), (96, 64)])
def test_the_part_follows_its_words(loaded, size, guidance):
    plain = painted(loaded, size=size, guidance=guidance)
    with_region = painted(loaded, regions=[LEFT], size=size, guidance=guidance)
    assert not torch.equal(plain, with_region)
    assert bool(torch.isfinite(with_region).all())
    assert torch.equal(with_region, painted(loaded, regions=[LEFT], size=size, guidance=guidance))
    whole = painted(loaded, regions=[Region(prompt="a red cat", right=1.0)], size=size, guidance=guidance)
    assert torch.allclose(plain, whole, atol=1e-4)  # the mean of twice the same is the same
    assert torch.equal(plain, painted(loaded, regions=[Region(prompt="x", weight=0)], size=size, guidance=guidance))


def test_one_layer_changes_only_inside_the_region(loaded):
    name, module = next((n, m) for n, m in loaded.parts["unet"].named_modules() if n.endswith("attn2"))
    words = encode(loaded, "a red cat", guidance=1.0).call["prompt_embeds"]
    told = regional.region_words(loaded, [LEFT])
    hidden = torch.randn(2, 64, module.to_q.in_features, generator=torch.Generator().manual_seed(1))
    assert isinstance(words, torch.Tensor)
    given = words.expand(2, -1, -1)
    scale = 2 ** (len(loaded.parts["vae"].config.block_out_channels) - 1)
    with torch.no_grad():
        before = module(hidden, encoder_hidden_states=given)
        with regional.regional(loaded, Context(Models()), [LEFT], told, 8 * scale, 8 * scale, guided=True):
            after = module(hidden, encoder_hidden_states=given)
        own = module(hidden, encoder_hidden_states=told[0].call["prompt_embeds"].expand(2, -1, -1))  # type: ignore[union-attr]
    assert torch.equal(after[0], before[0]), name  # the negative prompt's row
    places = after.reshape(2, 8, 8, -1)
    assert torch.equal(places[1, :, 4:], before.reshape(places.shape)[1, :, 4:])
    expected = (before + own).reshape(places.shape)[1, :, :4] / 2
    assert torch.allclose(places[1, :, :4], expected, atol=1e-5)


def test_jobs_that_take_turns_see_only_their_own_regions(loaded):
    before = dict(loaded.parts["unet"].attn_processors)
    alone = {"with": painted(loaded, regions=[LEFT]), "without": painted(loaded)}

    def job(name: str, regions: list[Region]) -> Any:
        return lambda turns: painted(loaded, Context(Models(), turns, name), regions)

    beside, order = together({"with": job("with", [LEFT]), "without": job("without", [])})
    assert order[:3] == ["with", "without", "with"]
    assert all(torch.equal(beside[name], alone[name]) for name in alone)
    assert loaded.parts["unet"].attn_processors == before


def test_other_families_are_refused_in_words(tmp_path):
    flux = resident("flux", tmp_path)
    with (
        pytest.raises(StudioError, match="takes no regions"),
        regional.regional(flux, Context(Models()), [LEFT], [], 64, 64),  # type: ignore[arg-type]
    ):
        pass
