"""What InvokeAI, Fooocus, SwarmUI, NovelAI and Draw Things write into pictures, as values of ours.

Each function takes JSON that may hold anything, and gives values (none when it is something else) and sentences.
"""

import re
from typing import Any

from . import sampler_names
from .foreign_comfy_nodes import number, whole

Values = tuple[dict[str, Any], list[str]]
SEED = 2**32 - 1
_DREAM = re.compile(r"(?:^|\s)-([sSWHCAfv])\s*([\w.+-]{1,40})")
_PHRASE = re.compile(r"\(([^()]{1,500})\)(\+{1,10}|-{1,10}|\d{1,2}(?:\.\d{1,4})?|\.\d{1,4})")
_PLUS = re.compile(r"(?<![\w+])([^\W\d_][\w']{0,60})(\+{1,10}|-{2,10})(?![\w+-])")


def invoke(said: Any) -> Values:
    """InvokeAI from version 3 on."""
    if not isinstance(said, dict) or "positive_prompt" not in said:
        return {}, []
    left: list[str] = []
    mode = _text(said.get("generation_mode"))
    found: dict[str, Any] = {
        "prompt": weights_of_invoke(_text(said.get("positive_prompt"))),
        "negative": weights_of_invoke(_text(said.get("negative_prompt"))),
        "model": _name(said.get("model")),
        "guidance": number(said.get("guidance"), 0, 50) or number(said.get("cfg_scale"), 0, 50),
        "clip_skip": whole(said.get("clip_skip"), 1, 11),
        "loras": [{"model": _name(lora.get("model") or lora.get("lora")), "weight": _weight(lora.get("weight"))}
                  for lora in _dicts(said.get("loras"))],
    }  # fmt: skip
    found |= _numbers(said) | _sampler(_text(said.get("scheduler")), "", left)
    found["controls"] = [
        _invoke_control(unit) for unit in [*_dicts(said.get("controlnets")), *_dicts(said.get("t2iAdapters"))]
    ]
    if found["controls"] or _dicts(said.get("ipAdapters")):
        left.append("Guiding pictures (ControlNet, reference) are not in the file; choose them.")
    if "img2img" in mode or "inpaint" in mode or "outpaint" in mode:
        found["operation"] = "image.inpaint" if "paint" in mode else "image.transform"
        found["strength"] = number(said.get("strength"), 0, 1)
    if said.get("hrf_enabled") is True:
        found |= {"hires": 2.0, "hires_strength": number(said.get("hrf_strength"), 0, 1)}
    if style := _text(said.get("positive_style_prompt")):
        left.append(f"The style prompt “{style[:100]}” was left out.")
    return _given(found), left


def invoke_old(said: Any) -> Values:
    """InvokeAI 2: the text `sd-metadata`."""
    image = said.get("image") if isinstance(said, dict) else None
    if not isinstance(image, dict):
        return {}, []
    left: list[str] = []
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        prompt = " BREAK ".join(_text(part.get("prompt")) for part in _dicts(prompt))
    found = _prompt_with_negative(_text(prompt)) | _numbers(image) | _sampler(_text(image.get("sampler")), "", left)
    found |= {"model": _text(said.get("model_weights")), "guidance": number(image.get("cfg_scale"), 0, 50)}
    if image.get("type") == "img2img":
        found |= {"operation": "image.transform", "strength": number(image.get("strength"), 0, 1)}
    if _dicts(image.get("variations")) or image.get("variations"):
        left.append("Variations of the seed were mixed in, which is not taken over.")
    return _given(found), left


