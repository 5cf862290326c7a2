"""Small pictures of what is being painted, from the running latents, by one matrix product.

Owns Previewer: three colours as a linear function of the channels that the VAE decodes. The function of a VAE is
fitted once per loaded model, by least squares on smooth random pictures that the VAE itself encodes. Where a tiny
autoencoder is chosen (diffusers' AutoencoderTiny), it decodes them instead. Previews may take SHARE of the time that
the steps take; the first and the last are always made.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from PIL import Image
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

from .layout import DEEP, Layout

SHARE = 0.03
LONGEST = 256
QUALITY = 82
KEPT = "preview factors"
FIT_SIDE = 64
FIT_PICTURES = 3


class Previewer:
    """One job's previews. clock: seconds, given by tests. tiny: an AutoencoderTiny of the family, or None.

    framed: what a preview is put into before it is encoded, where a part of a picture is painted.
    """

    def __init__(
        self,
        loaded: Any,
        layout: Layout,
        clock: Callable[[], float] = time.perf_counter,
        *,
        tiny: Any = None,
        framed: Callable[[Image.Image], Image.Image] | None = None,
    ):
        self._loaded, self._layout, self._clock, self._tiny, self._framed = loaded, layout, clock, tiny, framed
        if tiny is not None and tiny.config.latent_channels != layout.channels:
            raise StudioError(
                "The preview decoder is made for other models",
                f"It reads {tiny.config.latent_channels} latent channels; {loaded.info.id} has {layout.channels}.",
                "Choose the one of this family, or none.",
                code="preview",
            )
        self._spent, self._since = 0.0, clock()
        self._ever = False
        self._cost = 0.0

    def due(self, *, last: bool) -> bool:
        """Whether there is time for previews now, or they are made whatever they cost."""
        if last or not self._ever:
            return True
        passed = self._clock() - self._since
        return self._spent + self._cost <= SHARE * passed

    def make(self, latents: Tensor) -> list[bytes]:
        """A JPEG of each picture. latents: (B, ...) as the loop shows them, best the clean estimate."""
        began = self._clock()
        frames = self._encoded(latents)
        took = self._clock() - began
        if self._ever:  # the first one also fits the factors
            self._spent += took
            self._cost = took
        self._ever = True
        return frames

    def _encoded(self, latents: Tensor) -> list[bytes]:
        found = [_sized(Image.fromarray(one.numpy(), "RGB")) for one in self._colours(latents)]
        return [_jpeg(self._framed(picture) if self._framed else picture) for picture in found]

    @torch.no_grad()
    def _colours(self, latents: Tensor) -> Tensor:
        """(B, H, W, 3) bytes."""
        if self._tiny is not None and self._layout.family not in (*DEEP, "flux2"):
            return self._finer(latents)
        values = self._layout.for_vae(latents.to(self._layout.dtype)).float()
        values = values[:, :, 0] if self._layout.family in DEEP else values
        weights, bias = factors(self._loaded, self._layout)
        rgb = torch.einsum("bchw,ck->bhwk", values, weights) + bias
        return ((rgb.nan_to_num() + 1) * 127.5).clamp(0, 255).round().byte().cpu()

    def _finer(self, latents: Tensor) -> Tensor:
        """(B, H, W, 3) bytes, by the tiny autoencoder, which reads latents as the loop has them."""
        first = next(self._tiny.parameters())
        planes = self._layout.spread(latents).to(first.device, first.dtype).nan_to_num()
        pictures = self._tiny.decode(planes, return_dict=False)[0].float()
        longest = max(pictures.shape[-2:])
        if longest > LONGEST:
            high, wide = (max(1, side * LONGEST // longest) for side in pictures.shape[-2:])
            pictures = torch.nn.functional.adaptive_avg_pool2d(pictures, (high, wide))
        return ((pictures.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255).round().byte().cpu()


@contextlib.contextmanager
def preview_decoder(loaded: Any, ctx: Any, ref: str) -> Iterator[Any]:
    """The tiny autoencoder `ref`, resident like any model; None when none is named. Raises StudioError."""
    if not ref:
        yield None
        return

    def load(info: ModelInfo) -> Any:
        ctx.stage(f"Loading {info.id}")
        try:
            found = AutoencoderTiny.from_pretrained(Path(info.path), local_files_only=True, use_safetensors=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            first = str(error).splitlines()[0][:300]
            raise StudioError("The preview decoder cannot be read", f"{info.id}: {first}", code="model-load") from None
        return found.to(loaded.device, loaded.dtype).eval().requires_grad_(False)  # type: ignore[call-arg]

    with ctx.models.use(ref, load, key=f"preview-{loaded.dtype}") as tiny:
        yield tiny


def factors(loaded: Any, layout: Layout) -> tuple[Tensor, Tensor]:
    """weights (C, 3) and bias (3,) from what the VAE decodes to colours in [-1, 1]; kept with the model."""
    found = loaded.kept.get(KEPT)
    if found is None:
        found = loaded.kept[KEPT] = fitted(layout.vae, deep=layout.family in DEEP)
    return found


@torch.no_grad()
def fitted(vae: Any, *, deep: bool = False, side: int = FIT_SIDE) -> tuple[Tensor, Tensor]:
    """By least squares: what the VAE makes of smooth random pictures, against those pictures, smaller."""
    parameter = next(vae.parameters())
    coarse = torch.rand((FIT_PICTURES, 3, 5, 5), generator=torch.Generator().manual_seed(7)) * 2 - 1
    pictures = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(-1, 1)
    given = pictures.to(parameter.device, parameter.dtype)
    codes = vae.encode(given[:, :, None] if deep else given).latent_dist.mode().float()
    codes = codes[:, :, 0] if deep else codes
    small = torch.nn.functional.adaptive_avg_pool2d(pictures, codes.shape[-2:])
    inputs = codes.permute(0, 2, 3, 1).reshape(-1, codes.shape[1]).cpu().nan_to_num()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    wanted = small.permute(0, 2, 3, 1).reshape(-1, 3)
    # A little of the identity keeps channels that say nothing at zero.
    size = inputs.shape[1]
    solved = torch.linalg.solve(inputs.T @ inputs + 1e-3 * torch.eye(size), inputs.T @ wanted)
    return solved[:-1].to(parameter.device), solved[-1].to(parameter.device)


def _sized(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    times = min(LONGEST / longest, 8)
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return picture.resize(size, Image.Resampling.BILINEAR)


def _jpeg(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=QUALITY)
    return data.getvalue()
