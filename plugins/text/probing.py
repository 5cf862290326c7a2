"""How a model that was just loaded reads: what its cache is called, and whether it can be trusted with chunks.

Owns `probe` and Reading. The installed transformers does not say it anywhere: some recurrent layers forget their
state between chunks without an error, some models announce a cache and give none, and some fail when they go on.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .caches import KNOWN

CACHES = ("past_key_values", "cache_params")
TOKENS = 24


@dataclass(frozen=True, slots=True)
class Reading:
    """cache: the name of forward's cache argument, "" where every token needs the whole text read again.

    chunked: whether going on from a cache with several tokens gives what reading everything at once gives.
    last_only: whether forward can compute the logits of the last position alone. plain: whether the cache is one that
    transformers makes by the configuration alone, so that another can stand in for it.
    """

    cache: str = ""
    chunked: bool = False
    last_only: bool = False
    plain: bool = False


def probe(model: Any, vocabulary: int) -> Reading:
    """Reads a few tokens in different ways. Models with attention alone are asked once."""
    names = inspect.signature(model.forward).parameters
    last_only, name = "logits_to_keep" in names, next((name for name in CACHES if name in names), "")
    if not name:
        return Reading(last_only=last_only)
    ids = (torch.arange(TOKENS, device=model.device) * 7 % vocabulary)[None]
    with torch.inference_mode():
        found = _after(model, name, ids, TOKENS)
        if found is None:
            return Reading(last_only=last_only)
        whole, cache = found
        if type(cache) in KNOWN and not any(cache.is_linear):
            return Reading(name, chunked=True, last_only=last_only, plain=True)
        try:
            pieces, single = _after(model, name, ids, 16, 8), _after(model, name, ids, 16, *[1] * 8)
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError):
            return Reading(last_only=last_only)
    if pieces is None or single is None:
        return Reading(last_only=last_only)
    # The rounding of going on one token at a time is the measure.
    rounding = float((single[0] - whole).abs().max()) + 1e-5 * float(whole.abs().max())
    chunked = float((pieces[0] - whole).abs().max()) <= 4 * rounding
    return Reading(name, chunked, last_only, plain=type(cache) in KNOWN)


def _after(model: Any, name: str, ids: Tensor, *parts: int) -> tuple[Tensor, Any] | None:
    """The last logits (V,) and the cache after reading in these parts; None where there is no cache to go on from."""
    cache, at, logits = None, 0, ids.new_zeros(0)
    for part in parts:
        out = model(input_ids=ids[:, at : at + part], use_cache=True, **{name: cache})
        cache, at = getattr(out, name, None), at + part
        if cache is None:
            return None
        logits = out.logits[0, -1].float()
    return logits, cache
