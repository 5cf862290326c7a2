"""The tokens that masked painting needs: an autoencoder whose latents are taken from a book of codes (VQ).

Owns how it begins as a trained autoencoder of plain latents (the same encoder and decoder), and what stands for a
picture then: (h, w) whole numbers.
"""

# diffusers' hints do not say what it returns, nor that its parts may be None.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOperatorIssue=false, reportCallIssue=false, reportOptionalSubscript=false, reportReturnType=false

import torch
from diffusers import AutoencoderKL, VQModel

from scripts.starter_image_data import to_model

ALIKE = ("in_channels", "out_channels", "down_block_types", "up_block_types", "block_out_channels")
ALIKE += ("layers_per_block", "latent_channels", "norm_num_groups", "sample_size")


@torch.no_grad()
def with_codes(vae: AutoencoderKL, latents: torch.Tensor, codes: int = 512) -> VQModel:
    """The same autoencoder with a book of codes that begins as the middles of its latents (N, C, h, w)."""
    same = {name: vae.config[name] for name in ALIKE}
    model = VQModel(**same, num_vq_embeddings=codes, scaling_factor=1.0, lookup_from_codebook=True)
    held = vae.encoder.state_dict()
    channels = vae.config["latent_channels"]
    # The middle of what a plain encoder says: the first rows of its last 1 x 1 convolution, folded into the one before.
    into = vae.quant_conv.weight[:channels, :, 0, 0]
    held["conv_out.weight"] = torch.einsum("oc,cikl->oikl", into, vae.encoder.conv_out.weight)
    held["conv_out.bias"] = into @ vae.encoder.conv_out.bias + vae.quant_conv.bias[:channels]
    model.encoder.load_state_dict(held)
    model.quant_conv.weight.copy_(torch.eye(channels)[:, :, None, None])
    model.quant_conv.bias.zero_()
    model.post_quant_conv.load_state_dict(vae.post_quant_conv.state_dict())
    model.decoder.load_state_dict(vae.decoder.state_dict())
    model.quantize.embedding.weight.copy_(middles(latents.movedim(1, -1).flatten(0, -2), codes))
    return model


def middles(points: torch.Tensor, count: int, rounds: int = 8, seed: int = 0) -> torch.Tensor:
    """(count, C) middles of (N, C) points: k-means++ (Arthur & Vassilvitskii 2007), then Lloyd's rounds."""
    dice = torch.Generator().manual_seed(seed)
    found = points[torch.randint(len(points), (1,), generator=dice)]
    nearest = (points - found).square().sum(1)
    while len(found) < count:
        # Cumulative sums, for torch.multinomial ends at 2^24 points.
        reach = torch.rand(1, generator=dice) * nearest.sum(dtype=torch.float64)
        chosen = int(torch.searchsorted(nearest.cumsum(0, dtype=torch.float64), reach).clamp(max=len(points) - 1))
        found = torch.cat([found, points[chosen][None]])
        nearest = torch.minimum(nearest, (points - found[-1]).square().sum(1))
    for _ in range(rounds):
        owner = torch.cat([torch.cdist(part, found).argmin(1) for part in points.split(16384)])
        sizes = torch.bincount(owner, minlength=count)
        sums = torch.zeros_like(found).index_add_(0, owner, points)
        found = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], found)
    return found


def through_codes(model: VQModel, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What comes back, and how far latents and codes are from each other (van den Oord et al. 2017)."""
    found = model.decode(model.encode(wanted).latents)
    return found.sample, found.commit_loss


@torch.no_grad()
def tokens_of(model: VQModel, pictures: torch.Tensor, batch: int = 32) -> torch.Tensor:
    """(N, h, w) codes of pictures (N, 4, H, W) uint8."""
    model.eval()
    found = []
    for part in pictures.split(batch):
        latents = model.encode(to_model(part)[0]).latents
        found.append(model.quantize(latents)[2][2].view(len(part), *latents.shape[2:]))
    return torch.cat(found)


@torch.no_grad()
def colours_of(model: VQModel, tokens: torch.Tensor) -> torch.Tensor:
    """Colours (N, 3, H, W) in [-1, 1] of codes (N, h, w)."""
    shape = (*tokens.shape, model.config["latent_channels"])
    return model.eval().decode(tokens, force_not_quantize=True, shape=shape).sample.clamp(-1, 1)
