"""How much memory painting takes, told from the catalogue before anything is loaded. Imports no torch.

Weights come from the headers of the files. Working memory follows from sizes: the network's activations for what
is painted at once, and the decoding of one picture (a clip: a few frames), which is the larger one for big
pictures. The factors are rules of thumb for Stable Diffusion 1.5 and XL; what runs here corrects them.
"""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import Estimate, ModelInfo
from studio.sdk.params import Params

from .families import of_model
from .family_table import Family

Find = Callable[[str], ModelInfo | None]
BITS = {"int8": 8, "int4": 5}
UNET_COPIES, TRANSFORMER_COPIES, DECODER_COPIES = 24, 20, 6
"""Activations alive at once, counted in tensors of the widest layer."""

ADDED = ("loras", "controls", "references", "inversions")
RUNGS = (
    "Paint fewer pictures at once.",
    "Choose a smaller size.",
    "Load the weights in fewer bits, where that is installed.",
    "Choose a smaller model.",
)


def generate(params: Params, find: Find) -> Estimate:
    """Text to image; with a second pass, the larger one counts."""
    larger = float(_get(params, "hires", 1.0))
    return _painting(params, find, _asked(params), scale=larger)


def transform(params: Params, find: Find) -> Estimate:
    """From a picture. Its size is not known here: size 0 counts as what the model was made for."""
    return _painting(params, find, _asked(params), encodes=True)


def upscale(params: Params, find: Find) -> Estimate:
    """One tile of the model's size at a time; the picture itself is enlarged on the processor."""
    if not _get(params, "refine", 0.0):
        return _with_added(Estimate(working=1 << 30, parts={"pictures": 1 << 30}), params, find)
    tile = int(_get(params, "tile", 0))
    return _painting(params, find, (tile, tile), encodes=True)


def clip(params: Params, find: Find) -> Estimate:
    """All frames are painted at once and decoded a few at a time."""
    return _painting(params, find, _asked(params), frames=int(_get(params, "frames", 0)))


def travel(params: Params, find: Find) -> Estimate:
    """Like pictures that are painted one after another."""
    return _painting(params, find, _asked(params))


def _painting(
    params: Params, find: Find, size: tuple[int, int], *, scale: float = 1.0, frames: int = 0, encodes: bool = False
) -> Estimate:
    info = find(str(_get(params, "model", "")))
    if info is None:
        return Estimate()
    try:
        family = of_model(info)
    except StudioError:
        return Estimate(weights=info.size)  # the job itself says what is wrong
    width, height = (round((given or usual) * scale) for given, usual in zip(size, family.sizes[0], strict=True))
    bytes_each = run_bytes()
    together = max(1, int(_get(params, "at_once", 0)))
    together = min(together, max(1, int(_get(params, "count", 1))))
    parts = {
        "weights": weights(info, find, str(_get(params, "quantised", "none"))),
        "painting": together * network_bytes(family, info.config, width, height, frames) * bytes_each,
        "decoding": decoder_bytes(family, info.config, width, height, frames) * bytes_each * (1 + encodes * 0.5),
    }
    whole = {name: int(value) for name, value in parts.items()}
    # The network rests while a picture is decoded: the larger of the two is needed.
    working = max(whole["painting"], whole["decoding"])
    return _with_added(Estimate(whole["weights"], working, whole, RUNGS), params, find)


def weights(info: ModelInfo, find: Find, quantised: str = "none") -> int:
    """Bytes of the loaded weights, with those that a lone file takes from the folder beside it."""
    own = _own(info, quantised)
    companion = info.config.get("companion") if info.config.get("needs") else None
    rest = find(companion) if isinstance(companion, str) else None
    if rest is not None:
        own += max(0, rest.parameters - info.parameters) * BITS.get(quantised, 8 * run_bytes()) // 8
    return own


