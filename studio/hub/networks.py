"""Files that hold the denoising network of a picture or video model alone: which family, and of which size.

Owns what tells the families apart, in safetensors and in GGUF, under the names of their first authors and those of
diffusers. Everything is told from names and shapes of tensors. Imports nothing of the application.
"""

import re
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
SD3_ONE = "transformer_blocks.0.norm1_context.linear.weight"
FLUX_ONE = "single_transformer_blocks.0.attn.to_q.weight"
# A tensor that only this family has. Order matters: the first match wins.
_NETWORKS = (
    ("chroma", "ChromaPipeline", ("distilled_guidance_layer.in_proj.bias", "distilled_guidance_layer.in_proj.weight")),
    ("flux2", "Flux2KleinPipeline", ("single_stream_modulation.lin.weight", "single_stream_modulation.linear.weight")),
    ("flux", "FluxPipeline", ("double_blocks.0.img_attn.norm.key_norm.scale", FLUX_ONE)),
    ("sd3", "StableDiffusion3Pipeline", ("joint_blocks.0.context_block.adaLN_modulation.1.bias", SD3_ONE)),
    ("z-image", "ZImagePipeline", ("layers.0.adaLN_modulation.0.weight",)),
    ("qwen-image", "QwenImagePipeline", ("transformer_blocks.0.img_mod.1.weight",)),
    ("wan", "WanPipeline", ("head.modulation", "condition_embedder.time_proj.weight")),
    ("ltx", "LTXPipeline", ("patchify_proj.weight", "time_embed.emb.timestep_embedder.linear_1.weight")),
)  # fmt: skip
_OTHERS = ("av_ca_a2v_gate_adaln_single.emb.timestep_embedder.linear_1.weight", "vace_blocks.0.after_proj.bias")
_PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "transformer.")
_UNET = re.compile(r"^(model\.diffusion_model\.)?(input_blocks\.\d|down_blocks\.\d)")
_LANGUAGE = re.compile(r"^(token_embd\.|blk\.\d+\.|enc\.blk\.\d|v\.blk\.\d|model\.layers\.\d+\.self_attn)")
_BLOCKS = {
    "num_layers": re.compile(r"(?:double_blocks|joint_blocks|transformer_blocks|blocks|layers)\.(\d{1,4})\."),
    "num_single_layers": re.compile(r"single_(?:transformer_)?blocks\.(\d{1,4})\."),
}
_ENTRANCES = (
    "img_in.weight", "x_embedder.weight", "x_embedder.proj.weight", "pos_embed.proj.weight", "patch_embedding.weight",
    "patchify_proj.weight", "proj_in.weight",
)  # fmt: skip
CAPABILITY = {"wan": "text-to-video", "ltx": "text-to-video"}


def network(shapes: Shapes, name: str = "") -> dict[str, Any]:
    """The entry of a file that holds the denoising network of a pipeline and perhaps more; {} for none.

    Its other parts come from a folder of the same family: `config["needs"]` says so, `config["sizes"]` what the
    network's configuration there must say. name: of the file, for what only it tells.
    """
    for prefix in _PREFIXES:
        if any(prefix + key in shapes for key in _OTHERS):
            return {}
        for base, kind, keys in _NETWORKS:
            if any(prefix + key in shapes for key in keys):
                own = {key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)}
                if base == "wan" and len(own.get("patch_embedding.weight", (0, 0))) < 2:
                    return {}
                return _entry(own, base, kind, name.lower())
    return {}


def sizes(own: Shapes, base: str) -> dict[str, int | bool]:
    """What the network's configuration must say, in diffusers' words: blocks, channels that come in.

    own: by names without the prefix of the file.
    """
    found: dict[str, int | bool] = {}
    for key, pattern in _BLOCKS.items():
        numbers = [int(match[1]) for name in own if (match := pattern.match(name))]
        if numbers:
            found[key] = max(numbers) + 1
    entrance = next((own[name] for name in _ENTRANCES if name in own), ())
    if base != "z-image" and len(entrance) > 1:  # that one folds the patch into its channels
        found["in_channels"] = entrance[1]
    if base == "flux2":
        found["guidance_embeds"] = _guided(own)
    return found


def agrees(wanted: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Whether a network's configuration says what `wanted` (of `sizes`) tells; what it does not say is no matter."""
    said = {**network, "num_layers": network.get("num_layers", network.get("n_layers"))}
    return all(said.get(key) is None or said[key] == value for key, value in wanted.items())


def instead(shapes: Shapes, architecture: str) -> str:
    """What a GGUF file holds that is no such network, as words after "It holds"."""
    called = f" ({architecture})" if architecture else ""
    if any(_UNET.match(name) for name in shapes):
        return f"a Stable Diffusion network{called}, which is read from safetensors only"
    if any(_LANGUAGE.match(name) for name in shapes):
        return f"a language model{called} of an architecture that is not unpacked from GGUF"
    return f"a model of another kind{called}; GGUF is read for picture and video models of known families only"


def _entry(own: Shapes, base: str, kind: str, name: str) -> dict[str, Any]:
    measured = sizes(own, base)
    ability = CAPABILITY.get(base, "text-to-image")
    known: dict[str, Any] = {}
    if base == "flux":
        known["guidance_embeds"] = _guided(own)
        if "kontext" in name:
            base, kind, ability = "flux-kontext", "FluxKontextPipeline", "image-editing"
    if base == "flux2" and measured["guidance_embeds"]:
        kind = "Flux2Pipeline"
    if base == "qwen-image" and "edit" in name:
        base, ability = "qwen-image-edit", "image-editing"
        kind = "QwenImageEditPlusPipeline" if re.search(r"2509|2511|plus", name) else "QwenImageEditPipeline"
    if base == "wan" and measured.get("in_channels") == 36:
        kind, ability = "WanImageToVideoPipeline", "image-to-video"
    config = {"_class_name": kind, "base": base, "single_file": True, "needs": base, "sizes": measured}
    if known:
        config["components"] = {"transformer": known}
    return {"capability": ability, "family": kind, "config": config}


def _guided(own: Shapes) -> bool:
    """Whether the network takes the guidance scale as an input."""
    starts = ("guidance_in.", "time_text_embed.guidance", "time_guidance_embed.guidance")
    return any(name.startswith(starts) for name in own)
