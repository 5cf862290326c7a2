"""What a lone file of tensors is: an adapter, a learned word, a checkpoint, an upscaler, told from names and shapes.

Owns the guess and the family a file was made for, in `config["base"]` by the ids of the image plugin's table.
What a name does not settle is left open: "" says that it is not known. Imports this package's files only.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from studio.hub import checkpoints, networks
from studio.hub.capability import UNKNOWN

Shapes = Mapping[str, tuple[int, ...]]
_LORA = re.compile(
    r"lora_(A|B|up|down|unet|te\d?)|\.lora\.|[._](hada_w|lokr_w|oft_|lora_mid)|processor\..*_lora|\.dora_scale$"
)
_EMBEDDING_LIMIT = 1 << 20
_WIDTHS = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
_CONTROLLED = {
    "SD3ControlNetModel": "sd3", "FluxControlNetModel": "flux", "QwenImageControlNetModel": "qwen-image",
    "ZImageControlNetModel": "z-image", "HunyuanDiT2DControlNetModel": "", "ControlNetUnionModel": "sdxl",
}  # fmt: skip


def told(shapes: Shapes, name: str = "") -> dict[str, Any]:
    """Capability, family and config of the file called `name`, as far as its tensors tell."""
    try:
        return _told(shapes, name)
    except (LookupError, ArithmeticError, ValueError, TypeError):  # names of a family, shapes of none
        return {"capability": UNKNOWN}


def _told(shapes: Shapes, name: str) -> dict[str, Any]:
    if any(_LORA.search(key) for key in shapes):
        return _made_for("adapter", adapter_base(shapes))
    if any(key.startswith(("control_model.", "controlnet_cond_embedding.", "controlnet_blocks.")) for key in shapes):
        return _made_for("controlnet", _controlnet_base(shapes))
    if base := checkpoints.base_of(shapes):
        return checkpoint(shapes, base, name)
    if found := networks.network(shapes, name):
        return found
    if (scale := upscaler(shapes)) is not None:
        return {"capability": "upscaler", "family": scale["kind"], "config": scale}
    if any(key.startswith(("ip_adapter.", "ip_adapter_proj_model.")) for key in shapes):
        return _made_for("ip-adapter", _reference_base(shapes))
    if is_embedding(shapes):
        return _made_for("embedding", _embedding_base(shapes))
    if any(key.removeprefix("first_stage_model.").startswith("decoder.conv_in.") for key in shapes):
        return _made_for("vae", "")
    return {"capability": UNKNOWN}


def component(kept: dict[str, Any]) -> dict[str, Any]:
    """Capability and base of a folder that is one part in diffusers' layout, by its configuration; {} for none."""
    name = kept.get("_class_name")
    if not isinstance(name, str):
        return {}
    found: dict[str, Any] = {"family": name[:60], "capability": UNKNOWN, "config": kept}
    if "ControlNet" in name:
        wide = kept.get("cross_attention_dim")
        base = _WIDTHS.get(wide, "sd15") if isinstance(wide, int) else "sd15"
        base = "sdxl" if kept.get("addition_embed_type") == "text_time" else base
        return found | {"capability": "controlnet", "config": kept | {"base": _CONTROLLED.get(name, base)}}
    if name == "AutoencoderTiny":
        return found | {"capability": "preview-vae"}
    if name.startswith(("Autoencoder", "AsymmetricAutoencoder", "ConsistencyDecoder")):
        return found | {"capability": "vae"}
    return found


def checkpoint(shapes: Shapes, base: str, name: str = "") -> dict[str, Any]:
    """The entry of a single-file checkpoint of Stable Diffusion."""
    parts = checkpoints.components(shapes, base, name)
    inpaints = parts["unet"].get("in_channels") == 9
    pipeline = "StableDiffusionXL" if base == "sdxl" else "StableDiffusion"
    kind = f"{pipeline}{'Inpaint' if inpaints else ''}Pipeline"
    config = {"_class_name": kind, "base": base, "single_file": True, "components": parts}
    return {"capability": "image-inpainting" if inpaints else "text-to-image", "family": kind, "config": config}


