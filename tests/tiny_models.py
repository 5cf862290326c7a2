"""Tiny language models in Hugging Face layout, randomly initialised, made in a second; and broken ones.

Their text is noise, which is what a decode loop has to be right about: every token is as likely as another, so
characters are cut, bytes are invalid and nothing repeats by accident.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

VOCABULARY = 384
CONTEXT = 1200
WORDS = (
    "Once upon a time there was a fox who lived in the old wood and told the birds what the river had said. "
    "The birds did not believe a word of it, but they listened, for the winter was long and the nights were cold. "
    "“Où est la clé ?” fragte der Bär; 森の中で、狐は笑った。 naïve café — 🦊🌲👩‍👩‍👧 "
)


def byte_level_tokenizer(folder: Path) -> Any:
    """A byte-level BPE of VOCABULARY tokens with <s>, </s> and <pad>, trained on the words above and saved."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS] * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.save_pretrained(folder)
    return fast


def _save(folder: Path, kind: str, config: Any, seed: int, spread: float) -> Path:
    """Weights are spread wider than usual, so that the likeliest token changes from step to step."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    before = torch.get_rng_state()
    torch.manual_seed(seed)
    model = getattr(transformers, kind)(config)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=spread)
    torch.set_rng_state(before)
    model.save_pretrained(folder, safe_serialization=True)
    byte_level_tokenizer(folder)
    return folder


IDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


def build_gpt2(folder: Path, seed: int = 1, **changes: Any) -> Path:
    from transformers import GPT2Config

    sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": 48, "n_layer": 2, "n_head": 4}
    return _save(folder, "GPT2LMHeadModel", GPT2Config(**{**sizes, **IDS, **changes}), seed, 0.3)


def _llama_sizes(**changes: Any) -> dict[str, Any]:
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
    }
    return {**sizes, **IDS, **changes}


def build_llama(folder: Path, seed: int = 2, **changes: Any) -> Path:
    from transformers import LlamaConfig

    return _save(folder, "LlamaForCausalLM", LlamaConfig(**_llama_sizes(**changes)), seed, 0.3)


def build_qwen2(folder: Path, seed: int = 3, **changes: Any) -> Path:
    from transformers import Qwen2Config

    return _save(folder, "Qwen2ForCausalLM", Qwen2Config(**_llama_sizes(**changes)), seed, 0.3)


def build_mistral(folder: Path, seed: int = 4, **changes: Any) -> Path:
    """With a sliding window of 64 tokens."""
    from transformers import MistralConfig

    config = MistralConfig(**_llama_sizes(**{"sliding_window": 64, **changes}))
    return _save(folder, "MistralForCausalLM", config, seed, 0.3)


def build_qwen3(folder: Path, seed: int = 8, **changes: Any) -> Path:
    from transformers import Qwen3Config

    return _save(folder, "Qwen3ForCausalLM", Qwen3Config(**_llama_sizes(**{"head_dim": 12, **changes})), seed, 0.3)


def build_gemma2(folder: Path, seed: int = 9, **changes: Any) -> Path:
    """Every other layer has a sliding window of 16 tokens."""
    from transformers import Gemma2Config

    config = Gemma2Config(**_llama_sizes(**{"head_dim": 12, "sliding_window": 16, **changes}))
    return _save(folder, "Gemma2ForCausalLM", config, seed, 0.3)


def build_qwen3_5(folder: Path, seed: int = 10, **changes: Any) -> Path:
    """A hybrid: gated linear attention and full attention in turn."""
    from transformers import Qwen3_5TextConfig

    linear = {f"linear_num_{kind}_heads": 2 for kind in ("key", "value")}
    linear |= {f"linear_{kind}_head_dim": 8 for kind in ("key", "value")}
    types = {"layer_types": ["linear_attention", "full_attention"]}
    config = Qwen3_5TextConfig(**_llama_sizes(**{"head_dim": 12, **linear, **types, **changes}))
    return _save(folder, "Qwen3_5ForCausalLM", config, seed, 0.3)


def build_lfm2(folder: Path, seed: int = 11, **changes: Any) -> Path:
    """A hybrid: short convolutions and full attention in turn."""
    from transformers import Lfm2Config

    config = Lfm2Config(**_llama_sizes(**{"layer_types": ["conv", "full_attention"], **changes}))
    return _save(folder, "Lfm2ForCausalLM", config, seed, 0.3)


def build_falcon_h1(folder: Path, seed: int = 12, **changes: Any) -> Path:
    """A hybrid whose every layer has both: a state space and full attention."""
    from transformers import FalconH1Config

    sizes = {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8}
    return _save(folder, "FalconH1ForCausalLM", FalconH1Config(**_llama_sizes(**{**sizes, **changes})), seed, 0.3)


def build_recurrent_gemma(folder: Path, seed: int = 13, **changes: Any) -> Path:
    """Announces a cache and keeps its state in its modules instead."""
    from transformers import RecurrentGemmaConfig

    sizes = {"num_hidden_layers": 3, "num_key_value_heads": 1, "lru_width": 48, "attention_window_size": 16}
    config = RecurrentGemmaConfig(**_llama_sizes(**{**sizes, **changes}))
    return _save(folder, "RecurrentGemmaForCausalLM", config, seed, 0.3)


def build_mamba(folder: Path, seed: int = 5, **changes: Any) -> Path:
    from transformers import MambaConfig

    sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
    return _save(folder, "MambaForCausalLM", MambaConfig(**{**sizes, **IDS, **changes}), seed, 0.3)


def build_openai_gpt(folder: Path, seed: int = 6, **changes: Any) -> Path:
    """An architecture without any cache."""
    from transformers import OpenAIGPTConfig

    sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "n_positions": 128, "n_embd": 32, "n_layer": 2, "n_head": 4}
    return _save(folder, "OpenAIGPTLMHeadModel", OpenAIGPTConfig(**{**sizes, **changes}), seed, 0.3)


def build_bloom(folder: Path, seed: int = 7, **changes: Any) -> Path:
    """Positions by ALiBi, eager attention only."""
    from transformers import BloomConfig

    sizes: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4}
    return _save(folder, "BloomForCausalLM", BloomConfig(**{**sizes, **IDS, **changes}), seed, 0.3)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "gpt2": build_gpt2,
    "llama": build_llama,
    "qwen2": build_qwen2,
    "mamba": build_mamba,
}


# Broken ones: each is `good` copied to `folder`, with one thing wrong.


def truncated(good: Path, folder: Path) -> Path:
    """Its safetensors file ends in the middle of the weights."""
    weights = shutil.copytree(good, folder) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size * 2 // 3])
    return folder


def without_tokenizer(good: Path, folder: Path) -> Path:
    return shutil.copytree(good, folder, ignore=shutil.ignore_patterns("tokenizer*", "special_tokens*"))


def damaged_tokenizer(good: Path, folder: Path) -> Path:
    shutil.copytree(good, folder)
    (folder / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "BPE"')
    return folder


def _with_tensors(good: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    from safetensors.torch import load_file, save_file

    weights = shutil.copytree(good, folder) / "model.safetensors"
    tensors = load_file(weights)
    change(tensors)
    save_file(tensors, weights, metadata={"format": "pt"})
    return folder


def with_nan(good: Path, folder: Path) -> Path:
    """One number of one tensor is NaN."""

    def change(tensors: dict[str, Any]) -> None:
        tensors[sorted(tensors)[-1]].view(-1)[3] = float("nan")

    return _with_tensors(good, folder, change)


def incomplete(good: Path, folder: Path) -> Path:
    """One tensor is missing from its file."""

    def change(tensors: dict[str, Any]) -> None:
        del tensors[next(name for name in sorted(tensors) if "layers.1" in name)]

    return _with_tensors(good, folder, change)


def pickle_only(good: Path, folder: Path) -> Path:
    """Its weights are a pytorch_model.bin; the bytes would run code if anything read them."""
    shutil.copytree(good, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pickle-was-read'\ntR.")
    return folder


def with_code(good: Path, folder: Path) -> Path:
    """Its config names code beside it, and an attention kernel to fetch; otherwise it is whole."""
    shutil.copytree(good, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    config["_attn_implementation"] = config["_attn_implementation_internal"] = "someone/evil-kernel"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('code of a model folder was run')\n")
    return folder


def unknown_architecture(good: Path, folder: Path) -> Path:
    shutil.copytree(good, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "tomorrows-idea"}))
    return folder
