"""Loads a causal language model and its tokenizer from a folder, distrusting the folder; or from a GGUF file.

Of folders safetensors only, no code of the folder is run, nothing is fetched; what config.json says about
code to run or attention kernels to use is dropped before anything reads it.
"""

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging as transformers_logging

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

from .gguf_file import unpack
from .language import Language
from .lexicon import Lexicon
from .probing import probe
from .quantised import config_for, settle

__all__ = ["Language", "load"]

# Keys by which a configuration makes transformers import code, from the folder or from a hub.
DISTRUSTED = re.compile(
    r"auto_map|custom_\w+|trust_remote_code|_?(attn|experts|mlp)_implementation\w*|use_kernels?|kernel_config"
)
LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "max_seq_len")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, ImportError)


def load(info: ModelInfo, device: str, dtype: str, weights: str = "as stored") -> Language:
    """weights: "int8" or "int4" to pack them. Raises StudioError saying what is wrong with the folder."""
    folder = Path(info.path)
    transformers_logging.disable_progress_bar()
    # It tells at every hybrid model that no fast kernels are installed; nobody can see it, nothing is wrong.
    logging.getLogger("transformers.integrations.hub_kernels").setLevel(logging.ERROR)
    packing: Any = None
    if folder.suffix.lower() == ".gguf":
        _require_whole(weights)
        config, tokenizer, model = unpack(folder, _dtype(dtype))
        tokenizer.model_max_length = sys.maxsize
    else:
        check_files(folder)
        config = read_config(folder)
        tokenizer = _tokenizer(folder, config)
        packing = _packing(weights, config, device, _dtype(dtype))
        model = _model(folder, config, _dtype(dtype), device, packing)
    check_numbers(model)
    if packing is None:
        model.to(device)
    settle(model, _dtype(dtype))
    text = config.get_text_config()
    vocabulary = model.get_input_embeddings().weight.shape[0]
    ends, reading = _ends(model, tokenizer), probe(model, vocabulary)
    return Language(
        model=model,
        tokenizer=tokenizer,
        context=next((int(n) for n in (getattr(text, name, None) for name in LENGTHS) if n and int(n) > 0), None),
        vocabulary=vocabulary,
        ends=ends,
        lexicon=Lexicon(tokenizer, vocabulary, ends),
        cache=reading.cache,
        chunked=reading.chunked,
        last_only=reading.last_only,
        plain=reading.plain,
        layers=_layers(model, text),
        movable=packing is None and getattr(config, "quantization_config", None) is None,
    )


def check_files(folder: Path) -> None:
    """What must be there, before anything large is read."""
    if not folder.is_dir():
        raise StudioError("The model's folder is gone", f"There is no folder {folder}.", code="model-missing")
    if not any(folder.glob("*.safetensors")):
        pickles = [file.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in folder.glob(pattern)]
        if pickles:
            raise StudioError(
                "The model's weights are stored in an unsafe format",
                f"{', '.join(sorted(pickles)[:3])}: reading a pickle can run any code, so it is not read.",
                "Get the model's safetensors files, or convert it.",
                code="unsafe-weights",
            )
        raise StudioError("The model has no weights", f"There is no .safetensors file in {folder}.", code="no-weights")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise StudioError(
            "The model has no tokenizer",
            f"None of {', '.join(TOKENIZERS)} is in {folder}.",
            "Get the tokenizer's files from where the model came from and put them beside the weights.",
            code="no-tokenizer",
        )


