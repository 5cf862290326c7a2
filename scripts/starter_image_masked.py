"""The painter of masked tokens (aMUSEd, Patil et al. 2024): all codes of a picture at once, the surest kept first.

Owns its layout, what it learns from a batch, and its painting. It is what diffusers' AmusedPipeline would run.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportOptionalIterable=false, reportGeneralTypeIssues=false

import math
from dataclasses import dataclass

import torch
from diffusers import AmusedScheduler, UVit2DModel
from torch.nn import functional as F
from transformers import CLIPTokenizer

from scripts.starter_image_text import build_text_encoder, encode, token_ids
from scripts.starter_image_training import Design, spread

MICRO = 5  # aMUSEd's width, height, crop and score
SCORE = 6.0  # of beauty, as AmusedPipeline says it unless told otherwise


@dataclass(frozen=True)
class MaskedShape:
    """How large the painter is. Its layers see 2 x 2 tokens as one, as the larger aMUSEd does."""

    width: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 512
    outer_width: int = 192
    outer_layers: int = 1
    code_width: int = 128
    text_width: int = 160
    text_layers: int = 3
    micro_width: int = 8


def build_transformer(shape: MaskedShape, latent_size: int, codes: int) -> UVit2DModel:
    return UVit2DModel(
        hidden_size=shape.width,
        cond_embed_dim=shape.text_width,
        encoder_hidden_size=shape.text_width,
        micro_cond_encode_dim=shape.micro_width,
        micro_cond_embed_dim=shape.micro_width * MICRO,
        vocab_size=codes + 1,
        codebook_size=codes,
        in_channels=shape.code_width,
        block_out_channels=shape.outer_width,
        num_res_blocks=shape.outer_layers,
        block_num_heads=shape.heads,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        downsample=True,
        upsample=True,
        sample_size=latent_size,
    )


class MaskedPainter(Design):
    """Transformer and text encoder. Pictures are (B, h, w) codes; the code after the last means hidden."""

    def __init__(self, shape: MaskedShape, tokenizer: CLIPTokenizer, latent_size: int, codes: int):
        super().__init__()
        self.size, self.hidden = latent_size * 4, codes
        self.text = build_text_encoder(tokenizer, True, shape.text_width, shape.text_layers)
        self.transformer = build_transformer(shape, latent_size, codes)

    def loss(self, examples: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the hidden codes; their share is cos(pi/2 u), u even in 0 to 1 (Chang et al. 2022)."""
        batch, places = len(examples), examples[0].numel()
        count = (torch.cos(math.pi / 2 * spread(batch)) * places).round().clamp(min=1)
        hide = torch.rand(batch, places).argsort(1).argsort(1) < count[:, None]
        hide = hide.view_as(examples)
        logits = self.logits(torch.where(hide, self.hidden, examples), *encode(self.text, ids))
        return F.cross_entropy(logits.movedim(1, -1)[hide], examples[hide])

    def logits(self, tokens: torch.Tensor, words: torch.Tensor, pooled: torch.Tensor | None) -> torch.Tensor:
        """(B, codes, h, w) of tokens (B, h, w), words (B, LENGTH, D) and the pooled prompt (B, D)."""
        micro = torch.tensor([self.size, self.size, 0.0, 0.0, SCORE]).expand(len(tokens), MICRO)
        return self.transformer(tokens, words, pooled, micro)


@torch.no_grad()
def paint_masked(
    model: MaskedPainter,
    tokenizer: CLIPTokenizer,
    texts: list[str],
    steps: int = 12,
    guidance: float = 3.0,
    seed: int = 0,
) -> torch.Tensor:
    """Codes (N, h, w) painted from words with classifier-free guidance of the logits."""
    model.eval()
    sampler = AmusedScheduler(mask_token_id=model.hidden)
    sampler.set_timesteps(steps)
    words, pooled = encode(model.text, token_ids(tokenizer, ["" for _ in texts] + texts))
    side = model.size // 4
    made = torch.full((len(texts), side, side), model.hidden)
    dice = torch.Generator().manual_seed(seed)
    for timestep in sampler.timesteps:
        empty, told = model.logits(torch.cat([made, made]), words, pooled).chunk(2)
        made = sampler.step(empty + guidance * (told - empty), timestep, made, generator=dice).prev_sample
    return made
