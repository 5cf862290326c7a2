"""ControlNets: their maps, their strength, and their place beside a resident model.

Owns `controlled`. L. Zhang et al., "Adding Conditional Control to Text-to-Image Diffusion Models", arXiv:2302.05543.
Loads folders in diffusers' layout, and single safetensors files for the UNet families; nothing but safetensors.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

from studio.errors import StudioError
from studio.sdk.operation import JobContext, ModelInfo

from . import maps
from .params import Control
from .pictures import read_picture

SEVERAL = {
    "ControlNetModel": ("diffusers.models.controlnets.multicontrolnet", "MultiControlNetModel"),
    "SD3ControlNetModel": ("diffusers.models.controlnets.controlnet_sd3", "SD3MultiControlNetModel"),
    "FluxControlNetModel": ("diffusers.models.controlnets.controlnet_flux", "FluxMultiControlNetModel"),
    "QwenImageControlNetModel": ("diffusers.models.controlnets.controlnet_qwenimage", "QwenImageMultiControlNetModel"),
}
SHARED = {
    "ControlNetModel": ("cross_attention_dim", "addition_embed_type", "in_channels"),
    "SD3ControlNetModel": ("joint_attention_dim", "num_attention_heads", "attention_head_dim"),
    "FluxControlNetModel": ("joint_attention_dim", "num_attention_heads", "attention_head_dim", "in_channels"),
    "QwenImageControlNetModel": ("joint_attention_dim", "num_attention_heads", "attention_head_dim", "in_channels"),
}
"""What a ControlNet must have in common with the network it guides."""
UNION_MODES = {"canny": 0, "depth": 2, "pose": 4}
"""Numbers of the maps in Flux's ControlNets for several kinds of maps (Shakker-Labs, InstantX)."""


@dataclass(frozen=True)
class Controlled:
    """What the pipeline is given for the ControlNets: keyword arguments and parts; empty without any."""

    call: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.parts)


@contextlib.contextmanager
def controlled(
    loaded: Any, ctx: JobContext, controls: Sequence[Control], width: int, height: int, *, over: bool
) -> Iterator[Controlled]:
    """The ControlNets of a job, resident while it lasts; those of weight 0 are left out.

    over: painted over a picture, which takes the name `image` in the pipeline's arguments.
    Raises StudioError where the family has none, one does not fit or its map cannot be made.
    """
    acting = [control for control in controls if control.model and control.weight]
    for control in controls:
        _check(loaded, control)
    if not acting:
        yield Controlled()
        return
    with contextlib.ExitStack() as stack:
        pictures = [_map(control, ctx, width, height) for control in acting]
        nets = [
            stack.enter_context(
                ctx.models.use(
                    c.model, lambda info: _load(info, loaded, ctx), key=f"control-{loaded.family.id}-{ctx.dtype}"
                )
            )
            for c in acting
        ]
        for control, net in zip(acting, nets, strict=True):
            _check_fit(loaded, net, ctx.models.info(control.model))
        yield Controlled(_call(loaded, acting, nets, pictures, over), {"controlnet": _together(loaded, nets)})


def _check(loaded: Any, control: Control) -> None:
    if not loaded.family.controls or loaded.family.control_class not in SEVERAL:
        raise StudioError(
            f"{loaded.family.title} takes no ControlNet",
            f"{loaded.info.id} is of that family, for which there is none here.",
            "Remove the control, or choose a model of Stable Diffusion 1.5, XL, 3 or Flux.",
            code="control-family",
        )
    if not control.model:
        raise StudioError("A control has no ControlNet", "", "Choose one, or remove the control.", code="control")
    if not control.picture:
        raise StudioError(
            "A control has no picture", f"Of {control.model}.", "Give it a map, or the picture to make one from.",
            code="control",
        )  # fmt: skip
    if control.start >= control.end:
        raise StudioError(
            "A control ends before it starts",
            f"{control.model}: it starts at {control.start:g} of the steps and ends at {control.end:g}.",
            "Let it start earlier or end later.",
            code="control",
        )


def _map(control: Control, ctx: JobContext, width: int, height: int) -> Image.Image:
    """The map at the size of the picture that is painted."""
    picture = read_picture(ctx.input(control.picture), "picture of a control").resize(
        (width, height), Image.Resampling.LANCZOS
    )
    return picture if control.map == "given" else maps.make(control.map, picture, ctx, reader=control.reader)


