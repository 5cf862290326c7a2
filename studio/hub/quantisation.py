"""Parts of a model whose weights are stored in fewer bits: how, and how many weights the packed tensors stand for.

Owns the words for it. Layouts: bitsandbytes packs two weights of four bits into a byte and puts statistics beside
them (`weight.absmax`, `SCB`); torchao cuts a tensor into `_weight_qdata`, `_weight_scale` and the like.
Imports hub.formats only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.hub.formats import Header

_BESIDE = re.compile(r"(\.(absmax|nested_absmax|quant_map|nested_quant_map|SCB|weight_format)|\.quant_state\.\w+)$")
_PIECE = re.compile(r"\._weight_(?!qdata)\w+$")
_BITS = {"Int8": "int8", "Int4": "int4", "Float8": "float8", "Uint": "uint"}


@dataclass(frozen=True)
class Packed:
    """The packed parts of a model. parts: their names -> how; size: bytes in files; parameters: weights in them;
    numbers: how many the files hold, packed ones and statistics counted as they lie there."""

    parts: dict[str, str]
    size: int = 0
    parameters: int = 0
    numbers: int = 0

    def having(self, name: str, config: Mapping[str, Any], headers: Sequence[Header]) -> "Packed":
        """With the part `name`, if it is packed. headers: of its files."""
        how = way(config)
        if not how:
            return self
        return Packed(
            {**self.parts, name: how},
            self.size + sum(header.size for header in headers),
            self.parameters + sum(weights_in(header.shapes, how) for header in headers),
            self.numbers + sum(header.parameters for header in headers),
        )

    def told(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What changes in the entry of a pipeline whose parts these are: its type, its weights, `config["packed"]`."""
        if not self.parts:
            return {}
        told = {"parts": self.parts, "size": self.size, "parameters": self.parameters}
        return {
            "dtype": " + ".join(sorted(set(self.parts.values()))),
            "parameters": entry["parameters"] - self.numbers + self.parameters,
            "config": {**entry["config"], "packed": told},
        }


def way(config: Mapping[str, Any]) -> str:
    """How the part with this configuration is stored: "nf4", "int8", the method's own name; "" as usual."""
    said = config.get("quantization_config")
    if not isinstance(said, dict):
        return ""
    if said.get("load_in_4bit"):
        return str(said.get("bnb_4bit_quant_type") or "fp4")[:20]
    if said.get("load_in_8bit"):
        return "int8"
    method = str(said.get("quant_method") or "unknown")[:40]
    if method != "torchao":
        return method
    kind = said.get("quant_type")
    kind = kind.get("default", kind) if isinstance(kind, dict) else kind
    kind = str(kind.get("_type") if isinstance(kind, dict) else kind)
    return next((word for start, word in _BITS.items() if kind.lower().startswith(start.lower())), "torchao")


def weights_in(shapes: Mapping[str, tuple[int, ...]], way: str) -> int:
    """How many weights the tensors of a part packed in this `way` stand for, without the statistics beside them."""
    total = 0
    for name, shape in shapes.items():
        if _BESIDE.search(name) or _PIECE.search(name):
            continue
        count = 1
        for length in shape:
            count *= length
        two_a_byte = f"{name}.absmax" in shapes or (way == "int4" and name.endswith("_qdata"))
        total += count * (2 if two_a_byte else 1)
    return total
