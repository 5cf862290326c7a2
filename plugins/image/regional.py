"""Prompts for parts of the picture, for UNets: every cross-attention layer reads each region's words in its place.

Owns the formula. With o(x) the output of a cross-attention layer for the whole picture's prompt at place x, o_r(x)
for region r's, m_r(x) the share of x that the region covers and w_r its weight,

    out(x) = (o(x) + sum_r w_r m_r(x) o_r(x)) / (1 + sum_r w_r m_r(x)),

the weighted mean of MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113, eq. 5), taken of attention outputs
instead of denoised latents, so that a step costs one run of the UNet. Rows of the negative prompt stay as they are.
"""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from . import conditioning
from .conditioning import Words
from .params import Region


@contextlib.contextmanager
def regional(
    loaded: Any,
    ctx: JobContext,
    regions: Sequence[Region],
    words: Sequence[Words],
    width: int,
    height: int,
    *,
    guided: bool | None = None,
) -> Iterator[None]:
    """Inside, whenever this job computes, the UNet paints each region by its own words.

    words: one for each region, see `region_words`. width, height: of the picture, in pixels.
    guided: whether the first half of a batch are the negative prompt's rows; by default as the words say.
    Raises StudioError for families that have no cross-attention to share.
    """
    if not regions:
        yield
        return
    if not loaded.family.regions:
        raise StudioError(
            f"{loaded.family.title} takes no regions",
            "Prompts for parts of a picture need the cross-attention of Stable Diffusion's UNets.",
            "Take the regions out, or choose a Stable Diffusion 1.5 or XL model.",
            code="regions",
        )
    guided = any("negative_prompt_embeds" in each.call for each in words) if guided is None else guided
    told = [_tensor(each.call["prompt_embeds"]) for each in words]
    scale = 2 ** (len(loaded.parts["vae"].config.block_out_channels) - 1)  # as the pipelines count
    masks = [mask(region, width // scale, height // scale) * region.weight for region in regions]
    unet = loaded.parts["unet"]
    before: dict[str, Any] = {}

    def install() -> None:
        before.update(unet.attn_processors)
        shared = _Shared(told, masks, guided)
        unet.set_attn_processor({name: _wrapped(name, one, shared) for name, one in before.items()})

    def remove() -> None:
        unet.set_attn_processor(dict(before))
        before.clear()

    with ctx.around_baton(install, remove):
        yield


def region_words(
    loaded: Any, regions: Sequence[Region], *, clip_skip: int = 0, adapters_key: str = "", ctx: Any = None
) -> list[Words]:
    """The words of each region. Its negative prompt is the whole picture's."""
    return [
        conditioning.encode(
            loaded, region.prompt, guidance=1.0, clip_skip=clip_skip, adapters_key=adapters_key, ctx=ctx
        )
        for region in regions
    ]


def mask(region: Region, width: int, height: int) -> Tensor:
    """How much of each latent pixel the region covers: (height, width), between 0 and 1."""
    across = _covered(region.left * width, region.right * width, width)
    down = _covered(region.top * height, region.bottom * height, height)
    return down[:, None] * across[None]


def _covered(first: float, last: float, size: int) -> Tensor:
    places = torch.arange(size, dtype=torch.float32)
    return (torch.clamp(places + 1, max=last) - torch.clamp(places, min=first)).clamp(0, 1)


class _Shared:
    """What all layers read: the regions' words (1, T, D) and weighted masks (H, W), scaled once per size."""

    def __init__(self, told: list[Tensor], masks: list[Tensor], guided: bool):
        self.told, self.guided, self._masks = told, guided, torch.stack(masks)
        self._scaled: dict[int, Tensor | None] = {}

    def at(self, places: int) -> Tensor | None:
        """Weighted masks (R, places, 1) of a layer with that many places; None where it is of no known size."""
        if places not in self._scaled:
            height, width = self._masks.shape[1:]
            while height * width > places and min(height, width) > 1:
                height, width = (height + 1) // 2, (width + 1) // 2  # a convolution of stride 2 with a border of 1
            scaled = None
            if height * width == places:
                scaled = torch.nn.functional.adaptive_avg_pool2d(self._masks[None], (height, width))[0]
                scaled = scaled.reshape(len(self._masks), places, 1)
            self._scaled[places] = scaled
        return self._scaled[places]


class _Regional:
    """A cross-attention processor around the one that was there (plain or an IP-Adapter's)."""

    def __init__(self, inner: Any, shared: _Shared):
        self.inner, self._shared = inner, shared
        self._known = set(inspect.signature(inner.__call__).parameters)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Any = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        ip_adapter_masks: Any = None,
    ) -> Tensor:
        more = {"ip_adapter_masks": ip_adapter_masks} if "ip_adapter_masks" in self._known else {}
        whole = self.inner(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **more)
        places = hidden_states.shape[1] if hidden_states.dim() == 3 else hidden_states[0, 0].numel()
        masks = self._shared.at(places)
        if encoder_hidden_states is None or masks is None:
            return whole
        masks = masks.to(whole)
        first = whole.shape[0] // 2 if self._shared.guided and whole.shape[0] > 1 else 0
        rows = hidden_states[first:]
        sum_, weight = whole[first:], torch.ones_like(masks[0])
        for told, share in zip(self._shared.told, masks, strict=True):
            words = told.to(whole).expand(rows.shape[0], -1, -1)
            own = self.inner(attn, rows, _instead(encoder_hidden_states, words, first), None, temb, **more)
            sum_, weight = sum_ + share * own, weight + share
        return torch.cat([whole[:first], sum_ / weight])


def _instead(given: Any, words: Tensor, first: int) -> Any:
    """An IP-Adapter's processor is given the words and its pictures' embeddings together; the pictures stay."""
    if not isinstance(given, tuple):
        return words
    return words, [picture[first:] for picture in given[1]]


def _wrapped(name: str, inner: Any, shared: _Shared) -> Any:
    return _Regional(inner, shared) if ".attn2." in name else inner


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
