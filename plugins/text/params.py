"""What can be asked of text.generate, and how much memory it takes. Imports no torch."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import SEED_LIMIT, Density, Params, Prompt, Seed, Ui

from .escapes import unescape
from .params_engine import EngineParams
from .params_sampling import SamplingParams
from .stages import TRANSFORMERS_ORDER

CHUNK = 512
"""The most prompt tokens that are read between two step boundaries."""

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
SHORT = {"f64": "float64", "f32": "float32", "bf16": "bfloat16", "f16": "float16"}


def with_order(values: dict[str, Any]) -> dict[str, Any]:
    """From version 1, which had one order: the penalty, temperature, top-k, top-p, min-p, typical-p.

    At temperature 0 it took the likeliest token whatever typical-p said.
    """
    values["order"] = list(TRANSFORMERS_ORDER)
    if values.get("temperature") == 0:
        values["typical_p"] = 1.0
    return values


class WritingParams(Params):
    """What every text is written from, and how long it may be."""

    prompt: Prompt = Field(default="", description="The text to go on from.")
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-generation")] = Field(
        default="", description="The language model; empty for the default one."
    )
    max_tokens: Annotated[int, Ui(group="Length", unit="tokens", soft_min=16, soft_max=1024)] = Field(
        default=200, ge=1, le=8192, description="Stop after this many tokens, about three quarters as many words."
    )
    stop: Annotated[list[str], Ui(group="Length", density=Density.EXPERT, widget="lines")] = Field(
        default_factory=list,
        max_length=16,
        description=r"Stop before any of these texts; \n is a line break, \t a tab, \\ a backslash.",
    )

    @field_validator("prompt")
    @classmethod
    def _no_nul(cls, prompt: str) -> str:
        if "\0" in prompt:
            raise ValueError(f"it holds a NUL character at position {prompt.index(chr(0))}, which is no text")
        return prompt

    @field_validator("stop")
    @classmethod
    def _stops_are_texts(cls, stop: list[str]) -> list[str]:
        if any(not text or "\0" in text for text in stop):
            raise ValueError("a text to stop at may not be empty or hold a NUL character")
        return stop

    def stops(self) -> list[str]:
        """The stop strings as the model would write them, escapes resolved."""
        return [unescape(text) for text in self.stop]


class ModelParams(EngineParams, SamplingParams, WritingParams):
    """What every operation has that writes with a language model."""

    seed: Seed = Field(default=None, description="The same seed and settings give the same text; empty draws one.")


class Generate(ModelParams):
    """Raw completion: the model goes on where the prompt ends."""

    version: ClassVar[int] = 2
    migrations: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: with_order}

    count: Annotated[int, Ui(group="Length", density=Density.EXPERT, soft_max=8)] = Field(
        default=1,
        ge=1,
        le=64,
        title="How many",
        description="So many different continuations at once, from one reading of the prompt; each has a seed of its "
        "own, counted on from the first.",
    )

    def seeds(self) -> list[int]:
        """One for each continuation."""
        first = self.with_seeds().seed or 0
        return [(first + i) % (SEED_LIMIT + 1) for i in range(self.count)]


def estimate(params: ModelParams, find: Callable[[str], ModelInfo | None]) -> Estimate:
    """Memory of one job: weights in the run's dtype, the cache of keys and values, logits and activations.

    An upper estimate: the prompt is counted as one token for every two bytes.
    """
    info = find(params.model)
    if info is None:
        return Estimate()
    config = info.config or {}
    config = {**config, **(config.get("text_config") or {})}
    width = run_bytes()
    weights = _weights(info, config, params, width)
    prompt = len(params.prompt.encode()) // 2 + 1
    tokens = prompt + params.max_tokens
    context = _first(config, "max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "max_seq_len")
    if context:
        tokens, prompt = min(tokens, context), min(prompt, context)
    hidden = _first(config, "hidden_size", "n_embd", "d_model") or 1024
    inner = _first(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    count = getattr(params, "count", 1)
    texts = count * (1 if params.guidance == 1 else 2)
    parts = {
        "weights": weights,
        "key-value cache": int(texts * cache_bytes(config, tokens, width) * params.kv_share(width)),
        # The model's own, one in float32, and what a sort of all of them needs.
        "logits": 16 * count * (_first(config, "vocab_size") or 50_000),
        "activations": min(CHUNK, prompt) * (8 * hidden + 3 * inner) * max(width, 4),
    }
    draft = find(params.draft) if params.guess == "draft model" and params.draft else None
    if draft is not None:
        own = {**(draft.config or {}), **((draft.config or {}).get("text_config") or {})}
        parts["draft model"] = _weights(draft, own, None, width) + cache_bytes(own, tokens, width)
    return Estimate(
        weights=weights,
        working=sum(parts.values()) - weights,
        parts=parts,
        rungs=(
            "Ask for fewer tokens or shorten the prompt.",
            "Keep keys and values in 8 bits.",
            "Load the weights in int8 or int4.",
            "Choose a smaller model.",
        ),
    )


def _weights(info: ModelInfo, config: dict[str, Any], params: EngineParams | None, width: int) -> int:
    """Bytes in the run's dtype, or packed."""
    parameters = info.parameters or info.size // BYTES.get(_dtype(info.dtype), width)
    if params is None:
        return parameters * width
    hidden = _first(config, "hidden_size", "n_embd", "d_model")
    tied = config.get("tie_word_embeddings", True)
    return params.packed_bytes(parameters, _first(config, "vocab_size") * hidden * (1 if tied else 2), width)


def cache_bytes(config: dict[str, Any], tokens: int, width: int) -> int:
    """2 * layers * kv_heads * head_dim * bytes * tokens; a recurrent state where there is no attention."""
    layers = _first(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers")
    hidden = _first(config, "hidden_size", "n_embd", "d_model")
    heads = _first(config, "num_attention_heads", "n_head", "n_heads", "num_heads")
    if not heads:
        inner = _first(config, "intermediate_size", "d_inner") or 2 * hidden
        return layers * inner * (_first(config, "state_size", "ssm_state_size") + _first(config, "conv_kernel")) * 4
    kv_heads = _first(config, "num_key_value_heads", "num_kv_heads") or heads
    head_dim = _first(config, "head_dim") or hidden // heads
    window = _first(config, "sliding_window") if config.get("use_sliding_window", True) else 0
    if window and "full_attention" not in (config.get("layer_types") or ()):
        tokens = min(tokens, window + CHUNK)
    return 2 * layers * kv_heads * head_dim * width * tokens


def run_bytes() -> int:
    """Bytes a weight takes while it runs: 4 on a processor (float32), 2 on a graphics device.

    Guessed the way a worker looks for a device, without touching one.
    """
    if os.environ.get("ATELIER_DEVICE") == "cpu":
        return 4
    if sys.platform == "darwin":
        return 2 if platform.machine() == "arm64" else 4
    try:
        if importlib.metadata.version("torch").endswith("+cpu"):
            return 4
    except importlib.metadata.PackageNotFoundError:
        return 4
    windows = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"
    signs = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"), Path("/dev/kfd"), windows)
    return 2 if any(sign.exists() for sign in signs) else 4


def _dtype(name: str) -> str:
    name = name.lower().removeprefix("torch.")
    return SHORT.get(name, name)


def _first(config: dict[str, Any], *names: str) -> int:
    """The first of these entries that is a positive whole number, else 0."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0
