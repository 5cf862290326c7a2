"""Which word of the `parameters` text is which field of ours, in both directions. Imports no torch.

Only infotext.py reads this; the text itself is taken apart and put together there.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from . import params as p
from . import params_more as more
from . import sampler_names as names

if TYPE_CHECKING:
    from .infotext import Infotext

OPERATIONS: dict[str, type] = {
    "image.generate": p.Generate, "image.transform": p.Transform, "image.inpaint": p.Inpaint,
    "image.outpaint": p.Outpaint, "image.upscale": more.Upscale, "image.edit": more.Edit,
}  # fmt: skip
_FILL = {"original": "original", "blur": "fill", "noise": "latent noise", "grey": "latent nothing"}
_QUIET = frozenset({
    "version", "model hash", "model", "vae", "vae hash", "rng", "batch size", "batch pos", "token merging ratio",
    "user", "hashes", "lora hashes", "ti hashes", "template", "negative template", "parser", "backend", "app",
    "operations", "size-1", "size-2", "hires resize-1", "hires resize-2", "emphasis", "discard penultimate sigma",
    "conditional mask weight", "pad conds", "downcast alphas_cumprod", "hires module 1", "hires sampler",
    "hires schedule type", "hires cfg scale", "init image hash", "image cfg scale", "diffusion in low bits", "module 1",
    "module 2", "module 3", "schedule max sigma", "schedule min sigma", "schedule rho", "pipeline", "first pass size",
    "studio operation", "cfg rescale",
})  # fmt: skip
"""Keys of others that need no sentence: they say what was used, not what was asked for."""


def operation_of(params: Mapping[str, Any]) -> str:
    """The operation with exactly these fields, or else the first one that has all of them."""
    given = set(params)
    if exact := next((id for id in OPERATIONS if given == set(defaults(id))), ""):
        return exact
    return next((id for id in OPERATIONS if given <= set(defaults(id))), "image.generate")


@cache
def defaults(operation: str) -> Mapping[str, Any]:
    """Field -> default, as JSON; required fields are empty texts."""
    model = OPERATIONS.get(operation, p.Generate)
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():  # type: ignore[attr-defined]
        found[name] = "" if info.is_required() else info.get_default(call_default_factory=True)
    return found


def settings(
    values: Mapping[str, Any], facts: Mapping[str, Any], operation: str, width: int, height: int, model: str
) -> dict[str, str]:
    """The last line's keys and values."""
    sampler, schedule = names.a1111(str(values.get("sampler", "")), str(values.get("schedule", "")))
    hires = float(values.get("hires") or 1)
    if hires > 1:  # the size is that of the first pass, as A1111 has it
        width = int(values.get("width") or 0) or round(width / hires)
        height = int(values.get("height") or 0) or round(height / hires)
    said: dict[str, Any] = {
        "Steps": values.get("steps"), "Sampler": sampler, "Schedule type": schedule,
        "CFG scale": values.get("guidance"),
        "Seed": values.get("seed"), "Size": f"{width}x{height}", "Model hash": facts.get("model_hash"), "Model": model,
        "Clip skip": int(values["clip_skip"]) + 1 if values.get("clip_skip") else None,
        "Eta": values.get("eta"), "Shift": values.get("shift"),
    }  # fmt: skip
    if values.get("variation"):
        said |= {"Variation seed": values.get("variation_seed"), "Variation seed strength": values["variation"]}
    if operation != "image.generate" and "strength" in values:
        said["Denoising strength"] = values["strength"]
    if operation == "image.inpaint":
        said |= {"Mask blur": values.get("feather"), "Masked content": _FILL.get(str(values.get("fill")))}
        said |= {"Inpaint area": "Whole picture" if values.get("whole") else "Only masked"}
        said |= {"Masked area padding": values.get("context")}
    if hires > 1:
        by = {"latent": "Latent", "lanczos": "Lanczos"}.get(str(values.get("hires_by", "lanczos")))
        said |= {"Denoising strength": values.get("hires_strength", 0.5), "Hires upscale": hires}
        said |= {"Hires steps": values.get("hires_steps") or None, "Hires upscaler": by}
    for number, control in enumerate(values.get("controls") or ()):
        said[f"ControlNet {number}"] = _control(control)
    for key, name in (("Lora hashes", "lora_hashes"), ("TI hashes", "inversion_hashes")):
        said[key] = ", ".join(f"{word}: {hash}" for word, hash in dict(facts.get(name) or {}).items())
    said["Version"] = f"Atelier {facts['version']}" if facts.get("version") else "Atelier"
    return {key: _number(value) for key, value in said.items() if value is not None and value != ""}


def values(text: "Infotext") -> tuple[dict[str, Any], list[str]]:
    """Our fields' values, "operation" among them, and a sentence for everything that could not be taken."""
    reader = _Reader(text)
    return reader.values(), reader.left


def _control(control: Mapping[str, Any]) -> str:
    """As A1111's ControlNet extension writes one unit."""
    module = {"given": "none", "scribble": "scribble_hed", "pose": "openpose", "depth": "depth_midas"}
    kind = str(control.get("map", "given"))
    return (
        f"Module: {module.get(kind, kind)}, Model: {control.get('model', '')}, Weight: {control.get('weight', 1)}, "
        f"Guidance Start: {control.get('start', 0)}, Guidance End: {control.get('end', 1)}"
    )


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


