"""Files as other programs write them, made of the tiny pipelines: checkpoints in the first layout of Stable
Diffusion, ControlNets, learned words, upscalers. Networks alone come from tiny_networks."""

import inspect
import json
import re
import warnings
from pathlib import Path
from typing import Any

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0", "conv_out": "out.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def single_file(folder: Path, file: Path, without: str = "") -> Path:
    """The tiny sd15 or sdxl pipeline in `folder` as one checkpoint in the first layout.

    without: the beginning of tensor names that are left out.
    """
    tensors = {f"model.diffusion_model.{name}": value for name, value in unet(folder / "unet").items()}
    tensors |= {f"first_stage_model.{name}": value for name, value in vae(folder / "vae").items()}
    text = _weights(folder / "text_encoder")
    large = (folder / "text_encoder_2").is_dir()
    prefix = "conditioner.embedders.0.transformer." if large else "cond_stage_model.transformer."
    for name, value in text.items():
        tensors[f"{prefix}text_model.{name.removeprefix('text_model.')}"] = value
    if large:
        tensors |= {f"conditioner.embedders.1.model.{name}": v for name, v in open_clip(folder).items()}
    return save({name: v for name, v in tensors.items() if not without or not name.startswith(without)}, file)


def save(tensors: dict[str, Any], file: Path) -> Path:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, file)
    return file


def unet(folder: Path) -> dict[str, Any]:
    """The UNet's tensors by the names of the first layout."""
    tensors = _weights(folder)
    layers = 1 + max(int(m[1]) for n in tensors if (m := re.match(r"down_blocks\.0\.resnets\.(\d+)", n)))
    attentive = {m[1] for n in tensors if (m := re.match(r"up_blocks\.(\d+)\.attentions", n))}
    return {_unet_name(name, layers, attentive): value for name, value in tensors.items()}


def _unet_name(name: str, layers: int, attentive: set[str]) -> str:
    for new, old in _UNET.items():
        if name.startswith(new + "."):
            return name.replace(new, old, 1)
    parts = name.split(".")
    if parts[0] == "mid_block":
        place = 1 if parts[1] == "attentions" else int(parts[2]) * 2
        return f"middle_block.{place}." + _inner(parts[1], ".".join(parts[3:]))
    side = "input_blocks" if parts[0] == "down_blocks" else "output_blocks"
    block, number, rest = int(parts[1]), int(parts[3]), ".".join(parts[4:])
    first = block * (layers + 1) + (1 if side == "input_blocks" else 0)
    if parts[2] == "downsamplers":
        return f"{side}.{(block + 1) * (layers + 1)}.0.op.{parts[-1]}"
    if parts[2] == "upsamplers":
        return f"{side}.{first + layers}.{2 if parts[1] in attentive else 1}.conv.{parts[-1]}"
    return f"{side}.{first + number}.{1 if parts[2] == 'attentions' else 0}." + _inner(parts[2], rest)


def _inner(kind: str, rest: str) -> str:
    return _swap(rest, _RESNET) if kind == "resnets" else rest


def _swap(name: str, table: dict[str, str]) -> str:
    for new, old in table.items():
        if name.startswith(new + "."):
            return old + name[len(new) :]
    return name


def vae(folder: Path) -> dict[str, Any]:
    """The autoencoder's tensors by the names of the first layout."""
    tensors = _weights(folder)
    last = max(int(m[1]) for n in tensors if (m := re.match(r"decoder\.up_blocks\.(\d+)", n)))
    return dict(_vae_tensor(name, value, last) for name, value in tensors.items())


def _vae_tensor(name: str, value: Any, last: int) -> tuple[str, Any]:
    if match := re.fullmatch(r"(\w+)\.mid_block\.attentions\.0\.(.+)", name):
        inner = _swap(match[2], _ATTENTION)
        square = value[:, :, None, None] if value.dim() == 2 else value
        return f"{match[1]}.mid.attn_1.{inner}", square
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{last - int(m[1])}.block", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
    return name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut"), value


