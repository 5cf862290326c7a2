"""What the starter text and the starter code model have in common: their shape, their loss, their folder.

Owns how a small Llama is built, measured on held-out text and written to disk. Knows no text and no tokenizer.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Shape:
    """Widths of a Llama; `kv_heads` heads of keys and values serve `heads` heads of queries."""

    hidden: int = 256
    inner: int = 704
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4


def build_llama(
    tokenizer: PreTrainedTokenizerFast, context: int, shape: Shape | None = None, dropout: float = 0.0
) -> LlamaForCausalLM:
    """An untrained Llama whose output shares the embedding's weights."""
    shape = shape or Shape()
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            attention_dropout=dropout,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="sdpa",  # pyright: ignore[reportCallIssue] - one of the base class
        )
    )


@torch.no_grad()
def mean_loss(model: LlamaForCausalLM, ids: torch.Tensor, length: int) -> tuple[float, int]:
    """Mean next-token loss in nats over half-overlapping windows of ids (N,), and how many tokens counted."""
    total, count, half = 0.0, 0, length // 2
    model.eval()
    for start in range(0, len(ids) - length, half):
        window = ids[start : start + length].to(model.device)[None]
        logits = model(input_ids=window).logits.float()
        loss = F.cross_entropy(logits[0, half - 1 : -1], window[0, half:], reduction="sum")
        total, count = total + loss.item(), count + half
    return total / count, count


def publish(
    out: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, card: str, facts: dict[str, Any]
) -> dict[str, Any]:
    """Writes float16 weights, tokenizer, metrics.json and the card beside `out`, then puts them in its place.

    The card is a template that is filled from the facts and `sha`, the SHA-256 of the weights. Returns both.
    """
    staged = out.with_name(out.name + ".partial")
    shutil.rmtree(staged, ignore_errors=True)
    model.half().save_pretrained(staged, safe_serialization=True)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(staged)
    facts = {**facts, "sha": hashlib.sha256((staged / "model.safetensors").read_bytes()).hexdigest()}
    (staged / "README.md").write_text(card.format(**facts), encoding="utf-8")
    (staged / "metrics.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    staged.rename(out)
    return facts
