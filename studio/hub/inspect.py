"""A close look at one model in Hugging Face layout, or at one lone file: what it is and whether it can be used.

Owns which files make a model. Reads headers, configurations and cards; opens no pickle, runs nothing.
Imports errors and this package's files only.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.hub import capability, config, gguf, languages, networks, tensors
from studio.hub.card import Card, read_card
from studio.hub.checked_json import broken, read_json
from studio.hub.entry import ModelEntry
from studio.hub.formats import Header, pickle_only, read_header, read_shards

WEIGHTS = re.compile(r"\.safetensors$", re.IGNORECASE)
PICKLES = re.compile(r"\.(bin|pt|pth|ckpt|pkl|pickle|h5|keras|msgpack|npz|onnx|gguf)$", re.IGNORECASE)
# Pickles by these names are a model's weights; a .bin by another name may be anything.
MODEL_PICKLES = re.compile(
    r"^((pytorch_model|adapter_model|diffusion_pytorch_model|model)[\w.\-]*\.bin|.*\.(ckpt|pt|pth)|(tf|flax)_model\.\w+)$",
    re.IGNORECASE,
)
TOKENIZERS = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.json",
    "tekken.json", "tokenizer.tiktoken", "qwen.tiktoken", "source.spm", "vocab.model",
)  # fmt: skip
_WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")  # they read bytes or characters
STANDARD = re.compile(r"^(adapter_)?model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$", re.IGNORECASE)


def huggingface(folder: Path, names: Iterable[str], identity: str, starter: bool = False) -> ModelEntry:
    """The entry of a folder with a configuration, weights, or both. Never raises for what is in the folder."""
    files = set(names)
    card = read_card(folder)
    entry: dict[str, Any] = {}
    problem: StudioError | None = None
    notes: list[str] = []
    try:
        entry |= _described(folder, files, card, notes)
        refuse_escapes(folder, files)
        stem = "diffusion_pytorch_model" if "_class_name" in entry.get("config", {}) else "model"
        headers = weights_of(folder, files, stem)
        entry |= totals(header for _, header in headers)
        if "adapter_config.json" not in files:
            config.check_budget(entry.get("config", {}), entry["parameters"], folder / "config.json")
            _require_tokenizer(folder, files, entry["capability"])
    except StudioError as error:
        problem = error
    except OSError as error:
        problem = vanished(folder, error)
    if any(name.endswith(".py") for name in files):
        notes.append("The folder holds Python files. They are ignored.")
    return finish(folder, identity, "huggingface", card, entry, problem, notes, starter)


def lone_file(path: Path, identity: str, starter: bool = False) -> ModelEntry:
    """The entry of one weights file without a configuration beside it: an adapter, a checkpoint, a pickle."""
    entry: dict[str, Any] = {}
    problem: StudioError | None = None
    notes: list[str] = []
    try:
        refuse_escapes(path.parent, {path.name})
        if path.suffix.lower() == ".gguf" or not WEIGHTS.search(path.name):
            entry["size"] = path.stat().st_size
            if path.suffix.lower() != ".gguf":
                raise _not_safetensors(path)
            head = gguf.read_gguf(path)
            entry |= {"parameters": head.parameters, "dtype": head.dtype}
            language = languages.told(head)
            entry |= language or networks.network(head.shapes, path.name)
            notes += [languages.NOTE] if language else []
            if "capability" not in entry:
                raise gguf.problem_of(path, head)
        else:
            header = read_header(path)
            entry |= totals([header])
            entry |= tensors.told(header.shapes, path.name)
    except StudioError as error:
        problem = error
    except OSError as error:
        problem = vanished(path, error)
    return finish(path, identity, "file", Card(), entry, problem, notes, starter)


def finish(
    path: Path, identity: str, layout: str, card: Card, entry: dict[str, Any],
    problem: StudioError | None, notes: list[str], starter: bool,
) -> ModelEntry:  # fmt: skip
    """The entry of what was found."""
    if shown(str(path)) != str(path):
        problem = StudioError(
            "This model's name cannot be used",
            f"The path {shown(str(path))} is not valid text on this system.",
            "Rename the folder.",
            code="bad-name",
        )
    values = {
        "id": identity,
        "title": identity.rsplit("/", 1)[-1],
        "path": str(path),
        "layout": layout,
        "licence": card.licence,
        "card_excerpt": card.excerpt,
        "problem": problem.to_dict() if problem else None,
        "notes": notes,
        "starter": starter,
        **entry,
    }
    return ModelEntry.model_validate(_shown(values))


def shown(text: str) -> str:
    """`text` without half characters, which neither the wire nor the screen takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {shown(str(key)): _shown(inner) for key, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list | tuple) else value


def weights_of(folder: Path, files: set[str], stem: str = "model") -> list[tuple[Path, Header]]:
    """The safetensors that a library would load from `folder`, checked. Raises StudioError when it could not."""
    for name in (stem, f"adapter_{stem}"):
        if f"{name}.safetensors" in files:
            return [(folder / f"{name}.safetensors", read_header(folder / f"{name}.safetensors"))]
        if f"{name}.safetensors.index.json" in files:
            return read_shards(folder / f"{name}.safetensors.index.json")
    raise _no_weights(folder, files, stem)


def totals(headers: Iterable[Header]) -> dict[str, Any]:
    """Size, parameters and main type over several files."""
    size, parameters, dtypes = 0, 0, {}
    for header in headers:
        size, parameters = size + header.size, parameters + header.parameters
        for name, amount in header.dtypes.items():
            dtypes[name] = dtypes.get(name, 0) + amount
    return {"size": size, "parameters": parameters, "dtype": Header(size, parameters, dtypes).dtype}


