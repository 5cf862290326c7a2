"""Language models in GGUF files: which are read, and what their notes say of them. Loads no tensor."""

from typing import Any

from studio.hub.gguf import GgufHead

UNPACKED = frozenset(
    {
        "llama", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "falcon", "bloom", "gpt2",
        "starcoder2", "stablelm", "mamba", "nemotron", "lfm2", "gpt-oss", "deci", "minimax-m2",
    }
)  # fmt: skip
"""Architectures that transformers unpacks, by their names in the file."""

SIZES = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "context_length": "max_position_embeddings",
}

NOTE = (
    "It is unpacked while it is loaded and takes as much memory as the model it was made of; its size on disk says "
    "nothing about that."
)


def told(head: GgufHead) -> dict[str, Any]:
    """The fields of an entry; empty when the file holds no language model that is read."""
    words = head.shapes.get("token_embd.weight")
    if head.architecture not in UNPACKED or words is None or not head.notes.get("block_count"):
        return {}
    sizes = {name: head.notes[key] for key, name in SIZES.items() if key in head.notes}
    tied = "output.weight" not in head.shapes
    config = {**sizes, "vocab_size": words[0], "tie_word_embeddings": tied}
    return {"capability": "text-generation", "family": head.architecture, "config": config}
