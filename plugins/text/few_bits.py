"""Keys and values in 8 or 4 bits: a longer context, or more branches, in the same memory.

Owns FewBits, a layer of transformers' cache, and `few_bits_cache`. Every token's numbers are rounded by themselves, in
groups along the head's dimension, as llama.cpp does it for its q8_0 and q4_1 caches: nothing that is stored depends on
what came before or with it, so it can be cut, copied and multiplied like the exact one, and reading in other chunks
gives the same. (The layers of transformers freeze their scale at the first chunk, or must be rewritten as a whole.)
"""

import math
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from studio.errors import StudioError

GROUP = 32


class FewBits(DynamicLayer):
    """Stores numbers as whole ones with a step and a lowest value for each group; gives them back in full width.

    Everything is (batch, heads, tokens, …); with 4 bits two numbers share a byte.
    """

    def __init__(self, bits: int):
        super().__init__()
        self.bits = bits
        self._stored: tuple[Tensor, ...] = ()

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        new = (*packed(key_states, self.bits), *packed(value_states, self.bits))
        old = self._stored
        self._stored = tuple(torch.cat(both, dim=-2) for both in zip(old, new, strict=True)) if old else new
        wide = key_states.shape[-1], value_states.shape[-1]
        return (
            unpacked(self._stored[:3], self.bits, wide[0], self.dtype),
            unpacked(self._stored[3:], self.bits, wide[1], self.dtype),
        )

    def get_seq_length(self) -> int:
        return self._stored[0].shape[-2] if self._stored else 0

    def crop(self, tokens_to_remove: int) -> None:
        left = self.get_seq_length() - abs(tokens_to_remove)
        self._stored = tuple(part[..., :left, :] for part in self._stored)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        self._stored = tuple(part.index_select(0, beam_idx.to(part.device)) for part in self._stored)

    def reset(self) -> None:
        self._stored, self.is_initialized = (), False


def packed(numbers: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """numbers: (..., d); their codes (..., d or d/2) uint8, and step and lowest of each group (..., groups)."""
    groups = numbers.unflatten(-1, (-1, group_of(numbers.shape[-1])))
    low, high = groups.aminmax(dim=-1, keepdim=True)
    # The step is stored as narrow as the numbers are, so it is rounded first, and not down: the highest must fit.
    room = 1 + torch.finfo(numbers.dtype).eps
    step = ((high.float() - low.float()) * room / (2**bits - 1)).to(numbers.dtype)
    step = step.clamp(min=torch.finfo(numbers.dtype).tiny)
    codes = ((groups.float() - low.float()) / step.float()).round().clamp(0, 2**bits - 1).to(torch.uint8).flatten(-2)
    if bits == 4:
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return codes, step.squeeze(-1), low.squeeze(-1)


def unpacked(stored: tuple[Tensor, ...], bits: int, wide: int, dtype: torch.dtype) -> Tensor:
    """What `packed` stored, (..., wide), within half a step of what it was."""
    codes, step, low = stored
    if bits == 4:
        codes = torch.stack((codes & 15, codes >> 4), dim=-1).flatten(-2)
    groups = codes.unflatten(-1, (-1, group_of(wide))).float()
    return (groups * step[..., None].float() + low[..., None].float()).to(dtype).flatten(-2)


def group_of(wide: int) -> int:
    """How many numbers share a step: up to GROUP of them."""
    return math.gcd(wide, GROUP)


def few_bits_cache(config: Any, bits: int) -> DynamicCache:
    """An empty cache whose layers of full attention keep few bits; windows and recurrent states stay as they are.

    Raises StudioError code "kv-cache" where there is no such layer, or 4 bits do not fill whole bytes.
    """
    cache = DynamicCache(config=config)
    layers = [FewBits(bits) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    if not any(isinstance(layer, FewBits) for layer in layers):
        raise _refusal("It has no layer with full attention, whose keys and values could be kept in fewer bits.")
    text = config.get_text_config()
    wide = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    if bits == 4 and group_of(wide) < 2:
        raise _refusal(f"Its heads are {wide} numbers wide, which cannot share bytes.")
    cache.layers = layers
    return cache


def _refusal(why: str) -> StudioError:
    return StudioError(
        "This model's cache stays as it is", why, "Choose the exact cache for this model.", code="kv-cache"
    )