def refuse_escapes(folder: Path, files: Iterable[str]) -> None:
    """Raises StudioError when a file is a link to somewhere outside the model.

    The hub's own cache links its snapshots to blobs of the same repository, which belong to the model.
    """
    home: Path | None = None
    for name in sorted(files):
        path = folder / name
        if not path.is_symlink():
            continue
        if home is None:
            home = _home(folder)
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(home):
            raise broken(
                path,
                "It is a link to a file outside the model's folder. It was not followed.",
                "Put the file itself into the folder.",
                code="link-outside",
            )
        if not target.exists():
            raise broken(path, "It is a link to a file that is not there.", code="missing-weights")


def vanished(path: Path, error: OSError) -> StudioError:
    return StudioError(
        "This model cannot be read",
        f"{path}: {error.strerror or error}.",
        "See whether its drive is there and you may read it, then look again.",
        code="unreadable",
    )


def _described(folder: Path, files: set[str], card: Card, notes: list[str]) -> dict[str, Any]:
    """What the configuration and the card say."""
    if "adapter_config.json" in files and "config.json" not in files:
        kept = config.safe_config(folder / "adapter_config.json")
        family = str(kept.get("peft_type") or "adapter").lower()[:60]
        return {"capability": "adapter", "family": family, "config": config.small(kept)}
    if "config.json" not in files:
        raise StudioError(
            "This model has no configuration",
            f"{folder.name} holds weights, but no config.json that says how they are used.",
            "Put the model's config.json beside the weights.",
            code="missing-config",
        )
    kept, dangerous = config.safe_config_and_keys(folder / "config.json")
    if dangerous:
        notes.append(f"Its configuration asks for code of its own ({', '.join(dangerous)}). That is not run.")
    if part := tensors.component(kept):
        return part | {"config": config.small(part["config"])}
    named = kept.get("architectures")
    architectures = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    family = kept.get("model_type")
    family = family[:60] if isinstance(family, str) else ""
    found = capability.of_model(architectures, family, card.tag, kept)
    return {
        "capability": found,
        "also": capability.of_tags(found, card.tags),
        "family": family,
        "context": config.context_of(kept),
        "config": config.small(kept),
    }


def _require_tokenizer(folder: Path, files: set[str], found: str) -> None:
    if not capability.needs_tokenizer(found):
        return
    present = [name for name in TOKENIZERS if name in files]
    if not present and "tokenizer_config.json" in files:
        kind = read_json(folder / "tokenizer_config.json").get("tokenizer_class")
        if isinstance(kind, str) and kind.removesuffix("Fast") in _WITHOUT_VOCABULARY:
            return
    if not present:
        raise StudioError(
            "This model has no tokenizer",
            f"{folder.name} has none of tokenizer.json, tokenizer.model, vocab.json or vocab.txt.",
            "Put the tokenizer's files from where the model came from into its folder.",
            code="missing-tokenizer",
        )
    path = folder / present[0]
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(-min(64, path.stat().st_size), os.SEEK_END)
        end = file.read()
    if not start:
        raise broken(path, "It is empty.", code="truncated")
    if present[0] != "tokenizer.json":
        return
    if not start.lstrip().startswith(b"{"):
        raise broken(path, "It is not a tokenizer: it does not begin like JSON.", code="bad-json")
    if not end.rstrip().endswith(b"}"):
        raise broken(path, "It is a truncated file: it does not end like JSON.", code="truncated")


def _no_weights(folder: Path, files: set[str], stem: str) -> StudioError:
    """Why there is nothing to load, by what is there instead."""
    others = sorted(name for name in files if WEIGHTS.search(name))
    if others and all(re.search(r"-\d{5}-of-\d{5}", name) for name in others):
        return StudioError(
            "Parts of this model are missing",
            f"{folder.name} holds {len(others)} numbered files, but not {stem}.safetensors.index.json that lists them.",
            "Put that file beside them.",
            code="missing-weights",
        )
    for name in others:
        read_header(folder / name)
    if others:
        return StudioError(
            "The weights have another name",
            f"{folder.name} holds {others[0]}; {stem}.safetensors is looked for.",
            f"Rename {others[0]} to {stem}.safetensors.",
            code="weights-name",
        )
    pickled = sorted(name for name in files if PICKLES.search(name) and name != "training_args.bin")
    if pickled:
        return _not_safetensors(folder / pickled[0])
    return StudioError(
        "This model has no weights",
        f"{folder.name} holds no safetensors file.",
        "Put the model's weights (model.safetensors) into its folder.",
        code="missing-weights",
    )


def _not_safetensors(path: Path) -> StudioError:
    ending = path.suffix.lower()
    if ending in (".gguf", ".onnx", ".npz", ".msgpack"):
        return broken(
            path,
            f"It is in the format {ending[1:].upper()}, which is not read.",
            "Choose the model's safetensors version.",
            code="other-format",
        )
    try:
        read_header(path)  # a pointer or a web page is said to be one
    except StudioError as error:
        if error.code in ("lfs-pointer", "html"):
            return error
    return pickle_only(path)


def _home(folder: Path) -> Path:
    real = Path(os.path.realpath(folder))
    if real.parent.name == "snapshots" and real.parent.parent.name.startswith("models--"):
        return real.parent.parent
    return real
