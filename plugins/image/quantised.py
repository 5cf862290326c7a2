"""Weights in fewer bits, where bitsandbytes or torchao is installed; a refusal in words where neither is."""

from importlib.util import find_spec
from typing import Any

import diffusers
import torch

from studio.errors import StudioError

from .families import quantisers


def require(quantised: str) -> None:
    """Raises StudioError code "quantised" when weights are asked for that nothing here can make."""
    if quantised == "none":
        return
    have, graphics = quantisers(), torch.cuda.is_available()
    if not have:
        raise _refusal(
            quantised,
            "neither bitsandbytes nor torchao is installed",
            "Install one of them, or choose none under Weights.",
        )
    if "bitsandbytes" in have and graphics:
        return
    if "torchao" not in have:
        raise _refusal(quantised, "bitsandbytes needs a graphics device", "Install torchao, or choose none.")
    if quantised == "int4" and not (graphics and find_spec("mslk")):
        raise _refusal(quantised, "torchao makes them on a graphics device with mslk alone", "Choose int8 or none.")


def _refusal(quantised: str, why: str, hint: str) -> StudioError:
    detail = f"{quantised} was asked for, but {why}."
    return StudioError("Quantised weights cannot be loaded here", detail, hint, code="quantised")


def config_for(quantised: str, dtype: torch.dtype, library: str) -> Any:
    """The quantisation config for from_pretrained of `library` ("diffusers" or "transformers"); None for "none".

    On a graphics device bitsandbytes goes first: its int4 (NF4) is much quicker than torchao's.
    """
    if quantised == "none":
        return None
    import transformers

    owner: Any = diffusers if library == "diffusers" else transformers
    if "bitsandbytes" in quantisers() and (torch.cuda.is_available() or "torchao" not in quantisers()):
        if quantised == "int8":
            return owner.BitsAndBytesConfig(load_in_8bit=True)
        return owner.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    from torchao import quantization  # type: ignore[import-not-found]

    kind = "Int8WeightOnlyConfig" if quantised == "int8" else "Int4WeightOnlyConfig"
    return owner.TorchAoConfig(getattr(quantization, kind)())
