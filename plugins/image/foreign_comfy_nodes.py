"""A graph of ComfyUI as nodes with named inputs that can be followed safely, whatever the file says.

Owns the bounds: so many nodes, no node looked at twice on one way, only numbers that are numbers.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST = 5000
_PRIMITIVE = ("value", "text", "string", "seed", "int", "float", "number", "Number", "STRING", "INT", "Text", "Value")

WIDGETS: dict[str, tuple[str, ...]] = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "SamplerCustom": ("add_noise", "noise_seed", "", "cfg"),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "KarrasScheduler": ("steps",),
    "ExponentialScheduler": ("steps",),
    "AlignYourStepsScheduler": ("model_type", "steps", "denoise"),
    "RandomNoise": ("noise_seed",),
    "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "UnetLoaderGGUF": ("unet_name",),
    "LoraLoader": ("lora_name", "strength_model"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "ModelSamplingSD3": ("shift",),
    "ModelSamplingAuraFlow": ("shift",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "ImageScale": ("upscale_method", "width", "height"),
    "ImageScaleBy": ("upscale_method", "scale_by"),
    "VAEEncodeForInpaint": ("grow_mask_by",),
    "LoadImage": ("image",),
    "ControlNetLoader": ("control_net_name",),
    "ControlNetApply": ("strength",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "PrimitiveNode": ("value",),
    "PrimitiveStringMultiline": ("value",),
}
"""The editor's values by place; "" is a control that is no input."""


@dataclass(frozen=True)
class Node:
    """kind: the class in lower case. inputs: name -> value, or [id of a node, number of its output]."""

    id: str
    kind: str
    inputs: dict[str, Any]


class Nodes:
    """The nodes of a graph by id."""

    def __init__(self, graph: Any):
        self._by_id: dict[str, Node] = {}
        if isinstance(graph, dict) and len(graph) == 1 and isinstance(graph.get("prompt"), dict):
            graph = graph["prompt"]  # as the server is asked
        for id, node in list(graph.items())[:MOST] if isinstance(graph, dict) else ():
            if isinstance(node, dict) and isinstance(node.get("class_type"), str):
                inputs = node.get("inputs")
                sound = {str(k): v for k, v in list(inputs.items())[:200]} if isinstance(inputs, dict) else {}
                self._by_id[str(id)] = Node(str(id), node["class_type"].lower(), sound)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_id.values())

    def at(self, link: Any) -> Node | None:
        """The node that a link leads to."""
        if isinstance(link, list) and len(link) == 2 and isinstance(link[0], str | int):
            return self._by_id.get(str(link[0]))
        return None

    def first(self, node: Node, *names: str) -> Node | None:
        """The node behind the first of these inputs that is a link."""
        return next((found for name in names if (found := self.at(node.inputs.get(name))) is not None), None)

    def above(self, node: Node, without: tuple[str, ...] = ()) -> Iterator[Node]:
        """Every node that this one needs, the nearest first; links of the names in `without` are not followed."""
        seen, waiting = {node.id}, deque([node])
        while waiting:
            for name, link in waiting.popleft().inputs.items():
                found = self.at(link) if name not in without else None
                if found is not None and found.id not in seen:
                    seen.add(found.id)
                    waiting.append(found)
                    yield found

    def value(self, given: Any) -> Any:
        """A value itself, or that of the primitive node that a link leads to; None when there is none."""
        for _ in range(20):
            node = self.at(given)
            if node is None:
                return None if isinstance(given, list) else given
            given = next((node.inputs[name] for name in _PRIMITIVE if name in node.inputs), None)
        return None


def from_workflow(graph: Any) -> dict[str, Any]:
    """The editor's graph in the form that runs, for the nodes whose values' places are known."""
    if not isinstance(graph, dict) or not isinstance(graph.get("nodes"), list):
        return {}
    links: dict[Any, list[Any]] = {}
    for link in (graph.get("links") or [])[: 4 * MOST] if isinstance(graph.get("links"), list) else ():
        if isinstance(link, list) and len(link) >= 3 and isinstance(link[0], int):
            links[link[0]] = [link[1], link[2]]
    found: dict[str, Any] = {}
    for node in graph["nodes"][:MOST]:
        if isinstance(node, dict) and isinstance(node.get("type"), str) and node.get("mode") not in (2, 4):
            found[str(node.get("id"))] = {"class_type": node["type"], "inputs": _inputs(node, links)}
    return found


def _inputs(node: dict[str, Any], links: dict[Any, list[Any]]) -> dict[str, Any]:
    values = node.get("widgets_values")
    found: dict[str, Any] = {}
    if isinstance(values, list):
        found = {name: value for name, value in zip(WIDGETS.get(node["type"], ()), values, strict=False) if name}
    elif isinstance(values, dict):
        found = dict(values)
    for entry in node.get("inputs") or () if isinstance(node.get("inputs"), list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("link"), int) and entry["link"] in links:
            found[str(entry.get("name"))] = links[entry["link"]]
    return found


def number(value: Any, least: float, most: float) -> float | None:
    """The value when it is a number within the bounds; not a number compares as outside of any."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        return None
    return float(value)


def whole(value: Any, least: int, most: int) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None
