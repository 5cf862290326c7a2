"""The painter of the starter image model: a UNet that takes the noise out of latents, taught with its text encoder.

Owns its two layouts, what they learn from a batch, and the painting that measures it. Latents are (B, 4, h, w) with
unit deviation; the model predicts v (Salimans & Ho 2022). The loss of v is not weighted unless asked for: a name
belongs to one picture, so all is won at the noisy end, where v is the picture itself, and where min-SNR weights (Hang
et al. 2023) all but vanish.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportReturnType=false

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTokenizer

from scripts.starter_image_text import build_text_encoder, encode, token_ids
from scripts.starter_image_training import Design, spread

DESIGNS = ("pooled", "cross")  # SDXL's layout; SD's layout
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": False,
}
LEAN = 0.7  # below 1: timesteps lean to the noisy end
TIME_IDS = 6  # SDXL's original size, crop and target size


@dataclass(frozen=True)
class Shape:
    """How large the painter is."""

    channels: tuple[int, int, int] = (48, 96, 192)
    text_width: int = 160
    text_layers: int = 3
    time_width: int = 8


def build_unet(design: str, shape: Shape, latent_size: int, latent_channels: int = 4) -> UNet2DConditionModel:
    pooled: dict[str, Any] = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": shape.time_width,
        "projection_class_embeddings_input_dim": shape.time_width * TIME_IDS + shape.text_width,
    }
    return UNet2DConditionModel(
        sample_size=latent_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=shape.channels,
        layers_per_block=1,
        attention_head_dim=4,
        norm_num_groups=16,
        cross_attention_dim=shape.text_width,
        use_linear_projection=True,
        resnet_time_scale_shift="scale_shift",
        **(pooled if design == "pooled" else {}),
    )


class Painter(Design):
    """UNet and text encoder; gamma: of the loss's weights (`min_snr`), None for none."""

    def __init__(
        self, design: str, shape: Shape, tokenizer: CLIPTokenizer, latent_size: int, gamma: float | None = None
    ):
        super().__init__()
        self.gamma = gamma
        self.size = latent_size * 4  # pixels
        self.text = build_text_encoder(tokenizer, design == "pooled", shape.text_width, shape.text_layers)
        self.unet = build_unet(design, shape, latent_size)
        self.unet.to(memory_format=torch.channels_last)

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        hidden, pooled = encode(self.text, ids)
        return self.denoise(noisy, timesteps, hidden, pooled)

    def loss(self, examples: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Squared error of v. Noisy timesteps are drawn more often, for there the words decide what it will be."""
        noise = torch.randn_like(examples)
        signal, noise_share = shares()
        timesteps = (spread(len(examples)) ** LEAN * len(signal)).long().clamp(max=len(signal) - 1)
        a, s = signal[timesteps, None, None, None], noise_share[timesteps, None, None, None]
        noisy = (a * examples + s * noise).contiguous(memory_format=torch.channels_last)
        error = (self(noisy, timesteps, ids) - (a * noise - s * examples)).square()
        return error.mean() if self.gamma is None else (min_snr(a, s, self.gamma) * error).mean()

    def denoise(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, hidden: torch.Tensor, pooled: torch.Tensor | None
    ) -> torch.Tensor:
        more = None
        if pooled is not None:
            whole = torch.tensor([self.size, self.size, 0, 0, self.size, self.size], dtype=noisy.dtype)
            more = {"text_embeds": pooled, "time_ids": whole.expand(len(noisy), TIME_IDS)}
        return self.unet(noisy, timesteps, hidden, added_cond_kwargs=more).sample


def shares() -> tuple[torch.Tensor, torch.Tensor]:
    """Per timestep: the signal's and the noise's share of what the model sees."""
    signal = DDIMScheduler(**SCHEDULE).alphas_cumprod
    return signal.sqrt(), (1 - signal).sqrt()


def min_snr(signal: torch.Tensor, noise: torch.Tensor, gamma: float) -> torch.Tensor:
    """Weights of the squared error of v: min(SNR, gamma) / (SNR + 1), SNR = (signal / noise)^2 (Hang et al. 2023)."""
    ratio = (signal / noise).square()
    return ratio.clamp(max=gamma) / (ratio + 1)


@torch.no_grad()
def paint(
    model: Painter, tokenizer: CLIPTokenizer, texts: list[str], steps: int = 20, guidance: float = 3.0, seed: int = 0
) -> torch.Tensor:
    """Latents (N, 4, h, w) painted from words with classifier-free guidance."""
    model.eval()
    sampler = DDIMScheduler(**SCHEDULE)
    sampler.set_timesteps(steps)
    hidden, pooled = encode(model.text, token_ids(tokenizer, ["" for _ in texts] + texts))
    made = torch.randn(
        len(texts),
        model.unet.config["in_channels"],
        model.unet.config["sample_size"],
        model.unet.config["sample_size"],
        generator=torch.Generator().manual_seed(seed),
    )
    for timestep in sampler.timesteps:
        empty, told = model.denoise(torch.cat([made, made]), timestep, hidden, pooled).chunk(2)
        made = sampler.step(empty + guidance * (told - empty), int(timestep), made).prev_sample
    return made


@torch.no_grad()
def fit(
    model: Painter, tokenizer: CLIPTokenizer, latents: torch.Tensor, names: list[list[str]], seed: int = 1
) -> float:
    """The loss of v on every picture asked for by its first name, at noise that is the same for every model."""
    model.eval()
    dice = torch.Generator().manual_seed(seed)
    signal, noise_share = shares()
    timesteps = torch.linspace(0, len(signal) - 1, len(latents)).long()[torch.randperm(len(latents), generator=dice)]
    noise = torch.randn(latents.shape, generator=dice)
    a, s = signal[timesteps, None, None, None], noise_share[timesteps, None, None, None]
    total = 0.0
    for part in torch.arange(len(latents)).split(32):
        ids = token_ids(tokenizer, [names[i][0] for i in part])
        made = model((a * latents + s * noise)[part], timesteps[part], ids)
        total += (made - (a * noise - s * latents)[part]).square().mean((1, 2, 3)).sum().item()
    return total / len(latents)

