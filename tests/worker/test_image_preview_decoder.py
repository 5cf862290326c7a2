"""Previews by a tiny autoencoder: finer, within their budget, refused for another family."""

import io

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image

from plugins.image.layout import Layout
from plugins.image.params import Generate
from plugins.image.previews import Previewer, preview_decoder
from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.sdk.operation import ModelInfo
from tests.image_rig import QUIET, Context, painted, plan, same, tiny

pytestmark = [pytest.mark.worker, *QUIET]


@pytest.fixture(scope="module")
def sd15(tmp_path_factory):
    return tiny("sd15", tmp_path_factory.mktemp("models"))


def decoder(folder, channels=4):
    torch.manual_seed(5)
    model = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8), latent_channels=channels
    )
    model.save_pretrained(folder)
    return model.eval()


def used(ctx, folder):
    """The context's models, with the decoder among them, loaded as the worker would."""
    info = ModelInfo("tiny-vae", str(folder), "preview-vae")
    inner = ctx.models.use

    def use(ref, load, *, key=""):
        return inner(ref, load, key=key) if ref != "tiny-vae" else contextlib_of(load(info))

    ctx.models.use = use
    return ctx


def contextlib_of(thing):
    import contextlib

    return contextlib.nullcontext(thing)


def test_the_hub_knows_it_by_its_configuration(tmp_path):
    decoder(tmp_path / "models" / "taesd")
    (entry,) = Catalogue([tmp_path / "models"], None, tmp_path / "none").scan()
    assert entry.capability == "preview-vae" and entry.problem is None


def test_a_preview_is_what_the_decoder_says_of_the_loop_s_latents(sd15, tmp_path):
    model = decoder(tmp_path / "taesd")
    layout = Layout.of(sd15, 64, 64)
    latents = torch.randn(2, *layout.in_loop[1:], generator=torch.Generator().manual_seed(1))
    shown = Previewer(sd15, layout, tiny=model)
    with torch.no_grad():
        wanted = (
            ((model.decode(latents, return_dict=False)[0].permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255).round().byte()
        )
    assert torch.equal(shown._colours(latents), wanted)
    assert [Image.open(io.BytesIO(frame)).size for frame in shown.make(latents)] == [(256, 256)] * 2


def test_it_changes_previews_and_no_picture(sd15, tmp_path):
    decoder(tmp_path / "taesd")
    plain, finer = Context(tmp_path / "a", sd15), used(Context(tmp_path / "b", sd15), tmp_path / "taesd")
    first = painted(sd15, plain, plan(1))
    second = painted(sd15, finer, plan(1, preview_by="tiny-vae"))
    assert same(first[0].image, second[0].image)
    assert finer.previews and finer.previews[-1] != plain.previews[-1]


def test_one_of_another_family_or_a_broken_one_is_refused(sd15, tmp_path):
    decoder(tmp_path / "flux", channels=16)
    ctx = used(Context(tmp_path, sd15), tmp_path / "flux")
    with pytest.raises(StudioError) as refused:
        painted(sd15, ctx, plan(1, preview_by="tiny-vae"))
    assert refused.value.code == "preview" and "16" in refused.value.detail
    (tmp_path / "flux" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(StudioError) as refused, preview_decoder(sd15, ctx, "tiny-vae"):
        pass
    assert refused.value.code == "model-load"


def test_the_form_asks_for_it():
    assert Generate.load({"preview_by": "taesd"}).preview_by == "taesd"
