"""Single-file checkpoints of Stable Diffusion in the layout of their first authors: their parts, told from shapes.

Owns the configurations (in diffusers' words) that such files do not carry. Rules: the width and depth of every
block is in the shapes; the number of attention heads is not, and follows the family. Imports nothing of the
application.
"""

from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
UNET = "model.diffusion_model."
VAE = "first_stage_model."
SCALING = {"sd15": 0.18215, "sd2": 0.18215, "sdxl": 0.13025}
_CLIP = ("cond_stage_model.transformer.text_model.", "conditioner.embedders.0.transformer.text_model.")
_OPEN_CLIP = ("cond_stage_model.model.", "conditioner.embedders.1.model.", "conditioner.embedders.0.model.")
_NOISE = {
    "_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "beta_end": 0.012, "num_train_timesteps": 1000, "steps_offset": 1, "timestep_spacing": "leading",
    "interpolation_type": "linear",
}  # fmt: skip


def base_of(shapes: Shapes) -> str:
    """ "sd15", "sd2" or "sdxl"; "" for what is none of these, the refiner of SDXL among them."""
    key = next((name for name in shapes if name.startswith(UNET) and name.endswith("attn2.to_k.weight")), "")
    if not key or f"{UNET}input_blocks.0.0.weight" not in shapes:
        return ""
    if f"{UNET}label_emb.0.0.weight" in shapes:
        refiner = any(name.startswith("conditioner.embedders.0.model.") for name in shapes)
        return "" if refiner or shapes[key][1] == 1280 else "sdxl"
    return "sd2" if shapes[key][1] == 1024 else "sd15"


def components(shapes: Shapes, base: str, name: str = "") -> dict[str, Any]:
    """The configurations of the parts that the file holds, by their names in diffusers' pipeline.

    name: of the file; Stable Diffusion 2 says only there whether it predicts noise.
    """
    velocity = "v_pred" in shapes or (base == "sd2" and not any(word in name.lower() for word in ("base", "512")))
    found: dict[str, Any] = {
        "scheduler": {**_NOISE, "prediction_type": "v_prediction" if velocity else "epsilon"},
        "unet": unet({key.removeprefix(UNET): shape for key, shape in shapes.items() if key.startswith(UNET)}, base),
    }
    if "ztsnr" in shapes:
        found["scheduler"] |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    autoencoder = vae({key.removeprefix(VAE): shape for key, shape in shapes.items() if key.startswith(VAE)}, base)
    if autoencoder:
        found["vae"] = autoencoder
    for prefix in _CLIP:
        if encoder := clip(shapes, prefix):
            found["text_encoder"] = encoder
    for prefix in _OPEN_CLIP:
        if encoder := open_clip(shapes, prefix, base):
            found["text_encoder_2" if base == "sdxl" else "text_encoder"] = encoder
    if "text_encoder_2" in found and found["unet"].get("addition_embed_type"):
        width = found["unet"]["projection_class_embeddings_input_dim"] - found["text_encoder_2"]["projection_dim"]
        found["unet"]["addition_time_embed_dim"] = width // 6
    return found


def unet(shapes: Shapes, base: str) -> dict[str, Any]:
    """UNet2DConditionModel's configuration. shapes: without the prefix of the checkpoint."""
    levels: list[int] = []
    depths: list[int] = []
    layers = 0
    for number in range(1, _count(shapes, "input_blocks.{}.")):
        block = f"input_blocks.{number}."
        if f"{block}0.op.weight" in shapes:
            levels.append(0)  # the next block begins a level
            depths.append(0)
            continue
        if not levels:
            levels, depths = [0], [0]
        levels[-1] = shapes.get(f"{block}0.out_layers.3.weight", (0,))[0]
        depths[-1] = max(depths[-1], _count(shapes, block + "1.transformer_blocks.{}."))
        layers += len(levels) == 1
    middle = _count(shapes, "middle_block.1.transformer_blocks.{}.")
    key = next((name for name in shapes if name.endswith("attn2.to_k.weight")), "")
    linear = any(name.endswith("proj_in.weight") and len(shape) == 2 for name, shape in shapes.items())
    down = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths)
    up = tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths))
    config: dict[str, Any] = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": {"sdxl": 128, "sd2": 96}.get(base, 64),
        "in_channels": shapes.get("input_blocks.0.0.weight", (0, 4))[1],
        "out_channels": shapes.get("out.2.weight", (4,))[0],
        "block_out_channels": levels,
        "layers_per_block": layers,
        "down_block_types": list(down),
        "up_block_types": list(up),
        "cross_attention_dim": shapes[key][1] if key else 768,
        "attention_head_dim": [max(1, width // 64) for width in levels] if linear else 8,
        "use_linear_projection": linear,
        "transformer_layers_per_block": [depth or 1 for depth in depths],
    }
    if middle and depths and middle != depths[-1]:
        config["transformer_layers_per_block"][-1] = middle
    if "label_emb.0.0.weight" in shapes:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": shapes["label_emb.0.0.weight"][1],
        }
    return config


