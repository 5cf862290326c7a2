"""Which family a model belongs to, and what can be asked of it. The form and the worker both read this.

Imports no torch: everything is told from the catalogue's entry. The rows are in `family_table.py`.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from studio.errors import StudioError

from .family_table import CLASSES, FLUX2_DEV, QWEN_EDIT_PLUS, TABLE, WAN_IMAGE, Family, complete, shaped
from .sampler_table import schedules_for

__all__ = [
    "QUANTISABLE", "TABLE", "USES", "Family", "capability", "choices", "misfit", "of_model", "of_pipeline", "size_for",
]  # fmt: skip

USES = {
    "image.generate": "text",
    "image.travel": "text",
    "image.transform": "image",
    "image.upscale": "image",
    "image.inpaint": "inpaint",
    "image.outpaint": "inpaint",
    "image.edit": "edit",
    "image.clip": "video",
    "image.animate": "image-video",
}
"""What each operation uses of a family; image.generate with a second pass uses "image" as well."""

_CANNOT = {
    "text": "paint from words alone",
    "image": "paint over a picture",
    "inpaint": "repaint a part of a picture",
    "edit": "edit a picture by a sentence",
    "video": "make a clip from words",
    "image-video": "animate a picture",
}
QUANTISABLE = ("transformer", "transformer_2", "unet", "text_encoder", "text_encoder_2", "text_encoder_3")
"""Parts whose weights may have fewer bits; an autoencoder is small, and shows it."""

_QUICK = ("turbo", "lightning", "hyper", "lcm", "schnell", "distilled", "4step", "4-step", "8step", "8-step")
_FAST_STEPS = {"sdxl": 4, "sd15": 4, "sd3": 4, "flux": 4, "flux2": 4, "z-image": 9, "qwen-image": 8}


def of_pipeline(class_name: str, config: Mapping[str, Any]) -> Family:
    """The family of a pipeline of `class_name`, fitted to what `config` (of the catalogue's entry) says of it.

    Raises StudioError code "family" for a pipeline that is of none.
    """
    if class_name not in CLASSES:
        known = ", ".join(family.title for family in TABLE.values())
        raise StudioError(
            "Models of this kind cannot be used here",
            f"It is made for {class_name or 'no pipeline that is named'}. Known are: {known}.",
            "Choose a model of one of these families.",
            code="family",
        )
    family = TABLE[CLASSES[class_name]]
    parts = config.get("components")
    parts = parts if isinstance(parts, dict) else {}
    if family.id == "sd15" and _number(parts.get("unet"), "cross_attention_dim") == 1024:
        family = TABLE["sd2"]
    family = _member(family, class_name, config, parts)
    return _measured(family, parts)


def of_model(model: Any) -> Family:
    """The family of a ModelInfo, or of the catalogue's entry as a dictionary. Raises StudioError code "family"."""
    read = model.get if isinstance(model, dict) else lambda key: getattr(model, key, None)
    config = read("config")
    config = config if isinstance(config, dict) else {}
    name = config.get("_class_name") or read("family") or ""
    family = of_pipeline(str(name), config)
    family = replace(family, fixed=_fixed(family, config))
    title = str(read("id") or "").lower()
    # Distilled for few steps: only the name says so, and Schnell its network, which takes no guidance.
    plain = family.id == "flux" and _part(config, "transformer").get("guidance_embeds") is False
    if plain or any(word in title for word in _QUICK):
        quick = replace(family, steps=_FAST_STEPS.get(family.id, family.steps))
        return replace(quick, guidance=0.0 if family.guided == "distilled" or family.id == "z-image" else 1.0)
    return family


def size_for(family: Family, config: Mapping[str, Any], width: int, height: int) -> tuple[int, int]:
    """The size to paint at; 0 means what the model was made for. Raises StudioError naming the nearest sizes."""
    if width == 0 and height == 0:
        return family.sizes[0]
    width, height = width or family.sizes[0][0], height or family.sizes[0][1]
    step = family.multiple
    if width % step or height % step:
        near = [(_nearest(width, step, up), _nearest(height, step, up)) for up in (False, True)]
        raise StudioError(
            "This model cannot paint at this size",
            f"{width} × {height} px: width and height must be multiples of {step} for {family.title}.",
            "The nearest sizes are " + " and ".join(f"{w} × {h}" for w, h in dict.fromkeys(near)) + ".",
            code="size",
        )
    return width, height


def capability(family: Family, operation_id: str) -> dict[str, str]:
    """The fields of an operation that this family cannot use, each with the reason, as a sentence.

    The field "model" stands for the whole operation.
    """
    title = family.title
    reasons: dict[str, str] = {}
    use = USES.get(operation_id, "")
    if use and use not in family.pipelines and not (operation_id == "image.upscale" and "text" in family.pipelines):
        reasons["model"] = f"{title} cannot {_CANNOT[use]}."
    if not family.negative:
        reasons["negative"] = f"{title} reads no negative prompt."
    if family.guided == "none":
        reasons["guidance"] = f"{title} is made to work without guidance."
    for name, there, words in (
        ("clip_skip", family.clip_skip, "has no CLIP layers to skip"),
        ("inversions", family.inversions, "takes no textual inversions"),
        ("loras", family.loras, "takes no LoRA"),
        ("regions", family.regions, "cannot give regions prompts of their own"),
        ("controls", _controls(family, use), "has no ControlNet for this"),
        ("references", family.references, "takes no reference pictures"),
        ("shift", family.shifts, "has no shift: it is not a flow model"),
        ("schedule", len(family.schedules) > 1, "has one noise schedule only"),
    ):
        if not there:
            reasons[name] = f"{title} {words}."
    if not any(sampler in family.samplers for sampler in ("ddim", "tcd")):
        reasons["eta"] = f"No sampler of {title} takes eta."
    if "image" not in family.pipelines:
        reasons["hires"] = f"{title} cannot paint over a picture, which a second pass does."
    if family.fixed or not quantisers():
        reasons["quantised"] = family.fixed or "Neither bitsandbytes nor torchao is installed."
    return reasons


def choices(family: Family, field: str, sampler: str = "auto") -> tuple[Any, ...] | None:
    """What may be chosen in `field` with this family; None where everything may.

    sampler: the one that is chosen, which narrows the schedules.
    """
    if field == "sampler":
        return ("auto", *family.samplers)
    if field == "schedule":
        goes = family.schedules if sampler == "auto" else schedules_for(sampler, family.prediction)
        return ("auto", *(name for name in goes if name in family.schedules))
    if field == "quantised":
        have = () if family.fixed else quantisers()
        four = "bitsandbytes" in have or ("torchao" in have and find_spec("mslk") is not None)
        return ("none", *(("int8",) if have else ()), *(("int4",) if four else ()))
    return None


def misfit(family: Family, model: Any) -> str:
    """Why an adapter, ControlNet, embedding or IP-Adapter (an entry or ModelInfo) is not for `family`; "" if it
    may be: what a file was made for is guessed from its tensors, and not always to be known."""
    config = model.get("config") if isinstance(model, dict) else getattr(model, "config", None)
    base = str((config or {}).get("base") or "")
    same = {base, family.id} <= {"flux", "flux-kontext"} or {base, family.id} <= {"qwen-image", "qwen-image-edit"}
    if not base or base == family.id or same:
        return ""
    made = TABLE[base].title if base in TABLE else base
    return f"It is made for {made}, the model is of {family.title}."


def quantisers() -> tuple[str, ...]:
    """The installed libraries that load weights in fewer bits."""
    return tuple(name for name in ("bitsandbytes", "torchao") if find_spec(name) is not None)


def _fixed(family: Family, config: Mapping[str, Any]) -> str:
    if config.get("single_file") and not config.get("needs"):
        return f"A single file of {family.title} is loaded as it is; a folder in diffusers' layout need not be."
    packed, parts = config.get("packed"), config.get("components")
    packed = packed.get("parts") if isinstance(packed, dict) else None
    if not isinstance(packed, dict) or not isinstance(parts, dict):
        return ""
    if any(name in parts and name not in packed for name in QUANTISABLE):
        return ""
    ways = ", ".join(sorted({str(way) for way in packed.values()}))
    return f"The weights of this model are stored in fewer bits already ({ways})."


def _controls(family: Family, use: str) -> bool:
    wanted = {"text": "control", "image": "control-image", "inpaint": "control-inpaint"}.get(use, "control")
    return family.controls and wanted in family.pipelines


def _member(family: Family, class_name: str, config: Mapping[str, Any], parts: dict[str, Any]) -> Family:
    """What this member of the family does otherwise than the row says."""
    if class_name == "Flux2Pipeline":
        return replace(family, pipelines=FLUX2_DEV, guided="distilled", negative=False)
    if class_name == "QwenImageEditPlusPipeline":
        return replace(family, pipelines=QWEN_EDIT_PLUS, references=True)
    if class_name == "WanImageToVideoPipeline":
        return replace(family, pipelines=WAN_IMAGE)
    settings = config.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    if class_name == "WanPipeline" and settings.get("expand_timesteps"):
        return replace(family, pipelines={**family.pipelines, **WAN_IMAGE}, fps=24, frames=121)
    if class_name.startswith("Flux2Klein") and settings.get("is_distilled"):
        return replace(family, guided="none", guidance=1.0, negative=False, steps=4)
    if family.network == "unet" and _number(parts.get("unet"), "in_channels") == 9:
        only = {use: name for use, name in family.pipelines.items() if use.endswith("inpaint")}
        return replace(family, pipelines=only)
    return family


def _measured(family: Family, parts: dict[str, Any]) -> Family:
    """The row with the sizes that this model's configurations give."""
    if not parts:
        return family
    vae = parts.get("vae") if isinstance(parts.get("vae"), dict) else {}
    network = parts.get(family.network) if isinstance(parts.get(family.network), dict) else {}
    scale = _scale(vae) or family.latent_scale
    channels = _number(vae, "latent_channels") or _number(vae, "z_dim") or family.latent_channels
    changed = replace(family, latent_scale=scale, latent_channels=channels)
    prediction = _part({"components": parts}, "scheduler").get("prediction_type")
    if family.prediction != "flow" and prediction in ("epsilon", "v_prediction"):
        changed = replace(changed, prediction="velocity" if prediction == "v_prediction" else "noise")
    sample = _number(network, "sample_size")
    usual = TABLE[family.id].latent_scale
    native = sample * scale if (sample and family.network == "unet") or (family.id == "sd3" and sample) else 0
    if not native and scale != usual:
        native = family.native * scale // usual
    multiple = max(8, family.multiple * scale // usual)
    if native and (native != family.native or multiple != family.multiple):
        native = max(multiple, native // multiple * multiple)
        changed = replace(changed, native=native, multiple=multiple, sizes=shaped(native, multiple))
    return complete(changed) if changed.prediction != family.prediction else changed


def _scale(vae: Any) -> int:
    """Pixels per latent on each side, by the shape of the autoencoder; 0 when it does not say."""
    if not isinstance(vae, dict):
        return 0
    given = vae.get("scale_factor_spatial") or vae.get("spatial_compression_ratio")
    if isinstance(given, int) and given > 0:
        return given
    if isinstance(vae.get("spatio_temporal_scaling"), list):
        return (_number(vae, "patch_size") or 1) * 2 ** sum(map(bool, vae["spatio_temporal_scaling"]))
    if isinstance(vae.get("temperal_downsample"), list):
        return 2 ** len(vae["temperal_downsample"])
    blocks = vae.get("block_out_channels")
    return 2 ** (len(blocks) - 1) if isinstance(blocks, list | tuple) and blocks else 0


def _nearest(length: int, step: int, up: bool) -> int:
    return max(step, (length // step + (1 if up and length % step else 0)) * step)


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    parts = config.get("components")
    part = parts.get(name) if isinstance(parts, dict) else None
    return part if isinstance(part, dict) else {}


def _number(part: Any, key: str) -> int:
    value = part.get(key) if isinstance(part, dict) else None
    return value if type(value) is int and value > 0 else 0
