"""IP-Adapter files and the image encoders beside them: what they hold and whether they belong together.

Reads safetensors and local folders only.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo


@dataclass(frozen=True)
class AdapterWeights:
    """An IP-Adapter on disk. reads: the width of what it takes from the image encoder; pooled: one vector for the
    picture, else the states of its patches. text_width: of the model it was made for."""

    id: str
    path: Path
    name: str
    reads: int
    pooled: bool
    text_width: int

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        found: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
        with safe_open(self.path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                part, _, rest = key.partition(".")
                if part in found:
                    found[part][rest] = file.get_tensor(key)
        return found


@dataclass(frozen=True)
class Encoder:
    model: Any
    processor: Any


def read(info: ModelInfo) -> AdapterWeights:
    """What the IP-Adapter `info` is. Raises StudioError for anything else."""
    path = _file(info)
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise StudioError("The IP-Adapter cannot be read", f"{path.name}: {error}", code="reference") from None
    if any(key.startswith(("image_proj.norm.weight", "image_proj.perceiver_resampler.")) for key in shapes) and (
        "image_proj.proj.weight" not in shapes
    ):
        raise StudioError(
            "IP-Adapters for faces cannot be used",
            f"{info.id} reads the result of a face recogniser, which is no part of this program.",
            "Choose a plain or a plus IP-Adapter.",
            code="reference",
        )
    keys = next((shape for key, shape in shapes.items() if key.startswith("ip_adapter.") and "to_k_ip" in key), None)
    plain = shapes.get("image_proj.proj.weight")
    deep = shapes.get("image_proj.proj_in.weight") or shapes.get("image_proj.proj.0.weight")
    if keys is None or (plain is None and deep is None):
        raise StudioError(
            "This file is no IP-Adapter",
            f"{info.id} lacks the tensors of one (image_proj and ip_adapter).",
            "Choose an IP-Adapter in safetensors.",
            code="reference",
        )
    reads = plain[1] if plain is not None else deep[1]  # type: ignore[index]
    with path.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()[:20]
    return AdapterWeights(info.id, path, name, reads, plain is not None, keys[1])


def _file(info: ModelInfo) -> Path:
    path = Path(info.path)
    if path.is_file() and path.suffix == ".safetensors":
        return path
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if len(found) == 1:
        return found[0]
    raise StudioError(
        "The IP-Adapter cannot be read",
        f"{info.id}: " + (f"its folder holds {len(found)} files." if found else "it is no safetensors file."),
        "Choose one of its safetensors files.",
        code="reference",
    )


def encoder_for(weights: AdapterWeights) -> Path:
    """The folder of the image encoder that these weights read, beside or near them."""
    near = weights.path.parent
    places = [near, near.parent, near.parent / "models", near / "models", near.parent / "sdxl_models"]
    seen = []
    for folder in dict.fromkeys(place / "image_encoder" for place in places):
        width = _width(folder, weights.pooled)
        if width == weights.reads:
            return folder
        if width:
            seen.append(f"{folder.name} in {folder.parent.name} gives {width}")
    raise StudioError(
        "The IP-Adapter has no image encoder",
        f"{weights.id} reads pictures as {weights.reads} values. "
        + ("; ".join(seen) or "No encoder lies near it")
        + ".",
        "Put the image encoder that it was made with into a folder image_encoder beside it.",
        code="reference",
    )


def _width(folder: Path, pooled: bool) -> int:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    value = config.get("projection_dim" if pooled else "hidden_size", 0) if isinstance(config, dict) else 0
    return value if isinstance(value, int) else 0


def read_encoder(folder: Path, device: Any, dtype: torch.dtype) -> Encoder:
    from transformers import CLIPVisionModelWithProjection
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    try:
        model: Any = CLIPVisionModelWithProjection.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=dtype
        )
    except (OSError, ValueError) as error:
        raise StudioError("The image encoder cannot be read", f"{folder}: {error}", code="reference") from None
    side = int(model.config.image_size)
    return Encoder(model.to(device).eval(), CLIPImageProcessorPil(size=side, crop_size=side))


def misfit(weights: AdapterWeights, loaded: Any, why: str) -> StudioError:
    return StudioError(
        "This IP-Adapter was made for another model",
        f"{weights.id} does not fit {loaded.info.id}, which is of the family {loaded.family.title}. {why}",
        "Choose an IP-Adapter of the model's family, or another model.",
        code="reference",
    )
