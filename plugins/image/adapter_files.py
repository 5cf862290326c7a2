"""LoRA files: what one holds, and its tensors in the one layout that the modules of a model take.

Owns AdapterFile, `read` and `fitted`. Files in the layout of diffusers, of kohya (`lora_unet_...` with alphas) and
of PEFT become {part: {"<module>.lora_A.weight": tensor}}, with every alpha multiplied in, so that the scale of each
is 1. Opens safetensors only; knows nothing of what is installed where (see adapters.py).
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

PREFERRED = ("adapter_model.safetensors", "pytorch_lora_weights.safetensors")
TEXT_WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "SDXL"}
Parts = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class AdapterFile:
    """A LoRA on disk. name: what its adapter is called on modules, by its content; made_for: its family, in words."""

    id: str
    path: Path
    name: str
    made_for: str
    config: dict[str, Any]


def read(info: ModelInfo) -> AdapterFile:
    """What the LoRA `info` is, without its tensors. Raises StudioError for anything but a LoRA in safetensors."""
    path = weights_file(info)
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise StudioError("The LoRA cannot be read", f"{path.name}: {error}", code="lora") from None
    _check_kind(info.id, shapes)
    beside = path.parent / "adapter_config.json"
    config = _peft_config(beside) if beside.is_file() else {}
    return AdapterFile(info.id, path, f"lora_{_hash(path, config)[:20]}", made_for(shapes, metadata), config)


def weights_file(info: ModelInfo) -> Path:
    """The one safetensors file of an adapter, which may be given as a file or as a folder."""
    path = Path(info.path)
    if path.is_file() and path.suffix == ".safetensors":
        return path
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        chosen = [path / name for name in PREFERRED if path / name in found] or found
        if len(chosen) == 1 or (chosen and chosen[0].name in PREFERRED):
            return chosen[0]
        if found:
            names = ", ".join(file.name for file in found[:6])
            raise StudioError("The folder holds several adapters", f"{path.name}: {names}.", "Choose one of the files.")
    raise StudioError(
        "There is no adapter in this place",
        f"{path} is neither a safetensors file nor a folder with one.",
        "Other formats can run any program when they are opened; convert the file to safetensors.",
        code="lora",
    )


def fitted(file: AdapterFile, modules: Mapping[str, nn.Module], converter: Any, family: str, unet_config: Any) -> Parts:
    """The file's tensors for each of `modules` (unet or transformer, text encoders).

    converter: the family's diffusers pipeline class, whose loader knows the layouts that people share for it.
    Raises StudioError, naming the LoRA's family and the model's, where it was made for something else.
    """
    tensors = load_file(file.path)
    refusal = _Refusal(file, family)
    try:
        parts = _peft(tensors, file.config, modules) or _converted(tensors, converter, modules, unet_config)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, RuntimeError) as error:
        raise refusal.because(f"Its layers have names that this family does not know ({_short(error)}).") from None
    parts = {part: {_plain(modules[part], key): t for key, t in found.items()} for part, found in parts.items()}
    _check_fit(parts, modules, refusal)
    return parts


@dataclass(frozen=True)
class _Refusal:
    file: AdapterFile
    family: str

    def because(self, why: str) -> StudioError:
        return StudioError(
            "This LoRA was made for another model",
            f"{self.file.id} was made for {self.file.made_for}; the model is of the family {self.family}. {why}",
            "Choose a LoRA of the model's family, or another model.",
            code="lora-family",
        )


# Layouts ---------------------------------------------------------------------------------------------


def _converted(tensors: dict[str, Tensor], converter: Any, modules: Iterable[str], unet_config: Any) -> Parts:
    """By diffusers' own reading of the layouts of kohya, of other tools and its own."""
    if "unet" in modules:
        tensors = _without_alphas(tensors)
    more = {"unet_config": unet_config} if unet_config is not None else {}
    if "return_alphas" in converter.lora_state_dict.__code__.co_varnames:
        more["return_alphas"] = True
    found = converter.lora_state_dict(dict(tensors), **more)
    state, alphas = found if isinstance(found, tuple) else (found, None)
    parts: Parts = {}
    for part in modules:
        inside = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.") and "lora" in k}
        if inside:
            parts[part] = {_peft_key(key): tensor for key, tensor in inside.items()}
            own = {k.removeprefix(f"{part}."): float(v) for k, v in (alphas or {}).items() if k.startswith(f"{part}.")}
            _scale(parts[part], {k.removesuffix(".alpha"): v for k, v in own.items()})
    return parts


