"""The autoencoder of the starter image model: 64 x 64 colours to 16 x 16 latents and back.

Owns its shape, its loss, its training and the latents' scale; knows nothing of text. Encoder and decoder are
trained together first; later the decoder alone goes on, on latents that no longer change.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportOperatorIssue=false
# pyright: reportCallIssue=false

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional as F

from scripts.starter_image_data import to_model
from scripts.starter_image_stage import Stage, set_rate

KL_WEIGHT = 1e-4
Model = TypeVar("Model", bound=nn.Module)
# An autoencoder with colours (B, 3, H, W) in [-1, 1]: what comes back, and what its bottleneck adds to the loss.
Through = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def build_autoencoder(size: int, channels: tuple[int, ...] = (32, 64, 96), latent_channels: int = 4) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=8,
        sample_size=size,
        scaling_factor=1.0,
        force_upcast=False,
    )


def picture_loss(made: torch.Tensor, wanted: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """L1 at four sizes, which keeps flat colours full, and L1 of the edges; the drawing counts more than the white.

    made, wanted: (B, 3, H, W) in [-1, 1]; alpha: (B, 1, H, W) in [0, 1].
    """
    weight = 0.35 + F.max_pool2d(alpha, 5, 1, 2)
    weight = weight / weight.mean()
    error = made - wanted
    loss = (error.abs() * weight).mean()
    small = error
    for _ in range(3):
        small = F.avg_pool2d(small, 2)
        loss = loss + 0.4 * small.abs().mean()
    across = (error[..., 1:] - error[..., :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return loss + 0.5 * (across + down)


def augmented(batch: torch.Tensor) -> torch.Tensor:
    """Half of the pictures mirrored and all moved by up to 3 pixels; what moves in is white and clear."""
    flip = torch.rand(len(batch)) < 0.5
    batch = torch.where(flip[:, None, None, None], batch.flip(-1), batch)
    room = torch.tensor([255, 255, 255, 0], dtype=torch.uint8)[None, :, None, None]
    wide = room.expand(len(batch), 4, batch.shape[2] + 6, batch.shape[3] + 6).clone()
    y, x = (int(v) for v in torch.randint(0, 7, (2,)))
    wide[:, :, 3:-3, 3:-3] = batch
    return wide[:, :, y : y + batch.shape[2], x : x + batch.shape[3]]


def through_normal(model: AutoencoderKL, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What comes back, of a draw while training, else of the middle; and what the latents cost."""
    posterior = model.encode(wanted).latent_dist
    made = model.decode(posterior.sample() if model.training else posterior.mode()).sample
    return made, KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()


def train_autoencoder(
    pictures: torch.Tensor,
    stage: Stage,
    model: Model,
    batch: int = 16,
    rate: float = 1e-3,
    through: Through = through_normal,
) -> Model:
    """pictures: (N, 4, H, W) uint8. Encoder and decoder together, until the stage's time is used."""
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    if (saved := stage.resume()) is not None:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    torch.manual_seed(stage.step)
    model.train()
    while stage.progress < 1.0:
        chosen = torch.randint(0, len(pictures), (batch,))
        wanted, alpha = to_model(augmented(pictures[chosen]))
        made, cost = through(model, wanted.contiguous(memory_format=torch.channels_last))
        drawn = picture_loss(made, wanted, alpha)
        set_rate(optimizer, stage.rate(rate))
        optimizer.zero_grad(set_to_none=True)
        (drawn + cost).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        stage.step += 1
        psnr = -10 * torch.log10(F.mse_loss(made.detach().clamp(-1, 1), wanted) / 4)
        stage.log(loss=drawn.item(), cost=cost.item(), psnr=psnr.item())
        if stage.is_due():
            stage.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    stage.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    return model.eval()


@torch.no_grad()
def means(model: AutoencoderKL, pictures: torch.Tensor, batch: int = 32) -> torch.Tensor:
    """Latents (N, C, h, w) of pictures (N, 4, H, W): the middle of what the encoder says."""
    model.eval()
    return torch.cat([model.encode(to_model(part)[0]).latent_dist.mode() for part in pictures.split(batch)])


@torch.no_grad()
def standardise(model: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """Gives every channel mean 0 and deviation 1 by folding both into the 1 x 1 convolutions around the latents.

    latents: (N, C, h, w) of this model. Returns them as the changed model would. So scaling_factor is 1 for good.
    """
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    into, out = model.quant_conv, model.post_quant_conv
    channels = len(mean)
    into.weight[:channels] /= deviation[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / deviation
    into.bias[channels:] -= 2 * deviation.log()
    out.bias += (out.weight[:, :, 0, 0] * mean).sum(1)
    out.weight *= deviation[None, :, None, None]
    return (latents - mean[:, None, None]) / deviation[:, None, None]


@torch.no_grad()
def psnr(model: nn.Module, pictures: torch.Tensor, batch: int = 32, through: Through = through_normal) -> float:
    """Mean over the pictures of the peak signal-to-noise ratio in dB of what comes back."""
    model.eval()
    found = []
    for part in pictures.split(batch):
        wanted, _ = to_model(part)
        back = through(model, wanted)[0].clamp(-1, 1)
        found.append(-10 * torch.log10((back - wanted).square().mean((1, 2, 3)) / 4))
    return torch.cat(found).mean().item()


def polish_decoder(
    pictures: torch.Tensor,
    latents: torch.Tensor,
    stage: Stage,
    model: AutoencoderKL,
    batch: int = 8,
    rate: float = 6e-4,
) -> AutoencoderKL:
    """The decoder alone on latents that stay as they are, with a little noise, as painted latents have."""
    parts = torch.nn.ModuleList([model.decoder, model.post_quant_conv])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    if (saved := stage.resume()) is not None:
        parts.load_state_dict(saved["parts"])
        optimizer.load_state_dict(saved["optimizer"])
    torch.manual_seed(stage.step)
    model.train()
    while stage.progress < 1.0:
        chosen = torch.randint(0, len(pictures), (batch,))
        wanted, alpha = to_model(pictures[chosen])
        blur = 0.15 * torch.rand(batch, 1, 1, 1) * torch.randn(batch, *latents.shape[1:])
        loss = picture_loss(model.decode(latents[chosen] + blur).sample, wanted, alpha)
        set_rate(optimizer, stage.rate(rate))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        stage.step += 1
        stage.log(loss=loss.item())
        if stage.is_due():
            stage.save({"parts": parts.state_dict(), "optimizer": optimizer.state_dict()})
    stage.save({"parts": parts.state_dict(), "optimizer": optimizer.state_dict()})
    return model.eval()