def _call(
    loaded: Any, acting: list[Control], nets: list[Any], pictures: list[Image.Image], over: bool
) -> dict[str, Any]:
    def one_or_all(values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else values

    unets = loaded.family.control_class == "ControlNetModel"
    call = {
        "image" if unets and not over else "control_image": one_or_all(pictures),
        "controlnet_conditioning_scale": one_or_all([float(control.weight) for control in acting]),
        "control_guidance_start": one_or_all([control.start for control in acting]),
        "control_guidance_end": one_or_all([control.end for control in acting]),
    }
    if loaded.family.control_class == "FluxControlNetModel" and any(_is_union(net) for net in nets):
        call["control_mode"] = one_or_all([_mode(c, net) for c, net in zip(acting, nets, strict=True)])
    return call


def _is_union(net: Any) -> bool:
    return bool(getattr(net.config, "num_mode", None))


def _mode(control: Control, net: Any) -> int | None:
    if not _is_union(net):
        return None
    if control.map not in UNION_MODES:
        raise StudioError(
            "This ControlNet must be told what its map is",
            f"{control.model} reads several kinds of maps; {control.map!r} does not say which.",
            "Choose canny, depth or pose as the map.",
            code="control",
        )
    return UNION_MODES[control.map]


def _together(loaded: Any, nets: list[Any]) -> Any:
    if len(nets) == 1:
        return nets[0]
    import importlib

    module, name = SEVERAL[loaded.family.control_class]
    return getattr(importlib.import_module(module), name)(nets)


# Loading ---------------------------------------------------------------------------------------------


def _load(info: ModelInfo, loaded: Any, ctx: JobContext) -> Any:
    ctx.stage(f"Loading {info.id}")
    path, wanted = Path(info.path), loaded.family.control_class
    with torch.inference_mode(False):
        net = _of_folder(info, path, wanted, loaded) if path.is_dir() else _of_file(info, path, wanted, loaded)
        return net.to(ctx.device).eval().requires_grad_(False)


def _of_folder(info: ModelInfo, path: Path, wanted: str, loaded: Any) -> Any:
    import diffusers

    kind: Any = getattr(diffusers, wanted)
    try:
        named = kind.load_config(path, local_files_only=True).get("_class_name", wanted)
        if named != wanted:
            raise _misfit(info, loaded, f"It is a {named}; this family needs a {wanted}.")
        net, told = kind.from_pretrained(
            path, local_files_only=True, use_safetensors=True, torch_dtype=loaded.dtype, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise StudioError(
            "The ControlNet cannot be loaded", f"{info.id}: {_short(error)}",
            "A folder with config.json and weights in safetensors is needed.", code="control",
        ) from None  # fmt: skip
    _complete(info, told.get("missing_keys") or ())
    return net


def _of_file(info: ModelInfo, path: Path, wanted: str, loaded: Any) -> Any:
    """A single file of the UNet families: its shape is that of the model's own UNet."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
    from diffusers.models.controlnets.controlnet import ControlNetModel

    if path.suffix != ".safetensors" or wanted != "ControlNetModel":
        raise StudioError(
            "The ControlNet cannot be loaded", f"{info.id}: {path.name} is a single file.",
            "For this family a folder with config.json and weights in safetensors is needed.", code="control",
        )  # fmt: skip
    state = load_file(path)
    net: Any = ControlNetModel.from_unet(
        loaded.parts["unet"], conditioning_embedding_out_channels=_hint_channels(state), load_weights_from_unet=False
    )
    torch.nn.Module.to(net, dtype=loaded.dtype)
    try:
        if any("input_blocks" in key or key.startswith("control_model.") for key in state):
            state = convert_controlnet_checkpoint(state, dict(net.config))
        missing, _ = net.load_state_dict(state, strict=False)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise _misfit(info, loaded, _short(error)) from None
    _complete(info, missing)
    return net


def _hint_channels(state: dict[str, torch.Tensor]) -> tuple[int, ...]:
    """Channels of the layers that read the map, each of which but the first halves it; the usual where unknown."""
    name = "controlnet_cond_embedding."
    first = state.get(f"{name}conv_in.weight")
    if first is None:
        return (16, 32, 96, 256)
    halving = [state[key] for n in range(1, 20, 2) if (key := f"{name}blocks.{n}.weight") in state]
    return (first.shape[0], *(tensor.shape[0] for tensor in halving))


def _complete(info: ModelInfo, missing: Sequence[str]) -> None:
    if missing:
        raise StudioError(
            "The ControlNet is incomplete",
            f"{info.id} lacks {len(missing):,} of its tensors, such as {sorted(missing)[0]}.",
            "Download it again, completely.",
            code="control",
        )


def _check_fit(loaded: Any, net: Any, info: ModelInfo) -> None:
    network = loaded.parts[loaded.family.network]
    for name in SHARED[loaded.family.control_class]:
        ours, theirs = getattr(network.config, name, None), getattr(net.config, name, None)
        if ours != theirs:
            raise _misfit(info, loaded, f"Its {name} is {theirs}; the model's is {ours}.")
    channels = getattr(net.config, "conditioning_embedding_out_channels", None)
    blocks = getattr(getattr(loaded.parts.get("vae"), "config", None), "block_out_channels", None)
    if channels and blocks and len(channels) != len(blocks) and loaded.family.control_class == "ControlNetModel":
        ours, theirs = 2 ** (len(blocks) - 1), 2 ** (len(channels) - 1)
        raise _misfit(info, loaded, f"It reads {theirs} pixels as one latent; the model's latents have {ours}.")


def _misfit(info: ModelInfo, loaded: Any, why: str) -> StudioError:
    return StudioError(
        "This ControlNet was made for another model",
        f"{info.id} does not fit {loaded.info.id}, which is of the family {loaded.family.title}. {why}",
        "Choose a ControlNet of the model's family, or another model.",
        code="control-family",
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