def dream(text: str) -> Values:
    """The command of InvokeAI's beginnings: `"a fox [blurry]" -s 50 -S 1 -W 512 -H 512 -C 7.5 -A k_lms`."""
    match = re.match(r'\s*"((?:[^"\\]|\\.){0,20000})"(.{0,2000})', text, re.DOTALL)
    if match is None:
        return {}, []
    left: list[str] = []
    options = dict(_DREAM.findall(match[2]))
    found = _prompt_with_negative(match[1].replace('\\"', '"'))
    for letter, name, most in (("s", "steps", 500), ("S", "seed", SEED), ("W", "width", 16384), ("H", "height", 16384)):
        value = options.get(letter, "")
        found[name] = whole(int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None, 0, most)
    found["guidance"] = number(_float(options.get("C")), 0, 50)
    found |= _sampler(options.get("A", ""), "", left)
    if (strength := number(_float(options.get("f")), 0, 1)) is not None:
        found |= {"operation": "image.transform", "strength": strength}
    return _given(found), left


def fooocus(said: Any) -> Values:
    """Fooocus, in the keys of its JSON and of its older log."""
    if not isinstance(said, dict):
        return {}, []
    low = {str(key).lower().replace(" ", "_"): value for key, value in list(said.items())[:300]}
    left: list[str] = []
    size = [int(side[:6]) for side in re.findall(r"\d+", str(low.get("resolution", ""))[:60])]
    found = _numbers(low) | _sampler(_text(low.get("sampler")), _text(low.get("scheduler")), left)
    found |= {"prompt": _text(low.get("prompt")), "negative": _text(low.get("negative_prompt"))}
    found |= {"model": _text(low.get("base_model")), "guidance": number(_float(low.get("guidance_scale")), 0, 50)}
    if len(size) == 2:
        found |= {"width": size[0], "height": size[1]}
    loras = [(entry[0], entry[1]) for entry in _list(low.get("loras")) if isinstance(entry, list) and len(entry) >= 2]
    for key, value in low.items():
        if key.startswith("lora_combined") and isinstance(value, str) and ":" in value:
            name, _, weight = value.rpartition(":")
            loras.append((name.strip(), _float(weight)))
    found["loras"] = [{"model": name, "weight": _weight(weight)} for name, weight in loras if isinstance(name, str)]
    styles = low.get("styles")
    if styles and styles != "[]":
        left.append(f"Fooocus' styles are not here: {str(styles)[:150]}.")
    if _text(low.get("refiner_model")) not in ("", "None"):
        left.append(f"The refiner “{_text(low['refiner_model'])[:100]}” was left out.")
    if found["prompt"] or found.get("seed") is not None:
        return _given(found), left
    return {}, []


def swarm(said: Any) -> Values:
    """SwarmUI's `sui_image_params`."""
    if not isinstance(said, dict):
        return {}, []
    left: list[str] = []
    found = _numbers(said) | _sampler(_text(said.get("sampler")), _text(said.get("scheduler")), left)
    found |= {"prompt": _text(said.get("prompt")), "negative": _text(said.get("negativeprompt"))}
    found |= {"model": _text(said.get("model")), "guidance": number(said.get("cfgscale"), 0, 50)}
    names, weights = _list(said.get("loras")), _list(said.get("loraweights"))
    found["loras"] = [{"model": name, "weight": _weight(_float(weights[at]) if at < len(weights) else 1)}
                      for at, name in enumerate(names) if isinstance(name, str)]  # fmt: skip
    if "initimage" in said or "initimagecreativity" in said:
        found |= {"operation": "image.transform", "strength": number(said.get("initimagecreativity"), 0, 1)}
    return _given(found), left


def novelai(said: Any, source: str) -> Values:
    """NovelAI; its braces strengthen, which here would be a choice, so they are rewritten as weights."""
    if not isinstance(said, dict) or not isinstance(said.get("prompt"), str):
        return {}, []
    left: list[str] = []
    found = _numbers(said) | _sampler(_text(said.get("sampler")), _text(said.get("noise_schedule")), left)
    found |= {"prompt": _braces(said["prompt"]), "negative": _braces(_text(said.get("uc")))}
    found["guidance"] = number(said.get("scale"), 0, 50)
    if source:
        left.append(f"It was made by {source[:80]}, which cannot be installed.")
    if (strength := number(said.get("strength"), 0, 1)) is not None and said.get("request_type") == "Img2ImgRequest":
        found |= {"operation": "image.transform", "strength": strength}
    return _given(found), left