def vae(shapes: Shapes, base: str) -> dict[str, Any]:
    """AutoencoderKL's configuration, empty when there is none. shapes: without the prefix of the checkpoint."""
    if "decoder.conv_in.weight" not in shapes or "encoder.conv_in.weight" not in shapes:
        return {}
    count = _count(shapes, "encoder.down.{}.")
    widths = [shapes.get(f"encoder.down.{level}.block.0.conv1.weight", (0,))[0] for level in range(count)]
    config = {
        "_class_name": "AutoencoderKL",
        "block_out_channels": widths,
        "down_block_types": ["DownEncoderBlock2D"] * count,
        "up_block_types": ["UpDecoderBlock2D"] * count,
        "layers_per_block": _count(shapes, "encoder.down.0.block.{}."),
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "norm_num_groups": min([32, *filter(None, widths)]),
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        "scaling_factor": SCALING.get(base, 0.18215),
        "sample_size": 1024 if base == "sdxl" else 512,
    }
    if config["latent_channels"] == 16:  # Stable Diffusion 3 and Flux
        config |= {"scaling_factor": 1.5305, "shift_factor": 0.0609}
        if base == "flux":
            config |= {"scaling_factor": 0.3611, "shift_factor": 0.1159}
    return config


def clip(shapes: Shapes, prefix: str) -> dict[str, Any]:
    """CLIPTextModel's configuration, empty when the file has none under `prefix`."""
    words = shapes.get(prefix + "embeddings.token_embedding.weight")
    if words is None or len(words) != 2:
        return {}
    return _text(
        words,
        layers=_count(shapes, prefix + "encoder.layers.{}."),
        inner=shapes.get(prefix + "encoder.layers.0.mlp.fc1.weight", (words[1] * 4,))[0],
        length=shapes.get(prefix + "embeddings.position_embedding.weight", (77,))[0],
        projection=words[1],
    ) | {"_class_name": "CLIPTextModel", "hidden_act": "quick_gelu"}


def open_clip(shapes: Shapes, prefix: str, base: str) -> dict[str, Any]:
    """The configuration of OpenCLIP's text model. Stable Diffusion 2 leaves out its last layer."""
    words = shapes.get(prefix + "token_embedding.weight")
    if words is None or len(words) != 2:
        return {}
    layers = _count(shapes, prefix + "transformer.resblocks.{}.")
    return _text(
        words,
        layers=layers - 1 if base == "sd2" and layers == 24 else layers,
        inner=shapes.get(prefix + "transformer.resblocks.0.mlp.c_fc.weight", (words[1] * 4,))[0],
        length=shapes.get(prefix + "positional_embedding", (77,))[0],
        projection=shapes.get(prefix + "text_projection", (0, words[1]))[1],
    ) | {"_class_name": "CLIPTextModelWithProjection" if base == "sdxl" else "CLIPTextModel", "hidden_act": "gelu"}


def _text(words: tuple[int, ...], *, layers: int, inner: int, length: int, projection: int) -> dict[str, Any]:
    return {
        "vocab_size": words[0],
        "hidden_size": words[1],
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, words[1] // 64),
        "max_position_embeddings": length,
        "projection_dim": projection,
        "bos_token_id": words[0] - 2,
        "eos_token_id": words[0] - 1,
        "pad_token_id": words[0] - 1,
    }


def _count(shapes: Shapes, pattern: str) -> int:
    """One more than the highest number that stands in the place of {} in a name that begins so."""
    start = pattern.partition("{}")[0]
    found = [name[len(start) :].partition(".")[0] for name in shapes if name.startswith(start)]
    return max((int(number) + 1 for number in found if number.isdecimal() and len(number) < 5), default=0)