def _peft(tensors: dict[str, Tensor], config: dict[str, Any], modules: Mapping[str, nn.Module]) -> Parts:
    """Of a PEFT adapter: names as in the module it was trained on, alphas in its configuration. Else empty."""
    if not config and not any(key.startswith("base_model.model.") for key in tensors):
        return {}
    plain = {key.removeprefix("base_model.model."): tensor for key, tensor in tensors.items()}
    plain = {key: tensor for key, tensor in plain.items() if ".lora_A." in key or ".lora_B." in key}
    parts: Parts = {}
    for part in modules:
        inside = {k.removeprefix(f"{part}."): t for k, t in plain.items() if k.startswith(f"{part}.")}
        if inside:
            parts[part] = inside
    if not parts and plain:
        parts[max(modules, key=lambda part: _matches(modules[part], plain))] = plain
    for found in parts.values():
        _scale(found, {name: _peft_alpha(config, name, tensor) for name, tensor in _downs(found)})
    return parts


def _peft_alpha(config: dict[str, Any], name: str, down: Tensor) -> float:
    """The alpha that gives the scale of PEFT's LoraLayer: alpha / r, or alpha / sqrt(r) where rank-stabilised."""
    patterns = config.get("alpha_pattern") or {}
    rank = down.shape[0]
    alpha = next((v for k, v in patterns.items() if re.match(rf"(.*\.)?({k})$", name)), config.get("lora_alpha", rank))
    return float(alpha) * math.sqrt(rank) if config.get("use_rslora") else float(alpha)


