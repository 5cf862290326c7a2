"""How a family's latents lie in its pipeline, and how they become what its VAE decodes.

Owns Layout. Three kinds: plain (B, C, H, W); packed (B, H/2 * W/2, C * 4), two by two latents a token; and
FLUX.2's, whose pipeline is given patches (B, C * 4, H/2, W/2) and shows them as tokens (B, H/2 * W/2, C * 4).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PACKED = ("flux", "flux-kontext", "qwen-image", "qwen-image-edit", "chroma")
DEEP = ("qwen-image", "qwen-image-edit")
"""Families whose VAE knows frames: (B, C, 1, H, W)."""


@dataclass(frozen=True)
class Layout:
    """Of one model at one size. channels: of the latents; high, wide: in latents, each `scale` pixels."""

    family: str
    vae: Any
    channels: int
    high: int
    wide: int
    dtype: torch.dtype
    scale: int = 8

    @classmethod
    def of(cls, loaded: Any, width: int, height: int) -> "Layout":
        family, network = loaded.family, loaded.parts[loaded.family.network]
        # As the pipelines count them; a UNet for inpainting takes more channels in than it gives out.
        if family.id in PACKED or family.id == "flux2":
            channels = network.config.in_channels // 4
        elif family.id == "z-image":
            channels = network.in_channels
        else:
            channels = network.config.out_channels or network.config.in_channels
        scale = pixels_a_latent(loaded.parts["vae"])
        dtype = torch.float32 if family.id == "z-image" else loaded.dtype
        return cls(family.id, loaded.parts["vae"], channels, height // scale, width // scale, dtype, scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture's first noise, as the pipeline draws it."""
        if self.family == "flux2":
            return (1, self.channels * 4, self.high // 2, self.wide // 2)
        if self.family in DEEP:
            return (1, 1, self.channels, self.high, self.wide)
        return (1, self.channels, self.high, self.wide)

    @property
    def in_loop(self) -> tuple[int, ...]:
        """Of one picture's latents, as the loop shows them."""
        if self.family in PACKED or self.family == "flux2":
            return (1, (self.high // 2) * (self.wide // 2), self.channels * 4)
        return (1, self.channels, self.high, self.wide)

    def given(self, noise: Tensor) -> Tensor:
        """Noise of `shape` as the pipeline's argument `latents`."""
        if self.family not in PACKED:
            return noise
        return _packed(noise.reshape(noise.shape[0], self.channels, self.high, self.wide))

    def again(self, latents: Tensor) -> Tensor:
        """Latents as the loop shows them, as the pipeline's argument `latents`."""
        if self.family != "flux2":
            return latents
        return latents.permute(0, 2, 1).reshape(latents.shape[0], -1, self.high // 2, self.wide // 2)

    def spread(self, latents: Tensor) -> Tensor:
        """Latents of the loop as planes (B, C, H, W); FLUX.2's as patches (B, C * 4, H/2, W/2)."""
        if self.family in PACKED:
            return _unpacked(latents, self.high, self.wide)
        return self.again(latents)

    def for_vae(self, latents: Tensor) -> Tensor:
        """Latents of the loop (B, ...) as the VAE decodes them, as each pipeline does at its end."""
        config, latents = self.vae.config, self.spread(latents)
        if self.family == "flux2":
            norm = self.vae.bn
            mean = norm.running_mean.view(1, -1, 1, 1).to(latents)
            spread = torch.sqrt(norm.running_var.view(1, -1, 1, 1) + config.batch_norm_eps).to(latents)
            return _unpatched(latents * spread + mean)
        latents = latents.to(self.vae.dtype) if self.family in (*DEEP, "z-image") else latents
        if self.family in DEEP:
            return _over_channels(latents[:, :, None], config)
        if getattr(config, "latents_mean", None) is not None and getattr(config, "latents_std", None) is not None:
            mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1).to(latents)
            spread = torch.tensor(config.latents_std).view(1, -1, 1, 1).to(latents)
            return latents * spread / config.scaling_factor + mean
        shift = getattr(config, "shift_factor", None)
        scaled = latents / config.scaling_factor
        return scaled if shift is None else scaled + shift


def pixels_a_latent(vae: Any) -> int:
    """On each side, as the pipelines count it."""
    down = getattr(vae, "temperal_downsample", None)  # spelled so in diffusers
    return 2 ** (len(down) if down is not None else len(vae.config.block_out_channels) - 1)


def _over_channels(latents: Tensor, config: Any) -> Tensor:
    """Qwen-Image's: a mean and a spread for each channel. latents: (B, C, 1, H, W)."""
    mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1, 1).to(latents)
    inverse = 1.0 / torch.tensor(config.latents_std).view(1, -1, 1, 1, 1).to(latents)
    return latents / inverse + mean


def _packed(latents: Tensor) -> Tensor:
    batch, channels, high, wide = latents.shape
    latents = latents.view(batch, channels, high // 2, 2, wide // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return latents.reshape(batch, (high // 2) * (wide // 2), channels * 4)


def _unpacked(latents: Tensor, high: int, wide: int) -> Tensor:
    batch, _, channels = latents.shape
    latents = latents.view(batch, high // 2, wide // 2, channels // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return latents.reshape(batch, channels // 4, high, wide)


def _unpatched(latents: Tensor) -> Tensor:
    batch, channels, high, wide = latents.shape
    latents = latents.reshape(batch, channels // 4, 2, 2, high, wide).permute(0, 1, 4, 2, 5, 3)
    return latents.reshape(batch, channels // 4, high * 2, wide * 2)
