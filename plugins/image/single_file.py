"""Reads a model out of one file: a checkpoint of Stable Diffusion; the network of another family by network_file.py.

Owns how the parts that a checkpoint does not hold are found: tokenizers here, all else in a folder of the same family
(`companion` in the catalogue's entry). Configurations come from the catalogue, which tells them from shapes; the
translation of tensor names is diffusers'. Nothing is fetched.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import init_empty_weights
from diffusers.loaders import single_file_utils as names
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

from . import clip_words
from .family_table import Family
from .loading_parts import INDEX, Parts, check_complete, guarded, read_json, read_part
from .network_file import read_network
from .tensor_files import read_safetensors

CLIP_PREFIX = ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer.")
OPEN_CLIP_PREFIX = ("conditioner.embedders.1.model.", "cond_stage_model.model.")


def read_file(info: ModelInfo, family: Family, dtype: torch.dtype, quantised: str = "none") -> Parts:
    """The parts of the model in the file of `info`, on the CPU. Raises StudioError in words."""
    path = Path(info.path)
    if not info.config.get("single_file"):
        raise StudioError(
            "This file is no picture model that is known",
            f"The tensors in {path.name} are those of no family of models that can be used here.",
            "Choose a checkpoint of one of them, or a folder in diffusers' layout.",
            code="family",
        )
    companion = _companion(info)
    if info.config.get("needs"):
        return read_network(path, info, family, companion, dtype, quantised)
    return _checkpoint(path, info, family, companion, dtype)


def _checkpoint(path: Path, info: ModelInfo, family: Family, companion: Path | None, dtype: torch.dtype) -> Parts:
    """Stable Diffusion 1.5, 2 or XL in their first layout."""
    configs: dict[str, Any] = {key: dict(value) for key, value in info.config.get("components", {}).items()}
    tensors = guarded("checkpoint", lambda: read_safetensors(path))
    scheduler = configs.pop("scheduler", {})
    found = Parts(scheduler_class=scheduler.pop("_class_name", "EulerDiscreteScheduler"), scheduler_config=scheduler)
    wanted = ["unet", "vae", "text_encoder", *(["text_encoder_2"] if family.id == "sdxl" else [])]
    for name in wanted:
        if name in configs:
            made = _makers[name](tensors, configs[name], dtype)
        else:
            made = _borrowed(companion, name, path, family, dtype)
        found.parts[name] = made
    for name in wanted[2:]:
        found.parts[name.replace("text_encoder", "tokenizer")] = _words_for(found.parts[name], name, family, companion)
    if family.id == "sdxl":
        found.settings = {"force_zeros_for_empty_prompt": True}
    return found


def _filled(kind: Any, config: dict[str, Any], state: dict[str, Any], dtype: torch.dtype, what: str) -> Any:
    """A model of `kind` that holds the tensors of `state` and no others."""

    def make() -> Any:
        plain = {key: value for key, value in config.items() if not key.startswith("_")}
        with init_empty_weights(include_buffers=False):
            if issubclass(kind, ModelMixin):
                model: Any = getattr(kind, "from_config")(plain)  # noqa: B009  made by a mixin
            else:
                model = kind._from_config(kind.config_class(**plain), attn_implementation="sdpa")
        needed = model.state_dict()
        fitted = {}
        for key, value in state.items():
            own = key if key in needed else key.removeprefix("text_model.")
            own = own if own in needed else f"text_model.{own}"
            if own in needed:
                fitted[own] = value.to(dtype) if value.is_floating_point() else value
        wrong = [key for key, value in fitted.items() if value.shape != needed[key].shape]
        if wrong:
            shapes = f"{wrong[0]} is {tuple(fitted[wrong[0]].shape)} instead of {tuple(needed[wrong[0]].shape)}"
            raise StudioError("The checkpoint does not fit its family", f"{what}: {shapes}.", code="model-load")
        check_complete(sorted(needed.keys() - fitted.keys()), what)
        model.load_state_dict(fitted, assign=True)
        return model

    return guarded(what, make)


def _unet(tensors: dict[str, Any], config: dict[str, Any], dtype: torch.dtype) -> Any:
    state = guarded("unet", lambda: names.convert_ldm_unet_checkpoint(tensors, config))
    return _filled(UNet2DConditionModel, config, state, dtype, "unet")


def _vae(tensors: dict[str, Any], config: dict[str, Any], dtype: torch.dtype) -> Any:
    own = {key: value for key, value in tensors.items() if key.startswith("first_stage_model.")}
    state = guarded("vae", lambda: names.convert_ldm_vae_checkpoint(own, config))
    return _filled(AutoencoderKL, config, state, dtype, "vae")


def _text(tensors: dict[str, Any], config: dict[str, Any], dtype: torch.dtype) -> Any:
    """CLIP as the transformers library has it, or OpenCLIP's, whose tensors are cut and named otherwise."""
    kind: Any = getattr(transformers, config["_class_name"])
    projected = kind is transformers.CLIPTextModelWithProjection
    for prefix in () if projected else CLIP_PREFIX:
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if state:
            return _filled(kind, config, state, dtype, "text encoder")
    for prefix in OPEN_CLIP_PREFIX:
        if any(key.startswith(prefix) for key in tensors):
            shell = kind(kind.config_class(**{**_plain(config), "num_hidden_layers": 1}))
            state = names.convert_open_clip_checkpoint(shell, tensors, prefix=prefix)
            return _filled(kind, config, state, dtype, "text encoder")
    raise StudioError("The checkpoint has no text encoder", "None is in the file.", code="incomplete")