def read_config(folder: Path) -> PreTrainedConfig:
    """config.json of an architecture that transformers knows itself, freed of everything that names code."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudioError("The model's config.json cannot be read", f"{folder}: {error}", code="model-config") from None
    family = raw.get("model_type") if isinstance(raw, dict) else None
    if not isinstance(family, str) or family not in CONFIG_MAPPING:
        raise StudioError(
            "The model is of an unknown architecture",
            f"Its config.json says model_type {family!r}, which the installed transformers does not know.",
            "Models that bring their own code are not run.",
            code="unknown-architecture",
        )
    try:
        config = CONFIG_MAPPING[family].from_dict(trusted(raw))
    except BROKEN as error:
        raise StudioError("The model's config.json is not valid", _words(error), code="model-config") from None
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise StudioError(
            "The model does not write text",
            f"transformers knows no causal language model for {family!r}.",
            "Choose a text-generation model.",
            code="wrong-capability",
        )
    return config


def trusted(raw: Any) -> Any:
    """The same without entries that name code or kernels, at any depth; with the floats that JSON cannot write."""
    if isinstance(raw, dict):
        if isinstance(tag := raw.get("__float__"), str) and len(raw) == 1 and tag.lstrip("-") in ("Infinity", "NaN"):
            return float(tag)
        return {key: trusted(value) for key, value in raw.items() if not DISTRUSTED.fullmatch(key)}
    return [trusted(value) for value in raw] if isinstance(raw, list) else raw


def _packing(weights: str, config: PreTrainedConfig, device: str, dtype: torch.dtype) -> Any:
    if getattr(config, "quantization_config", None) is not None:
        _require_whole(weights)
    return config_for(weights, device, dtype)


def _require_whole(weights: str) -> None:
    if weights != "as stored":
        raise StudioError(
            "The weights are stored in fewer bits already",
            f"{weights} was asked for.",
            "Load them as they are stored.",
            code="quantised",
        )


def check_numbers(model: Any) -> None:
    """Raises StudioError naming the first tensor that holds NaN or infinity."""
    for name, weights in model.named_parameters():
        if hasattr(weights, "__tensor_flatten__"):
            continue  # packed: its numbers are whole ones and scales
        if weights.is_floating_point() and weights.numel() and weights.element_size() > 1:
            low, high = torch.aminmax(weights.detach())
            if not (bool(torch.isfinite(low)) and bool(torch.isfinite(high))):
                raise StudioError(
                    "The model's weights are damaged",
                    f"{name} holds NaN or infinity.",
                    "Get the model again; its file was damaged when it was made or on its way here.",
                    code="not-finite",
                )


def _tokenizer(folder: Path, config: PreTrainedConfig) -> Any:
    try:
        # The tokenizers library has no exception of its own for a file cut short; json has.
        if (folder / "tokenizer.json").is_file():
            json.loads((folder / "tokenizer.json").read_bytes())
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder), config=config, local_files_only=True, trust_remote_code=False
        )
    except (*BROKEN, RuntimeError) as error:
        raise StudioError(
            "The model's tokenizer could not be loaded", _words(error), "Get its files again.", code="tokenizer"
        ) from error
    tokenizer.model_max_length = sys.maxsize  # lengths are checked against the model, with numbers
    return tokenizer


def _model(folder: Path, config: PreTrainedConfig, dtype: torch.dtype, device: str, packing: Any) -> Any:
    known: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    kind = known[0] if isinstance(known, tuple) else known
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="sdpa" if kind._supports_sdpa else "eager",
            output_loading_info=True,
            **({"quantization_config": packing, "device_map": {"": device}} if packing is not None else {}),
        )
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except SafetensorError as error:
        raise StudioError(
            "The model's weights are damaged",
            f"A safetensors file in {folder} is truncated or not valid: {error}",
            "Get the model again; its file is not complete.",
            code="truncated",
        ) from None
    except (*BROKEN, RuntimeError) as error:
        if "out of memory" in str(error).lower():
            raise
        raise StudioError(
            "The model could not be loaded",
            _words(error),
            "Its files may be damaged, or of a kind this version cannot use.",
            code="model-load",
        ) from error
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise StudioError(
            "The model's weights are not complete",
            f"{len(missing)} tensors are missing from its files, among them {', '.join(missing[:3])}.",
            "Get the model again; a part of it is not here.",
            code="incomplete",
        )
    return model.eval().requires_grad_(False)


def _layers(model: Any, config: PreTrainedConfig) -> tuple[Any, ...]:
    """The blocks of the decoder; none where they are not kept in the usual way."""
    count = getattr(config, "num_hidden_layers", 0)
    lists = (m for m in model.modules() if isinstance(m, torch.nn.ModuleList))
    return tuple(next((blocks for blocks in lists if count and len(blocks) == count), ()))


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """End-of-text ids as generate() takes them; the tokenizer's where the model names none."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    return frozenset() if ends is None else frozenset([ends] if isinstance(ends, int) else ends)


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name.removeprefix("torch.") or "float32", None)
    return found if isinstance(found, torch.dtype) else torch.float32


def _words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:600]}"