class _Reader:
    """Reads the settings of one text; `left` collects what could not be taken."""

    def __init__(self, text: "Infotext"):
        self.text, self.left = text, []
        self._by_key = {key.lower(): value for key, value in text.settings.items()}
        self._used: set[str] = set()

    def values(self) -> dict[str, Any]:
        from .infotext import lora_tags

        prompt, loras = lora_tags(self.text.prompt)
        found: dict[str, Any] = {"prompt": prompt, "negative": self.text.negative}
        if loras:
            found["loras"] = [{"model": name, "weight": weight} for name, weight in loras]
        found |= self._sampling() | self._size() | self._variation()
        found |= self._passes()
        found |= self._ours(found)
        self._say_what_is_left()
        return {name: value for name, value in found.items() if value is not None}

    def _sampling(self) -> dict[str, Any]:
        sampler, schedule, problem = names.sampler(self._text("sampler"))
        said, problem_too = names.schedule(self._text("schedule type"))
        self.left += [sentence for sentence in (problem, problem_too) if sentence]
        schedule = said if said not in ("", "auto") else schedule
        skip = self._whole("clip skip", 1, 12)
        guidance = self._float("cfg scale", 0, 50)
        distilled = self._float("distilled cfg scale", 0, 50)  # Forge, of models that learned their guidance
        return {
            "steps": self._whole("steps", 1, 500),
            "sampler": sampler if sampler not in ("", "auto") else None,
            "schedule": schedule if schedule not in ("", "auto") else None,
            "guidance": guidance if distilled is None else distilled,
            "seed": self._whole("seed", 0, 2**32 - 1),
            "clip_skip": skip - 1 if skip is not None and skip > 1 else None,
            "eta": self._float("eta", 0, 1),
            "shift": self._float("shift", 1e-9, 30),
            "model": self._text("model") or None,
        }

    def _size(self) -> dict[str, Any]:
        sides = self._text("size").lower().split("x")
        if len(sides) == 2 and all(side.strip().isascii() and side.strip().isdigit() for side in sides):
            width, height = (int(side[:9]) for side in sides)
            if 0 < width <= 16384 and 0 < height <= 16384:
                return {"width": width, "height": height}
        return {}

    def _variation(self) -> dict[str, Any]:
        strength = self._float("variation seed strength", 0, 1)
        seed = self._whole("variation seed", 0, 2**32 - 1)
        return {"variation": strength, "variation_seed": seed} if strength else {}

    def _passes(self) -> dict[str, Any]:
        """The second pass, or the picture that was begun with."""
        strength = self._float("denoising strength", 0, 1)
        hires = self._float("hires upscale", 1, 4)
        if hires is None and (sides := self._text("hires resize").lower().split("x"))[0].isdigit():
            width = self._size().get("width")
            hires = min(4.0, max(1.0, int(sides[0][:6]) / width)) if width and int(sides[0][:6]) else None
        steps, by = self._whole("hires steps", 0, 500), self._text("hires upscaler")
        if hires is not None and hires > 1:
            if by and not by.lower().startswith(("latent", "lanczos")):
                self.left.append(f"The second pass used the upscaler “{by[:80]}”; Lanczos is used instead.")
            how = ("latent" if by.lower().startswith("latent") else "lanczos") if by else None
            return {"operation": "image.generate", "hires": hires, "hires_strength": strength or None,
                    "hires_steps": steps, "hires_by": how}  # fmt: skip
        masked = self._text("mask blur"), self._text("masked content"), self._text("inpaint area")
        if any(masked):
            fill = next((ours for ours, theirs in _FILL.items() if theirs == masked[1].lower()), None)
            return {"operation": "image.inpaint", "strength": strength or None, "fill": fill,
                    "feather": self._whole("mask blur", 0, 512), "whole": masked[2].lower() == "whole picture" or None,
                    "context": self._whole("masked area padding", 0, 4096)}  # fmt: skip
        if strength:
            return {"operation": "image.transform", "strength": strength}
        return {"operation": "image.generate"}

    def _ours(self, found: dict[str, Any]) -> dict[str, Any]:
        """Values under our own keys, where they are ours in name and kind."""
        operation = self._text("studio operation") or found["operation"]
        if operation not in OPERATIONS:
            operation = found["operation"]
        taken: dict[str, Any] = {"operation": operation}
        for name in defaults(operation):
            raw = self._text("studio " + name)
            if raw:
                try:
                    taken[name] = json.loads(raw)
                except (ValueError, RecursionError):
                    self.left.append(f"The value of “Studio {name}” cannot be read.")
        return taken

    def _say_what_is_left(self) -> None:
        for key, value in self.text.settings.items():
            low = key.lower()
            if low in self._used or low in _QUIET:
                continue
            if low.startswith("controlnet"):
                self.left.append(f"A ControlNet was used, whose picture is not in the file: {value[:200]}.")
            else:
                self.left.append(f"“{key}: {value[:80]}” has no counterpart here.")

    def _text(self, key: str) -> str:
        self._used.add(key)
        return self._by_key.get(key, "").strip()

    def _float(self, key: str, least: float, most: float) -> float | None:
        raw = self._text(key)
        try:
            value = float(raw[:40]) if raw else math.nan
        except ValueError:
            value = math.nan
        if raw and not least <= value <= most:
            self.left.append(f"“{key}” is {raw[:40]!r}, which is no number from {least:g} to {most:g}.")
        return value if least <= value <= most else None

    def _whole(self, key: str, least: int, most: int) -> int | None:
        raw = self._text(key)
        value = int(raw) if len(raw) < 20 and raw.isascii() and raw.removeprefix("-").isdigit() else None
        if raw and (value is None or not least <= value <= most):
            self.left.append(f"“{key}” is {raw[:40]!r}, which is no whole number from {least} to {most}.")
            return None
        return value