def draw_things(said: Any) -> Values:
    if not isinstance(said, dict):
        return {}, []
    left: list[str] = []
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", _text(said.get("size")))
    found = _numbers(said) | _sampler(_text(said.get("sampler")), "", left)
    found |= {"prompt": _text(said.get("c")), "negative": _text(said.get("uc")), "model": _text(said.get("model"))}
    found |= {"guidance": number(said.get("scale"), 0, 50), "shift": number(said.get("shift"), 1e-6, 30)}
    if size:
        found |= {"width": int(size[1]), "height": int(size[2])}
    found["loras"] = [{"model": _text(lora.get("model")), "weight": _weight(lora.get("weight"))}
                      for lora in _dicts(said.get("lora"))]  # fmt: skip
    strength = number(said.get("strength"), 0, 1)
    if strength is not None and 0 < strength < 1:
        found |= {"operation": "image.transform", "strength": strength}
    return _given(found), left


def weights_of_invoke(prompt: str) -> str:
    """`(a fox)1.3` and `fox++` as `(a fox:1.3)` and `(fox:1.21)`; each sign is a tenth, as compel has it."""

    def weighed(match: re.Match[str]) -> str:
        signs = match[2]
        weight = 1.1 ** len(signs) if signs[0] == "+" else 0.9 ** len(signs) if signs[0] == "-" else float(signs)
        return f"({match[1]}:{weight:.4g})"

    return _PLUS.sub(weighed, _PHRASE.sub(weighed, prompt))


def _braces(prompt: str) -> str:
    table = {"{": "(", "}": ":1.05)", "[": "(", "]": ":0.9524)"}
    return "".join(table.get(sign, sign) for sign in prompt)


def _prompt_with_negative(text: str) -> dict[str, Any]:
    """A prompt in which `[words]` are not to be seen."""
    negative = re.findall(r"\[([^\[\]]{1,2000})\]", text)
    prompt = re.sub(r"\s*\[[^\[\]]{1,2000}\]", "", text).strip()
    return {"prompt": weights_of_invoke(prompt), "negative": ", ".join(negative)}


def _invoke_control(unit: dict[str, Any]) -> dict[str, Any]:
    weight = unit.get("control_weight", unit.get("weight"))
    found: dict[str, Any] = {"model": _name(unit.get("control_model") or unit.get("t2i_adapter_model"))}
    found["weight"] = number(weight[0] if isinstance(weight, list) and weight else weight, 0, 3)
    found |= {"start": number(unit.get("begin_step_percent"), 0, 1), "end": number(unit.get("end_step_percent"), 0, 1)}
    return {name: value for name, value in found.items() if value is not None}


def _numbers(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, least, most in (("seed", 0, SEED), ("steps", 1, 500), ("width", 1, 16384), ("height", 1, 16384)):
        value = said.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
            value = int(value)
        found[name] = whole(value, least, most)
    return found


def _sampler(name: str, schedule: str, left: list[str]) -> dict[str, Any]:
    ours, implied, problem = sampler_names.sampler(name)
    said, problem_too = sampler_names.schedule(schedule)
    left += [sentence for sentence in (problem, problem_too) if sentence]
    chosen = said if said not in ("", "auto") else implied
    return {"sampler": ours if ours not in ("", "auto") else None, "schedule": chosen or None}


def _given(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value[:64] if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]


def _name(value: Any) -> str:
    """The name of a model that stands as a text or as an object."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("name", "model_name", "key") if isinstance(value.get(key), str)), "")
    return _text(value)


def _weight(value: Any) -> float:
    found = number(value, -4, 4)
    return 1.0 if found is None else found


def _float(value: Any) -> float | None:
    if isinstance(value, str) and len(value) < 40:
        try:
            return float(value)
        except ValueError:
            return None
    return number(value, -1e300, 1e300)
