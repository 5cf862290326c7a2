"""Reads the denoising network of a model from one file, safetensors or GGUF; all its other parts from a folder.

Owns how the file's tensors are fitted to the network that the folder (`companion` in the catalogue's entry)
describes. Names of the first authors are translated by diffusers; nothing is fetched.
"""

import re
from pathlib import Path
from typing import Any

import diffusers
import torch
from accelerate import init_empty_weights
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo

from .family_table import Family
from .loading_parts import INDEX, Parts, check_complete, guarded, read_folder, read_json
from .quantised import config_for
from .tensor_files import Tensors, of_network, read_gguf, read_safetensors, shape_of, unpacked

FOREIGN = 0.05
"""Share of tensors that may be in the file and have no place in the network."""


def read_network(
    path: Path, info: ModelInfo, family: Family, companion: Path | None, dtype: torch.dtype, quantised: str
) -> Parts:
    """The parts of the model, on the CPU. Raises StudioError in words."""
    if companion is None:
        raise StudioError(
            "This file is a part of a model",
            f"{path.name} holds the network of a {family.title} model, but not its text encoders and autoencoder, "
            "and there is no folder that has them.",
            f"Add a folder of a {family.title} model in diffusers' layout in the Models panel; the rest is taken "
            "from there.",
            code="needs-folder",
        )
    index = read_json(companion / INDEX)
    slot = _slot(family.network, index, path)
    kind = _class_of(index.get(slot), family)
    found = read_folder(companion, dtype, quantised, without=(slot,))
    known = info.config.get("components", {}).get(family.network, {})
    changes = {key: value for key, value in known.items() if key == "guidance_embeds"}
    found.parts[slot] = guarded(
        f"network in {path.name}", lambda: _network(kind, path, companion / slot, dtype, quantised, changes)
    )
    return found


def _slot(network: str, index: dict[str, Any], path: Path) -> str:
    """Which of the pipeline's networks the file is: Wan 2.2 has two, for high noise and for low."""
    second = index.get(f"{network}_2")
    two = isinstance(second, list) and isinstance(second[-1], str)
    return f"{network}_2" if two and re.search(r"low[ _-]?noise", path.name.lower()) else network


def _class_of(listed: Any, family: Family) -> Any:
    name = str(listed[1] if isinstance(listed, list) and len(listed) == 2 else "")
    if name not in SINGLE_FILE_LOADABLE_CLASSES:
        raise StudioError(
            "This family is not read from single files",
            f"The network of {family.title} ({name or 'none'}) has no reader of single files in the installed "
            "diffusers.",
            "Choose the model as a folder in diffusers' layout.",
            code="model-load",
        )
    return getattr(diffusers, name)


def _network(
    kind: Any, path: Path, place: Path, dtype: torch.dtype, quantised: str, changes: dict[str, Any]
) -> Any:
    """diffusers' own reader of single files, with the configuration in `place` and tensors that fit it."""
    packed = path.suffix.lower() == ".gguf"
    config = {**read_json(place / "config.json"), **changes}
    config.pop("quantization_config", None)  # of the weights in the folder, which are not read
    with init_empty_weights():
        empty = kind.from_config(config)
    state = _fitted(of_network(read_gguf(path) if packed else read_safetensors(path)), empty, config, dtype, path.name)
    if packed:
        quantiser: Any = getattr(diffusers, "GGUFQuantizationConfig")  # noqa: B009  made on demand
        bits = quantiser(compute_dtype=dtype)
    else:
        bits = config_for(quantised, dtype, "diffusers")
    return kind.from_single_file(
        state, config=str(place.parent), subfolder=place.name, torch_dtype=dtype, local_files_only=True,
        **({"quantization_config": bits} if bits is not None else {}), **changes,
    )  # fmt: skip


def _fitted(tensors: Tensors, empty: Any, config: dict[str, Any], dtype: torch.dtype, file: str) -> Tensors:
    """Exactly the tensors that the network `empty` needs, by its names. Raises StudioError when it is another's."""
    needed = {name: value.shape for name, value in empty.state_dict().items()}
    state = tensors if needed.keys() <= tensors.keys() else _translated(tensors, empty, config, needed)
    check_complete(sorted(needed.keys() - state.keys()), f"network ({file})")
    foreign = sorted(state.keys() - needed.keys())
    if len(foreign) > FOREIGN * len(needed) + 1:
        raise _misfit(file, f"{len(foreign)} of its tensors have no place there, among them {foreign[0]}")
    linear = {f"{name}.weight" for name, part in empty.named_modules() if isinstance(part, torch.nn.Linear)}
    state = unpacked({name: state[name] for name in needed}, linear, dtype)
    for name, shape in needed.items():
        there = shape_of(state[name])
        if there == shape:
            continue
        if [n for n in there if n != 1] != [n for n in shape if n != 1] or name in linear:
            raise _misfit(file, f"{name} is {tuple(there)} instead of {tuple(shape)}")
        state[name] = state[name].reshape(shape)  # GGUF has no axes of one at the end
    return state


def _translated(tensors: Tensors, empty: Any, config: dict[str, Any], needed: dict[str, Any]) -> Tensors:
    """By diffusers' names. Where the translation does not help, the tensors as they were."""
    translate = SINGLE_FILE_LOADABLE_CLASSES[type(empty).__name__]["checkpoint_mapping_fn"]
    missing: str | None = None
    try:
        state = translate(checkpoint=dict(tensors), config=config)
    except (KeyError, IndexError) as error:  # it asks for one that is not there
        state, missing = {}, str(error.args[0]) if isinstance(error, KeyError) and error.args else ""
    if len(needed.keys() & state.keys()) > len(needed.keys() & tensors.keys()):
        return state
    if missing and 2 * len(needed.keys() & tensors.keys()) <= len(needed):
        check_complete([missing], "network")
    return tensors


def _misfit(file: str, why: str) -> StudioError:
    return StudioError(
        "The file does not fit the folder",
        f"The network in {file} is another than the one that the folder describes: {why}.",
        "Add the folder of the very model that the file was made from.",
        code="misfit",
    )
