"""Picture models of a chosen size with random weights, in the layout of Stable Diffusion 1.5, and LoRAs for them."""

from pathlib import Path

import torch
from diffusers.utils import logging
from safetensors.torch import save_file
from transformers.utils import logging as transformers_logging

from tests import tiny_pipelines


def model(folder: Path, seed: int, channels: tuple[int, int]) -> int:
    """Writes a model and returns its size in bytes. (128, 256) are 70 MB, (192, 384) 160 MB, (320, 640) 430 MB."""
    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    torch.manual_seed(seed)
    pipeline = tiny_pipelines.sd15()
    pipeline.register_modules(unet=tiny_pipelines.unet(block_out_channels=channels, layers_per_block=2))
    pipeline.save_pretrained(folder, safe_serialization=True)
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def lora(path: Path, seed: int, channels: tuple[int, int], rank: int = 8) -> None:
    """A LoRA on the attention of the first block of such a model, in diffusers' layout."""
    torch.manual_seed(seed)
    state, wide = {}, channels[0]
    for layer in ("to_q", "to_k", "to_v", "to_out.0"):
        name = f"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.{layer}"
        state[f"{name}.lora_A.weight"] = torch.randn(rank, wide) * 0.05
        state[f"{name}.lora_B.weight"] = torch.randn(wide, rank) * 0.05
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
