"""A close look at one model in diffusers layout: a folder with model_index.json and one folder a component.

Imports errors and this package's files only; runs nothing of the model.
"""

import re
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.hub import capability, config, quantisation
from studio.hub.card import read_card
from studio.hub.checked_json import broken, read_json
from studio.hub.entry import ModelEntry
from studio.hub.formats import Header, pickle_only, read_header, read_shards
from studio.hub.inspect import PICKLES, WEIGHTS, finish, refuse_escapes, totals, vanished

INDEX = "model_index.json"
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion", "latent_diffusion", "deepfloyd_if", "shap_e")
_STEMS = ("diffusion_pytorch_model", "model")


def diffusers(folder: Path, names: set[str], identity: str, starter: bool = False) -> ModelEntry:
    """The entry of a pipeline folder. Never raises for what is in the folder."""
    card = read_card(folder)
    entry: dict[str, Any] = {}
    problem: StudioError | None = None
    notes: list[str] = []
    try:
        index = read_json(folder / INDEX)
        name = index.get("_class_name")
        name = name[-1] if isinstance(name, list) and name else name
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w{0,100}", name):
            raise broken(folder / INDEX, "It does not name a pipeline.", code="bad-config")
        entry |= {"family": name, "capability": capability.of_pipeline(name, card.tag), "also": capability.also(name)}
        refuse_escapes(folder, names)
        headers: list[Header] = []
        parts: dict[str, Any] = {}
        packed = quantisation.Packed({})
        for part in _components(folder, index):
            found, parts[part] = _component(folder / part)
            headers += found
            packed = packed.having(part, parts[part], found)
        if not headers:
            raise StudioError(
                "This model has no weights",
                f"No part of {folder.name} holds a safetensors file.",
                "Download the model again, completely.",
                code="missing-weights",
            )
        plain = {key: value for key, value in index.items() if not isinstance(value, list | dict)}
        kept = config.small({key: value for key, value in plain.items() if not key.startswith("_")})
        entry |= totals(headers) | {"config": {"_class_name": name, "settings": kept, "components": parts}}
        entry |= packed.told(entry)
        if any(path.suffix == ".py" for part in ("", *parts) for path in (folder / part).iterdir()):
            notes.append("The folder holds Python files. They are ignored.")
    except StudioError as error:
        problem = error
    except OSError as error:
        problem = vanished(folder, error)
    return finish(folder, identity, "diffusers", card, entry, problem, notes, starter)


def _components(folder: Path, index: dict[str, Any]) -> list[str]:
    """Names of the parts that are there. Raises StudioError for code of the model's own and for paths."""
    parts: list[str] = []
    for key, value in index.items():
        if key.startswith("_") or not isinstance(value, list):
            continue
        if not re.fullmatch(r"[A-Za-z]\w{0,100}", key):
            raise broken(folder / INDEX, f"It names a part {key[:80]!r}, which is not a plain name.", code="unsafe")
        if len(value) != 2 or not all(item is None or isinstance(item, str) for item in value):
            continue  # settings may be lists too
        library, kind = value
        if library is None or kind is None:
            continue
        if library not in _LIBRARIES:
            raise broken(
                folder / INDEX,
                f"Its part {key!r} is code of the model's own ({library}.{kind}), which is not run."[:300],
                "Choose a model whose parts all come from diffusers and transformers.",
                code="unsafe",
            )
        if not (folder / key).is_dir():
            raise StudioError(
                "Parts of this model are missing",
                f"{folder.name} has no folder {key}.",
                "Download the model again, completely.",
                code="missing-weights",
            )
        parts.append(key)
    return parts


def _component(folder: Path) -> tuple[list[Header], dict[str, Any]]:
    """The headers of a part's weights (none for samplers and tokenizers), and its small configuration."""
    if folder.is_symlink():
        raise broken(folder, "It is a link to a folder outside the model. It was not followed.", code="link-outside")
    files = {path.name for path in folder.iterdir() if not path.is_dir()}
    refuse_escapes(folder, files)
    kept: dict[str, Any] = {}
    for name in ("config.json", "scheduler_config.json"):
        if name in files:
            kept = config.small(config.safe_config(folder / name), depth=3)  # torchao says its kind that deep
    for stem in _STEMS:
        if f"{stem}.safetensors" in files:
            return [read_header(folder / f"{stem}.safetensors")], kept
        if f"{stem}.safetensors.index.json" in files:
            return [header for _, header in read_shards(folder / f"{stem}.safetensors.index.json")], kept
    variants = sorted(name for name in files if WEIGHTS.search(name))
    if variants:  # one precision of several, e.g. diffusion_pytorch_model.fp16.safetensors
        return [read_header(folder / variants[0])], kept
    pickled = sorted(name for name in files if PICKLES.search(name))
    if pickled:
        raise pickle_only(folder / pickled[0])
    return [], kept
