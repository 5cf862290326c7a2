"""A language model out of one GGUF file, by transformers' own reader. Owns `unpack`.

transformers computes with unpacked weights: such a model takes as much memory as the one it was made of, whatever the
file's size. Configuration and tokenizer come out of the file's notes, of which only known ones are read: no code.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig

from studio.errors import StudioError

BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, ImportError)


def unpack(path: Path, dtype: torch.dtype) -> tuple[PreTrainedConfig, Any, Any]:
    """Configuration, tokenizer and model. Raises StudioError saying what is wrong with the file."""
    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    folder = str(path.parent)
    try:
        config = AutoConfig.from_pretrained(folder, **where)
        tokenizer = AutoTokenizer.from_pretrained(folder, **where)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=dtype, output_loading_info=True, attn_implementation="sdpa", **where
        )
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except (*BROKEN, RuntimeError) as error:
        if "out of memory" in str(error).lower():
            raise
        lines = " ".join(str(error).split())[:600]
        raise StudioError(
            "The GGUF file could not be loaded",
            f"{path.name}: {type(error).__name__}: {lines}",
            "transformers unpacks some architectures only. Get the model's safetensors version.",
            code="model-load",
        ) from error
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise StudioError(
            "The model's weights are not complete",
            f"{len(missing)} tensors are missing from {path.name}, among them {', '.join(missing[:3])}.",
            "A model in several GGUF files is not read. Get the model in one file, or as safetensors.",
            code="incomplete",
        )
    return config, tokenizer, model.eval().requires_grad_(False)
