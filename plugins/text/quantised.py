"""Weights in fewer bits, by bitsandbytes or torchao, where one is installed; a refusal in words where neither is.

Owns which of them does what on this device, as the image models' loading has it: int4 is NF4 of bitsandbytes; int8 is
bitsandbytes' on a graphics device, and torchao's on a processor, where bitsandbytes would round the activations too.
"""

import logging
from importlib.util import find_spec
from typing import Any

import torch

from studio.errors import StudioError

EXTRA = 'Install them with pip install "atelier-studio[quantised]", or load the weights as they are stored.'


def config_for(weights: str, device: str, dtype: torch.dtype) -> Any:
    """The quantisation for from_pretrained, None for "as stored". Raises StudioError code "quantised"."""
    if weights == "as stored":
        return None
    have = {name for name in ("bitsandbytes", "torchao") if find_spec(name) is not None}
    graphics = device.startswith("cuda")
    if not have:
        raise _refusal(f"{weights} was asked for, but neither bitsandbytes nor torchao is installed.", EXTRA)
    import transformers

    if "bitsandbytes" in have and (weights == "int4" or graphics or "torchao" not in have):
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says at every layer what is done on purpose
        if weights == "int8":
            return transformers.BitsAndBytesConfig(load_in_8bit=True)
        return transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    if weights == "int4" and not (graphics and find_spec("mslk")):
        raise _refusal(
            "int4 was asked for, but bitsandbytes is not installed, and torchao makes int4 on a graphics device with "
            "mslk alone.",
            "Choose int8, or install bitsandbytes.",
        )
    from torchao import quantization  # type: ignore[import-not-found]

    kind = "Int8WeightOnlyConfig" if weights == "int8" else "Int4WeightOnlyConfig"
    # Its settings of the compiler would change how other jobs of this process multiply.
    return transformers.TorchAoConfig(getattr(quantization, kind)(set_inductor_config=False))


def settle(model: Any, dtype: torch.dtype) -> None:
    """Makes packed layers compute in the run's dtype, on every processor alike."""
    for layer in model.modules():
        if type(layer).__name__ == "Linear4bit":
            layer.compute_dtype, layer.compute_type_is_set = dtype, True
            layer.support_avx512bf16_for_cpu = False


def _refusal(detail: str, hint: str) -> StudioError:
    return StudioError("Quantised weights cannot be loaded here", detail, hint, code="quantised")
