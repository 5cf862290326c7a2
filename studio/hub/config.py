"""A model's config.json, made harmless: what could run code is taken out, absurd numbers are refused.

Owns the list of dangerous keys and the limits. Imports errors and hub.checked_json only.
"""

import math
import re
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.hub.checked_json import read_json

# Keys by which a configuration makes a library import code: from the folder, or from a hub.
_CODE = re.compile(
    r"^(auto_map|custom_pipelines?|custom_code|trust_remote_code|_?(attn|experts|mlp)_implementation\w*|use_kernels?|kernel_config)$"
)
_LIMITS = {
    "vocab_size": (1, 20_000_000),
    "hidden_size": (1, 1_000_000), "n_embd": (1, 1_000_000), "d_model": (1, 1_000_000),
    "intermediate_size": (1, 10_000_000), "ffn_dim": (1, 10_000_000), "d_ff": (1, 10_000_000),
    "num_hidden_layers": (1, 2_000), "n_layer": (1, 2_000), "num_layers": (1, 2_000), "n_layers": (1, 2_000),
    "num_attention_heads": (1, 10_000), "n_head": (1, 10_000), "num_heads": (1, 10_000), "n_heads": (1, 10_000),
    # Mixed models write 0 for a kind of heads that they do not have, and -1 for no limit.
    "num_key_value_heads": (0, 10_000), "head_dim": (0, 100_000),
    "max_position_embeddings": (-1, 1 << 30), "n_positions": (-1, 1 << 30), "n_ctx": (-1, 1 << 30),
    "num_experts": (0, 100_000), "num_local_experts": (0, 100_000), "state_size": (1, 1_000_000),
    "num_train_timesteps": (1, 1_000_000),
}  # fmt: skip
_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_sequence_length")


def safe_config(path: Path) -> dict[str, Any]:
    """The configuration in the file `path` without what runs code; numbers checked. Raises StudioError."""
    return safe_config_and_keys(path)[0]


def safe_config_and_keys(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Like safe_config, with the names of the dangerous keys that were taken out at the top."""
    found = read_json(path)
    config = stripped(found)
    check(config, path)
    return config, sorted(key for key in found if _CODE.match(key))


def stripped(value: Any, depth: int = 0) -> Any:
    """A copy without dangerous keys at any depth."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if not _CODE.match(key)}
        return {key: stripped(inner, depth + 1) for key, inner in kept.items()} if depth < 20 else {}
    if isinstance(value, list):
        return [stripped(inner, depth + 1) for inner in value] if depth < 20 else []
    return value


def check(config: dict[str, Any], path: Path) -> None:
    """Raises StudioError when a number is of the wrong type or beyond what any model has."""
    for part in (config, *(inner for inner in config.values() if isinstance(inner, dict))):
        for key, (low, high) in _LIMITS.items():
            value = part.get(key)
            if not all(_fits(item, low, high) for item in _each(key, value)):
                raise StudioError(
                    "The model's configuration makes no sense",
                    f"{path.name} says {key} = {str(value)[:60]}; a number from {low:,} to {high:,} is expected.",
                    "Download this file again from where it came from.",
                    code="bad-config",
                )


def _each(key: str, value: Any) -> list[Any]:
    """The numbers in a value: mixed models give one a layer, or layers by part."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and key == "num_hidden_layers":
        return list(value.values())
    return [] if value is None else [value]


def _fits(value: Any, low: int, high: int) -> bool:
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return value is None or (whole and low <= value <= high)


def check_budget(config: dict[str, Any], parameters: int, path: Path) -> None:
    """Raises StudioError when the configuration asks for far more weights than the files hold.

    A library would build the whole model before it notices, and take all memory for it.
    """
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    hidden, layers = _first(text, "hidden_size", "n_embd", "d_model"), _first(text, "num_hidden_layers", "n_layer")
    # A layer has more than two square matrices in every architecture that does not share its layers.
    least = 2 * layers * hidden * hidden + _first(text, "vocab_size") * hidden
    if parameters and least > 20 * parameters + 100_000_000:
        raise StudioError(
            "The model's configuration does not match its weights",
            f"{path.name} describes a model of more than {least:,} parameters; the files hold {parameters:,}.",
            "Download the model again, completely.",
            code="bad-config",
        )


def context_of(config: dict[str, Any]) -> int:
    """How many tokens the model was made for; 0 when its configuration does not say."""
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and (found := _first(part, *_CONTEXT)) > 0:
            return found
    return 0


def small(config: dict[str, Any], depth: int = 2) -> dict[str, Any]:
    """The part worth keeping in a catalogue: numbers, short texts, short lists, at most 200 of them."""
    kept: dict[str, Any] = {}
    for key, value in list(config.items())[:400]:
        row = value if isinstance(value, list) else [value]
        if len(row) <= 64 and all(_is_small(item) for item in row) and len(kept) < 200 and len(key) <= 100:
            kept[key] = value
        elif isinstance(value, dict) and depth > 0:
            kept[key] = small(value, depth - 1)
    return kept


def _is_small(value: Any) -> bool:
    """Mixed models write Infinity, which JSON between processes does not have; numbers of many digits are no use."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return len(value) <= 200
    return value is None or (isinstance(value, int) and abs(value) < 1 << 63)


def _first(config: Any, *keys: str) -> int:
    return next((config[key] for key in keys if type(config.get(key)) is int), 0)