def _without_alphas(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kohya's `<layer>.alpha` multiplied into the layer's upper half: up * alpha / rank."""
    alphas = {key.removesuffix(".alpha"): float(t) for key, t in tensors.items() if key.endswith(".alpha")}
    rest = {key: tensor for key, tensor in tensors.items() if not key.endswith(".alpha")}
    for layer, alpha in alphas.items():
        down, up = rest.get(f"{layer}.lora_down.weight"), rest.get(f"{layer}.lora_up.weight")
        if down is not None and up is not None:
            rest[f"{layer}.lora_up.weight"] = _times(up, alpha / down.shape[0])
    return rest


def _scale(parts: dict[str, Tensor], alphas: dict[str, float]) -> None:
    for name, down in _downs(parts):
        if name in alphas:
            up = f"{name}.lora_B.weight"
            parts[up] = _times(parts[up], alphas[name] / down.shape[0])


def _times(tensor: Tensor, scale: float) -> Tensor:
    return tensor if scale == 1.0 else (tensor.float() * scale)


def _downs(parts: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(k.removesuffix(".lora_A.weight"), t) for k, t in parts.items() if k.endswith(".lora_A.weight")]


def _peft_key(key: str) -> str:
    """A key of diffusers' layouts, the old and the new, as PEFT writes it."""
    key = key.replace(".processor.", ".")
    if ".self_attn." in key:  # text encoders
        key = re.sub(r"\.to_(q|k|v|out)_lora\.", r".\1_proj.lora.", key)
    key = re.sub(r"\.to_(q|k|v)_lora\.", r".to_\1.lora.", key)
    key = key.replace(".to_out_lora.", ".to_out.0.lora.").replace(".lora_linear_layer.", ".lora.")
    key = key.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.")
    return key.replace(".lora_down.", ".lora_A.").replace(".lora_up.", ".lora_B.")


# Whether it fits -------------------------------------------------------------------------------------


def _plain(module: nn.Module, key: str) -> str:
    """Text encoders lost their `text_model.` level in later versions of transformers; files may still have it."""
    if key.startswith("text_model.") and not hasattr(module, "text_model"):
        return key.removeprefix("text_model.")
    return key


def _check_fit(parts: Parts, modules: Mapping[str, nn.Module], refusal: _Refusal) -> None:
    wanted = matched = 0
    for part, tensors in parts.items():
        inside = dict(modules[part].named_modules())
        for name, down in _downs(tensors):
            wanted += 1
            layer = inside.get(name)
            up = tensors.get(f"{name}.lora_B.weight")
            if layer is None or up is None:
                for half in ("A", "B"):
                    tensors.pop(f"{name}.lora_{half}.weight", None)
                continue
            matched += 1
            _check_shape(part, name, base_of(layer), down, up, refusal)
    if not matched:
        raise refusal.because("None of its layers is in this model.")
    if matched * 2 < wanted:
        raise refusal.because(f"Only {matched} of its {wanted} layers are in this model.")


def _check_shape(part: str, name: str, layer: nn.Module, down: Tensor, up: Tensor, refusal: _Refusal) -> None:
    """down: (rank, in, ...), up: (out, rank, ...)."""
    gives, takes = _sides(layer)
    if not takes:
        raise refusal.because(f"Its layer {part}.{name} is of a kind that takes no LoRA.")
    if (down.shape[1], up.shape[0]) != (takes, gives) or down.shape[0] != up.shape[1]:
        raise refusal.because(
            f"Its layer {part}.{name} goes from {down.shape[1]} to {up.shape[0]} values; "
            f"in the model it goes from {takes} to {gives}."
        )


def _sides(layer: nn.Module) -> tuple[int, int]:
    """Values out and values in of a linear or convolution layer; 0, 0 for anything else."""
    if hasattr(layer, "out_features"):
        return int(layer.out_features), int(layer.in_features)  # type: ignore[arg-type]
    if hasattr(layer, "out_channels"):
        return int(layer.out_channels), int(layer.in_channels)  # type: ignore[arg-type]
    return 0, 0


def base_of(layer: nn.Module) -> nn.Module:
    """The layer itself, also where adapters are wrapped around it."""
    give = getattr(layer, "get_base_layer", None)
    return give() if callable(give) else layer  # type: ignore[return-value]


def _matches(module: nn.Module, tensors: dict[str, Tensor]) -> int:
    names = {name for name, _ in module.named_modules()}
    return sum(_plain(module, name) in names for name, _ in _downs(tensors))


# What a file is --------------------------------------------------------------------------------------


def made_for(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str]) -> str:
    """The family that a LoRA was trained on, in words, from its own note or the names and sizes of its layers."""
    for note in ("modelspec.architecture", "ss_base_model_version"):
        if metadata.get(note):
            return str(metadata[note])[:60].removesuffix("/lora")
    keys = " ".join(shapes)
    if "attn2" in keys and ("unet" in keys or "_blocks_" in keys or "down_blocks" in keys):
        width = next((s[1] for k, s in shapes.items() if re.search(r"attn2.*to_k.*(down|lora_A)", k)), 0)
        return TEXT_WIDTHS.get(width, f"a UNet that reads text of width {width}" if width else "a UNet")
    for pattern, name in (
        (r"single_transformer_blocks|double_blocks|single_blocks", "Flux"),
        (r"img_mlp|txt_mlp|img_mod", "Qwen-Image"),
        (r"joint_blocks|add_k_proj", "Stable Diffusion 3"),
        (r"blocks[._]\d+[._](cross_attn|self_attn)", "Wan"),
        (r"layers[._]\d+[._]attention", "Z-Image"),
        (r"transformer_blocks[._]\d+[._]attn2", "LTX"),
        (r"model[._]layers[._]\d+", "a language model"),
    ):
        if re.search(pattern, keys):
            return name
    return "an unknown family"


def _check_kind(id: str, shapes: Mapping[str, Any]) -> None:
    keys = list(shapes)
    other = {"hada_": "LoHa", "lokr_": "LoKr", "oft_": "OFT", "dora_scale": "DoRA", "lora_magnitude_vector": "DoRA"}
    for sign, kind in other.items():
        if any(sign in key for key in keys):
            raise StudioError(
                f"Adapters of the kind {kind} cannot be used", f"{id} is one; plain LoRA files can.", code="lora-kind"
            )
    if not any("lora" in key for key in keys):
        raise StudioError(
            "This file is no LoRA",
            f"None of the {len(keys):,} tensors in {id} belongs to one.",
            "Choose a LoRA; a whole model goes into the field for the model.",
            code="lora",
        )


def _peft_config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudioError("The LoRA's configuration cannot be read", f"{path.name}: {error}", code="lora") from None
    return found if isinstance(found, dict) else {}


def _hash(path: Path, config: dict[str, Any]) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps(config, sort_keys=True).encode())
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