def open_clip(folder: Path) -> dict[str, Any]:
    """The second text encoder of SDXL by OpenCLIP's names, its three projections in one."""
    import torch

    found: dict[str, Any] = {}
    joined: dict[str, dict[str, Any]] = {}
    for name, value in _weights(folder / "text_encoder_2").items():
        plain = name.removeprefix("text_model.")
        if match := re.fullmatch(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", plain):
            joined.setdefault(f"transformer.resblocks.{match[1]}.attn.in_proj_{match[3]}", {})[match[2]] = value
        elif match := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)", plain):
            found[f"transformer.resblocks.{match[1]}.{_swap(match[2], _OPEN_CLIP)}"] = value
        elif plain == "text_projection.weight":
            found["text_projection"] = value.T
        else:
            plain = plain.replace("embeddings.token_embedding", "token_embedding")
            plain = plain.replace("embeddings.position_embedding.weight", "positional_embedding")
            found[plain.replace("final_layer_norm", "ln_final")] = value
    return found | {name: torch.cat([parts[key] for key in "qkv"]) for name, parts in joined.items()}


def controlnet(pipeline: Path, folder: Path, seed: int = 5) -> Path:
    """A ControlNet for the tiny sd15, sdxl, sd3 or flux pipeline in `pipeline`; its effect is not nothing."""
    import diffusers
    import torch

    before = torch.get_rng_state()
    torch.manual_seed(seed)
    if (pipeline / "unet").is_dir():
        network: Any = diffusers.UNet2DConditionModel.from_pretrained(pipeline / "unet", local_files_only=True)
        model: Any = diffusers.ControlNetModel.from_unet(network, conditioning_channels=3)
    else:
        config = json.loads((pipeline / "transformer" / "config.json").read_text())
        kind = config["_class_name"].replace("Transformer2DModel", "ControlNetModel")
        known = inspect.signature(getattr(diffusers, kind).__init__).parameters
        with warnings.catch_warnings():  # diffusers' own ControlNet of Flux uses a name that diffusers moved
            warnings.simplefilter("ignore", FutureWarning)
            model = getattr(diffusers, kind)(**{key: value for key, value in config.items() if key in known})
    for parameter in model.parameters():
        if parameter.dim() > 1 and not bool(parameter.detach().any()):
            torch.nn.init.normal_(parameter, std=0.1)
    torch.set_rng_state(before)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def learned_word(file: Path, width: int = 32, word: str = "<tiny-fox>", rows: int = 1) -> Path:
    """A textual inversion as diffusers saves it: {word: vectors}."""
    import torch

    return save({word: torch.randn(rows, width, generator=torch.Generator().manual_seed(3)) * 0.5}, file)


def compact(file: Path, scale: int = 2, width: int = 8, layers: int = 2) -> Path:
    """An upscaler of the SRVGG kind: convolutions and PReLUs in a row, then a pixel shuffle."""
    import torch

    make = torch.Generator().manual_seed(7)
    tensors = {"body.0.weight": torch.randn(width, 3, 3, 3, generator=make) * 0.1, "body.0.bias": torch.zeros(width)}
    tensors["body.1.weight"] = torch.full((width,), 0.2)
    for number in range(layers):
        at = 2 + number * 2
        tensors[f"body.{at}.weight"] = torch.randn(width, width, 3, 3, generator=make) * 0.1
        tensors[f"body.{at}.bias"] = torch.zeros(width)
        tensors[f"body.{at + 1}.weight"] = torch.full((width,), 0.2)
    end = 2 + layers * 2
    tensors[f"body.{end}.weight"] = torch.randn(3 * scale * scale, width, 3, 3, generator=make) * 0.1
    tensors[f"body.{end}.bias"] = torch.zeros(3 * scale * scale)
    return save(tensors, file)


def _weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    file = next(iter(sorted(folder.glob("*.safetensors"))))
    return load_file(file)
