"""Names of models in other programs' files, and which installed ones they are. Imports no torch."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_ENDING = re.compile(r"\.(safetensors|ckpt|pt|pth|bin|gguf|sft)$", re.IGNORECASE)
_CAPABILITIES = {
    "model": ("text-to-image", "image-editing", "image-to-image"),
    "lora": ("adapter",),
    "inversion": ("embedding",),
    "control": ("controlnet",),
    "reference": ("ip-adapter",),
    "upscaler": ("upscaler",),
}
_WORDS = {"model": "model", "lora": "LoRA", "inversion": "learned word", "control": "ControlNet",
          "reference": "IP-Adapter", "upscaler": "upscaler"}  # fmt: skip


class Catalogue:
    """The installed models by name: file name, title or id, whatever the ending, case and signs between words."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]):
        self._found: dict[tuple[str, str], str] = {}
        for entry in entries:
            if entry.get("problem"):
                continue
            capability, id = str(entry.get("capability") or ""), str(entry.get("id") or "")
            for name in (id, entry.get("path"), entry.get("title")):
                if key := name_key(str(name or "")):
                    self._found.setdefault((capability, key), id)

    def find(self, kind: str, name: str) -> str:
        """The id of the installed model of this name; empty when there is none."""
        key = name_key(name)
        return next((id for c in _CAPABILITIES[kind] if (id := self._found.get((c, key)))), "")


def name_key(name: str) -> str:
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2][:300]
    return re.sub(r"[\W_]", "", _ENDING.sub("", last).lower())


def resolve(values: dict[str, Any], catalogue: Catalogue | None) -> tuple[dict[str, Any], list[str]]:
    """The values with ids in place of names, and a sentence for every model that is not installed.

    Without a catalogue names stay. Entries of lists whose model is missing are left out.
    """
    if catalogue is None:
        return values, []
    found, left = dict(values), []
    for name in ("model", "upscaler"):
        said = found.pop(name, None)
        if isinstance(said, str) and said:
            id = catalogue.find(name, said)
            if id:
                found[name] = id
            else:
                instead = "the default one is used" if name == "model" else "Lanczos is used"
                left.append(f"The {_WORDS[name]} “{said[:100]}” is not installed; {instead}.")
    for name, kind in (
        ("loras", "lora"),
        ("inversions", "inversion"),
        ("controls", "control"),
        ("references", "reference"),
    ):
        items = found.get(name)
        if not isinstance(items, list):
            continue
        kept = []
        for item in (item for item in items if isinstance(item, dict)):
            said = str(item.get("model") or "")
            id = catalogue.find(kind, said) if said else ""
            if id or (not said and kind == "reference"):
                kept.append({**item, "model": id})
            elif said:
                left.append(f"The {_WORDS[kind]} “{said[:100]}” ({item.get('weight', 1)}) is not installed.")
        found[name] = kept
        if not kept:
            del found[name]
    return found, left