_makers: dict[str, Callable[[dict[str, Any], dict[str, Any], torch.dtype], Any]] = {
    "unet": _unet,
    "vae": _vae,
    "text_encoder": _text,
    "text_encoder_2": _text,
}


def _words_for(encoder: Any, name: str, family: Family, companion: Path | None) -> Any:
    """The tokenizer of a text encoder: CLIP's own, or the companion's where the vocabulary is another."""
    size = encoder.config.vocab_size
    if size == clip_words.SIZE:
        # OpenCLIP, the encoder of these two, was trained with zeros after the end.
        return clip_words.tokenizer("!" if name == "text_encoder_2" or family.id == "sd2" else "<|endoftext|>")
    tokenizer = name.replace("text_encoder", "tokenizer")
    listed = read_json(companion / INDEX).get(tokenizer) if companion is not None else None
    if companion is not None and isinstance(listed, list) and isinstance(listed[1], str):
        found = read_part(companion, tokenizer, "transformers", listed[1], torch.float32)
        if len(found) == size:
            return found
    raise StudioError(
        "This checkpoint needs a tokenizer",
        f"Its {name.replace('_', ' ')} knows {size:,} words; CLIP's tokenizer, which comes with the application, has "
        f"{clip_words.SIZE:,}.",
        "Add the folder in diffusers' layout that this checkpoint was made from.",
        code="no-tokenizer",
    )


def _borrowed(companion: Path | None, name: str, path: Path, family: Family, dtype: torch.dtype) -> Any:
    """A part that the checkpoint does not hold, from a folder of its family."""
    if companion is not None:
        listed = read_json(companion / INDEX).get(name)
        if isinstance(listed, list) and isinstance(listed[0], str) and isinstance(listed[1], str):
            return read_part(companion, name, listed[0], listed[1], dtype)
    raise StudioError(
        "The checkpoint is not complete",
        f"{path.name} holds no {name.replace('_', ' ')}.",
        f"Add a folder of a {family.title} model in diffusers' layout, whose part is then used, or get a checkpoint "
        "with all parts.",
        code="incomplete",
    )


def _companion(info: ModelInfo) -> Path | None:
    given = info.config.get("companion")
    place = Path(given) if isinstance(given, str) and given else None
    return place if place is not None and (place / INDEX).is_file() else None


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not key.startswith("_")}
