"""Small moving pictures of a clip that is being made, from its running latents.

Owns ClipPreviewer: an animated WebP, a picture for each latent frame; whoever shows still pictures sees its first.
"""

import io
import time
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .previews import KEPT, LONGEST, Previewer, fitted

MOST = 33
"""Pictures in one preview; of a longer clip evenly chosen ones."""

COARSE = 256
"""Side of the pictures that the colours of a VAE with few large cells are fitted on."""


class ClipPreviewer(Previewer):
    """decodable: latents of the loop -> (1, C, F, h, w) as the VAE decodes them. fps: of latent frames."""

    def __init__(
        self,
        loaded: Any,
        decodable: Callable[[Tensor], Tensor],
        fps: float,
        clock: Callable[[], float] = time.perf_counter,
    ):
        super().__init__(loaded, None, clock)  # type: ignore[arg-type]
        self._decodable, self._fps = decodable, fps

    def _encoded(self, latents: Tensor) -> list[bytes]:
        pictures = [_enlarged(Image.fromarray(one.numpy(), "RGB")) for one in self._colours(latents)]
        data = io.BytesIO()
        pictures[0].save(
            data, "WEBP", save_all=True, append_images=pictures[1:], duration=max(1, round(1000 / self._fps)), loop=0,
            quality=70, method=0,
        )  # fmt: skip
        return [data.getvalue()]

    @torch.no_grad()
    def _colours(self, latents: Tensor) -> Tensor:
        """(F, H, W, 3) bytes."""
        values = self._decodable(latents)[0].float()
        count = values.shape[1]
        if count > MOST:
            values = values[:, torch.linspace(0, count - 1, MOST).round().long()]
        weights, bias = self._factors()
        rgb = torch.einsum("cfhw,ck->fhwk", values, weights) + bias
        return ((rgb.nan_to_num() + 1) * 127.5).clamp(0, 255).round().byte().cpu()

    def _factors(self) -> tuple[Tensor, Tensor]:
        kept = self._loaded.kept
        if KEPT not in kept:
            side = COARSE if self._loaded.family.latent_scale >= 32 else 64
            kept[KEPT] = fitted(self._loaded.parts["vae"], deep=True, side=side)
        return kept[KEPT]


def _enlarged(picture: Image.Image) -> Image.Image:
    times = min(LONGEST / max(picture.size), 8)
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return picture.resize(size, Image.Resampling.BILINEAR)