def _own(info: ModelInfo, quantised: str) -> int:
    """Bytes of the model's own weights. What is packed in its files stays so, all else runs in the device's type."""
    bits = BITS.get(quantised, 8 * run_bytes())
    if info.path.lower().endswith(".gguf"):
        return info.size if info.dtype not in ("f32", "f16") else info.parameters * run_bytes()
    packed = info.config.get("packed")
    packed = packed if isinstance(packed, dict) else {}
    size, parameters = packed.get("size", 0), packed.get("parameters", 0)
    return size + (info.parameters - parameters) * bits // 8 or info.size


def network_bytes(family: Family, config: Mapping[str, Any], width: int, height: int, frames: int = 0) -> int:
    """Numbers that the network holds while it makes one step for one picture or clip."""
    twice = 2 if family.guided == "cfg" else 1
    long = 1 + (max(frames or family.frames, 1) - 1) // family.frame_step if family.frames else 1
    latents = (width // family.latent_scale) * (height // family.latent_scale) * long
    part = _part(config, family.network)
    if family.network == "unet":
        blocks = part.get("block_out_channels")
        wide = blocks[0] if isinstance(blocks, list) and blocks and isinstance(blocks[0], int) else 320
        return latents * wide * UNET_COPIES * twice
    heads, each = part.get("num_attention_heads"), part.get("attention_head_dim")
    wide = heads * each if isinstance(heads, int) and isinstance(each, int) else part.get("dim")
    wide = wide if isinstance(wide, int) and wide > 0 else 3072
    tokens = latents // (1 if family.id == "ltx" else 4) + 512
    return tokens * wide * TRANSFORMER_COPIES * (twice if family.guided == "cfg" else 1)


def decoder_bytes(family: Family, config: Mapping[str, Any], width: int, height: int, frames: int = 0) -> int:
    """Numbers that the autoencoder holds while it decodes one picture, or four frames and the finished clip."""
    part = _part(config, "vae")
    blocks = part.get("block_out_channels")
    wide = blocks[0] if isinstance(blocks, list) and blocks and isinstance(blocks[0], int) else part.get("base_dim")
    wide = 2 * (wide if isinstance(wide, int) and wide > 0 else 128)
    count = max(frames or family.frames, 1) if family.frames else 1
    return width * height * (wide * DECODER_COPIES * min(count, 4) // (4 if family.frames else 1) + 3 * count)


def run_bytes() -> int:
    """Bytes a weight takes while it runs: 4 on a processor (float32), 2 on a graphics device.

    Guessed the way a worker looks for a device, without touching one.
    """
    if os.environ.get("ATELIER_DEVICE") == "cpu":
        return 4
    if sys.platform == "darwin":
        return 2 if platform.machine() == "arm64" else 4
    try:
        if importlib.metadata.version("torch").endswith("+cpu"):
            return 4
    except importlib.metadata.PackageNotFoundError:
        return 4
    windows = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"
    signs = (Path("/dev/nvidiactl"), Path("/dev/nvidia0"), Path("/dev/dxg"), Path("/dev/kfd"), windows)
    return 2 if any(sign.exists() for sign in signs) else 4


def _with_added(estimate: Estimate, params: Params, find: Find) -> Estimate:
    """With the adapters, ControlNets and upscalers that come on top of the model."""
    refs = [str(item.model) for name in ADDED for item in _get(params, name, ())]
    refs += [str(_get(params, "upscaler", ""))]
    added = sum(info.size for ref in refs if ref and (info := find(ref)) is not None)
    if not added:
        return estimate
    parts = estimate.parts | {"adapters": added}
    return Estimate(estimate.weights + added, estimate.working, parts, estimate.rungs or RUNGS)


def _asked(params: Params) -> tuple[int, int]:
    return int(_get(params, "width", 0)), int(_get(params, "height", 0))


def _get(params: Params, name: str, default: Any) -> Any:
    """A field that only some of these operations have."""
    return getattr(params, name, default)


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    parts = config.get("components")
    part = parts.get(name) if isinstance(parts, dict) else None
    return part if isinstance(part, dict) else {}