def adapter_base(shapes: Shapes) -> str:
    """The family of models a LoRA was made for, by how it names their layers; "" when it does not say."""
    text = "\n".join(shapes)
    if re.search(r"to_qkv_mlp_proj|double_stream_modulation|single_stream_modulation", text):
        return "flux2"
    if re.search(r"double_blocks[._]\d|single_blocks[._]\d|single_transformer_blocks[._]\d", text):
        return "flux"
    if re.search(r"img_mod|img_mlp|txt_mlp", text):
        return "qwen-image"
    if re.search(r"joint_blocks[._]\d|transformer_blocks[._]\d+[._](ff_context|attn2?[._]add_[kqv]_proj)", text):
        return "sd3"
    if re.search(r"(noise|context)_refiner[._]|layers[._]\d+[._]attention[._](to_|qkv|out)", text):
        return "z-image"
    if re.search(r"(^|[._])blocks[._]\d+[._](self_attn|cross_attn)[._][qkvo]", text, re.MULTILINE):
        return "wan"
    if re.search(r"(^|\.)blocks\.\d+\.attn[12]\.(to_|add_)", text, re.MULTILINE):
        return "wan"
    unet = re.search(r"(down|up|input|output|mid|middle)_blocks?[._]", text) or "lora_te" in text
    if not unet and re.search(r"transformer_blocks\.\d+\.attn[12]\.to_[kqv]", text):
        return "ltx"
    if not unet and not re.search(r"text_encoder|text_model", text):
        return ""
    return _unet_base(shapes, text)


def _unet_base(shapes: Shapes, text: str) -> str:
    if re.search(r"lora_te2_|text_encoder_2\.|transformer_blocks[._][1-9]", text):
        return "sdxl"
    for name, shape in shapes.items():
        down = re.search(r"attn2[._]to_[kv].*(lora_down|lora_A|lora\.down)", name)
        if down and len(shape) >= 2:
            return _WIDTHS.get(shape[1], "sd15" if shape[1] < 768 else "")
    if re.search(r"lora_te1_", text):
        return "sdxl"
    return "sd15" if "lora_te_" in text else ""


def is_embedding(shapes: Shapes) -> bool:
    """Whether these are the vectors of a few learned words."""
    if any(key.startswith(("emb_params", "string_to_param")) or key in ("clip_l", "clip_g") for key in shapes):
        return True
    small = len(shapes) <= 4 and all(len(shape) in (1, 2) for shape in shapes.values())
    size = sum(_product(shape) for shape in shapes.values())
    plain = not any(key.endswith((".weight", ".bias")) for key in shapes)
    return small and plain and 0 < size < _EMBEDDING_LIMIT and all(shape[-1] >= 16 for shape in shapes.values())


def upscaler(shapes: Shapes) -> dict[str, Any] | None:
    """Kind ("compact" or "rrdb") and scale of a learned upscaler; None for what is none."""
    plain = {key.removeprefix("params_ema.").removeprefix("params."): shape for key, shape in shapes.items()}
    first, prelu = plain.get("body.0.weight", ()), plain.get("body.1.weight", ())
    if len(first) == 4 and len(prelu) == 1 and first[1] == 3:
        last = max((int(key.split(".")[1]) for key in plain if re.fullmatch(r"body\.\d+\.weight", key)), default=0)
        channels = plain[f"body.{last}.weight"][0]
        return {"kind": "compact", "scale": max(1, round((channels / 3) ** 0.5))}
    if "conv_first.weight" in plain and any(key.startswith("body.0.rdb1.") for key in plain):
        return {"kind": "rrdb", "scale": {3: 4, 12: 2, 48: 1}.get(plain["conv_first.weight"][1], 4)}
    if "model.0.weight" in plain and any(key.startswith("model.1.sub.0.RDB1.") for key in plain):
        ups = sum(1 for key in plain if re.fullmatch(r"model\.(3|6|9)\.weight", key))
        return {"kind": "rrdb", "scale": 2 ** max(0, min(ups, 3)) if ups else 4}
    return None


def _embedding_base(shapes: Shapes) -> str:
    if "clip_g" in shapes:
        return "sdxl"
    widths = {shape[-1] for shape in shapes.values()}
    return next((_WIDTHS[width] for width in (768, 1024) if width in widths), "")


def _reference_base(shapes: Shapes) -> str:
    wide = next((shape[1] for key, shape in shapes.items() if key.endswith("to_k_ip.weight")), 0)
    if wide in (768, 2048):
        return _WIDTHS[wide]
    return "flux" if any("double_blocks" in key or "double_stream" in key for key in shapes) else ""


def _controlnet_base(shapes: Shapes) -> str:
    if any(key.startswith("controlnet_blocks.") for key in shapes):
        return "flux" if any("single_transformer_blocks" in key for key in shapes) else ""
    if any(key.startswith(("add_embedding.", "control_model.label_emb.")) for key in shapes):
        return "sdxl"
    wide = next((shape[1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight")), 0)
    return _WIDTHS.get(wide, "")


def _made_for(capability: str, base: str) -> dict[str, Any]:
    return {"capability": capability, "family": base, "config": {"base": base}}


def _product(shape: Iterable[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
