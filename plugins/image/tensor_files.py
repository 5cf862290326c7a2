"""Opens files of tensors, safetensors and GGUF, as tensors by name. Nothing is translated here.

Owns what is said of files whose numbers are packed in a way that is not read. In what comes from GGUF, packed
tensors are diffusers' GGUFParameter: bytes that know their type.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from diffusers.models.model_loading_utils import load_gguf_checkpoint
from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor
from gguf import GGMLQuantizationType
from safetensors import safe_open

from studio.errors import StudioError

PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.")
SCALED = re.compile(r"\.(scale_weight|weight_scale|scaled_fp8|comfy_quant|SCB)$|^scaled_fp8$|\.quant_state\.|_qdata$")
Tensors = dict[str, torch.Tensor]


def read_safetensors(path: Path) -> Tensors:
    """All tensors, mapped, not read. Raises StudioError for weights with scales beside them."""
    with safe_open(str(path), framework="pt") as file:
        keys = list(file.keys())
        if scaled := [key for key in keys if SCALED.search(key)]:
            raise StudioError(
                "These weights are packed in a way that is not read",
                f"{path.name} holds packed numbers with scales of their own ({scaled[0]}).",
                "Choose the file with 16 bits, a GGUF file, or a folder in diffusers' layout.",
                code="packed",
            )
        return {key: file.get_tensor(key) for key in keys}


def read_gguf(path: Path) -> Tensors:
    """All tensors; packed ones stay packed. Raises StudioError for a type of numbers that diffusers cannot unpack."""
    try:
        return load_gguf_checkpoint(str(path))
    except ValueError as error:
        said = re.match(r"(\S+) has a quantization type: (\d+)", str(error))
        if said is None:
            raise
        raise StudioError(
            "These weights are packed in a way that is not read",
            f"{path.name} holds {said[1]} in numbers of the type {GGMLQuantizationType(int(said[2])).name}.",
            "Choose a GGUF file of another type, such as Q8_0 or Q4_K.",
            code="packed",
        ) from None


def of_network(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """The denoising network's, by plain names: some files hold an autoencoder and text encoders as well."""
    for prefix in PREFIXES:
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if own:
            return own
    return dict(tensors)


def shape_of(tensor: torch.Tensor) -> torch.Size:
    """The shape of the weights, where they are packed too."""
    return torch.Size(getattr(tensor, "quant_shape", tensor.shape))


def unpacked(tensors: Mapping[str, torch.Tensor], packable: Collection[str], dtype: torch.dtype) -> Tensors:
    """With packed tensors as plain ones in `dtype`, but for those called `packable`."""
    return {
        name: dequantize_gguf_tensor(tensor).to(dtype)
        if isinstance(tensor, GGUFParameter) and name not in packable
        else tensor
        for name, tensor in tensors.items()
    }
