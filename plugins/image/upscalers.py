"""Learned upscalers: the compact one (SRVGG) and RRDB, from safetensors files of either naming. Needs torch.

Compact: Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
its small variant (plain convolutions, then a pixel shuffle onto the enlarged input). RRDB: Wang et al. 2018,
"ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", section 3.1.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from studio.errors import StudioError

WRAPPERS = ("params_ema.", "params.", "module.")


class Compact(nn.Module):
    """Convolutions at the input's size, then all enlarging at once."""

    def __init__(self, channels: int, features: int, layers: int, scale: int):
        super().__init__()
        self.scale, self.channels = scale, channels
        body: list[nn.Module] = [nn.Conv2d(channels, features, 3, padding=1), nn.PReLU(features)]
        for _ in range(layers):
            body += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        body.append(nn.Conv2d(features, channels * scale * scale, 3, padding=1))
        self.body = nn.ModuleList(body)

    def forward(self, x: Tensor) -> Tensor:  # x: (B, C, H, W) in 0…1 -> (B, C, sH, sW)
        out = x
        for layer in self.body:
            out = layer(out)
        return F.pixel_shuffle(out, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it; a fifth of what comes out is added."""

    def __init__(self, features: int, growth: int):
        super().__init__()
        for i in range(4):
            setattr(self, f"conv{i + 1}", nn.Conv2d(features + i * growth, growth, 3, padding=1))
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for i in range(4):
            seen.append(F.leaky_relu(getattr(self, f"conv{i + 1}")(torch.cat(seen, 1)), 0.2))
        return x + 0.2 * self.conv5(torch.cat(seen, 1))


class DenseTrio(nn.Module):
    def __init__(self, features: int, growth: int):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class Rrdb(nn.Module):
    """`shuffle`: by how much the input is folded into channels first, so that 2× and 1× take the 4× network."""

    def __init__(self, channels: int, features: int, growth: int, blocks: int, doublings: int, shuffle: int):
        super().__init__()
        self.channels, self.shuffle, self.doublings = channels, shuffle, doublings
        self.scale = 2**doublings // shuffle
        self.conv_first = nn.Conv2d(channels * shuffle * shuffle, features, 3, padding=1)
        self.body = nn.ModuleList(DenseTrio(features, growth) for _ in range(blocks))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for i in range(doublings):
            setattr(self, f"conv_up{i + 1}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # x: (B, C, H, W) in 0…1 -> (B, C, sH, sW)
        height, width = x.shape[-2:]
        if self.shuffle > 1:
            x = F.pad(x, (0, -width % self.shuffle, 0, -height % self.shuffle), mode="replicate")
            x = F.pixel_unshuffle(x, self.shuffle)
        first = self.conv_first(x)
        out = first
        for block in self.body:
            out = block(out)
        out = first + self.conv_body(out)
        for i in range(self.doublings):
            out = F.leaky_relu(
                getattr(self, f"conv_up{i + 1}")(F.interpolate(out, scale_factor=2, mode="nearest")), 0.2
            )
        out = self.conv_last(F.leaky_relu(self.conv_hr(out), 0.2))
        return out[..., : height * self.scale, : width * self.scale]


@dataclass(slots=True)
class Upscaler:
    """A network that enlarges `scale` times."""

    network: nn.Module
    scale: int

    def to(self, device: str) -> "Upscaler":
        self.network.to(device)
        return self


def load(path: Path, device: str, dtype: str) -> Upscaler:
    """The upscaler in a safetensors file, or in a folder that holds one. Raises StudioError code "upscaler"."""
    file = path if path.is_file() else next(iter(sorted(path.glob("*.safetensors"))), path)
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise _refused(file, f"It cannot be read: {error}") from None
    weights = _unwrapped(weights)
    network = _build(file, _renamed(weights))
    kind = getattr(torch, dtype) if device != "cpu" else torch.float32
    return Upscaler(network.to(device=device, dtype=kind).eval().requires_grad_(False), int(network.scale))  # type: ignore[arg-type]


def _unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if weights and all(name.startswith(wrapper) for name in weights):
            return {name.removeprefix(wrapper): tensor for name, tensor in weights.items()}
    return weights


def _renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of the first ESRGAN release (`model.1.sub.0.RDB1.conv1.0.weight`) as those of today."""
    if "model.0.weight" not in weights:
        return weights
    trunk = max(int(found[1]) for name in weights if (found := re.match(r"model\.1\.sub\.(\d+)\.", name)))
    late = sorted({int(name.split(".")[1]) for name in weights if re.match(r"model\.\d+\.(weight|bias)$", name)})[1:]
    *ups, high, last = late
    places = {0: "conv_first", high: "conv_hr", last: "conv_last"}
    places |= {at: f"conv_up{i + 1}" for i, at in enumerate(ups)}
    found_names: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        kind = name.rpartition(".")[2]
        inner = re.match(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", name)
        if inner:
            found_names[f"body.{inner[1]}.rdb{inner[2]}.conv{inner[3]}.{kind}"] = tensor
        elif name.startswith(f"model.1.sub.{trunk}."):
            found_names[f"conv_body.{kind}"] = tensor
        elif (flat := re.match(r"model\.(\d+)\.(weight|bias)$", name)) and int(flat[1]) in places:
            found_names[f"{places[int(flat[1])]}.{kind}"] = tensor
    return found_names


def _build(file: Path, weights: dict[str, Tensor]) -> nn.Module:
    try:
        network = _compact(weights) if "body.0.weight" in weights else _rrdb(weights)
        network.load_state_dict(weights, strict=True)
    except (KeyError, ValueError, RuntimeError, ZeroDivisionError) as error:
        first = str(error).splitlines()[0][:200]
        raise _refused(file, f"Its tensors are neither those of a compact upscaler nor of RRDB: {first}") from None
    return network


def _compact(weights: dict[str, Tensor]) -> nn.Module:
    last = max(int(name.split(".")[1]) for name in weights if re.match(r"body\.\d+\.weight$", name))
    features, channels = weights["body.0.weight"].shape[:2]
    scale = round((weights[f"body.{last}.weight"].shape[0] / channels) ** 0.5)
    return Compact(channels, features, (last - 2) // 2, scale)


def _rrdb(weights: dict[str, Tensor]) -> nn.Module:
    features, folded = weights["conv_first.weight"].shape[:2]
    channels = weights["conv_last.weight"].shape[0]
    blocks = 1 + max(int(found[1]) for name in weights if (found := re.match(r"body\.(\d+)\.rdb1\.", name)))
    growth = weights["body.0.rdb1.conv1.weight"].shape[0]
    doublings = sum(f"conv_up{i}.weight" in weights for i in (1, 2, 3))
    return Rrdb(channels, features, growth, blocks, doublings, round((folded / channels) ** 0.5))


def enlarge(
    upscaler: Upscaler, picture: Tensor, tile: int, overlap: int, stepped: Callable[[int, int], None]
) -> Tensor:
    """picture: (3, H, W) in 0…1 -> (3, sH, sW), tile by tile; each tile sees `overlap` pixels more than it gives.

    stepped(done, total) is called after each tile. Memory grows with the tile, not with the picture.
    """
    _, height, width = picture.shape
    scale = upscaler.scale
    first = next(upscaler.network.parameters())
    out = torch.empty(3, height * scale, width * scale)
    places = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
    for done, (y, x) in enumerate(places, 1):
        bottom, right = min(y + tile, height), min(x + tile, width)
        top, left = max(0, y - overlap), max(0, x - overlap)
        seen = picture[None, :, top : min(height, bottom + overlap), left : min(width, right + overlap)]
        with torch.inference_mode():
            made = upscaler.network(seen.to(device=first.device, dtype=first.dtype)).float().cpu()[0]
        offset_y, offset_x = (y - top) * scale, (x - left) * scale
        rows, columns = (bottom - y) * scale, (right - x) * scale
        out[:, y * scale : bottom * scale, x * scale : right * scale] = made[
            :, offset_y : offset_y + rows, offset_x : offset_x + columns
        ]
        stepped(done, len(places))
    return out.clamp(0, 1)


def _refused(file: Path, detail: str) -> StudioError:
    return StudioError("This is no upscaler that can be used", f"{file.name}: {detail}", code="upscaler")
