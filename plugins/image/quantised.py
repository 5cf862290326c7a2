"""Weights in fewer bits by bitsandbytes and torchao: made while loading, or read as a folder stores them.

Owns which library does what on this device, the configurations for from_pretrained, and what is said where a
library is missing. Both are optional (the extra `quantised`); which are there is told by `families.quantisers`.
diffusers lets bitsandbytes work on graphics devices only; on a processor its quantisers are made to work here.
"""

import logging
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import diffusers
import torch

from studio.errors import StudioError

from .families import quantisers

HINT = 'Install it with pip install "atelier-studio[quantised]", or choose a model in 16 bits.'
NF4 = "nf4"
_MADE_HERE = "made_here"


def require(quantised: str) -> None:
    """Raises StudioError code "quantised" when weights are asked for that nothing here can make."""
    if quantised == "none":
        return
    have, graphics = quantisers(), torch.cuda.is_available()
    if not have:
        raise _refusal(
            f"{quantised} was asked for, but neither bitsandbytes nor torchao is installed.",
            'Install them with pip install "atelier-studio[quantised]", or choose none under Weights.',
        )
    if quantised == "int4" and "bitsandbytes" not in have and not (graphics and find_spec("mslk")):
        raise _refusal(
            "int4 was asked for, but bitsandbytes is not installed, and torchao makes int4 on a graphics device "
            "with mslk alone.",
            "Choose int8 or none under Weights, or install bitsandbytes.",
        )


def config_for(quantised: str, dtype: torch.dtype, library: str) -> Any:
    """The quantisation config for from_pretrained of `library` ("diffusers" or "transformers"); None for "none".

    int4 is NF4 of bitsandbytes where that is installed. int8 is bitsandbytes' on a graphics device and torchao's on
    a processor, where bitsandbytes would round the activations as well.
    """
    if quantised == "none":
        return None
    import transformers

    owner: Any = diffusers if library == "diffusers" else transformers
    _prepare()
    if not _by_bitsandbytes(quantised):
        from torchao import quantization  # type: ignore[import-not-found]

        # Its settings of the compiler would change how other jobs of this process multiply.
        kind = "Int8WeightOnlyConfig" if quantised == "int8" else "Int4WeightOnlyConfig"
        config = owner.TorchAoConfig(getattr(quantization, kind)(set_inductor_config=False))
    elif quantised == "int8":
        config = owner.BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = owner.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type=NF4, bnb_4bit_compute_dtype=dtype
        )  # fmt: skip
    setattr(config, _MADE_HERE, True)
    return config


def check_stored(part: str, config: dict[str, Any]) -> bool:
    """Whether the part with this configuration is stored in fewer bits. Raises StudioError when it cannot be read."""
    said = config.get("quantization_config")
    if said is None:
        return False
    method = said.get("quant_method") if isinstance(said, dict) else None
    if isinstance(said, dict) and (said.get("load_in_4bit") or said.get("load_in_8bit")):
        method = "bitsandbytes"
    if method not in ("bitsandbytes", "torchao"):
        raise _refusal(
            f"The part {part} of the model is stored in the way {str(method)[:60]!r}, which is not read.",
            "Choose the model in 16 bits, or one that bitsandbytes or torchao made.",
        )
    if method not in quantisers():
        raise _refusal(f"The part {part} of the model is stored in the way of {method}, which is not installed.", HINT)
    _prepare()
    return True


def settle(module: torch.nn.Module, dtype: torch.dtype) -> str:
    """Makes a loaded part compute in `dtype`, whatever its file asks for; how it is packed, "" when it is not."""
    found: dict[str, None] = {}
    for layer in module.modules():
        kind, weight = type(layer).__name__, getattr(layer, "weight", None)
        if kind == "Linear4bit":
            state: Any = layer
            state.compute_dtype, state.compute_type_is_set = dtype, True
            # Its own kernel for such processors rounds to bfloat16: pictures would depend on the machine.
            state.support_avx512bf16_for_cpu = False
            found[f"{getattr(weight, 'quant_type', NF4)}, {_named('bitsandbytes')}"] = None
        elif kind == "Linear8bitLt":
            found[f"int8, {_named('bitsandbytes')}"] = None
        elif kind == "GGUFLinear":
            found[f"{_gguf_type(weight)}, GGUF"] = None
        elif _is_torchao(weight):
            found[f"{_torchao_type(weight)}, {_named('torchao')}"] = None
    return "; ".join(sorted(found))


def held(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """The tensors that a part really holds: of packed ones the bytes and the statistics beside them."""
    for weight in module.parameters():
        if hasattr(weight, "__tensor_flatten__"):
            yield from (getattr(weight, name) for name in getattr(weight, "__tensor_flatten__")()[0])  # noqa: B009
            continue
        yield weight
        state = getattr(weight, "quant_state", None)
        beside = (getattr(state, "absmax", None), getattr(getattr(state, "state2", None), "absmax", None))
        yield from (tensor for tensor in (*beside, getattr(weight, "SCB", None)) if isinstance(tensor, torch.Tensor))
    yield from module.buffers()


def _by_bitsandbytes(quantised: str) -> bool:
    have = quantisers()
    if "bitsandbytes" not in have or "torchao" not in have:
        return "bitsandbytes" in have
    return quantised == "int4" or torch.cuda.is_available()


def _prepare() -> None:
    """Puts ours in the place of diffusers' quantisers; bitsandbytes says at every layer what is done on purpose."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from diffusers.quantizers import auto

    table: Any = auto.AUTO_QUANTIZER_MAPPING
    for name in ("bitsandbytes_4bit", "bitsandbytes_8bit", "torchao"):
        if not issubclass(table[name], _Quantiser):
            table[name] = type(f"Studio{table[name].__name__}", (_Quantiser, table[name]), {})


class _Quantiser:
    """What diffusers' quantisers leave out: bitsandbytes without a graphics device, single files in 16 bits."""

    def __init__(self, quantization_config: Any, **more: Any):
        # from_single_file does not say it, and would take such a file for one that is packed.
        more.setdefault("pre_quantized", not getattr(quantization_config, _MADE_HERE, False))
        super().__init__(quantization_config, **more)  # type: ignore[call-arg]

    def validate_environment(self, *args: Any, **more: Any) -> None:
        if self._lacks_device():
            return  # bitsandbytes has kernels for processors
        super().validate_environment(*args, **more)  # type: ignore[misc]

    def update_device_map(self, device_map: Any) -> Any:
        if self._lacks_device():
            return {"": "cpu"} if device_map is None else device_map
        return super().update_device_map(device_map)  # type: ignore[misc]

    def _lacks_device(self) -> bool:
        return "BnB" in type(self).__name__ and not torch.cuda.is_available()


def _is_torchao(weight: Any) -> bool:
    return type(weight).__module__.startswith("torchao.") and hasattr(weight, "__tensor_flatten__")


def _torchao_type(weight: Any) -> str:
    return type(weight).__name__.removesuffix("Tensor").lower()


def _gguf_type(weight: Any) -> str:
    kind = getattr(weight, "quant_type", None)
    return str(getattr(kind, "name", kind)).lower()


def _named(library: str) -> str:
    return f"{library} {version(library)}"


def _refusal(detail: str, hint: str) -> StudioError:
    return StudioError("Quantised weights cannot be loaded here", detail, hint, code="quantised")
