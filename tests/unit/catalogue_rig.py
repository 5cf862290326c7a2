"""Small models on disk and a catalogue that looks at them."""

import json
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.hub.catalogue import Catalogue
from studio.hub.entry import ModelEntry
from studio.hub.formats import pack_header

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1,
    "vocab_size": 8, "max_position_embeddings": 256,
}  # fmt: skip
CARD = """---
license: apache-2.0
pipeline_tag: text-generation
tags:
- tales
---
# Tales

A small model that **tells** [tales](https://example.org).
"""


def weights(*names: str) -> bytes:
    names = names or ("a",)
    table = {n: {"dtype": "F32", "shape": [2], "data_offsets": [i * 8, i * 8 + 8]} for i, n in enumerate(names)}
    return pack_header(table) + bytes(8 * len(names))


def model(folder: Path, config: object = LLAMA, **files: bytes | str | None) -> Path:
    """A whole small model; files with None are left out. In names, "__" stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, bytes | str | None] = {
        "config__json": config if isinstance(config, bytes) else json.dumps(config),
        "model__safetensors": weights(),
        "tokenizer__json": "{}",
    }
    for name, data in (content | files).items():
        if data is not None:
            (folder / name.replace("__", ".")).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def models_folder(tmp_path: Path) -> Path:
    """A fixture: an empty folder for models."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def catalogue_of(tmp_path: Path, root: Path) -> Catalogue:
    """A fixture: the catalogue of that folder."""
    return Catalogue([root], tmp_path / "data" / "models.json", tmp_path / "shipped")


def only(catalogue: Catalogue) -> ModelEntry:
    """The one model there is."""
    found = catalogue.scan()
    assert len(found) == 1, [entry.id for entry in found]
    return found[0]


def problem(catalogue: Catalogue) -> str:
    """Why the one model there is cannot be used; its code."""
    entry = only(catalogue)
    assert entry.problem and entry.problem["title"] and entry.problem["detail"] and entry.problem["hint"]
    with pytest.raises(StudioError):
        entry.require_usable()
    return entry.problem["code"]
