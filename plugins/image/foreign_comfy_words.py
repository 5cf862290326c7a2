"""What a graph of ComfyUI says in words: prompts through chains of conditioning, and the ControlNets on the way."""

import re
from typing import Any

from .foreign_comfy_nodes import Node, Nodes, number, whole

_TEXTS = ("text", "prompt", "text_g", "t5xxl", "text_l", "clip_l", "positive", "string")
_EMBEDDING = re.compile(r"\bembedding:([\w\-. /\\]{1,100}?)(?=[,:()\[\]\n]|\s|$)")
_WAYS = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "base", "cond")
MOST = 200


class Words:
    """Follows both conditionings of one sampler. `left` takes sentences."""

    def __init__(self, nodes: Nodes, left: list[str]):
        self._nodes, self._left = nodes, left
        self._controls: dict[str, dict[str, Any]] = {}
        self._found: dict[str, Any] = {}

    def of(self, positive: Any, negative: Any) -> dict[str, Any]:
        """prompt, negative, controls, guidance, clip_skip and inversions, as far as they were set."""
        found: dict[str, Any] = {
            "prompt": self._text(positive, "positive"),
            "negative": self._text(negative, "negative"),
        }
        words: dict[str, str] = {}
        for name in ("prompt", "negative"):
            found[name] = _EMBEDDING.sub(lambda match: words.setdefault(match[1], _word(match[1])), found[name])
        found["inversions"] = [{"model": name, "word": word} for name, word in words.items()][:16]
        found["controls"] = list(self._controls.values())[:4]
        return found | self._found

    def _text(self, link: Any, side: str) -> str:
        """The texts that a conditioning was made of."""
        texts: list[str] = []
        waiting, seen = [link], set()
        while waiting and len(seen) < MOST:
            node = self._nodes.at(waiting.pop(0))
            if node is None or node.id in seen:
                continue
            seen.add(node.id)
            if "zeroout" in node.kind.replace(" ", ""):
                continue
            self._note(node)
            text = self._own_text(node)
            if text is not None and (
                "encode" in node.kind or "prompt" in node.kind or not node.inputs.keys() & set(_WAYS)
            ):
                texts.append(text)
                continue
            ways = [name for name in _WAYS if name in node.inputs] or ([side] if side in node.inputs else [])
            waiting += [node.inputs[name] for name in ways]
        kept = [text for text in dict.fromkeys(texts) if text.strip()]
        if len(kept) > 1:
            self._left.append(
                "Several prompts were combined; here they stand after each other, with BREAK between them."
            )
        return " BREAK ".join(kept)

    def _own_text(self, node: Node) -> str | None:
        found = [text for name in _TEXTS if isinstance(text := self._nodes.value(node.inputs.get(name)), str)]
        return max(found, key=len) if found else None

    def _note(self, node: Node) -> None:
        """What else a node on the way says."""
        guidance = number(self._nodes.value(node.inputs.get("guidance")), 0, 50)
        if guidance is not None:
            self._found["guidance"] = guidance
        if "setarea" in node.kind.replace(" ", "") or "setmask" in node.kind.replace(" ", ""):
            self._left.append("A prompt was bound to a part of the picture; here it counts for all of it.")
        clip, steps = self._nodes.at(node.inputs.get("clip")), 0
        while clip is not None and steps < 50:
            layer = whole(self._nodes.value(clip.inputs.get("stop_at_clip_layer")), -24, -1)
            if layer is not None and layer < -1:
                self._found["clip_skip"] = -layer - 1
            clip, steps = self._nodes.first(clip, "clip"), steps + 1
        if "control_net" in node.inputs and node.id not in self._controls:
            self._controls[node.id] = self._control(node)

    def _control(self, node: Node) -> dict[str, Any]:
        loader, steps, name = self._nodes.at(node.inputs["control_net"]), 0, None
        while loader is not None and not isinstance(name, str) and steps < 10:
            name = self._nodes.value(loader.inputs.get("control_net_name"))
            loader, steps = self._nodes.first(loader, "control_net"), steps + 1
        self._left.append("A ControlNet was used; its picture is not in the file: choose it.")
        found = {"model": name if isinstance(name, str) else ""}
        for ours, theirs, most in (("weight", "strength", 3), ("start", "start_percent", 1), ("end", "end_percent", 1)):
            value = number(self._nodes.value(node.inputs.get(theirs)), 0, most)
            if value is not None:
                found[ours] = value  # type: ignore[assignment]
        return found


def _word(name: str) -> str:
    return re.sub(r"\.(pt|bin|safetensors)$", "", name.replace("\\", "/").rpartition("/")[2])
