"""Files that are only a part of a model, and the folders that hold their other parts.

A checkpoint of a denoising network alone needs the text encoders and the autoencoder of a folder of its family; a
checkpoint of Stable Diffusion holds everything but its tokenizers. Imports errors and this package's files only.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from studio.errors import StudioError
from studio.hub import networks
from studio.hub.entry import ModelEntry

_FAMILIES = (
    ("flux2", ("Flux2",)),
    ("flux-kontext", ("FluxKontext",)),
    ("flux", ("Flux", "FluxImg2Img", "FluxInpaint")),
    ("sdxl", ("StableDiffusionXL",)),
    ("sd3", ("StableDiffusion3",)),
    ("sd15", ("StableDiffusion", "LatentConsistency")),
    ("z-image", ("ZImage",)),
    ("qwen-image-edit", ("QwenImageEdit",)),
    ("qwen-image", ("QwenImage",)),
    ("wan", ("Wan",)),
    ("ltx", ("LTX",)),
    ("chroma", ("Chroma",)),
)
# Families whose other parts are the same: one's folder serves the other's files.
_SAME = {"flux-kontext": ("flux",), "flux": ("flux-kontext",), "qwen-image": ("qwen-image-edit",)}


def base_of(entry: ModelEntry) -> str:
    """The family of a pipeline folder, by the name of its class; "" when it is none of these."""
    if entry.layout != "diffusers":
        return ""
    base = next((base for base, starts in _FAMILIES if entry.family.startswith(starts)), "")
    unet = entry.config.get("components", {}).get("unet", {})
    return "sd2" if base == "sd15" and unet.get("cross_attention_dim") == 1024 else base


def paired(entries: Iterable[ModelEntry], beside: Iterable[ModelEntry] = ()) -> Iterator[ModelEntry]:
    """The entries; those of lone files with the folder that completes them in `config["companion"]`.

    A file that cannot do without one and has none is listed with what is missing. beside: where to look as well.
    """
    known = list(entries)
    folders: dict[str, list[ModelEntry]] = {}
    for entry in (*known, *beside):
        if entry.problem is None and not entry.starter and (base := base_of(entry)):
            folders.setdefault(base, []).append(entry)
    for entry in known:
        yield _completed(entry, folders) if entry.layout == "file" and entry.problem is None else entry


def _completed(entry: ModelEntry, folders: dict[str, list[ModelEntry]]) -> ModelEntry:
    base = str(entry.config.get("base") or "")
    if not entry.config.get("single_file") or not base:
        return entry
    family = [*folders.get(base, ()), *(folder for other in _SAME.get(base, ()) for folder in folders.get(other, ()))]
    fitting = [folder for folder in family if networks.agrees(entry.config.get("sizes") or {}, _network(folder))]
    exact = [folder for folder in fitting if folder.family == entry.family]
    if fitting:
        plain = [folder for folder in exact or fitting if "packed" not in folder.config]  # finer encoders than packed
        best = max(plain or exact or fitting, key=lambda folder: (not folder.starter, folder.parameters))
        return entry.model_copy(update={"config": entry.config | {"companion": best.path}})
    if not entry.config.get("needs"):
        return entry
    model = entry.family.removesuffix("Pipeline")
    problem = StudioError(
        "This file is a part of a model",
        f"{entry.title} holds the network of a {model} model, but not its text encoders, and "
        + (_otherwise(entry, family) if family else "no folder in the list has them."),
        "Add a folder of the same family and size in diffusers' layout; the file then takes its other parts from "
        "there.",
        code="needs-folder",
    )
    return entry.model_copy(update={"problem": problem.to_dict()})


def _otherwise(entry: ModelEntry, family: list[ModelEntry]) -> str:
    """How the networks in the folders of its family differ from the file's."""
    wanted = entry.config["sizes"]
    said = _network(family[0])
    differ = next(key for key in wanted if not networks.agrees({key: wanted[key]}, said))
    there = said.get(differ, said.get("n_layers"))
    words = differ.removeprefix("num_").replace("_", " ")
    return f"the folder {family[0].title} is made for another one ({words}: {there}; the file's: {wanted[differ]})."


def _network(folder: ModelEntry) -> dict[str, Any]:
    """The configuration of a pipeline folder's denoising network, as far as it is kept."""
    parts = folder.config.get("components")
    found = parts.get("transformer") if isinstance(parts, dict) else None
    return found if isinstance(found, dict) else {}
