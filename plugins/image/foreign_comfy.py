"""ComfyUI's graphs: from the picture that was saved back to the noise, and what was set on the way.

Follows KSampler, KSamplerAdvanced, SamplerCustom and SamplerCustomAdvanced, text encoders and what lies between
them, loaders of checkpoints, LoRAs and ControlNets, the empty latent or the loaded picture, and a second pass
after an upscale. Nodes of extensions are understood as far as their inputs have the usual names.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from . import sampler_names
from .foreign_comfy_nodes import Node, Nodes, from_workflow, number, whole
from .foreign_comfy_words import Words

Values = tuple[dict[str, Any], list[str]]
_SIGMAS = {
    "karrasscheduler": "karras", "exponentialscheduler": "exponential", "polyexponentialscheduler": "exponential",
    "alignyourstepsscheduler": "ays", "betasamplingscheduler": "beta", "sdturboscheduler": "sgm-uniform",
}  # fmt: skip
_TIMES = re.compile(r"(?<!\d)(?:([2348])x|x([2348]))(?!\d)", re.IGNORECASE)


def read(graph: Any) -> Values:
    """Values and sentences of a graph in the form that runs (`prompt`); no values when it is none."""
    nodes = Nodes(graph)
    last = _last_sampler(nodes)
    if last is None:
        return {}, []
    return _Reading(nodes, last).values()


def read_workflow(graph: Any) -> Values:
    """The same of a graph as the editor saves it, where values have places instead of names."""
    values, left = read(from_workflow(graph))
    if values:
        left.append("The file holds only the editor's graph; look at the values once more.")
    return values, left


def _is_sampler(node: Node) -> bool:
    takes = node.inputs.keys()
    return ("latent_image" in takes or "samples" in takes or "optional_latent" in takes) and bool(
        {"sampler_name", "sampler", "guider"} & takes
    )


def _last_sampler(nodes: Nodes) -> Node | None:
    """The sampler whose result was saved: the nearest before the node that saves, else any."""
    savers = [node for node in nodes if "save" in node.kind or "preview" in node.kind]
    for saver in savers[:20]:
        for node in nodes.above(saver):
            if _is_sampler(node):
                return node
    return next((node for node in nodes if _is_sampler(node)), None)


class _Reading:
    """One graph being read from its last sampler."""

    def __init__(self, nodes: Nodes, last: Node):
        self.nodes, self.last = nodes, last
        self.left: list[str] = []

    def values(self) -> Values:
        way = list(self._way(self.last))
        earlier = next((node for node in way if _is_sampler(node)), None)
        first = self.last
        found: dict[str, Any] = {"operation": "image.generate"}
        if earlier is not None:
            first = earlier
            found |= self._second_pass(way[: way.index(earlier)])
            way = list(self._way(first))
        found |= self._sampling(first) | self._canvas(first, way)
        if found.get("hires", 1) < 1:  # a width was asked for, or the picture became smaller
            width = found.get("width")
            found["hires"] = -found["hires"] / width if width and found["hires"] < 0 else 1.0
        if "hires" in found:
            found["hires"] = min(4.0, max(1.0, round(found["hires"], 4)))
        words = Words(self.nodes, self.left)
        found |= words.of(*self._conditioning(first))
        found |= self._models(first)
        return {name: value for name, value in found.items() if value not in (None, "", [])}, self.left

    def _way(self, sampler: Node) -> Iterator[Node]:
        """What the sampler began with: the nodes above its latents, nearest first."""
        start = self.nodes.first(sampler, "latent_image", "samples", "optional_latent")
        if start is not None:
            yield start
            yield from self.nodes.above(start, without=("model", "positive", "negative", "clip", "vae", "conditioning"))

    def _setting(self, sampler: Node, *names: str) -> Any:
        """A value of the sampler, or of the nodes that a custom sampler takes it from."""
        around = [sampler]
        for link in ("noise", "sampler", "sigmas", "guider"):
            node = self.nodes.at(sampler.inputs.get(link))
            steps = 0
            while node is not None and steps < 5:  # SplitSigmas and the like stand between
                around.append(node)
                node, steps = self.nodes.first(node, "sigmas", "sampler"), steps + 1
        for node in around:
            for name in names:
                value = self.nodes.value(node.inputs.get(name))
                if value is not None and not isinstance(value, list | dict):
                    return value
        return None

    def _sampling(self, sampler: Node) -> dict[str, Any]:
        said, schedule, problem = sampler_names.sampler(str(self._setting(sampler, "sampler_name") or ""))
        named = str(self._setting(sampler, "scheduler") or "")
        sigmas = self.nodes.at(sampler.inputs.get("sigmas"))
        if not named and sigmas is not None:
            named = _SIGMAS.get(sigmas.kind.replace(" ", ""), "")
        ours, problem_too = sampler_names.schedule(named)
        self.left += [sentence for sentence in (problem, problem_too) if sentence]
        seed = whole(self._setting(sampler, "seed", "noise_seed"), 0, 2**64)
        if seed is not None and seed >= 2**32:
            self.left.append(f"The seed {seed} is larger than seeds here can be; its noise cannot be made again.")
            seed %= 2**32
        return {
            "seed": seed,
            "steps": whole(self._setting(sampler, "steps"), 1, 500),
            "guidance": number(self._setting(sampler, "cfg"), 0, 50),
            "sampler": said if said != "auto" else None,
            "schedule": ours if ours not in ("", "auto") else schedule or None,
        }

    def _second_pass(self, between: list[Node]) -> dict[str, Any]:
        """The last sampler as a second pass, when something between the two enlarges."""
        scale, by = 1.0, ""
        for node in between:
            if "upscale" not in node.kind and "scale" not in node.kind:
                continue
            by = by or ("latent" if "latent" in node.kind else "lanczos")
            times = number(self.nodes.value(node.inputs.get("scale_by") or node.inputs.get("upscale_by")), 0.01, 16)
            if times is not None:
                scale *= times
            elif (width := whole(self.nodes.value(node.inputs.get("width")), 1, 65536)) is not None:
                scale = -float(width)  # turned into a ratio when the first pass's width is known
                break
            elif "model" in node.kind:
                loader = self.nodes.at(node.inputs.get("upscale_model"))
                name = str(self.nodes.value(loader.inputs.get("model_name")) if loader is not None else "")[:200]
                times_said = _TIMES.search(name)
                scale *= float(times_said[1] or times_said[2]) if times_said else 4.0
                self.left.append(f"The upscaler “{name}” worked between the passes; Lanczos is used instead.")
        if not by:
            self.left.append("A second sampler worked on the picture without enlarging it; it was left out.")
            return {}
        strength = number(self._setting(self.last, "denoise"), 0, 1)
        steps = whole(self._setting(self.last, "steps"), 1, 500)
        return {"hires": scale, "hires_by": by, "hires_strength": strength or 1.0, "hires_steps": steps}

    def _canvas(self, sampler: Node, way: list[Node]) -> dict[str, Any]:
        """The size of the empty latents, or the picture that was begun with."""
        found: dict[str, Any] = {}
        strength = number(self._setting(sampler, "denoise"), 0, 1)
        for node in way:
            width, height = (whole(self.nodes.value(node.inputs.get(side)), 1, 16384) for side in ("width", "height"))
            if node.kind.startswith("load image") or node.kind.startswith("loadimage"):
                name = self.nodes.value(node.inputs.get("image"))
                if isinstance(name, str):
                    self.left.append(f"It began with the picture “{name[:100]}”.")
                found |= {"operation": "image.transform", "strength": strength or 1.0}
                masked = any("inpaint" in other.kind or "noisemask" in other.kind for other in way)
                if masked:
                    found["operation"] = "image.inpaint"
                return found
            if width and height and ("empty" in node.kind or ("latent" in node.kind and "scale" not in node.kind)):
                return {"width": width, "height": height, **self._how_many(node)}
        return found

    def _how_many(self, node: Node) -> dict[str, Any]:
        count = whole(self.nodes.value(node.inputs.get("batch_size")), 1, 4096) or 1
        if count > 1:
            self.left.append(f"It is one of a batch of {count} that shared a seed; here each picture has its own.")
        return {}

    def _conditioning(self, sampler: Node) -> tuple[Any, Any]:
        around = self.nodes.at(sampler.inputs.get("guider")) or sampler
        positive = around.inputs.get("positive", around.inputs.get("conditioning", around.inputs.get("cond1")))
        return positive, around.inputs.get("negative")

    def _models(self, sampler: Node) -> dict[str, Any]:
        """The checkpoint and what stands between it and the sampler."""
        around = self.nodes.at(sampler.inputs.get("guider")) or sampler
        found: dict[str, Any] = {}
        loras: deque[dict[str, Any]] = deque()
        node, seen = self.nodes.at(around.inputs.get("model")), 0
        while node is not None and seen < 200:
            seen += 1
            for lora in _loras(self.nodes, node):
                loras.appendleft(lora)
            name = next((value for key in ("ckpt_name", "unet_name", "model_name", "gguf_name")
                         if isinstance(value := self.nodes.value(node.inputs.get(key)), str)), None)  # fmt: skip
            if name is not None and not node.inputs.keys() & {"model", "sampler_name"}:
                found["model"] = name
                break
            if (shift := number(self.nodes.value(node.inputs.get("shift")), 1e-6, 30)) is not None:
                found.setdefault("shift", shift)
            if "ipadapter" in node.kind.replace("-", "").replace(" ", ""):
                self.left.append("A reference picture (IP-Adapter) was used, which is not in the file.")
            node = self.nodes.first(node, "model", "MODEL", "unet")
        found["loras"] = [lora for lora in loras if lora["weight"] != 0][:16]
        return found


def _loras(nodes: Nodes, node: Node) -> list[dict[str, Any]]:
    """The LoRAs that a loader adds: one, or several under numbered names."""
    single = nodes.value(node.inputs.get("lora_name"))
    if isinstance(single, str):
        return [_lora(single, nodes.value(node.inputs.get("strength_model", node.inputs.get("strength"))))]
    found = [
        _lora(value["lora"], value.get("strength"))
        for value in list(node.inputs.values())[:100]
        if isinstance(value, dict) and isinstance(value.get("lora"), str) and value.get("on", True)
    ]
    for at in range(1, 11):
        name = nodes.value(node.inputs.get(f"lora_name_{at}", node.inputs.get(f"lora_{at}_name")))
        if isinstance(name, str) and name not in ("", "None"):
            found.append(_lora(name, nodes.value(node.inputs.get(f"model_str_{at}", node.inputs.get(f"lora_wt_{at}")))))
    return found


def _lora(name: str, weight: Any) -> dict[str, Any]:
    value = number(weight, -4, 4)
    return {"model": name, "weight": 1.0 if value is None else value}
